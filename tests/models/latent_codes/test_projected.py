"""The projected discriminator: heads that learn on a trunk that does not."""

import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.latent_codes.discriminator import hinge
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.objective import STAGES
from inpaint_cli.models.projected import SCALES, ProjectedDiscriminator
from tests.models.latent_codes.test_objective import batch_of, model_of, noise
from tests.models.trunk import distance

DECODER = STAGES[3]


def projected(**changes: object) -> LatentCodes:
    model = model_of(adversary="projected", **changes)
    model.use_perceptual(distance())
    return model


def images(n: int = 2) -> Tensor:
    return torch.rand(n, 2, 8, 8, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_it_has_a_map_of_logits_for_each_scale() -> None:
    rival = ProjectedDiscriminator(32)
    rival.use_trunk(distance())
    sides = [tuple(scores.shape) for scores in rival(images())]
    assert sides == [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 2, 2)]
    assert len(sides) == SCALES


def test_projections_are_the_same_in_every_run_and_are_not_saved() -> None:
    first, second = ProjectedDiscriminator(32), ProjectedDiscriminator(32)
    for rival in (first, second):
        rival.use_trunk(distance())
    image = images()[:, 1:]
    ours, theirs = first.projected(image), second.projected(image)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert len(first.state_dict()) == 5 * SCALES  # heads alone
    assert not any("drawn" in name or "trunk" in name for name in first.state_dict())


def test_the_generator_gets_a_gradient_and_the_trunk_does_not_move() -> None:
    model = projected()
    before = {n: t.clone() for n, t in model.perceptual.state_dict().items()}
    alone, none = projected(disc_weight=(0.8, 0.0)), projected(disc_width=0)
    alone.load_state_dict(model.state_dict())
    none.load_state_dict(model.state_dict(), strict=False)
    wanted, whole = gradients(none), gradients(model)
    torch.testing.assert_close(
        gradients(alone)["decoder.decoder.conv_out.weight"],
        wanted["decoder.decoder.conv_out.weight"],
    )
    assert not torch.allclose(
        whole["decoder.decoder.conv_out.weight"], wanted["decoder.decoder.conv_out.weight"]
    )
    assert not any(p.requires_grad or p.grad is not None for p in model.perceptual.parameters())
    assert all(torch.equal(t, before[n]) for n, t in model.perceptual.state_dict().items())
    trained = {id(p) for group in DECODER.trainable(model) for p in group.parameters}
    assert not trained & {id(p) for p in model.perceptual.parameters()}


def gradients(model: LatentCodes) -> dict[str, Tensor]:
    result = DECODER.loss(model, batch_of(progress=1.0), 0, noise())
    torch.stack(list(result.losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def test_each_side_of_the_game_has_its_own_gradients() -> None:
    model = projected()
    losses = DECODER.loss(model, batch_of(progress=1.0), 0, noise()).losses
    heads = list(model.discriminators["decoder"].parameters())
    painters = list(model.decoder.parameters())
    of_heads = torch.autograd.grad(losses["generator"], heads, retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in of_heads)
    of_painters = torch.autograd.grad(
        losses["decoder-discriminator"], painters, allow_unused=True, retain_graph=True
    )
    assert all(gradient is None for gradient in of_painters)
    weights = [p for p in heads if p.dim() == 4]
    of_discriminator = torch.autograd.grad(losses["decoder-discriminator"], weights)
    assert all(gradient.any() for gradient in of_discriminator)


def test_the_heads_learn_to_tell_pictures_apart() -> None:
    torch.manual_seed(0)
    rival = ProjectedDiscriminator(32)
    rival.use_trunk(distance())
    real, fake = images(8), images(8).roll(3, 2).flip(2).mul(0.3)
    optimiser = torch.optim.Adam(rival.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss = hinge(rival(real), rival(fake))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_without_a_trunk_or_with_too_few_levels_it_is_refused() -> None:
    with pytest.raises(UserError, match="needs the trunk"):
        DECODER.loss(model_of(adversary="projected"), batch_of(progress=1.0), 0, noise())
    with pytest.raises(UserError, match="needs the trunk"):
        model_of(adversary="projected").use_perceptual(None)
    rival = ProjectedDiscriminator(32)
    rival.use_trunk(distance(2))
    with pytest.raises(UserError, match="has 2 levels"):
        rival(images())


def test_the_first_step_says_that_the_trunk_is_missing_though_it_joins_later() -> None:
    late = model_of(adversary="projected", disc_start=(0.5, 0.5))
    with pytest.raises(UserError, match="needs the trunk"):
        DECODER.loss(late, batch_of(), 0, noise())


def test_the_vqgan_keeps_its_patches_and_what_only_completes_has_neither() -> None:
    model = projected()
    assert not isinstance(model.discriminators["vqgan"], ProjectedDiscriminator)
    lean = model.changed(completion_only=True)
    assert not any("discriminators" in name for name in lean.state_dict())
