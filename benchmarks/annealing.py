"""Does annealing the temperature of latent codes trade diversity for coherence?

The same held-out images and holes are completed with several temperatures and annealing factors.
The table gives the diversity of the completions, how far one of them is from the original
(`distance`, perceptual, and PSNR), and the Frechet distance of their features.

    python -m benchmarks.annealing --data scenes128.zip --data photos128.zip --limit 100
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli import data, masks
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.features import load
from inpaint_cli.metrics.frechet import frechet_distance_of_rows
from inpaint_cli.metrics.perceptual import load_perceptual
from inpaint_cli.metrics.perceptual_scores import perceptual_figures
from inpaint_cli.randomness import Noise, content_key

SETTINGS = ((1.0, 1.0), (1.0, 0.9), (1.0, 0.7), (1.0, 0.5), (0.5, 0.9), (0.25, 0.9))
"""Temperature at the first step, and the factor after each step; the paper's are 1 and 0.9."""


def figures(model: Any, distance: Any, image: Tensor, visible: Tensor, k: int, how: Any) -> Any:
    """Gives diversity, distance and PSNR of one image's completions, and the first of them."""
    noise = Noise.of_completions(0, content_key(image, visible), range(k))
    with torch.no_grad():
        found = model.complete(image, visible, noise, temperature=how[0], annealing=how[1]).images
    scores = perceptual_figures(distance, image[0], found, visible[0])
    error = (found.double() - image.double()).square().flatten(1).mean(1)
    psnr = float((10 * torch.log10(255**2 / error)).mean())
    return (scores.diversity, float(scores.to_truth.mean()), psnr), found[0]


def row(model: Any, tools: Any, images: Any, options: argparse.Namespace, how: Any) -> str:
    """Gives a line of the table."""
    classifier, distance = tools
    columns, firsts, truths = [], [], []
    for i, pixels in enumerate(images):
        image = torch.from_numpy(np.array(pixels))[None]
        size = image.shape[2:]
        visible = masks.draw_batch(options.masks, *size, seed=0, epoch=0, indices=[i])
        numbers, first = figures(model, distance, image, visible, options.k, how)
        columns.append(numbers)
        firsts.append(first)
        truths.append(image[0])
    table = np.array(columns)
    errors = table.std(0, ddof=1) / len(table) ** 0.5
    real, fake = (classifier.features(torch.stack(list(p))).double() for p in (truths, firsts))
    fid = frechet_distance_of_rows(real.numpy(), fake.numpy())
    cells = [f"{mean:.3f} ± {se:.3f}" for mean, se in zip(table.mean(0), errors, strict=True)]
    return f"| {how[0]} | {how[1]} | {' | '.join(cells)} | {fid:.3f} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="latent-codes-photos64")
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--features", default="classifier-cifar10")
    parser.add_argument("--perceptual", default="classifier-cifar10")
    parser.add_argument("--masks", default="box-50")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("-k", type=int, default=8)
    options = parser.parse_args()
    model: Any = load_model(options.model, device="cpu").model
    tools = load(options.features, device="cpu"), load_perceptual(options.perceptual)
    shape = {"size": model.size, "channels": model.channels, "levels": model.levels}
    tested = data.open(options.data, split="test", **shape)
    places = np.linspace(0, len(tested) - 1, min(options.limit, len(tested))).astype(int)
    images = [tested.images[i] for i in places]
    print(f"{len(images)} images, {options.k} completions each, masks {options.masks}, seed 0\n")
    print("| temperature | annealing | diversity | distance | psnr [dB] | fid |")
    print("| --- | --- | --- | --- | --- | --- |")
    for how in SETTINGS:
        print(row(model, tools, images, options, how), flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
