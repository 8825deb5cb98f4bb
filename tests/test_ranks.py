"""The processes of one run: which of them says what when it ends."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist

from inpaint_cli import ranks
from inpaint_cli.cli import terminate
from inpaint_cli.errors import Interrupted, UserError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_of_several(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torchrun's surroundings, and the handler of the command line."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    facts = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in facts.items():
        monkeypatch.setenv(name, value)
    before = signal.signal(signal.SIGTERM, terminate)
    yield
    signal.signal(signal.SIGTERM, before)


def test_torchrun_does_not_cut_off_the_error_that_a_process_ends_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leave = dist.destroy_process_group

    def leave_late() -> None:
        leave()
        os.kill(os.getpid(), signal.SIGTERM)  # as torchrun does once another process is gone

    monkeypatch.setattr(dist, "destroy_process_group", leave_late)
    with pytest.raises(UserError, match="its own words"), ranks.joined(CPU):
        raise UserError("its own words.")


def test_a_process_that_is_terminated_says_that_another_one_knows_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranks, "world_size", lambda: 2)
    says = "process 0: terminated.*its own message says why"
    with pytest.raises(Interrupted, match=says), ranks.joined(CPU):
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted, match="saved after step 3"), ranks.joined(CPU):
        raise Interrupted("saved after step 3.", signal.SIGTERM)
