"""The training step: which loss moves what, every option, and the figures of a validation."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.adversarial import frozen
from inpaint_cli.models.picme.networks import MixtureOfPrimitives
from inpaint_cli.models.picme.objective import (
    CompletionStage,
    Latents,
    Pictures,
    drawn,
    encode_batch,
)
from inpaint_cli.models.pixels import to_unit
from tests.models.picme.small import batch_of, model_of, samples

STAGE = CompletionStage()


def moved(model: MixtureOfPrimitives, loss: Tensor) -> set[str]:
    """Return the parts of the model in which a loss has a gradient that is not zero."""
    model.zero_grad()
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    parts = {
        "trunk": model.encoder.down,
        "infer": model.encoder.infer,
        "prior": model.encoder.head.prior,
        "mix": model.encoder.head.mix,
        "posterior": model.encoder.posterior_head,
        "g": model.decoder,
        "D": model.discriminators,
    }
    grads = {
        name: [p.grad for n, p in part.named_parameters() if n != "offset"]
        for name, part in parts.items()
    }
    return {n for n, gs in grads.items() if any(g is not None and bool(g.any()) for g in gs)}


def step(**changes: Any) -> tuple[MixtureOfPrimitives, Latents, Pictures, dict[str, Tensor]]:
    model, batch = model_of(**changes), batch_of(3)
    x, m = to_unit(batch.image), batch.visible.float()
    latents = encode_batch(model, x, m)
    normals = samples(3).normal(2, *latents.posterior.mu.shape[1:])
    pictures = drawn(model, latents, m, normals, every=False)
    return model, latents, pictures, STAGE.terms(model, latents, pictures, x, m)


@pytest.mark.parametrize(
    ("term", "parts"),
    [
        ("frequency", {"trunk", "infer", "mix"}),
        ("divergence", {"trunk", "infer", "prior", "posterior"}),
        ("standard", {"trunk", "infer", "prior"}),
        ("reconstruction", {"trunk", "posterior", "g"}),
        ("visible", {"trunk", "infer", "prior", "g"}),
    ],
)
def test_each_term_moves_what_the_objective_says_and_nothing_else(
    term: str, parts: set[str]
) -> None:
    model, _, _, terms = step()
    assert moved(model, terms[term]) == parts


def test_without_its_share_the_posterior_gets_no_gradient_of_the_divergence() -> None:
    model, _, _, terms = step(posterior_share=0.0)
    assert moved(model, terms["divergence"]) == {"trunk", "infer", "prior"}


def test_a_frozen_discriminator_moves_the_decoder_alone() -> None:
    model, _, pictures, _ = step()
    scores = frozen(model.discriminators["generated"], pictures.generated[-1])
    assert "D" not in moved(model, scores.sum())
    assert "g" in moved(model, scores.sum())


def test_the_loss_of_the_discriminators_moves_nothing_else() -> None:
    model = model_of().train()
    result = STAGE.loss(model, batch_of(3), 0, samples(3))
    assert moved(model, result.losses["discriminator"]) == {"D"}
    assert "D" not in moved(model, result.losses["generator"])


def test_the_total_is_the_weighted_sum_of_its_terms() -> None:
    _, _, _, terms = step(kl_weight=0.3, prior_weight=0.5, visible_weight=2.0)
    latent = terms["divergence"] + 0.5 * terms["standard"]
    expected = terms["frequency"] + 0.3 * latent + terms["reconstruction"] + 3 * terms["visible"]
    torch.testing.assert_close(terms["total"], expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"primitives": 1},
        {"decode": "all"},
        {"adversarial": "pic", "divergence_order": "posterior", "posterior_share": 0.0},
        {"posterior_prior": True, "elbo_divergence": "chosen", "free_bits": 0.05},
        {"disc_layers": 0},
        {"divergence": "literal"},
    ],
)
def test_a_step_of_every_form_has_finite_losses_and_gradients(changes: dict[str, Any]) -> None:
    model = model_of(**changes).train()
    result = STAGE.loss(model, batch_of(3), 0, samples(3))
    assert set(result.losses) == {group.name for group in STAGE.trainable(model)}
    torch.stack(list(result.losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)
    assert all(bool(scalar.isfinite()) for scalar in result.scalars.values())


def test_one_primitive_has_no_frequency_loss() -> None:
    model = model_of(primitives=1).train()
    assert STAGE.loss(model, batch_of(2), 0, samples(2)).scalars["frequency"] == 0


def test_the_same_step_gives_the_same_loss_whatever_the_global_generator() -> None:
    def loss() -> Tensor:
        return STAGE.loss(model_of().train(), batch_of(3), 0, samples(3)).losses["generator"]

    torch.manual_seed(1)
    one = loss()
    torch.manual_seed(2)
    assert torch.equal(one, loss())


def test_hidden_pixels_do_not_reach_the_mixture() -> None:
    model, batch = model_of(), batch_of(2)
    x = to_unit(batch.image).requires_grad_()
    latents = encode_batch(model, x, batch.visible.float())
    total = latents.mixture.mu.sum() + latents.mixture.weights[:, 0].sum() + latents.e.sum()
    (gradient,) = torch.autograd.grad(total, x)
    assert not gradient[~batch.visible].any()
    assert gradient[batch.visible].any()


@pytest.mark.parametrize("hidden", [True, False])
def test_errors_at_hidden_pixels_are_none_where_nothing_is_hidden(hidden: bool) -> None:
    model, batch = model_of(), batch_of(2)
    batch = replace(batch, visible=torch.full_like(batch.visible, not hidden))
    with torch.no_grad():
        figures = STAGE.validate(model, batch, samples(2))
    assert figures["l1_hidden"].isnan().tolist() == [not hidden] * 2
    assert next(iter(figures)) == "objective"


def learns(steps: int) -> float:
    """Return the mean absolute error of the reconstruction after some steps on four images."""
    model, batch = model_of().train(), batch_of(4)
    groups = STAGE.trainable(model)
    optimisers = [torch.optim.Adam(g.parameters, lr=2e-3, betas=(0.0, 0.999)) for g in groups]
    total = 0.0
    for number in range(steps):
        result = STAGE.loss(model, batch, number, samples(4))
        for optimiser in optimisers:
            optimiser.zero_grad()
        torch.stack(list(result.losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        total = float(result.scalars["reconstruction"])
    return total


def test_a_few_steps_learn_to_reconstruct() -> None:
    assert learns(40) < 0.6 * learns(1)
