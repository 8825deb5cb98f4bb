"""Does annealing the temperature of latent codes trade diversity for coherence?

The same held-out images and holes are completed with several temperatures and annealing factors.
The table gives the diversity of the completions, how far one of them is from the original
(`distance`, perceptual, and PSNR), by how much it is nearer than in the first line, image by image,
and the Frechet distance of features: the mean of the k sets of one completion of each image. Its
error is that of the draws alone, the others are of the images.

    python -m benchmarks.annealing --data scenes128.zip --data photos128.zip --limit 100
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from inpaint_cli.metrics.perceptual import load_perceptual
from torch import Tensor

from benchmarks import held_out
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.features import load
from inpaint_cli.metrics.frechet import frechet_distance_of_rows
from inpaint_cli.metrics.images import psnr_of
from inpaint_cli.metrics.perceptual_scores import perceptual_figures
from inpaint_cli.randomness import Noise, content_key

SETTINGS = ((1.0, 1.0), (1.0, 0.9), (1.0, 0.7), (1.0, 0.5), (0.5, 0.9), (0.25, 0.9))
"""Temperature at the first step, and the factor after each step; the paper's are 1 and 0.9."""


def figures(model: Any, distance: Any, image: Tensor, visible: Tensor, k: int, how: Any) -> Any:
    """Return diversity, distance and PSNR of one image's completions, and these."""
    noise = Noise.of_completions(0, content_key(image, visible), range(k))
    with torch.no_grad():
        found = model.complete(image, visible, noise, temperature=how[0], annealing=how[1]).images
    scores = perceptual_figures(distance, image[0], found, visible[0])
    error = (found.double() - image.double()).square().flatten(1).mean(1)
    psnr = np.mean([psnr_of(float(each)) for each in error])
    return (scores.diversity, float(scores.to_truth.mean()), psnr), found


def measured(
    model: Any, tools: Any, cases: Any, k: int, how: Any
) -> tuple[held_out.Values, held_out.Values]:
    """Return the figures of each image, [N, 3], and the FID of each of the k sets of completions.

    tools: features, perceptual distance, features of the truth.
    """
    classifier, distance, real = tools
    columns, completions = [], []
    for image, visible in cases:
        numbers, found = figures(model, distance, image, visible, k, how)
        columns.append(numbers)
        completions.append(found)
    sets = torch.stack(completions, 1)
    fids = [
        frechet_distance_of_rows(real, classifier.features(each).double().numpy()) for each in sets
    ]
    return np.array(columns), np.array(fids)


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
    print("| temperature | annealing | diversity | distance | nearer by | psnr [dB] | fid |")
    print(f"|{' --- |' * 7}")
    tools, plain = (classifier, distance, real), None
    for how in SETTINGS:
        table, fids = measured(model, tools, cases, options.k, how)
        plain = table if plain is None else plain
        cells = [*how, held_out.shown(table[:, 0], 3), held_out.shown(table[:, 1], 3)]
        cells += [held_out.shown(plain[:, 1] - table[:, 1], 3)]
        cells += [held_out.shown(values, 2) for values in (table[:, 2], fids)]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
