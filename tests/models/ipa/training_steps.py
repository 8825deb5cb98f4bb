"""Training steps of small models: batches, noise, gradients, and what a step keeps in memory."""

import gc
import weakref
from collections.abc import Callable

import torch
from torch import Tensor

from inpaint_cli.family import Batch, Stage
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.objective import PartialEncoderStage
from inpaint_cli.randomness import Noise
from tests.models.ipa.small_vaes import random_images

STAGE = PartialEncoderStage()


def batch(n: int = 3, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed + 1)
    visible = torch.rand(n, 1, 8, 8, generator=generator) < 0.5
    return Batch(random_images(n, seed), visible)


def noise(n: int = 3) -> Noise:
    return Noise.of_samples(0, "test", 0, range(n))


def freeze(model: CompletingVae, stage: Stage[CompletingVae] = STAGE) -> CompletingVae:
    trained = {id(p) for p in stage.trainable(model)[0].parameters}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in trained)
    return model


def loss_of(model: CompletingVae, given: Batch, stage: Stage[CompletingVae] = STAGE) -> Tensor:
    (loss,) = stage.loss(model, given, 0, noise(len(given.image))).losses.values()
    return loss


def gradients(
    model: CompletingVae, given: Batch, stage: Stage[CompletingVae] = STAGE
) -> dict[str, Tensor]:
    model.zero_grad()
    loss_of(model, given, stage).backward()  # type: ignore[no-untyped-call]
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


class Box:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def kept_by(model: CompletingVae, make: Callable[[], Tensor]) -> int:
    """Return the bytes that the graph of make() keeps for its backward pass, without weights."""
    alive: weakref.WeakSet[Box] = weakref.WeakSet()

    def pack(tensor: Tensor) -> Box:
        box = Box(tensor)
        alive.add(box)
        return box

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda box: box.tensor):
        output = make()
    gc.collect()
    storages = {b.tensor.untyped_storage().data_ptr(): b.tensor for b in alive}
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    size = sum(t.untyped_storage().nbytes() for at, t in storages.items() if at not in weights)
    assert output.requires_grad
    return size
