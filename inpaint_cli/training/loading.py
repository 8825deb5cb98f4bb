"""The processes that prepare batches: their errors, their signals and their end."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from torch.utils.data import DataLoader, Dataset

from inpaint_cli.errors import ResourceError
from inpaint_cli.training.batches import MicroBatch, MicroBatches

GRACE = 2.0
"""Seconds that a worker has to end before it is killed."""


class WorkerDied(ResourceError):
    """A process that prepares batches is gone, though nobody told it to go."""


@contextmanager
def loading(
    batches: MicroBatches, numbers: range, workers: int, pin: bool
) -> Iterator[Iterator[MicroBatch]]:
    """Yield the micro-batches `numbers`, prepared by so many processes (0: by this one).

    The processes are gone when the block ends, however it ends. What one of them raises is raised
    here, as itself. WorkerDied where the system killed one.
    """
    if not workers:
        yield (batches[number] for number in numbers)
        return
    reader, writer = multiprocessing.Pipe(duplex=False)
    with ExitStack() as stack:
        stack.callback(reader.close)
        others = set(multiprocessing.active_children())
        # torch's handler raises wherever the trainer happens to be, in the middle of a step too.
        handler = signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None
        items = iter(
            DataLoader(
                _Guarded(batches),
                batch_size=None,
                sampler=numbers,
                num_workers=workers,
                collate_fn=_as_it_is,
                pin_memory=pin,
                worker_init_fn=partial(_follow_the_trainer, reader, writer),
            )
        )
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, handler)
        stack.callback(_end, items, writer, set(multiprocessing.active_children()) - others)
        yield _unguarded(items)


@dataclass(frozen=True)
class _Failure:
    """What `MicroBatches` raised in a worker, on its way to the trainer."""

    error: Exception


class _Guarded(Dataset[MicroBatch | _Failure]):
    """Micro-batches whose errors are values: torch would make another error of them."""

    def __init__(self, batches: MicroBatches) -> None:
        self.batches = batches

    def __getitem__(self, number: int) -> MicroBatch | _Failure:
        try:
            return self.batches[number]
        except Exception as error:
            return _Failure(_portable(error))


def _portable(error: Exception) -> Exception:
    """Return `error`, with its traceback as a note, as something that reaches another process."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _unguarded(items: Iterator[MicroBatch | _Failure]) -> Iterator[MicroBatch]:
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
            # The last three: its batch arrived, and it was gone before its memory was handed over.
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            raise WorkerDied(
                "a process that prepares batches was killed, most likely for want of memory"
            ) from error
        if isinstance(item, _Failure):
            raise item.error
        yield item


def _end(items: Any, writer: Connection, workers: set[BaseProcess]) -> None:
    """Tell the workers to go, and see that they do."""
    writer.close()
    items._shutdown_workers()  # otherwise at an unknown time: a traceback may hold `items`
    for worker in workers:
        worker.join(GRACE)
        if worker.is_alive():
            worker.kill()
            worker.join(GRACE)


def _follow_the_trainer(reader: Connection, writer: Connection, worker: int) -> None:
    """End this worker as soon as the trainer ends it, or is gone, and at no signal before.

    Ctrl-C and torchrun signal the whole group: the trainer finishes its step, for which it needs
    its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    writer.close()  # or the pipe would never end
    parent = multiprocessing.parent_process()
    ends: list[Any] = [reader, *([parent.sentinel] if parent else [])]

    def leave() -> None:
        with suppress(OSError):
            if wait(ends) == [reader]:
                time.sleep(GRACE / 2)  # to end in good order, which a busy worker cannot
        os._exit(0)

    threading.Thread(target=leave, daemon=True).start()


def _as_it_is(item: Any) -> Any:
    return item
