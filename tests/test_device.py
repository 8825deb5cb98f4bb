"""The device: obeyed or refused, never swapped."""

import pytest
import torch

from inpaint_cli import device
from inpaint_cli.errors import UserError


def test_cpu_is_always_there() -> None:
    assert device.resolve("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_fastest_that_is_there(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device.resolve("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "auto:1", "meta", "xla", "cuda:-1", "CPU"])
def test_an_unknown_device_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UserError, match=r"^device: .*auto, cpu, cuda, mps"):
        device.resolve(name)


def test_a_graphics_card_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.resolve("cuda:0").index == 0
    with pytest.raises(UserError, match="no CUDA device for 'cuda:1'"):
        device.resolve("cuda:1")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match="MPS is not available"):
        device.resolve("mps")


@pytest.mark.parametrize(("major", "fast"), [(7, False), (8, True), (9, True)])
def test_bfloat16_is_fast_from_ampere_on(
    major: int, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
    assert device.has_fast_bf16(torch.device("cuda:0")) is fast


def test_bfloat16_is_not_taken_for_fast_on_mps() -> None:
    assert not device.has_fast_bf16(torch.device("mps"))


def test_outside_a_distributed_run_there_is_one_process() -> None:
    value = torch.tensor([1.5])
    assert (device.rank(), device.world_size()) == (0, 1)
    assert device.sum_over_ranks(value) is value
