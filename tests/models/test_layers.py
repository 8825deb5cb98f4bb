"""Batch normalisation over two processes is that of one process with the joined batch."""

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inpaint_cli.models.layers import BatchNorm2d


def joined_batch() -> Tensor:
    return torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(1)) * 2 + 1


def results_of(norm: nn.Module, x: Tensor, share: float) -> dict[str, Tensor]:
    """Gives output, gradients and running statistics; `share` of a mean over the joined batch."""
    x = x.clone().requires_grad_()
    out = norm(x)
    (torch.sin(out).mean() * share).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    state = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    grads = {f"grad.{name}": p.grad for name, p in norm.named_parameters() if p.grad is not None}
    return {"out": out.detach(), "x.grad": x.grad, **state, **grads}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    part = joined_batch()[rank * 3 : rank * 3 + 3].contiguous()
    results = results_of(BatchNorm2d(3), part, share=0.5)
    save_file({k: v.contiguous() for k, v in results.items()}, f"{folder}/{rank}.safetensors")
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_normalise_their_joined_batch(tmp_path: Path) -> None:
    mp.spawn(work, args=(str(tmp_path),), nprocs=2)  # type: ignore[attr-defined,no-untyped-call]
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    expected = results_of(nn.BatchNorm2d(3), joined_batch(), share=1.0)
    for name in ("out", "x.grad"):
        torch.testing.assert_close(torch.cat([first[name], second[name]]), expected[name])
    for name in ("grad.weight", "grad.bias"):
        torch.testing.assert_close(first[name] + second[name], expected[name])
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(first[name], expected[name])
        assert torch.equal(first[name], second[name])


def test_one_process_normalises_as_torch_does() -> None:
    ours, theirs = (
        results_of(kind(3), joined_batch(), 1.0) for kind in (BatchNorm2d, nn.BatchNorm2d)
    )
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
