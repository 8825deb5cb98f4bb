"""Completions of a whole model: what is kept, what nothing depends on, and how many are drawn."""

import dataclasses
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.latent_codes import networks, sampling
from inpaint_cli.models.latent_codes.config import PRESETS, LatentConfig
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.restrictive import token_mask
from inpaint_cli.models.pixels import paste_visible
from inpaint_cli.models.quantise import continuing, to_levels
from inpaint_cli.randomness import Noise


@cache
def model(**changes: Any) -> LatentCodes:
    """Return a small model, its random weights large enough to matter."""
    config: LatentConfig = dataclasses.replace(PRESETS["digits"], disc_width=0, **changes)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        latent = LatentCodes(config)
        for parameter in latent.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return latent.eval()


def photo() -> LatentCodes:
    return model(channels=3, levels=256)


def task(latent: LatentCodes, share: float = 0.5, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    side = latent.size
    image = torch.randint(0, 256, (1, latent.channels, side, side), generator=generator)
    return image.to(torch.uint8), torch.rand(1, 1, side, side, generator=generator) < share


def noise(n: int = 3) -> Noise:
    return Noise.of_completions(0, b"latent codes", range(n))


def hidden(visible: Tensor) -> Tensor:
    return torch.zeros_like(visible)


@settings(max_examples=15)
@given(share=st.floats(0, 1), seed=st.integers(0, 99), keep_seams=st.booleans())
def test_visible_pixels_are_kept_and_hidden_ones_have_no_influence(
    share: float, seed: int, keep_seams: bool
) -> None:
    latent = photo()
    image, visible = task(latent, share, seed)
    other = torch.where(visible, image, 255 - image)
    one, two = (latent.complete(x, visible, noise(), keep_seams=keep_seams) for x in (image, other))
    shown = visible.expand_as(one.images)
    assert torch.equal(one.images[shown], image.expand_as(one.images)[shown])
    assert torch.equal(one.images, two.images)
    assert torch.equal(one.details["tokens"], two.details["tokens"])


def test_an_image_without_a_hole_comes_back() -> None:
    latent = photo()
    image, visible = task(latent, share=1.0)
    assert torch.equal(latent.complete(image, visible, noise()).images, image.repeat(3, 1, 1, 1))


def test_with_everything_hidden_completions_differ_but_not_with_the_image() -> None:
    latent = photo()
    (one, visible), (two, _) = task(latent), task(latent, seed=1)
    results = [latent.complete(image, hidden(visible), noise()).images for image in (one, two)]
    assert torch.equal(*results)
    assert len({picture.numpy().tobytes() for picture in results[0]}) == 3


@pytest.mark.parametrize("size", [1, 2, 8])
def test_completion_i_is_the_same_whatever_n_and_the_batch(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    latent = photo()
    image, visible = task(latent)
    monkeypatch.setattr(sampling, "CPU_BATCH", size)
    whole = latent.complete(image, visible, noise(5))
    parts = [latent.complete(image, visible, noise(5)[s]) for s in (slice(0, 2), slice(2, 5))]
    for name in ("images", "tokens"):
        together, *cut = (
            c.images if name == "images" else c.details[name] for c in (whole, *parts)
        )
        assert torch.equal(together, torch.cat(cut))


def test_one_hidden_pixel_makes_its_token_unknown_and_completions_differ() -> None:
    latent = photo()
    image, visible = task(latent, share=1.0)
    visible[..., 3, 3] = False
    result = latent.complete(image, visible, noise(8))
    assert result.images.shape == (8, 3, 8, 8)
    drawn = (result.details["tokens"] != result.details["tokens"][:1]).any(0)
    assert drawn.nonzero().tolist() == [[1, 1]]
    assert (result.images != result.images[:1]).any()


def test_known_tokens_are_shared_and_unknown_ones_are_drawn() -> None:
    latent = photo()
    image, visible = task(latent, share=0.8)
    tokens = latent.complete(image, visible, noise(4)).details["tokens"]
    known = token_mask(visible, 2, 1.0)[0, 0]
    assert known.any()
    assert tokens.dtype == torch.int64
    assert (tokens[:, known] == tokens[:1, known]).all()
    assert (tokens[:, ~known] != tokens[:1, ~known]).any()


def test_temperature_zero_draws_nothing() -> None:
    latent = photo()
    image, visible = task(latent)
    images = latent.complete(image, visible, noise(3), temperature=0.0).images
    assert torch.equal(images, images[:1].expand(3, -1, -1, -1))


def test_an_order_of_the_likeliest_codes_is_refused() -> None:
    latent = photo()
    image, visible = task(latent)
    with pytest.raises(UserError, match="an order of their own"):
        latent.complete(image, visible, noise(1), temperature=0.0, order="spread")


@pytest.mark.parametrize(
    "option",
    [{"temperature": 3.0}, {"steps": 2}, {"annealing": 0.2}, {"top_k": 2}, {"order": "sampled"}],
)
def test_each_option_reaches_the_drawing(option: dict[str, Any]) -> None:
    latent = photo()
    image, visible = task(latent)
    usual = latent.complete(image, hidden(visible), noise(4)).details["tokens"]
    other = latent.complete(image, hidden(visible), noise(4), **option).details["tokens"]
    assert not torch.equal(usual, other)


def test_settings_default_to_those_of_the_config() -> None:
    config = photo().config
    image, visible = task(photo())
    named = photo().complete(
        image,
        visible,
        noise(),
        temperature=config.temperature,
        steps=config.sampling_steps,
        annealing=config.annealing,
    )
    assert torch.equal(named.images, photo().complete(image, visible, noise()).images)


def test_a_setting_without_sense_is_refused_by_its_name() -> None:
    image, visible = task(photo())
    for temperature in (-0.5, float("nan")):
        with pytest.raises(UserError, match=r"^temperature: "):
            photo().complete(image, visible, noise(), temperature=temperature)


def test_a_larger_refinement_gives_completions_at_its_own_size() -> None:
    latent = model(
        channels=3,
        levels=256,
        size=16,
        coarse_size=8,
        refinement=True,
        refinement_multipliers=(1, 1, 2),
    )
    image, visible = task(latent, share=0.8)
    result = latent.complete(image, visible, noise())
    other = latent.complete(torch.where(visible, image, 7), visible, noise())
    assert result.images.shape == (3, 3, 16, 16)
    assert result.details["tokens"].shape == (3, 4, 4)
    assert torch.equal(torch.where(visible, result.images, image), image.expand(3, -1, -1, -1))
    assert torch.equal(result.images, other.images)


def test_hidden_values_lie_on_the_levels_of_the_model() -> None:
    latent = model()
    image, visible = task(latent, share=0.3)
    bytes_of_levels = continuing(torch.arange(latent.levels), latent.levels, image, visible)
    images = latent.complete(image, visible, noise()).images
    away = images[~visible.expand_as(images)]
    assert torch.isin(away, bytes_of_levels).all()


@pytest.mark.parametrize("levels", [2, 3, 16, 255])
def test_a_picture_becomes_the_nearest_level(levels: int) -> None:
    image = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    nowhere = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    picture = torch.linspace(-1.2, 1.2, 64 * 64).view(1, 1, 64, 64)
    result = paste_visible(picture, image, nowhere, levels)
    known = continuing(torch.arange(levels), levels, image, nowhere).double()
    wanted = (127.5 * picture.double() + 127.5).flatten()
    nearest = (wanted[:, None] - known).abs().min(1).values
    torch.testing.assert_close((wanted - result.flatten()).abs(), nearest, rtol=0, atol=1e-9)
    assert set(to_levels(result, levels).flatten().tolist()) == set(range(levels))


def test_bytes_are_rounded_and_clamped_and_nothing_under_the_visible_shows() -> None:
    image = torch.full((1, 1, 1, 4), 9, dtype=torch.uint8)
    visible = torch.tensor([True, False, False, False]).view(1, 1, 1, 4)
    picture = torch.tensor([torch.nan, 2.0, -2.0, 0.1]).view(1, 1, 1, 4)
    assert paste_visible(picture, image, visible, 256).flatten().tolist() == [9, 255, 0, 140]


def test_the_seam_is_smaller_than_the_networks_leave_it() -> None:
    latent = photo()
    image, visible = torch.full((1, 3, 8, 8), 200, dtype=torch.uint8), torch.ones(1, 1, 8, 8).bool()
    visible[..., 2:6, 2:6] = False
    steps = []
    for keep_seams in (True, False):
        images = latent.complete(image, visible, noise(), keep_seams=keep_seams).images.int()
        steps.append((images[..., 2, 2:6] - 200).abs().float().mean().item())
    assert steps[1] < 0.8 * steps[0]


def test_reduced_precision_leaves_most_tokens_and_all_visible_pixels_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a graphics card does, tried on the CPU."""
    latent = model()
    image = torch.full((1, 1, 8, 8), 120, dtype=torch.uint8)
    visible = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    visible[..., :4, :] = False
    key = Noise.of_completions(0, b"test", range(4))
    full = latent.complete(image, visible, key)
    bfloat16 = lambda device: torch.autocast(device.type, torch.bfloat16)  # noqa: E731
    monkeypatch.setattr(networks, "reduced_precision", bfloat16)
    reduced = latent.complete(image, visible, Noise.of_completions(0, b"test", range(4)))
    same = full.details["tokens"] == reduced.details["tokens"]
    assert same.float().mean() > 0.8
    assert (torch.where(visible, reduced.images, 120) == 120).all()
