import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli import data
from inpaint_cli.data.folders import sort
from inpaint_cli.data.image_set import SPLITS, Split
from inpaint_cli.data.names import celeba_split, ffhq_split
from inpaint_cli.data.splits import Assignment, Member, divide
from tests.data.image_files import folder_of, photos, stored

NAMES = st.lists(st.text("abc/1", min_size=1), min_size=40, max_size=80, unique=True)


def of(names: list[str]) -> Assignment:
    return divide([Member(name, name) for name in names])


def ids(assignment: Assignment, split: Split) -> list[str]:
    return [member.id for member in assignment.splits[split]]


def many(count: int) -> list[str]:
    return [f"{i}.png" for i in range(count)]


@given(NAMES, st.randoms(use_true_random=False))
def test_the_split_does_not_depend_on_the_order(names: list[str], order: random.Random) -> None:
    shuffled = order.sample(names, len(names))
    assert of(shuffled).splits == of(names).splits


def test_an_image_stays_in_its_split_when_others_are_added() -> None:
    before, after = of(many(500)), of(many(900))
    assert set(ids(before, "test")) <= set(ids(after, "test"))
    assert set(ids(before, "validation")) <= set(ids(after, "validation"))


def test_about_a_twentieth_is_test_and_of_the_rest_validation() -> None:
    assignment = of(many(20_000))
    assert 900 <= len(ids(assignment, "test")) <= 1100
    assert 850 <= len(ids(assignment, "validation")) <= 1000


def test_validation_has_a_thousand_images_at_most() -> None:
    assert len(ids(of(many(30_000)), "validation")) == 1000


@given(st.integers(3, 30))
def test_three_images_fill_all_splits(count: int) -> None:
    assignment = of(many(count))
    assert all(assignment.splits[split] for split in SPLITS)


@given(NAMES)
def test_no_image_is_lost_or_in_two_splits(names: list[str]) -> None:
    assignment = of(names)
    assert sorted(name for split in SPLITS for name in ids(assignment, split)) == sorted(names)


def test_the_test_split_does_not_depend_on_validation_and_the_seed_never_touches_its_folder() -> (
    None
):
    members = sort([f"train/{i}.png" for i in range(100)] + ["test/x.png"]).members
    assert ids(divide(members), "test") == ["test/x.png"]


def test_a_validation_folder_without_test_leaves_test_to_the_seed() -> None:
    members = sort([f"train/{i}.png" for i in range(100)] + ["val/x.png"]).members
    assignment = divide(members)
    assert ids(assignment, "validation") == ["val/x.png"]
    assert all(name.startswith("train/") for name in ids(assignment, "test"))
    assert ids(assignment, "test")
    assert ids(divide(members, validation_is_test=True), "test") == ["val/x.png"]


def test_names_that_are_no_text_can_be_split() -> None:
    assert of(["\udcff.png", "a.png", "b.png"]).splits["test"]


def test_an_official_split_is_used_if_it_fills_train_and_test() -> None:
    full = [f"{number:06}.jpg" for number in (1, 162_770, 162_771, 182_637, 182_638, 202_599)]
    assignment = divide([Member(name, name) for name in full], celeba_split)
    assert [ids(assignment, split) for split in SPLITS] == [full[:2], full[2:4], full[4:]]
    first = [f"{number:06}.jpg" for number in range(1, 101)]
    assert len(ids(divide([Member(n, n) for n in first], celeba_split), "train")) < 100


def test_ffhq_has_seven_thousand_test_images() -> None:
    splits = [ffhq_split(f"00000/{i:05}.png") for i in range(70_000)]
    assert splits.count("test") == 7000
    assert splits.count("train") == 63_000
    assert ffhq_split("70000.png") is None


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize("around", ["", "photos/", "photos/of 2024/"])
def test_folders_around_everything_change_no_split(tmp_path: Path, kind: str, around: str) -> None:
    plain = [f"{i}.png" for i in range(40)]
    bare = data.load_images(
        [folder_of(tmp_path / "bare", photos(*plain))], size=8, channels=1, split="test"
    )
    tree = photos(*(around + name for name in plain))
    source = stored(kind, tmp_path / "packed", tree)
    packed = data.load_images([source], size=8, channels=1, split="test")
    assert packed.ids == bare.ids
