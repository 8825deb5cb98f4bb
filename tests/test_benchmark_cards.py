"""Every figure on a card is one that is measured again, and is written as it was measured."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks import cards, small_holes
from inpaint_cli import zoo
from inpaint_cli.family import Completions
from inpaint_cli.randomness import Noise
from inpaint_cli.weights import load_weights

ENTRIES = zoo.entries()
CARD = '[figures]\nprotocol = "p"\ncrps = 0.1\n"psnr [dB]" = 17\n"coverage 81.8 % [%]" = 70.2\n'


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_nothing_on_a_card_is_left_unmeasured(entry: zoo.Entry) -> None:
    here = {figure.text for figure in cards.CARDS.get(entry.name, ())}
    scored = set(cards.RESULTS)
    if entry.card["family"] == "latent-codes":
        scored = {*cards.SCORED, *cards.SMALL_HOLES}
    assert set(entry.card["figures"]) - {"protocol"} <= here | scored


def test_a_card_gets_the_figures_with_their_decimals() -> None:
    figures = {"crps": (0.12345, 0.001), "psnr [dB]": (18.236, 0.1), "coverage 81.8 % [%]": (75, 1)}
    assert cards.written(CARD, figures) == (
        '[figures]\nprotocol = "p"\ncrps = 0.1235\n"psnr [dB]" = 18.24\n'
        '"coverage 81.8 % [%]" = 75.0\n'
    )


def test_a_figure_comes_out_as_its_card_says() -> None:
    (entry,) = (entry for entry in ENTRIES if entry.name == "pcnn-digits")
    *_, figure = cards.CARDS[entry.name]
    value, error = figure.measure(load_weights(entry.weights), Path())
    assert value == pytest.approx(entry.card["figures"][figure.text], abs=2e-4)
    assert error is not None
    assert 0.01 < error < 0.2


def test_fills_of_plain_ground_and_equal_completions_are_measured(tmp_path: Path) -> None:
    """A model that is three levels off in four of eight completions, the others equal."""
    rows = small_holes.off_plain(Off(), 245)
    assert rows[0] == (1.5, 1.5, 3.0)
    for number in range(3):
        picture = np.full((64, 64, 3), 60 * number, np.uint8)
        (tmp_path / "test").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "test" / f"{number}.png")
    assert small_holes.holes_with_equals(Off(), [str(tmp_path)]) == small_holes.SCENES
    assert small_holes.holes_with_equals(Differing(), [str(tmp_path)]) == 0


class Off(nn.Module):
    """Completes with what it is given, three levels brighter in four of the completions."""

    def complete(self, image: Tensor, visible: Tensor, noise: Noise) -> Completions:
        images = image.repeat(len(noise), 1, 1, 1)
        images[::2] = torch.where(visible, images[::2], images[::2] + 3)
        return Completions(images)


class Differing(nn.Module):
    """Completes with what it is given, each completion brighter by a level than the one before."""

    def complete(self, image: Tensor, visible: Tensor, noise: Noise) -> Completions:
        levels = torch.arange(len(noise), dtype=torch.uint8).view(-1, 1, 1, 1)
        return Completions(torch.where(visible, image, image + levels))


def test_holes_to_compare_in_cover_two_to_twelve_percent() -> None:
    shares = [np.prod(small_holes.drawn_box(index)[2:]) / 64**2 for index in range(40)]
    assert 0.018 < min(shares) < 0.04
    assert 0.1 < max(shares) < 0.13
