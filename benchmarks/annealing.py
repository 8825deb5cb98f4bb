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

from benchmarks import held_out
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.features import load
from inpaint_cli.metrics.frechet import frechet_distance_of_rows
from inpaint_cli.metrics.images import psnr_of
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
    psnr = np.mean([psnr_of(float(each)) for each in error])
    return (scores.diversity, float(scores.to_truth.mean()), psnr), found[0]


def row(model: Any, tools: Any, cases: Any, k: int, how: Any) -> str:
    """Gives a line of the table; tools: features, perceptual distance, features of the truth."""
    classifier, distance, real = tools
    columns, firsts = [], []
    for image, visible in cases:
        numbers, first = figures(model, distance, image, visible, k, how)
        columns.append(numbers)
        firsts.append(first)
    table = np.array(columns)
    errors = table.std(0, ddof=1) / len(table) ** 0.5
    fake = classifier.features(torch.stack(firsts)).double().numpy()
    fid = frechet_distance_of_rows(real, fake)
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
    classifier, distance = load(options.features, device="cpu"), load_perceptual(options.perceptual)
    images = held_out.spread(held_out.pictures(model, options.data).images, options.limit)
    cases = [held_out.case(pixels, options.masks, i) for i, pixels in enumerate(images)]
    real = classifier.features(torch.cat([image for image, _ in cases])).double().numpy()
    print(f"{len(images)} images, {options.k} completions each, masks {options.masks}, seed 0\n")
    print("| temperature | annealing | diversity | distance | psnr [dB] | fid |")
    print("| --- | --- | --- | --- | --- | --- |")
    for how in SETTINGS:
        print(row(model, (classifier, distance, real), cases, options.k, how), flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
