"""The restrictive encoder beside one of plain convolutions: right tokens, everywhere and at holes.

Both start from the VQGAN of a trained run, learn on the same batches and masks for the same number
of steps, and name the tokens of the same test images (paper: 23 % against 9 % next to holes).

    python -m benchmarks.restrictive_encoder RUN --data photos.zip --steps 400
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from inpaint_cli import data, masks
from inpaint_cli.device import has_fast_bf16
from inpaint_cli.family import Batch
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.objective import EncoderStage
from inpaint_cli.randomness import Noise
from inpaint_cli.weights import load_weights

KINDS = ("freeform-scaled@mixture", "box-50")


def with_encoder(trained: LatentCodes, form: Literal["strict", "off"]) -> LatentCodes:
    """Return the model with the trained VQGAN and a fresh encoder that starts from it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LatentCodes(replace(trained.config, restrictive=form))
    model.vqgan.load_state_dict(trained.vqgan.state_dict())
    with torch.no_grad():
        EncoderStage().begin(cast(Any, model))
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def batches(images: Any, kind: str, size: int, count: int, epoch: int) -> Iterator[Batch]:
    """Yields batches of an order and masks that depend on `epoch` alone."""
    order = Noise.of_samples(0, "order", epoch, [0]).uniform(len(images))[0].argsort()
    for number in range(count):
        places = [int(order[i % len(order)]) for i in range(number * size, (number + 1) * size)]
        pixels = torch.from_numpy(np.stack([images[place] for place in places]))
        visible = masks.draw_batch(
            kind, *pixels.shape[2:], seed=epoch, epoch=number, indices=range(size)
        )
        yield Batch(pixels, visible)


def train(model: LatentCodes, images: Any, steps: int, size: int, lr: float) -> None:
    """Trains the encoder, with a cosine rate."""
    stage = EncoderStage()
    parameters = stage.trainable(cast(Any, model))[0].parameters
    optimiser = torch.optim.Adam(parameters, lr=lr, betas=(0.9, 0.99))
    autocast = has_fast_bf16(torch.device("cpu"))
    for step, batch in enumerate(batches(images, KINDS[0], size, steps, epoch=1)):
        optimiser.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            result = stage.loss(cast(Any, model), batch, step, Noise.of_samples(0, "e", 0, [0]))
        result.losses["encoder"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()


@torch.no_grad()
def figures(
    model: LatentCodes, images: Any, kind: str, count: int
) -> dict[str, tuple[float, float]]:
    """Return mean and standard error over test images."""
    columns: dict[str, list[Tensor]] = {}
    model.eval()
    for batch in batches(images, kind, 32, count // 32, epoch=2):
        found = EncoderStage().validate(cast(Any, model), batch, Noise.of_samples(0, "e", 0, [0]))
        for name, values in found.items():
            columns.setdefault(name, []).append(values)
    joined = {name: torch.cat(parts) for name, parts in columns.items()}
    kept = {name: values[~values.isnan()] for name, values in joined.items()}
    return {n: (v.mean().item(), v.std().item() / math.sqrt(len(v))) for n, v in kept.items()}


def main() -> None:
    """Prints a line for each encoder and kind of mask."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="a run with a finished stage vqgan")
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument("--images", type=int, default=512, help="test images")
    options = parser.parse_args()
    trained = cast(LatentCodes, load_weights(options.run / "model.safetensors"))
    shape = {"size": trained.size, "channels": trained.channels, "levels": trained.levels}
    sets = {s: data.open(options.data, split=s, **shape).images for s in ("train", "test")}
    print("encoder      masks                     right tokens      next to holes")
    for form, name in (("strict", "restrictive"), ("off", "ordinary")):
        model = with_encoder(trained, cast(Literal["strict", "off"], form))
        train(model, sets["train"], options.steps, options.batch_size, options.lr)
        for kind in KINDS:
            found = figures(model, sets["test"], kind, options.images)
            all_tokens, border = found["accuracy"], found["border_accuracy"]
            print(
                f"{name:12} {kind:25} {all_tokens[0]:6.1%} +- {all_tokens[1]:5.1%}"
                f"  {border[0]:6.1%} +- {border[1]:5.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
