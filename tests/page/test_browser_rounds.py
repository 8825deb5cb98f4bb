"""Rounds in a browser: drawn, compared, saved, continued, left."""

import io
import json
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from inpaint_cli import api, models
from inpaint_cli.cli import main
from tests.page.browsing import At, at, chromium, completed, folder, paint, plain, served
from tests.page.served import packed
from tests.pretend_model import PretendModel, pretend

__all__ = ["at", "chromium", "folder", "plain", "pretend", "served"]
pytestmark = pytest.mark.browser
OUT = Path("out")


def test_a_round_is_seen_compared_and_saved_as_the_command_saves_it(plain: At) -> None:
    at = plain
    completed(at)
    at.page.keyboard.press("2")
    at.wait(lambda: at.text("#chosen-title") == "Completion 2")
    at.page.keyboard.press("Control+s")
    at.wait(lambda: at.page.locator("#saved").is_visible())
    ours = {p.name: p.read_bytes() for p in OUT.iterdir()}
    record = json.loads(ours.pop("completions.json"))
    assert record["items"][0].pop("chosen") == 2
    words = shlex.split(at.page.input_value("#command"))[1:]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    theirs = {p.name: p.read_bytes() for p in OUT.iterdir()}
    assert json.loads(theirs.pop("completions.json")) == record
    assert theirs == ours


