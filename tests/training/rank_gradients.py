"""Writes what one process of a run gets for its first step: gradients, images, masks, norm."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from inpaint_cli import data, ranks
from inpaint_cli.device import rank, world_size
from tests.training import fake_data
from tests.training.fake_runs import session


def gradients(folder: Path, parts: int) -> None:
    """Writes WORLD-RANK-PARTS.safetensors."""
    settings = ("dropout=0", "norm=group", "batch_size=8", f"accumulate={parts}", "masks=freeform")
    name = f"{world_size()}-{rank()}-{parts}"
    run = session(folder / name, *settings)
    train = data.load_images(["noise"], size=8, channels=1, split="train")
    (stage,) = run.stages()
    trainer = run.trainer(stage, train)
    trainer.model.train()
    image, visible, _, _ = trainer.batches[0]
    tensors = {"image": image, "visible": visible}
    trainer.gradients(map(trainer.batches.__getitem__, range(parts)))
    for parameter_name, parameter in trainer.model.named_parameters():
        assert parameter.grad is not None
        tensors[f"gradient/{parameter_name}"] = parameter.grad.contiguous()
    tensors |= {f"buffer/{n}": b.contiguous() for n, b in trainer.model.named_buffers()}
    save_file(tensors, folder / f"{name}.safetensors")


if __name__ == "__main__":
    fake_data.install()
    with ranks.joined(torch.device("cpu")):
        for count in (1, 2):
            gradients(Path(sys.argv[1]), count)
