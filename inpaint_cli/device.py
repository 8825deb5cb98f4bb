"""Where tensors live and in which precision: the device, bf16, ranks of a distributed run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inpaint_cli.errors import UserError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_name(name: str) -> None:
    """Raise UserError for what is no device anywhere, which needs no torch."""
    if not isinstance(name, str) or name.partition(":")[0] not in DEVICES:
        raise UserError(
            f"no device called '{name}'. Known: {', '.join(DEVICES)}.", setting="device"
        )


def resolve(name: str) -> torch.device:
    """Return the device called `name`; "auto" takes CUDA, then MPS, then the CPU.

    Raises UserError for an unknown device and for one that this machine or this torch lacks: an
    explicit device is obeyed or refused, never swapped.
    """
    check_name(name)
    import torch

    if name == "auto":
        name = (
            "cuda"
            if torch.cuda.is_available()
            else "mps"
            if torch.backends.mps.is_available()
            else "cpu"
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(
            f"no device called '{name}'. Known: {', '.join(DEVICES)}.", setting="device"
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"no CUDA device for '{name}' here. Use cpu or auto.", setting="device")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("MPS is not available here. Use cpu or auto.", setting="device")
    return device


def for_method(name: str) -> torch.device | str:
    """Return where a method without a network computes: on the CPU, which needs no torch.

    Another device is obeyed or refused as by `resolve`.
    """
    check_name(name)
    return "cpu" if name in ("auto", "cpu") else resolve(name)


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether matrix products in bfloat16 run faster than in float32 on `device`."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        capability = torch.backends.cpu.get_cpu_capability()
        flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(flags.get("avx512_bf16") or flags.get("amx_bf16")) and "AVX512" in capability
    return False


def full_precision(device: torch.device) -> torch.autocast:
    """Return the context in which nothing is autocast on `device`, also one that knows no autocast.

    Such is "meta", on which a run is planned without its memory.
    """
    import torch

    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type if known else "cpu", enabled=False)


def rank() -> int:
    """Return this process's rank in a distributed run, 0 outside one."""
    import torch.distributed as dist

    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes of a distributed run, 1 outside one."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_ranks(value: torch.Tensor) -> torch.Tensor:
    """Return the sum of `value` over all ranks, without a gradient; `value` outside a run."""
    import torch.distributed as dist

    if world_size() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total
