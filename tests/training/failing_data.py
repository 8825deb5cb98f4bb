"""`inpaint train` with the fakes, and a fault in the batches that FAULT names; FAULT_AT is a file.

The moment of the fault is written there, so that a test knows how long everything took to end.
"KIND@RANK" is a fault of one process alone; with "+slow" at its end, leaving the others takes long.
"""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import torch

from inpaint_cli.errors import UserError
from inpaint_cli.training.batches import MicroBatches
from tests.training import fake_data

FROM = 8
"""The first micro-batch with the fault."""
SENTENCE = "the mask of picture 7 cannot be drawn."


class Unportable(Exception):
    """An error that cannot be sent to another process."""

    def __init__(self) -> None:
        super().__init__("held")
        self.lock = threading.Lock()


def fail(kind: str) -> None:
    Path(os.environ["FAULT_AT"]).write_text(str(time.time()))
    if kind == "user":
        raise UserError(SENTENCE, setting="masks")
    if kind == "memory":
        raise MemoryError
    if kind == "unportable":
        raise Unportable
    if kind == "killed" and multiprocessing.parent_process():
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "busy":
        time.sleep(600)  # a worker in the midst of a long batch, at whatever moment


def leave_slowly() -> None:
    leave = torch.distributed.destroy_process_group

    def leave_and_wait(*group: Any) -> None:
        leave(*group)
        if os.environ["RANK"] == os.environ["FAULT"].removesuffix("+slow")[-1]:
            time.sleep(4)  # in which the others are gone, and torchrun hears of it

    torch.distributed.destroy_process_group = leave_and_wait  # type: ignore[assignment]


def install() -> None:
    fault = os.environ["FAULT"]
    kind, _, rank = fault.removesuffix("+slow").partition("@")
    if fault.endswith("+slow"):
        leave_slowly()
    get = MicroBatches.__getitem__

    def broken(self: MicroBatches, number: int) -> Any:
        if number >= FROM and rank in ("", os.environ.get("RANK", "0")):
            fail(kind)
        return get(self, number)

    MicroBatches.__getitem__ = broken  # type: ignore[method-assign]


if __name__ == "__main__":
    fake_data.install()
    install()
    from inpaint_cli.cli import run

    run()
