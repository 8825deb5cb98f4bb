"""The tables of IPA's likelihoods and of the spread of its completions, on what ships."""

from typing import Any

import numpy as np
import pytest

from benchmarks import held_out, ipa_likelihood, ipa_spread
from inpaint_cli.api import load_model
from inpaint_cli.models.ipa.bounds import ALONE


@pytest.fixture(scope="module")
def model() -> Any:
    return load_model("ipa-mnist", device="cpu").model


@pytest.fixture(scope="module")
def images() -> Any:
    """Two strokes, white on black, [2, 1, 28, 28]."""
    pixels = np.zeros((2, 1, 28, 28), np.uint8)
    pixels[0, 0, 4:24, 12:16] = 255
    pixels[1, 0, 12:16, 4:24] = 255
    return pixels


def test_the_nested_row_ends_with_the_last_range_itself(model: Any, images: Any) -> None:
    last = held_out.RANGES[-1]
    direct, effective = ipa_likelihood.hidden_nats(model, images, f"freeform@{last}", 4)
    nested = ipa_likelihood.nested_nats(model, images, "freeform", last, 4)
    np.testing.assert_allclose(nested, direct)
    assert np.isfinite(direct).all()
    assert ((effective >= 1) & (effective <= 4.001)).all()


def test_pixels_cost_more_where_less_is_seen(model: Any, images: Any) -> None:
    kind = f"freeform@{held_out.RANGES[-1]}"
    seeing, _ = ipa_likelihood.hidden_nats(model, images, kind, 4)
    alone, _ = ipa_likelihood.hidden_nats(model, images, kind, 4, ALONE)
    nested = ipa_likelihood.nested_nats(model, images, "freeform", held_out.RANGES[0], 4)
    assert alone.mean() > seeing.mean()
    assert nested.mean() > seeing.mean()


def test_bits_are_those_of_each_image_whatever_the_batch(
    model: Any, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = ipa_likelihood.bits(model, images)
    monkeypatch.setattr(ipa_likelihood, "BATCH", 1)
    np.testing.assert_allclose(ipa_likelihood.bits(model, images), together, rtol=1e-4)


def test_completions_spread_more_where_less_is_seen(model: Any, images: Any) -> None:
    little, much = (
        ipa_spread.spreads(model, images, f"freeform@{held_out.RANGES[place]}", 6)
        for place in (0, -1)
    )
    assert little.mean() > much.mean() >= 0
    assert little.mean() < ipa_spread.HALF_RANGE


def test_a_line_holds_each_mean_and_its_error() -> None:
    text = ipa_likelihood.line("one", [np.array([1.0, 3.0]), np.array([2.0, 2.0])], "5")
    assert text == "| one | 2.0000 ± 1.0000 | 2.0000 ± 0.0000 | 5 |"
