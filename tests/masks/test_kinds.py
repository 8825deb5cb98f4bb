"""Every kind: what its name means, what always holds, and that masks depend on their key alone."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.masks import Mask, freeform, ranges
from inpaint_cli.masks.kinds import FIXED, PARAMETRIC
from tests.masks.statistics_of import components

MORE = [
    "freeform-large-scaled",
    "freeform-mat512-large-scaled",
    "freeform@80-100",
    "freeform@2.5-30",
    "freeform@mixture",
    "freeform-mat512-large@50-100",
    "rectangles@60-80",
    "patches:n=3",
    "patches-25:n=0",
    "holes:n=5",
    "hide-top:0.75",
    "box-12.5",
    "box-100-random",
    "edge:2",
    "centre-visible:100",
]
ALL = [*masks.KINDS, *MORE]
RANDOM = [name for name in ALL if masks.parse(name).is_random]


def drawn(kind: str, height: int, width: int, count: int) -> list[Mask]:
    return [masks.draw(kind, height, width, seed=5, index=index) for index in range(count)]


def pieces(mask: Mask) -> int:
    """Counts the 8-connected visible parts."""
    return components(mask)[2]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [(8, 8), (8, 31), (50, 23), (120, 40)])
def test_every_kind_draws_at_any_size(kind: str, size: tuple[int, int]) -> None:
    mask = masks.draw(kind, *size, index=1)
    assert (mask.shape, mask.dtype) == (size, np.dtype(bool))


@pytest.mark.parametrize("kind", RANDOM)
def test_a_mask_depends_on_its_key_alone(kind: str) -> None:
    alone = masks.draw(kind, 16, 24, seed=3, epoch=2, index=7)
    batch = masks.draw_batch(kind, 16, 24, seed=3, epoch=2, indices=[9, 7])
    assert batch.shape == (2, 1, 16, 24)
    assert str(batch.dtype) == "torch.bool"
    np.testing.assert_array_equal(batch[1, 0].numpy(), alone)


@pytest.mark.parametrize("kind", sorted({*RANDOM} - {"patches-25:n=0", "box-100-random"}))
def test_seed_epoch_and_index_each_change_the_masks(kind: str) -> None:
    def several(seed: int, epoch: int, shift: int) -> list[bytes]:
        return [
            masks.draw(kind, 64, 64, seed=seed, epoch=epoch, index=shift + 5 * i).tobytes()
            for i in range(6)
        ]

    variants = [several(0, 0, 0), several(1, 0, 0), several(0, 1, 0), several(0, 0, 100)]
    assert all(a != b for i, a in enumerate(variants) for b in variants[:i])


@pytest.mark.parametrize("kind", [name for name in ALL if name not in RANDOM])
def test_fixed_kinds_are_the_same_every_time(kind: str) -> None:
    first, second = drawn(kind, 24, 31, 2)
    np.testing.assert_array_equal(first, second)


def test_every_listed_kind_is_parsed_and_every_parsed_kind_is_listed_or_scaled() -> None:
    assert all(masks.parse(name).name == name for name in masks.KINDS)
    unlisted = {*FIXED, *PARAMETRIC} - set(masks.KINDS)
    assert all(name.endswith("-scaled") for name in unlisted)


@pytest.mark.parametrize("name", [*ALL, "hide-top:2", "freeform@90-10"])
def test_names_of_kinds_are_known(name: str) -> None:
    assert masks.is_kind(name)


@pytest.mark.parametrize("name", ["mask.png", "freeforms", "box-0", "box-200", "box-", ""])
def test_other_names_are_not_kinds(name: str) -> None:
    assert not masks.is_kind(name)
    with pytest.raises(UserError, match="no mask kind called"):
        masks.parse(name)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("freform", "Did you mean 'freeform'"),
        ("center", "Did you mean 'centre'"),
        ("hide-top:1.5", "a share in"),
        ("hide-top:x", "a share in"),
        ("hide-top:1/0", "a share in"),
        ("hide-top:", "a share in"),
        ("edge:0", "at least 1"),
        ("edge:1_0", "at least 1"),
        ("edge: 4", "at least 1"),
        ("centre-visible:٨", "at least 1"),
        ("box-٨٠", "no mask kind"),
        ("freeform@٢٠-40", "not a range"),
        ("patches:n=0-5", "takes one of n=0 to n=5"),
        ("patches:3", "n=0 to n=5"),
        ("patches:n=6", "n=0 to n=5"),
        ("blobs:4", "takes no parameter"),
        ("box-80:2", "takes no parameter"),
        ("freeform@", "not a range"),
        ("freeform@all", "not a range"),
        ("freeform@40-20", "LOW < HIGH"),
        ("freeform@20-120", "LOW < HIGH"),
        ("centre@20-40", "takes no range"),
        ("nothing@mixture", "takes no range"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_advice(kind: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        masks.parse(kind)


def test_a_size_below_eight_pixels_is_refused() -> None:
    with pytest.raises(UserError, match="at least 8x8 pixels, got 7x9"):
        masks.draw("blobs", 7, 9)


@given(
    st.sampled_from(["freeform", "freeform-scaled", "freeform-small"]),
    st.integers(8, 60),
    st.integers(8, 60),
    st.integers(0, 1000),
)
def test_freeform_is_never_all_visible_nor_all_hidden(
    kind: str, height: int, width: int, index: int
) -> None:
    mask = masks.draw(kind, height, width, index=index)
    assert mask.any()
    assert not mask.all()


@pytest.mark.parametrize("low", [0, 20, 40, 60, 80])
def test_ranges_are_strict(low: int) -> None:
    # 10 x 10: whole percentages, so that a limit itself would occur.
    for kind in ("freeform-scaled", "pixels"):
        counts = [mask.sum() for mask in drawn(f"{kind}@{low}-{low + 20}", 10, 10, 40)]
        assert min(counts) > low
        assert max(counts) < low + 20


def test_a_range_that_cannot_be_met_ends_with_an_error() -> None:
    with pytest.raises(UserError, match=r"blobs cannot give 99-100 % visible at 16x16"):
        masks.draw("blobs@99-100", 16, 16)


def test_the_number_of_attempts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ATTEMPTS", 1)
    with pytest.raises(UserError, match="cannot give"):
        drawn("freeform@40-60", 32, 32, 50)


def test_a_range_between_two_counts_ends_at_once() -> None:
    with pytest.raises(UserError, match=r"cannot give 50-50\.1 % visible at 8x8"):
        masks.draw("pixels@50-50.1", 8, 8)


def test_a_mixture_as_a_set_has_its_ranges_in_turn() -> None:
    for index, mask in enumerate(drawn("freeform-scaled@mixture", 32, 32, 25)):
        least, greatest = ranges.bounds(ranges.MIXTURE[index % 5], mask.size)
        assert least <= mask.sum() <= greatest


def test_a_mixture_in_training_draws_its_ranges_equally_often() -> None:
    batch = masks.draw_batch(
        "pixels@mixture", 16, 16, seed=0, epoch=0, indices=range(0, 2000, 5), training=True
    )
    fifths = (batch.float().mean((1, 2, 3)) * 5).long().bincount(minlength=5)
    # 400 draws with probability 1/5: standard deviation 8.
    assert all(48 <= count <= 112 for count in fifths.tolist())


def test_ranges_change_the_number_of_freeform_shapes_as_in_the_code_of_the_authors() -> None:
    numbers = [freeform.counts(freeform.COMODGAN, visible) for visible in ranges.MIXTURE]
    assert numbers == [(2, 1, 4), (6, 3, 12), (10, 5, 20), (10, 5, 20), (10, 5, 20)]


def test_large_and_small_follow_the_generator_of_the_size() -> None:
    for side, generator in ((256, "mat256"), (383, "mat256"), (384, "mat512"), (512, "mat512")):
        for variant in ("large", "small"):
            expected = masks.specification(f"freeform-{generator}-{variant}", side, side)
            assert masks.specification(f"freeform-{variant}", side, side) == expected


def test_the_same_distribution_gives_the_same_masks_under_two_names() -> None:
    np.testing.assert_array_equal(
        masks.draw("freeform-large", 64, 64, index=4),
        masks.draw("freeform-mat256-large@0-100", 64, 64, index=4),
    )


def test_specifications_of_all_kinds_differ_unless_the_masks_are_the_same() -> None:
    names = [name for name in ALL if name not in ("freeform-large", "freeform-small")]
    assert len({masks.specification(name, 64, 64) for name in names}) == len(names)


def test_blobs_are_one_to_four_and_some_pixel_is_visible() -> None:
    counts = [pieces(mask) for mask in drawn("blobs", 64, 64, 300)]
    assert (min(counts), max(counts)) == (1, 4)


def test_blobs_reach_the_last_row_and_column_by_growth_only() -> None:
    samples = drawn("blobs", 16, 16, 300)
    assert any(mask[-1].any() for mask in samples)
    assert any(mask[:, -1].any() for mask in samples)
    assert not any(mask[:-1, :-1].sum() == 0 for mask in samples)


def test_a_blob_is_at_most_six_pixels_in_radius() -> None:
    alone = [mask for mask in drawn("blobs", 128, 128, 200) if pieces(mask) == 1]
    for mask in alone[:20]:
        rows, columns = np.nonzero(mask)
        # Two blobs may overlap, so that only the mean extent is bounded by one blob's.
        assert min(np.ptp(rows), np.ptp(columns)) <= 24


def test_blobs_pile_up_where_they_are_clamped() -> None:
    edge = np.mean([mask[0].mean() for mask in drawn("blobs", 32, 32, 400)])
    middle = np.mean([mask[16].mean() for mask in drawn("blobs", 32, 32, 400)])
    assert 0.02 < edge < 1.5 * middle


def test_patches_are_missing_in_a_sixth_of_the_samples() -> None:
    empty = sum(not mask.any() for mask in drawn("patches", 32, 32, 600))
    full = sum(bool(mask.all()) for mask in drawn("holes", 32, 32, 600))
    # Mean 100, standard deviation 9.1.
    assert 64 <= empty <= 136
    assert 64 <= full <= 136


@pytest.mark.parametrize(("side", "patch"), [(28, 10), (32, 11), (64, 22), (256, 90)])
def test_an_uncut_patch_has_the_side_of_the_paper(side: int, patch: int) -> None:
    most = max(int(mask.sum()) for mask in drawn("patches:n=1", side, side, 60))
    assert most == patch**2


@pytest.mark.parametrize("n", [0, 1, 5])
def test_the_number_of_patches_can_be_fixed(n: int) -> None:
    samples = drawn(f"patches:n={n}", 64, 96, 60)
    assert all(mask.sum() <= n * 22 * 34 for mask in samples)
    assert all(mask.any() == (n > 0) for mask in samples)
    assert max(pieces(mask) for mask in samples) <= n


def test_freeform_visibility_is_symmetric_and_strokes_are_steep() -> None:
    samples = np.mean(drawn("freeform-scaled", 32, 32, 1500), axis=0)
    # 4 standard errors of a difference of two means of half the image each.
    assert abs(samples[:16].mean() - samples[16:].mean()) < 4 * 0.5 / np.sqrt(1500)
    assert abs(samples[:, :16].mean() - samples[:, 16:].mean()) < 4 * 0.5 / np.sqrt(1500)
    heights, widths = np.sum([extent(mask) for mask in drawn("freeform@90-100", 256, 256, 60)], 0)
    assert heights > 1.1 * widths


def extent(mask: Mask) -> tuple[int, int]:
    """Return height and width of the largest hidden part."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8))
    largest = boxes[1:][boxes[1:, cv2.CC_STAT_AREA].argmax()]
    return int(largest[cv2.CC_STAT_HEIGHT]), int(largest[cv2.CC_STAT_WIDTH])