def pixels(at: At) -> Any:
    """Return the canvas as it is seen, without what is drawn over it."""
    at.page.mouse.move(2, 2)
    at.page.wait_for_timeout(300)
    shot = at.page.locator("#canvases").screenshot()
    with Image.open(io.BytesIO(shot)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_compare_shows_the_photo_on_one_side_and_the_completion_on_the_other(plain: At) -> None:
    at = plain
    completed(at)
    completion = pixels(at)
    at.page.keyboard.down("\\")
    photo = pixels(at)
    at.page.keyboard.up("\\")
    assert np.abs(completion - photo).max() > 20
    at.page.keyboard.press("c")
    for value, expected in ((0, completion), (100, photo)):
        at.page.fill("#compare", str(value))
        seen = pixels(at)
        # The line of the border lies at the edge of the photo then, and covers a few columns.
        differ = (np.abs(seen - expected).max(axis=2) > 3).any(axis=0)
        assert differ.sum() <= 8
    at.page.fill("#compare", "50")
    half = pixels(at)
    middle = half.shape[1] // 2
    assert np.abs(half[:, : middle - 6] - photo[:, : middle - 6]).max() <= 3
    assert np.abs(half[:, middle + 6 :] - completion[:, middle + 6 :]).max() <= 3


def test_uncertainty_is_seen_in_the_hole_with_a_legend(plain: At) -> None:
    at = plain
    completed(at)
    before = pixels(at)
    at.page.keyboard.press("u")
    at.wait(lambda: "64 of 255" in at.text("#legend-text"))
    at.wait(lambda: np.abs(pixels(at)[:100] - before[:100]).max() == 0)
    at.page.keyboard.press("v")
    at.page.wait_for_timeout(200)
    assert np.abs(pixels(at)[:100] - before[:100]).max() <= 3


def test_the_likeliest_come_first_and_keep_their_numbers(plain: At) -> None:
    at = plain
    completed(at, 5)
    at.page.check("#likeliest")
    labels = at.page.locator(".tile").evaluate_all("all => all.map(t => t.ariaLabel)")
    values = [float(label.split("log-likelihood ")[1].split()[0]) for label in labels]
    assert values == sorted(values, reverse=True)
    assert sorted(label.split(" of ")[0] for label in labels) == [
        f"Completion {i}" for i in range(5)
    ]


class Held(PretendModel):
    """A model that waits before every batch but the first."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def complete(self, image: Any, visible: Any, noise: Any, **options: Any) -> Any:
        if self.batches:
            assert self.go.wait(20)
        return super().complete(image, visible, noise, **options)


@pytest.fixture
def held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    model = Held()
    loaded = api.LoadedModel("pretend", models.get("pcnn"), model, torch.device("cpu"), "0" * 64)
    monkeypatch.setattr(api, "load_model", lambda name, device, **more: loaded)
    yield model
    model.go.set()


def start(at: At, n: int) -> None:
    paint(at)
    at.page.fill("#n", str(n))
    at.page.click("#more summary")
    at.page.select_option("#detail", "none")
    at.page.click("#complete")


def test_the_first_completion_is_seen_before_all_are_drawn_and_can_be_cancelled(
    at: At, held: Held
) -> None:
    start(at, 4)
    at.wait(lambda: at.page.locator(".tile img").count() == 1)
    at.wait(lambda: "1 of 4 drawn" in at.text("#said"))
    assert at.page.locator(".tile.waiting").count() == 3
    before = at.text("#share")
    at.drag([at.spot(10, 10), at.spot(20, 20)])  # the mask is locked
    assert at.text("#share") == before
    at.page.click("#cancel")
    held.go.set()
    at.wait(lambda: "cancelled" in at.text("#said"))
    assert at.page.locator(".tile").count() == 0 or not at.page.locator("#gallery").is_visible()
    assert at.text("#share") == before
    assert at.page.locator("#complete").is_enabled()


def test_a_reload_follows_the_round_and_brings_all_back(at: At, held: Held) -> None:
    start(at, 4)
    at.wait(lambda: at.page.locator(".tile img").count() == 1)
    share = at.text("#share")
    at.page.reload()
    at.wait(lambda: at.page.locator(".tile img").count() == 1)
    held.go.set()
    at.open_tile(4)
    assert at.text("#share") == share
    at.page.on("dialog", lambda dialog: dialog.accept())
    at.page.reload()
    at.open_tile(4)
    assert "#" not in at.page.url


def test_a_changed_mask_leaves_the_round_and_says_so(plain: At) -> None:
    at = plain
    completed(at)
    assert not at.page.locator("#other-mask").is_visible()
    at.drag([at.spot(10, 10), at.spot(20, 20)])  # goes back to the mask and paints
    assert at.page.locator("[name=view][value=mask]").is_checked()
    at.wait(lambda: at.page.locator("#other-mask").is_visible())
    at.page.keyboard.press("Control+z")
    at.wait(lambda: not at.page.locator("#other-mask").is_visible())


def save_two_rounds(at: At, n: int) -> None:
    """Saves a round, and another one, which is refused: the first is in its way."""
    completed(at, n)
    at.page.click("#save")
    at.wait(lambda: at.page.locator("#saved").is_visible())
    at.drag([at.spot(10, 10), at.spot(20, 20)])
    at.page.click("#complete")
    at.wait(lambda: at.text("#round-title").startswith("Round 2"))
    at.open_tile(n)
    at.page.click("#save")
    at.wait(lambda: "another round" in at.text("#error"))


def test_what_is_in_the_way_of_a_save_can_be_answered(plain: At) -> None:
    at = plain
    save_two_rounds(at, 3)
    at.page.click("#error button:has-text('out/2')")
    at.wait(lambda: "out/2" in at.text("#saved"))
    assert (OUT / "2" / "photo-0.png").is_file()
    at.complaints.clear()  # the browser's own note of the refused request


def test_a_saved_choice_outlives_a_reload_and_another_save(plain: At) -> None:
    at = plain
    completed(at, 3)
    at.page.locator(".tile").nth(2).click()
    for _ in range(2):
        at.page.click("#save")
        at.wait(lambda: at.text("#save") == "Save again" and at.page.locator("#save").is_enabled())
        record = json.loads(Path("out/completions.json").read_text())
        assert record["items"][0]["chosen"] == 2
        at.page.reload()
        at.open_tile(3)
        assert at.text("#chosen-title") == "Completion 2"


def test_what_is_done_right_after_a_reload_is_not_pushed_aside(plain: At) -> None:
    at = plain
    for n in (1, 2):
        completed(at, n)
    at.page.on("dialog", lambda dialog: dialog.accept())
    late: list[Any] = []  # of the first round, kept back
    at.page.route("**/1/0/preview.png", lambda route: late.append(route))
    at.page.reload()
    at.wait(lambda: bool(late) and at.page.locator("#complete").is_enabled())
    assert at.text("#round-title").startswith("Round 2")
    at.page.click("#more summary")
    at.page.select_option("#detail", "none")
    at.page.fill("#n", "4")
    at.page.click("#complete")
    at.wait(lambda: at.text("#round-title").startswith("Round 3"))
    at.open_tile(4)
    late[0].continue_()
    at.page.click("#earlier")
    at.wait(lambda: at.page.locator(".tile img").count() == 2)
    at.page.click("#later")
    assert at.text("#round-title").startswith("Round 3")


def test_who_paints_while_a_completion_is_fetched_goes_on_seeing_the_mask(plain: At) -> None:
    at = plain
    completed(at, 1)
    at.page.on("dialog", lambda dialog: dialog.accept())
    late: list[Any] = []
    at.page.route("**/patch.png", lambda route: late.append(route))
    at.page.reload()
    at.wait(lambda: bool(late))
    at.drag([at.spot(10, 10), at.spot(20, 20)])
    late[0].continue_()
    at.wait(at.page.locator("[name=view][value=completion]").is_enabled)
    assert at.page.locator("[name=view][value=mask]").is_checked()


def test_a_completion_is_continued_from(plain: At) -> None:
    at = plain
    completed(at)
    at.page.keyboard.press("1")
    at.wait(lambda: at.text("#chosen-title") == "Completion 1")
    at.page.click("#continue")
    at.wait(lambda: at.text("#photo-name").startswith("photo-1.png"))
    at.wait(lambda: "No hole yet" in at.text("#share"))
    assert "made of another photo: photo.png" in at.text("#other-mask")


def test_the_mask_that_is_sent_is_the_one_of_the_round(plain: At) -> None:
    at = plain
    at.page.select_option("#model", "telea")
    paint(at)
    at.page.click("#complete")  # before the mask was sent by itself
    at.open_tile(1)
    (done,) = at.served.page.session.rounds.values()
    assert packed(done.visible) == packed(~at.hidden())


def box_of(at: At, *numbers: int) -> None:
    """Marks a box by its numbers."""
    if not at.page.locator("#box-form").is_visible():
        at.page.click("#tools summary")
    for name, number in zip("xywh", numbers, strict=True):
        at.page.fill(f"#box-form [name={name}]", str(number))
    at.page.click("#box-form button")


def test_the_same_box_on_the_next_photo_is_sent_too(plain: At) -> None:
    at = plain
    at.page.select_option("#model", "telea")
    box_of(at, 5, 6, 20, 10)
    at.page.click("#complete")
    at.open_tile(1)
    at.page.click("#continue")
    at.wait(lambda: at.text("#photo-name").startswith("photo-0.png"))
    box_of(at, 5, 6, 20, 10)
    at.page.click("#complete")
    at.wait(lambda: at.text("#round-title").startswith("Round 2"))
    at.open_tile(1)
    assert (~at.served.page.session.rounds[2].visible).sum() == 200


def test_masks_whose_rows_have_equal_ends_and_counts_are_told_apart(plain: At) -> None:
    at = plain
    at.page.select_option("#model", "telea")
    box_of(at, 20, 20, 80, 60)
    at.radius(5)
    at.page.click("[data-tool=eraser]")
    for number, x in ((1, 40), (2, 70)):
        at.drag([at.spot(x, 50)])
        if number == 2:
            assert at.page.locator("#other-mask").is_visible()
        at.page.click("#complete")
        at.wait(lambda which=number: at.text("#round-title").startswith(f"Round {which}"))
        at.open_tile(1)
        assert at.served.page.session.rounds[number].visible[50, x]
        at.page.keyboard.press("Control+z")


def test_an_answer_about_a_save_is_about_its_round(plain: At) -> None:
    at = plain
    save_two_rounds(at, 1)
    at.page.click("#earlier")
    at.wait(lambda: at.text("#round-title").startswith("Round 1"))
    at.page.click("#error button:has-text('Replace')")
    at.wait(lambda: at.served.page.session.rounds[2].saved is not None)
    at.complaints.clear()  # the browser's own note of the refused request
