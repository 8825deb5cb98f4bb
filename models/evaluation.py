"""How a model's networks run when they complete: without gradients, in batches of one size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turns eval mode on and gradients off inside the block; the mode is restored after it."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def filled_up(network: Callable[..., Tensor], size: int, *inputs: Tensor) -> Tensor:
    """Gives network(*inputs) of n <= size items, run on exactly `size`: the last is repeated."""
    n = len(inputs[0])
    full = (torch.cat([x, x[-1:].repeat(size - n, *[1] * (x.ndim - 1))]) for x in inputs)
    return network(*full)[:n]