def test_strokes_leave_something_visible_in_small_images_unless_absolute() -> None:
    scaled = np.mean([mask.mean() for mask in drawn("strokes", 64, 64, 100)])
    absolute = np.mean([mask.mean() for mask in drawn("strokes-absolute", 64, 64, 100)])
    assert absolute < 0.1 < 0.3 < scaled


def test_random_is_rectangles_or_strokes() -> None:
    many = [pieces(mask) > 3 for mask in drawn("random", 128, 128, 200)]
    assert 60 <= sum(many) <= 140


def test_pixels_are_one_to_all_but_one() -> None:
    counts = [int(mask.sum()) for mask in drawn("pixels", 8, 8, 600)]
    assert (min(counts), max(counts)) == (1, 63)


def test_rectangle_visible_is_one_rectangle() -> None:
    for mask in drawn("rectangle-visible", 20, 30, 100):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert len(rows) <= 9
        assert len(columns) <= 9
        assert mask.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_boxes_have_the_published_place() -> None:
    for side, first, last in ((256, 26, 229), (512, 51, 459)):
        rows = np.flatnonzero(~masks.draw("box-80", side, side).all(1))
        assert (rows[0], rows[-1]) == (first, last)


def test_a_random_box_never_takes_the_last_place() -> None:
    samples = drawn("box-50-random", 8, 8, 200)
    assert {int(np.flatnonzero(~mask.all(1))[0]) for mask in samples} == {0, 1, 2, 3}


