"""Every figure on a card is one that is measured again, and is written as it was measured."""

from pathlib import Path

import pytest

from benchmarks import cards
from inpaint_cli import zoo
from inpaint_cli.weights import load_weights

ENTRIES = zoo.entries()
CARD = '[figures]\nprotocol = "p"\ncrps = 0.1\n"psnr [dB]" = 17\n"coverage 81.8 % [%]" = 70.2\n'


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_nothing_on_a_card_is_left_unmeasured(entry: zoo.Entry) -> None:
    here = {figure.text for figure in cards.CARDS.get(entry.name, ())}
    scored = set(cards.RESULTS)
    if entry.card["family"] == "latent-codes":
        scored = set(cards.SCORED)
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
    assert 0.01 < error < 0.2
