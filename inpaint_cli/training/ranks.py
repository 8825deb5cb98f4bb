"""One process, or one of several that torchrun started."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from inpaint_cli.device import rank, sum_over_ranks, world_size
from inpaint_cli.errors import Interrupted, UserError
from inpaint_cli.family import Batch, Model, Stage
from inpaint_cli.randomness import Noise

T = TypeVar("T")


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Joins the processes of torchrun, if it started this one; gives this process's device."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        yield device
        return
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
        dist.barrier()  # a process that leaves early takes gloo's threads of the others down
    except Interrupted:
        dist.barrier()  # all processes stop after the same step
        raise
    finally:
        gc.collect()
        dist.destroy_process_group()


def is_first() -> bool:
    """Says whether this process writes the files and talks to people."""
    return rank() == 0


def share(value: T) -> T:
    """Gives the first process's `value` to all."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def first_before_the_others(make: Callable[[], T]) -> T:
    """Gives every process its own result of `make`, which the first one calls before the others.

    For what is prepared on the disk once and then found there.
    """
    if not is_first():
        wait()
        return make()
    made = make()
    wait()
    return made


def wait() -> None:
    """Waits until every process is here."""
    if world_size() > 1:
        dist.barrier()


class Losses(nn.Module):
    """Calls `stage.loss` in `forward`, where DistributedDataParallel looks for the model's use."""

    def __init__(self, stage: Stage[Any], model: nn.Module) -> None:
        super().__init__()
        self.stage, self.model = stage, model

    def forward(
        self, batch: Batch, step: int, noise: Noise
    ) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
        model: Model = self.model  # type: ignore[assignment]
        result = self.stage.loss(model, batch, step, noise)
        return dict(result.losses), dict(result.scalars)


def parallel(losses: Losses) -> nn.Module:
    """Gives `losses` so that its gradients are the means over all processes."""
    if world_size() == 1:
        return losses
    losses = _with_joined_batches(losses)
    # Buffers are not copied from the first process: those of our layers are the same everywhere,
    # because they are computed from the joined batch.
    with warnings.catch_warnings():
        # The successor of `broadcast_buffers` is not in every torch that we support.
        warnings.simplefilter("ignore", FutureWarning)
        return nn.parallel.DistributedDataParallel(
            losses, broadcast_buffers=False, find_unused_parameters=True
        )


def _with_joined_batches(losses: Losses) -> Losses:
    """Return `losses` with batch normalisations that take the batch of all processes together.

    Their parameters, buffers and names stay. UserError where torch has none: anywhere but on CUDA.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in losses.modules()):
        return losses
    if any(parameter.device.type != "cuda" for parameter in losses.parameters()):
        raise UserError(
            "several processes train a model with batch normalisation on CUDA devices only. Use "
            "one process here."
        )
    joined: Losses = nn.SyncBatchNorm.convert_sync_batchnorm(losses)  # type: ignore[no-untyped-call]
    return joined


def last_part(losses: nn.Module, last: bool) -> AbstractContextManager[Any]:
    """Exchanges gradients between processes in the last accumulated part only."""
    if isinstance(losses, nn.parallel.DistributedDataParallel) and not last:
        return losses.no_sync()
    return nullcontext()


def mean_over_ranks(values: Tensor) -> Tensor:
    """Gives the mean of `values` over all processes."""
    return sum_over_ranks(values) / world_size()


def largest(number: int, device: torch.device) -> int:
    """Gives the largest `number` of all processes."""
    if world_size() == 1:
        return number
    value = torch.tensor(number, device=device)
    dist.all_reduce(value, dist.ReduceOp.MAX)
    return int(value)