def test_edge_and_centre_take_pixels() -> None:
    edge, centre = masks.draw("edge:2", 10, 12), masks.draw("centre-visible:4", 10, 12)
    assert (~edge).sum() == 6 * 8
    assert not edge[2:-2, 2:-2].any()
    assert centre[3:7, 4:8].all()
    assert centre.sum() == 16


def test_kinds_in_pixels_are_drawn_at_the_size_of_the_model_and_enlarged() -> None:
    mask = masks.draw_at_scale("blobs", 600, 400, model_size=50, seed=2, index=3)
    small = masks.draw("blobs", 61, 41, seed=2, index=3)
    assert mask.shape == (600, 400)
    assert abs(mask.mean() - small.mean()) < 0.01


@pytest.mark.parametrize("kind", ["blobs@5-10", "strokes@40-60"])
def test_a_range_is_that_of_the_photo_as_well(kind: str) -> None:
    low, high = map(int, kind.partition("@")[2].split("-"))
    shares = [masks.draw_at_scale(kind, 65, 65, model_size=64, index=i).mean() for i in range(60)]
    assert low < 100 * min(shares)
    assert 100 * max(shares) < high
    np.testing.assert_array_equal(  # where the range holds anyway, nothing changes
        masks.draw_at_scale(kind, 128, 128, model_size=64),
        masks.resize_nearest(masks.draw(kind, 64, 64), 128, 128),
    )


