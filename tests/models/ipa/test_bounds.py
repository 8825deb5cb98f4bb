"""Bounds of log p(hidden | visible): which z they take, and that this makes them tighter."""

import math

import pytest
import torch
from torch import Tensor

from inpaint_cli import masks, zoo
from inpaint_cli.metrics import sample_set
from inpaint_cli.models.ipa.bounds import (
    LogBound,
    hidden_shares,
    log_prob_hidden,
    log_weights,
)
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.posterior import FORWARD
from inpaint_cli.randomness import Noise
from inpaint_cli.weights import load_weights
from tests.models.ipa.small_vaes import ALONE, random_vae


def shipped() -> CompletingVae:
    model = load_weights(zoo.FOLDER / "ipa-photos32.safetensors")
    assert isinstance(model, CompletingVae)
    return model.eval()


def cases(model: CompletingVae, kind: str, count: int) -> list[tuple[Tensor, Tensor]]:
    images = sample_set.load(model.size, model.channels, model.levels).images
    return [
        (
            torch.tensor(images[index])[None],
            torch.from_numpy(masks.draw(kind, model.size, model.size, index=index))[None, None],
        )
        for index in range(count)
    ]


def plain(model: CompletingVae, image: Tensor, visible: Tensor, samples: int) -> Tensor:
    """Return log weights with z ~ q everywhere."""
    sides = {"q": model.full_sides(image), "c": model.partial_sides(image, visible)}
    noise = Noise.of_samples(0, "plain", 0, range(samples))
    return log_weights(model, sides, image, ~visible, noise.normal, FORWARD, samples)


def test_a_weight_that_is_no_number_counts_as_zero() -> None:
    bounds = LogBound.of(torch.tensor([[0.0, torch.nan], [torch.nan, torch.nan]]))
    assert bounds.nats.tolist() == [pytest.approx(-math.log(2)), -math.inf]
    assert bounds.effective[0].item() == pytest.approx(1)


def test_shares_are_means_over_the_pixels_of_a_place() -> None:
    hidden = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    hidden[..., 0, :3] = True
    shares = hidden_shares(hidden, [1, 2, 4])
    assert shares[1].item() == 3 / 16
    assert shares[2].flatten().tolist() == [0.5, 0.25, 0, 0]
    assert torch.equal(shares[4], hidden.float())


@torch.no_grad()
def test_where_nothing_is_hidden_nothing_is_paid() -> None:
    model = random_vae().eval()
    image = torch.randint(0, 256, (1, model.channels, model.size, model.size)).byte()
    seen = torch.ones(1, 1, model.size, model.size, dtype=torch.bool)
    sides = {"q": model.full_sides(image), "c": model.partial_sides(image, seen)}
    shares = hidden_shares(~seen, model.decoder.sides)
    noise = Noise.of_samples(0, "t", 0, range(3))
    weights = log_weights(model, sides, image, ~seen, noise.normal, FORWARD, 3, shares)
    assert not weights.any()
    assert plain(model, image, seen, 3).all()


@pytest.mark.parametrize(("kind", "least"), [("freeform@80-100", 20.0), ("freeform@40-60", 10.0)])
@torch.no_grad()
def test_the_bound_is_tighter_than_with_z_of_the_whole_image(kind: str, least: float) -> None:
    model = shipped()
    gains = [
        (log_prob_hidden(model, *case, 4).nats - LogBound.of(plain(model, *case, 4)[None]).nats)
        for case in cases(model, kind, 8)
    ]
    assert torch.cat(gains).mean().item() > least


@torch.no_grad()
def test_seeing_the_rest_makes_what_is_hidden_likelier() -> None:
    model = shipped()
    images = cases(model, "freeform@60-80", 8)
    seen, alone = (
        sum(log_prob_hidden(model, *case, 4, pair).nats.item() for case in images)
        for pair in (FORWARD, ALONE)
    )
    assert seen > alone
