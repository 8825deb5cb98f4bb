"""Writes what one process of a run gets for its first step: gradients, images, masks, norm."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from inpaint_cli import data
from inpaint_cli.device import rank, world_size
from inpaint_cli.training import ranks
from inpaint_cli.training.batches import loader
from tests.training import fake_data
from tests.training.fake_runs import session


def main(folder: Path, parts: str) -> None:
    fake_data.install()
    with ranks.joined(torch.device("cpu")):
        settings = ("dropout=0", "batch_size=8", f"accumulate={parts}", "masks=freeform")
        run = session(folder / f"{world_size()}-{rank()}", *settings)
        train = data.open(["noise"], size=8, channels=1, split="train")
        (stage,) = run._stages()
        trainer = run._trainer(stage, train)
        trainer.model.train()
        found = {}
        for name, value in zip(("image", "visible"), trainer.batches[0], strict=False):
            assert isinstance(value, torch.Tensor)
            found[name] = value
        trainer.gradients(loader(trainer.batches, range(int(parts)), 0, pin=False))
        for name, parameter in trainer.model.named_parameters():
            assert parameter.grad is not None
            found[f"gradient/{name}"] = parameter.grad.contiguous()
        found |= {f"buffer/{n}": b.contiguous() for n, b in trainer.model.named_buffers()}
        save_file(found, folder / f"{world_size()}-{rank()}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