@pytest.mark.parametrize(("kind", "model_size"), [("rectangles", 32), ("blobs", 0), ("blobs", 99)])
def test_other_kinds_are_drawn_at_the_size_of_the_photo(kind: str, model_size: int) -> None:
    mask = masks.draw_at_scale(kind, 40, 60, model_size=model_size, index=1)
    np.testing.assert_array_equal(mask, masks.draw(kind, 40, 60, index=1))


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (7, 7)])
def test_no_photo_is_too_small_for_a_mask(size: tuple[int, int]) -> None:
    assert masks.draw_at_scale("freeform", *size, model_size=32).shape == size


def test_importing_the_kinds_loads_neither_torch_nor_opencv() -> None:
    code = "import inpaint_cli.masks, sys; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_names_every_kind_and_its_example_runs(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (top / "docs" / "masks.md").read_text(encoding="utf-8")
    assert [name for name in masks.KINDS if f"`{name}`" not in page] == []
    monkeypatch.chdir(tmp_path)
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(example, {})
    assert {path.name for path in tmp_path.iterdir()} == {"hole.png", "test-masks.npz"}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("patches:n=0-5", [f"patches:n={n}" for n in range(6)]),
        ("holes:n=3-3", ["holes:n=3"]),
        ("patches-25:n=1-2@20-40", ["patches-25:n=1@20-40", "patches-25:n=2@20-40"]),
        ("patches:n=3", ["patches:n=3"]),
        ("patches:n=3-1", ["patches:n=3-1"]),
        ("patches:n=0-9", ["patches:n=0-9"]),
        ("my/masks:n=0-1", ["my/masks:n=0-1"]),
        ("freeform@20-40", ["freeform@20-40"]),
    ],
)
def test_a_span_of_numbers_names_each_of_its_kinds(text: str, kinds: list[str]) -> None:
    assert list(masks.each(text)) == kinds
