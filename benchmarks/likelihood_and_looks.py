"""Do likelier completions look better? Within each image, figures of the completions by rank.

For held-out images with classes: K completions each, ranked by log p(hidden | visible); then, of
the likelier and of the less likely half, what a classifier makes of them (the nats of the
original's class, the entropy of its classes) and their perceptual distance to the original.

    python -m benchmarks.likelihood_and_looks --model pcnn-mnist --data mnist \\
        --features classifier-mnist
"""

from __future__ import annotations

import argparse
from typing import Any, cast

import torch
import torch.nn.functional as F
from inpaint_cli.metrics.perceptual import load_perceptual
from torch import Tensor

from benchmarks import held_out
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.features import load
from inpaint_cli.metrics.perceptual_scores import perceptual_figures
from inpaint_cli.randomness import Noise, content_key


def ranked(network: Any, image: Tensor, visible: Tensor, k: int) -> Tensor:
    """Return K completions, likeliest first."""
    noise = Noise.of_completions(0, content_key(image, visible), range(k))
    with torch.no_grad():
        result = network.complete(image, visible, noise)
    if result.log_prob is None:
        raise UserError("--model: gives no likelihoods.")
    images: Tensor = result.images[result.log_prob.argsort(descending=True)]
    return images


def looks(classifier: Any, distance: Any, found: Tensor, image: Tensor, label: int) -> Tensor:
    """Return for each completion, float64 [3, K]: nats of the class, entropy, distance."""
    logits = cast(Tensor, classifier.logits(found)).double()
    log_p = F.log_softmax(logits, 1)
    nowhere = torch.ones(1, *image.shape[2:], dtype=torch.bool)
    figures = perceptual_figures(distance, image[0], found, nowhere)
    entropy = -(log_p.exp() * log_p).sum(1)
    return torch.stack([-log_p[:, label], entropy, torch.from_numpy(figures.to_truth)])


def report(name: str, by_rank: Tensor) -> str:
    """Return a line of a Markdown table for float64 [images, K], likeliest completion first."""
    count, k = by_rank.shape
    halves = by_rank[:, : k // 2].mean(1), by_rank[:, k - k // 2 :].mean(1)
    gap = halves[1] - halves[0]
    numbers = [f"{half.mean():.4f}" for half in (by_rank[:, 0], *halves)]
    error = gap.std() / count**0.5
    return f"| {name} | {' | '.join(numbers)} | {gap.mean():+.4f} ± {error:.4f} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--features", required=True, help="a classifier of these images' classes")
    parser.add_argument("--masks", default="freeform@20-40")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("-k", type=int, default=16)
    options = parser.parse_args()
    network: Any = load_model(options.model, device="cpu").model
    classifier, distance = load(options.features, device="cpu"), load_perceptual(options.features)
    tested = held_out.pictures(network, [options.data])
    if tested.labels is None:
        raise UserError("--data: these images have no classes.")
    rows = []
    for i in range(min(options.images, len(tested))):
        image, visible = held_out.case(tested.images[i], options.masks, i)
        found = ranked(network, image, visible, options.k)
        rows.append(looks(classifier, distance, found, image, int(tested.labels[i])))
    table = torch.stack(rows, 1)
    print(f"{len(rows)} images, {options.k} completions each, masks {options.masks}, seed 0")
    print("\n| | likeliest | likelier half | other half | difference |")
    print("| --- | --- | --- | --- | --- |")
    for name, values in zip(("nats of the class", "entropy", "distance"), table, strict=True):
        print(report(name, values))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
