"""Ranges of the visible fraction: how they read, which counts they accept, how long they draw."""

from fractions import Fraction

import numpy as np
import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.masks.kinds import FIXED
from inpaint_cli.masks.ranges import (
    ATTEMPTS,
    EVERY,
    MIXTURE,
    Distribution,
    Mask,
    Range,
    bounds,
    draw_within,
    parse_range,
    plain,
)
from inpaint_cli.randomness import stream


class Scripted(Distribution):
    """A kind of mask whose draws have the visible counts of a script, None for an early end."""

    absolute = is_random = True

    def __init__(self, *script: int | None) -> None:
        self.script, self.asked = list(script), list[Range | None]()

    def parameters(self, height: int, width: int) -> str:
        return "scripted()"

    def attempt(
        self, rng: np.random.Generator, height: int, width: int, visible: Range | None
    ) -> Mask | None:
        self.asked.append(visible)
        count = self.script.pop(0) if self.script else None
        return None if count is None else np.arange(height * width).reshape(height, width) < count


def drawn(kind: Scripted, visible: Range) -> int:
    rng = np.random.Generator(np.random.Philox(0))
    return int(draw_within(kind, rng, 10, 10, visible, "scripted").sum())


@pytest.mark.parametrize(
    ("text", "pixels", "counts"),
    [
        ("20-40", 100, (21, 39)),
        ("2.5-30", 64, (2, 19)),  # of 1.6 and 19.2
        ("50-50.1", 64, (33, 32)),
        ("0-100", 64, (1, 63)),
    ],
)
def test_both_ends_of_a_range_are_excluded(text: str, pixels: int, counts: tuple[int, int]) -> None:
    assert bounds(parse_range(text, "blobs"), pixels) == counts


def test_every_range_is_neither_all_hidden_nor_all_visible() -> None:
    assert bounds(EVERY, 1000) == (1, 999)


def test_the_mixture_goes_from_the_most_visible_range_to_the_least() -> None:
    assert [str(visible) for visible in MIXTURE] == ["80-100", "60-80", "40-60", "20-40", "0-20"]


def test_a_range_reads_back_as_it_was_typed_and_as_a_share_of_the_hole() -> None:
    visible = parse_range("2.5-30", "freeform")
    assert visible == Range(Fraction(5, 2), Fraction(30))
    assert (str(visible), visible.as_hole()) == ("2.5-30", "0.7:0.975")
    assert plain(Fraction(1, 3)) == "0.333333333333"


@pytest.mark.parametrize("text", ["", "20", "20-", "-1-20", "20-40x", "x20-40", "20-40-60", "2.-4"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="not a range"):
        parse_range(text, "blobs")


@pytest.mark.parametrize("text", ["20-20", "40-20", "20-100.5", "0-0"])
def test_a_range_upside_down_or_above_everything_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="LOW < HIGH <= 100"):
        parse_range(text, "blobs")


def test_the_first_mask_inside_the_range_is_taken() -> None:
    kind, visible = Scripted(None, 20, 40, 5, 90, 21, 30), Range(Fraction(20), Fraction(40))
    assert drawn(kind, visible) == 21
    assert kind.script == [30]
    assert kind.asked == [visible] * 6  # so that a kind may end a draw early
    assert drawn(Scripted(39), visible) == 39


def test_a_range_of_one_count_is_drawn() -> None:
    assert drawn(Scripted(49, 51, 50), Range(Fraction(49), Fraction(51))) == 50


def test_a_range_without_a_count_is_refused_without_a_draw() -> None:
    kind = Scripted(50)
    with pytest.raises(UserError, match=r"50-50\.1 % visible at 10x10 \(no number of pixels"):
        drawn(kind, Range(Fraction(50), Fraction(501, 10)))
    assert kind.asked == []


def test_drawing_ends_with_an_error_after_so_many_attempts() -> None:
    kind = Scripted()
    with pytest.raises(UserError, match=f"tried {ATTEMPTS} times"):
        drawn(kind, EVERY)
    assert len(kind.asked) == ATTEMPTS


def test_the_attempts_suffice_for_the_rarest_range_of_freeform() -> None:
    kind, visible, hits = FIXED["freeform"], parse_range("40-60", "freeform"), 0
    least, greatest = bounds(visible, 32 * 32)
    for index in range(600):
        mask = kind.attempt(stream(0, "rarest", index), 32, 32, visible)
        hits += mask is not None and least <= mask.sum() <= greatest
    assert (1 - hits / 600) ** ATTEMPTS < 1e-6
