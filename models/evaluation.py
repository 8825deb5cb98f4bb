"""How a model's networks run when they complete: without gradients, in batches of one size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn eval mode on and gradients off inside the block; the mode is restored after it."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def filled_up(network: Callable[..., Tensor], size: int, *inputs: Tensor) -> Tensor:
    """Return network(*inputs) of n <= size items, run on exactly `size`: the last is repeated."""
    return network(*(padded(x, size) for x in inputs))[: len(inputs[0])]


def padded(x: Tensor, size: int) -> Tensor:
    """Return x [n, ...] with its last item repeated until there are `size`."""
    return torch.cat([x, x[-1:].repeat(max(size - len(x), 0), *[1] * (x.ndim - 1))])
