"""Completions: temperatures, shared latents, bounds, and the exactness of batches."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli import models
from inpaint_cli.api import checked_options
from inpaint_cli.declarations import not_as_scored
from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa import dmol, sampling
from inpaint_cli.models.ipa.bounds import log_prob_hidden
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.randomness import Noise
from tests.models.ipa.small_vaes import random_images, random_vae

LAYERS = 4


def task(seed: int = 0) -> tuple[Tensor, Tensor]:
    visible = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) < 0.5
    return random_images(1, seed), visible


def noise(n: int = 4) -> Noise:
    return Noise.of_completions(0, b"test", range(n))


def completed(model: CompletingVae, n: int = 4, **options: Any) -> Tensor:
    return model.complete(*task(), noise(n), **options).images


def test_the_partial_encoder_runs_once_for_all_completions(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = random_vae(), []
    forward = model.part_encoder.forward

    def counted(x: Tensor) -> Any:
        seen.append(len(x))
        return forward(x)

    monkeypatch.setattr(model.part_encoder, "forward", counted)
    model.complete(*task(), noise(11))
    assert seen == [1]


@pytest.mark.parametrize("limit", [0, 10**9])
def test_completions_do_not_depend_on_the_batch_in_either_precision(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(sampling, "DOUBLE_BELOW", limit)
    model = random_vae()
    whole = completed(model, 11)
    parts = [model.complete(*task(), noise(11)[s]).images for s in (slice(0, 3), slice(3, 11))]
    assert torch.equal(whole, torch.cat(parts))


def test_a_padded_batch_gives_what_a_full_one_gives() -> None:
    model = random_vae().double()
    image, visible = task()
    plan = sampling.CompletionPlan([1.0] * LAYERS, 0, LAYERS)
    with torch.no_grad():
        decoder = sampling.CompletionDecoder(model, image, visible, plan)
        full, padded = decoder.pixels(noise(3), 0), decoder.pixels(noise(3), 8)
    torch.testing.assert_close(full, padded)


def test_double_precision_leaves_the_model_as_it_was() -> None:
    model = random_vae()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    completed(model)
    after = model.state_dict()
    assert all(torch.equal(t, after[n]) and t.dtype == after[n].dtype for n, t in before.items())


def test_with_all_latents_shared_only_the_noise_of_the_pixels_is_left() -> None:
    model = random_vae()
    free, top = completed(model), completed(model, fix_top=LAYERS)
    assert torch.equal(free[0], top[0])
    assert not torch.equal(free[1], top[1])
    assert top.float().std(0).mean() < free.float().std(0).mean()


@pytest.mark.parametrize("fixed", range(LAYERS + 1))
def test_fixed_latents_are_those_of_completion_0_and_the_others_differ(fixed: int) -> None:
    model = random_vae().double()
    decoder = sampling.CompletionDecoder(
        model, *task(), sampling.CompletionPlan([1.0] * LAYERS, fixed, LAYERS)
    )
    keyed = noise(3)

    def normal(index: int, shape: tuple[int, ...]) -> Tensor:
        drawn = keyed.normal(*shape)
        return drawn[:1].expand_as(drawn) if index < fixed else drawn

    with torch.no_grad():
        px_z, latents = decoder.walk(3, normal)
        expected = decoder.read(px_z, keyed.uniform(8, 8, 2), keyed.uniform(8, 8, 3))
        ours = decoder.pixels(noise(3), 0)
        # A part that leaves completion 0 out has its latents all the same.
        part = decoder.pixels(noise(3)[1:], 0)
    for index, z in enumerate(latents):
        assert torch.equal(z[0], z[1]) == (index < fixed)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(ours[1:], part)


def test_with_all_layers_drawn_for_what_is_visible_the_prior_draws_none() -> None:
    model = random_vae()
    assert torch.equal(completed(model, prior_after=LAYERS), completed(model))
    assert not torch.equal(completed(model, prior_after=LAYERS - 1), completed(model))


def test_with_no_layer_drawn_for_what_is_visible_nothing_visible_matters() -> None:
    model = random_vae().double()
    completions = model.complete(*task(), noise(), prior_after=0)
    other, seen = task(5)
    assert torch.equal(
        completions.details["raw"],
        model.complete(other, seen, noise(), prior_after=0).details["raw"],
    )


def test_layers_of_the_prior_have_their_own_temperatures() -> None:
    model = random_vae()
    cold = completed(model, prior_after=2, temperatures="1x2,0.1x2")
    assert torch.equal(cold, completed(model, prior_after=2, temperatures="1,1., 1e-1,.1"))
    assert not torch.equal(cold, completed(model, prior_after=2))


def test_a_temperature_for_each_layer_is_one_for_all_where_they_agree() -> None:
    model = random_vae()
    assert torch.equal(
        completed(model, temperature=0.5), completed(model, temperatures=f"0.5x{LAYERS}")
    )
    assert not torch.equal(completed(model, temperatures="1x3,0.1"), completed(model))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"temperatures": "1,1"}, "4 numbers"),
        ({"temperatures": "1x4x2"}, "neither T nor TxN"),
        ({"temperatures": "-1x4"}, "'-1x4' is neither T nor TxN, with T from 0 up"),
        ({"temperatures": "nanx4"}, "neither T nor TxN"),
        ({"temperatures": f"{'9' * 400}x4"}, "neither T nor TxN"),
        ({"temperatures": "1x99999999999999"}, "neither T nor TxN"),
        ({"temperatures": "1x99999"}, "4 numbers are needed, got 99999"),
        ({"temperatures": "1x4", "temperature": 0.5}, "either"),
        ({"temperature": -0.5}, r"^temperature: must lie in \[0, .*got -0.5"),
        ({"temperature": float("nan")}, "^temperature: must lie in "),
        ({"fix_top": 5}, "4 layers"),
        ({"prior_after": 5}, "^prior_after: this model has 4 layers, got 5"),
        ({"condition": "edges"}, "trained on 'mask'"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        completed(random_vae(), **options)


def test_bounds_are_those_of_each_completion_and_the_same_in_any_batch() -> None:
    model = random_vae()
    image, visible = task()
    completions = model.complete(image, visible, noise(3), bound=4)
    assert completions.log_prob is not None
    assert completions.lower_bound
    assert (completions.log_prob.dtype, completions.log_prob.shape) == (torch.float64, (3,))
    assert (
        (completions.details["effective_samples"] >= 1)
        & (completions.details["effective_samples"] <= 4)
    ).all()
    again = log_prob_hidden(model.double(), completions.images, visible.expand(3, -1, -1, -1), 4)
    torch.testing.assert_close(again.nats, completions.log_prob, rtol=0, atol=1e-9)
    part = random_vae().complete(image, visible, noise(3)[1:], bound=4)
    assert part.log_prob is not None
    torch.testing.assert_close(part.log_prob, completions.log_prob[1:], rtol=0, atol=1e-9)
    assert random_vae().complete(image, visible, noise(1)).log_prob is None


def test_where_nothing_is_hidden_the_bound_is_0() -> None:
    model, (image, visible) = random_vae(), task()
    all_seen = torch.ones_like(visible)
    assert model.log_prob(image, all_seen).tolist() == [0.0]
    assert model.log_prob(image, visible).item() < 0


def test_more_samples_tighten_the_bound_on_average() -> None:
    model, (_, visible) = random_vae(), task()
    images = random_images(12, 3)
    seen = visible.expand(12, -1, -1, -1)
    few, many = (log_prob_hidden(model, images, seen, k).nats.mean() for k in (1, 24))
    assert many > few


def test_a_model_of_edges_fills_everything_in_and_bounds_photo_given_drawing() -> None:
    model, (drawing, visible) = random_vae(condition="edges", predicted="whole"), task()
    completions = model.complete(drawing, visible, noise(2), condition="edges", bound=2)
    assert torch.equal(completions.images, completions.details["raw"])
    assert completions.log_prob is not None
    assert (completions.log_prob < 0).all()
    with pytest.raises(UserError, match="side by side"):
        model.log_prob(drawing, visible)


def test_what_ships_names_no_file_and_completes_alike() -> None:
    model = random_vae(vae="vae.safetensors")
    shipped = model.for_completion()
    assert shipped.config.vae == ""
    assert torch.equal(completed(shipped), completed(model))
    assert torch.equal(shipped.log_prob(*task()), model.log_prob(*task()))


@torch.no_grad()
def test_a_layer_that_asks_for_endless_deviations_does_not_run_away() -> None:
    model = random_vae()
    for block in model.decoder.blocks():
        head = block.part_enc.c4
        assert head.bias is not None
        head.bias[block.zdim :] = 300.0
    decoder = sampling.CompletionDecoder(
        model, *task(), sampling.CompletionPlan([1.0] * 4, 0, LAYERS)
    )
    last, latents = decoder.walk(3, lambda _, shape: torch.ones(3, *shape))
    assert last.isfinite().all()
    spread = math.exp(sampling.LARGEST_LOG_STD)
    assert all(float(z.detach().abs().max()) < 1.5 * spread for z in latents)


def test_without_pixel_noise_a_pixel_is_the_mean_of_its_drawn_component() -> None:
    u_mixture, u_logistic = torch.rand(2, 1, 4, 4, 3, generator=torch.Generator().manual_seed(1))
    u_mixture, u_logistic = (dmol.bounded(u) for u in (u_mixture, u_logistic))
    params = 0.3 * torch.randn(1, 4, 4, 30, generator=torch.Generator().manual_seed(2))
    still = dmol.sample(params, u_mixture, u_logistic, noise=0)
    assert torch.equal(still, dmol.sample(params, u_mixture, 1 - u_logistic, noise=0))
    # A logistic is symmetric: uniform numbers of a half are its mean.
    torch.testing.assert_close(
        still, dmol.sample(params, u_mixture, torch.full_like(u_logistic, 0.5))
    )
    assert not torch.equal(still, dmol.sample(params, u_mixture, u_logistic))


def test_pixel_noise_leaves_the_latents_and_the_visible_pixels_as_they_are() -> None:
    model = random_vae()
    image, visible = task()
    drawn, still = completed(model), completed(model, pixel_noise=0.0)
    assert torch.equal(drawn, completed(model, pixel_noise=1.0))
    assert not torch.equal(drawn, still)
    seen = visible.expand_as(still)
    assert torch.equal(still[seen], image.expand_as(still)[seen])
    assert still.float().std(0).mean() < drawn.float().std(0).mean()


def test_photos_are_completed_without_pixel_noise_and_scores_with_it() -> None:
    family = models.get("ipa")
    assert checked_options(family, {}) == {"pixel_noise": 0.0}
    assert checked_options(family, {"pixel_noise": 1.0}) == {}
    assert checked_options(family, {"fix_top": None, "pixel_noise": 1.0}) == {}
    assert checked_options(family, {"pixel_noise": 0.5, "bound": 2}) == {
        "pixel_noise": 0.5,
        "bound": 2,
    }
    # A calibration was made of what `score` draws.
    # Files record them, so their order must not be that of whoever gave them.
    orders: list[dict[str, Any]] = [
        {"bound": 2, "pixel_noise": 0.5},
        {"pixel_noise": 0.5, "bound": 2},
        {"bound": 2},
    ]
    assert len({tuple(checked_options(family, given)) for given in orders}) == 1
    assert checked_options(family, {}, as_scored=True) == {}
    assert not_as_scored(family.options, {}) is None
    assert "pixel_noise 1, not 0" in (not_as_scored(family.options, {"pixel_noise": 0.0}) or "")
    with pytest.raises(UserError, match="at most 1"):
        checked_options(family, {"pixel_noise": 1.5})


def test_temperature_zero_takes_the_mean_of_every_layer_and_of_the_likeliest_logistic() -> None:
    model = random_vae()
    image, visible = task()
    (raw,) = model.complete(image, visible, noise(1), temperature=0.0).details["raw"]
    plan = sampling.CompletionPlan([0.0] * LAYERS, 0, LAYERS, likeliest=True)
    with torch.inference_mode():
        decoder = sampling.CompletionDecoder(model.double().eval(), image, visible, plan)
        state, latents = decoder.walk(1, lambda _, shape: torch.full((1, *shape), torch.pi))
        params = model.decoder.read(state)
    assert len(latents) == LAYERS
    pixels = dmol.likeliest(params, model.config.channels)
    assert torch.equal(raw, dmol.to_bytes(pixels)[0])
    assert not torch.equal(raw, completed(model, 1, temperatures=f"0x{LAYERS}")[0])
