"""Small holes: how far fills of plain ground are off, and how often two completions are equal.

python -m benchmarks.small_holes --model latent-codes-photos64 --data scenes128.zip
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_cli.api import load_model
from inpaint_cli.data import load_images
from inpaint_cli.models.evaluation import evaluating
from inpaint_cli.randomness import Noise, stream

SIDE = 64
PAPER = 245
VALUES = (PAPER, 255, 230, 128, 20)
COMPLETIONS = 8
PLAIN_HOLES = (
    *((10, 10, 8, 8), (30, 20, 12, 12), (5, 40, 16, 16), (20, 20, 20, 20), (30, 30, 26, 26)),
    *((8, 30, 8, 26), (40, 5, 10, 10), (2, 2, 14, 14), (25, 8, 18, 18), (36, 36, 22, 22)),
    *((12, 12, 24, 24), (50, 20, 8, 24)),
)
"""Top, left, height and width in a picture of 64 x 64."""
AREAS = (0.02, 0.12)
"""Of the picture, as the holes are wide in which completions are compared."""
SCENES = 170


class Off(NamedTuple):
    """How far the fills of one hole are off its plain ground, of 255, over all completions."""

    mean: float
    mean_absolute: float
    largest: float


def box(top: int, left: int, height: int, width: int) -> Tensor:
    """Return what a box leaves visible, bool [1, 1, 64, 64]."""
    visible = torch.ones(1, 1, SIDE, SIDE, dtype=torch.bool)
    visible[:, :, top : top + height, left : left + width] = False
    return visible


def completed(model: Any, image: Tensor, visible: Tensor, seed: int) -> npt.NDArray[np.float64]:
    """Return the hidden values of eight completions, [8, values], of 255."""
    noise = Noise.of_completions(seed, b"small holes", range(COMPLETIONS))
    with evaluating(model):
        images = model.complete(image, visible, noise).images
    hidden: npt.NDArray[np.float64] = images[:, :, ~visible[0, 0]].flatten(1).double().numpy()
    return hidden


def off_plain(model: Any, value: int) -> list[Off]:
    """Return how far the fills of each of twelve holes are off a picture of one value."""
    image = torch.full((1, 3, SIDE, SIDE), value, dtype=torch.uint8)
    rows = []
    for seed, hole in enumerate(PLAIN_HOLES):
        error = completed(model, image, box(*hole), seed) - value
        rows.append(Off(error.mean(), np.abs(error).mean(), np.abs(error).max()))
    return rows


def drawn_box(index: int) -> tuple[int, int, int, int]:
    """Return the hole of scene i: 2 to 12 % of the picture, up to 3.3 times as long as wide."""
    rng = stream(0, "small holes", index)
    area, ratio = rng.uniform(*AREAS) * SIDE**2, np.exp(rng.uniform(-1.2, 1.2))
    height = int(np.clip(round((area * ratio) ** 0.5), 4, 60))
    width = int(np.clip(np.ceil(area / height), 4, 60))
    top, left = (int(rng.integers(0, SIDE - length + 1)) for length in (height, width))
    return top, left, height, width


def holes_with_equals(model: Any, data: Sequence[str]) -> int:
    """Return in how many of 170 holes of held-out pictures two of eight completions are equal."""
    images = load_images(list(data), size=SIDE, channels=3, levels=256, split="test").images
    equal = 0
    for index, at in enumerate(np.linspace(0, len(images) - 1, SCENES).astype(int)):
        visible = box(*drawn_box(index))
        hidden = completed(model, torch.tensor(images[at][None]), visible, index)
        equal += len(np.unique(hidden, axis=0)) < COMPLETIONS
    return equal


def main() -> None:
    """Print both, of one model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="latent-codes-photos64")
    parser.add_argument("--data", action="append", required=True, help="held-out pictures")
    given = parser.parse_args()
    model = load_model(given.model).model
    for value in VALUES:
        rows = np.array(off_plain(model, value))
        print(f"{value}: mean {rows[:, 0].min():.1f} to {rows[:, 0].max():.1f}, ", end="")
        print(f"mean absolute {rows[:, 1].min():.1f} to {rows[:, 1].max():.1f}, ", end="")
        print(f"largest {rows[:, 2].max():.0f} of 255 in {len(rows)} holes", flush=True)
    print(f"{holes_with_equals(model, given.data)} of {SCENES} holes have equal completions")


if __name__ == "__main__":
    main()
