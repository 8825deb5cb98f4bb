"""The processes of one run: this one alone, or several that torchrun started."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from inpaint_cli.device import rank, sum_over_ranks, world_size
from inpaint_cli.errors import TERMINATED, Interrupted, ResourceError

T = TypeVar("T")


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the processes of torchrun, if it started this one; yield this process's device."""
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
    except RuntimeError as error:
        _finish_speaking()
        if not _is_about_another(error):
            raise
        raise ResourceError(
            f"process {rank()}: another process of this run ended; its own message says why."
        ) from error
    except Exception:
        _finish_speaking()
        raise
    except Interrupted as error:
        if world_size() > 1 and str(error) == TERMINATED:
            text = (
                f"process {rank()}: terminated. torchrun does so when another process has failed; "
                "its own message says why."
            )
            raise Interrupted(text, error.signal_number) from error
        raise
    finally:
        gc.collect()
        dist.destroy_process_group()


def _finish_speaking() -> None:
    """Let no SIGTERM take the place of an error that is on its way to be printed.

    torchrun terminates all processes as soon as one of them is gone, which may be another one than
    that which failed first: leaving the others takes that one a while.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def is_first() -> bool:
    """Return whether this process writes the files and talks to people."""
    return rank() == 0


def of_the_first(make: Callable[[], T]) -> T:
    """Return what the first process alone makes, or raise what it raised, in every process."""
    if world_size() == 1:
        return make()
    outcome: list[T | Exception | None] = [None]
    if is_first():
        try:
            outcome = [make()]
        except Exception as error:  # the other processes must learn of it
            outcome = [error]
    dist.broadcast_object_list(outcome)
    value = outcome[0]
    if isinstance(value, Exception):
        raise value
    return value  # type: ignore[return-value]


def first_before_the_others(make: Callable[[], T]) -> T:
    """Let every process have its own result of `make`, which the first one calls before the others.

    For what is prepared on the disk once and then found there.
    """
    if not is_first():
        wait()
        return make()
    result = make()
    wait()
    return result


def _is_about_another(error: RuntimeError) -> bool:
    """Return whether `error` says that the connection to another process is gone."""
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


def wait() -> None:
    """Wait until every process is here."""
    if world_size() > 1:
        dist.barrier()


def mean_over_ranks(values: Tensor) -> Tensor:
    """Return the mean of `values` over all processes."""
    return sum_over_ranks(values) / world_size()


def largest(number: int, device: torch.device) -> int:
    """Return the largest `number` of all processes."""
    if world_size() == 1:
        return number
    value = torch.tensor(number, device=device)
    dist.all_reduce(value, dist.ReduceOp.MAX)
    return int(value)
