"""PICME against discriminators that stand on the features of a perceptual distance."""

import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.picme.networks import MixtureOfPrimitives
from inpaint_cli.models.picme.objective import CompletionStage
from inpaint_cli.models.projected import ProjectedDiscriminator
from tests.models.picme.small import batch_of, model_of, samples
from tests.models.trunk import distance

STAGE = CompletionStage()


def projected(**changes: object) -> MixtureOfPrimitives:
    model = model_of(adversary="projected", **changes)
    model.use_perceptual(distance())
    return model.train()


def losses_of(model: MixtureOfPrimitives) -> dict[str, Tensor]:
    return dict(STAGE.loss(model, batch_of(3), 0, samples(3)).losses)


@pytest.mark.parametrize("decode", ["chosen", "all"])
@pytest.mark.parametrize("adversarial", ["paper", "pic"])
def test_each_side_of_the_game_has_its_own_gradients(decode: str, adversarial: str) -> None:
    model = projected(decode=decode, adversarial=adversarial)
    losses = losses_of(model)
    heads = [p for p in model.discriminators.parameters() if p.dim() == 4]
    painters = list(model.decoder.parameters())
    against_heads = torch.autograd.grad(losses["discriminator"], heads, retain_graph=True)
    assert all(gradient.any() for gradient in against_heads)
    crossed = [(losses["generator"], heads), (losses["discriminator"], painters)]
    for loss, parameters in crossed:
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        assert all(gradient is None for gradient in gradients)


def test_the_game_moves_what_paints() -> None:
    gradients = []
    for weight in (0.0, 1.0):
        model = projected(adversarial_weight=weight)
        losses_of(model)["generator"].backward()  # type: ignore[no-untyped-call]
        last = list(model.decoder.parameters())[-1].grad
        assert last is not None
        gradients.append(last.clone())
    assert not torch.allclose(gradients[0], gradients[1])


def test_the_heads_alone_are_saved_and_nothing_of_them_ships() -> None:
    model = projected()
    assert all(isinstance(rival, ProjectedDiscriminator) for rival in model.discriminators.values())
    assert not any("trunk" in name for name in model.state_dict())
    assert not any("discriminators" in name for name in model.for_completion().state_dict())


def test_a_perceptual_distance_is_needed_by_them_and_by_nothing_else() -> None:
    assert projected().config.takes_perceptual
    assert not model_of(adversary="projected", disc_layers=0).config.takes_perceptual
    with pytest.raises(UserError, match="needs the trunk"):
        model_of(adversary="projected").use_perceptual(None)
    with pytest.raises(UserError, match="take no perceptual distance"):
        model_of().use_perceptual(distance())
