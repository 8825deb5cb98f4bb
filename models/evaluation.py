"""How networks run when they complete: without gradients, in batches of one size, in one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from inpaint_cli.randomness import Noise

Result = TypeVar("Result")

SMALL = 50_000_000
"""Networks of fewer parameters complete in one thread of a CPU. How float32 is summed depends on
the number of threads, and one rounding can turn a byte; larger networks would take too long."""

_LOCK = threading.Lock()
_inside: list[int] = []
"""For each block of `one_thread` that is entered: how many threads there were before the first."""


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


def is_small(model: nn.Module) -> bool:
    """Return whether a model completes in one thread: few parameters, on a CPU."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    return on_cpu and sum(p.numel() for p in model.parameters()) < SMALL


@contextmanager
def one_thread(model: nn.Module) -> Iterator[None]:
    """Compute in one thread inside the block, if the model is small and on a CPU.

    Blocks may overlap in several Python threads: torch keeps a number for each of them, and one for
    those that have yet to compute.
    """
    if not is_small(model):
        yield
        return
    with _LOCK:
        # Asked first in any case: a Python thread takes over what holds for all when it is asked.
        before = torch.get_num_threads()
        _inside.append(_inside[0] if _inside else before)
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _LOCK:
            torch.set_num_threads(_inside.pop())


def side_by_side(
    model: nn.Module, work: Callable[[Noise], Result], parts: Sequence[Noise]
) -> list[Result]:
    """Return work(part) for each part, inside `one_thread`: as many at a time as it left idle."""
    with _LOCK:
        idle = _inside[0] if _inside else 1
    if len(parts) == 1 or idle == 1 or not is_small(model):
        return [work(part) for part in parts]

    def alone(part: Noise) -> Result:
        with torch.inference_mode(), one_thread(model):
            return work(part)

    with ThreadPoolExecutor(idle) as pool:
        return list(pool.map(alone, parts))


def filled_up(network: Callable[..., Tensor], size: int, *inputs: Tensor) -> Tensor:
    """Return network(*inputs) of n <= size items, run on exactly `size`: the last is repeated."""
    return network(*(padded(x, size) for x in inputs))[: len(inputs[0])]


def padded(x: Tensor, size: int) -> Tensor:
    """Return x [n, ...] with its last item repeated until there are `size`."""
    return torch.cat([x, x[-1:].repeat(max(size - len(x), 0), *[1] * (x.ndim - 1))])
