"""Nats per hidden value of a trained model beside simple predictors, per visible-fraction range.

The predictors see the same images and masks. Each gives a distribution over the levels of every
hidden value, from counts on training images: `marginal` by position and colour; `nearest` by the
level of the nearest visible pixel and its distance; `telea` by the level that OpenCV's Telea
inpainting gives, and that distance. Smaller is better.

    python -m benchmarks.pcnn_nats --model pcnn-mnist --data mnist --limit 500
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.held_out import RANGES
from inpaint_cli import data, masks
from inpaint_cli.api import load_model
from inpaint_cli.models.quantise import to_bytes, to_levels

DISTANCES = (1, 2, 3, 5, 8)
"""Upper ends of the distance bins, in pixels."""
BINS = 32
"""Bins of Telea's prediction, over 0..255."""

Array = npt.NDArray[Any]
Context = Callable[[Array, Array], Array]
"""(levels [C, H, W], visible [H, W]) -> the context of each value, an integer [C, H, W]."""


def distance_bins(visible: Array) -> tuple[Array, Array]:
    """Return the distance bin of each pixel and the flat index of its nearest visible one."""
    distances, labels = cv2.distanceTransformWithLabels(
        (~visible).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    flat = np.zeros(labels.max() + 1, np.int64)
    flat[labels[visible]] = np.flatnonzero(visible)
    return np.digitize(distances, DISTANCES), flat[labels]


def nearest(levels: int) -> Context:
    """Return the context of the nearest visible pixel."""

    def context(image: Array, visible: Array) -> Array:
        if not visible.any():
            return np.full(image.shape, levels * 8)
        bins, index = distance_bins(visible)
        return image.reshape(len(image), -1)[:, index] * 8 + bins

    return context


def telea(levels: int) -> Context:
    """Return the context of Telea's prediction (radius 3)."""

    def context(image: Array, visible: Array) -> Array:
        if not visible.any():
            return np.full(image.shape, BINS * 8)
        pixels = to_bytes(torch.from_numpy(image * visible), levels).numpy().transpose(1, 2, 0)
        hole = (~visible).astype(np.uint8)
        filled = cv2.inpaint(np.ascontiguousarray(pixels), hole, 3, cv2.INPAINT_TELEA)
        filled = filled.reshape(pixels.shape).transpose(2, 0, 1).astype(np.int64)
        return filled * BINS // 256 * 8 + distance_bins(visible)[0]

    return context


def marginal(image: Array, visible: Array) -> Array:
    """Return the context of position and colour."""
    return np.arange(image.size).reshape(image.shape)


class Predictor:
    """Counts of levels by context, with one half added to each (Krichevsky & Trofimov 1981)."""

    def __init__(self, context: Context, levels: int) -> None:
        self.context, self.levels = context, levels
        self.counts: dict[int, Array] = {}

    def fit(self, pairs: Iterable[tuple[Array, Array]]) -> None:
        """Counts the hidden values of training images."""
        for image, visible in pairs:
            hidden = np.broadcast_to(~visible, image.shape)
            codes = self.context(image, visible)[hidden] * self.levels + image[hidden]
            for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
                row = self.counts.setdefault(code // self.levels, np.full(self.levels, 0.5))
                row[code % self.levels] += count

    def nats(self, image: Array, visible: Array) -> float:
        """Return the mean of -log p over the hidden values."""
        hidden = np.broadcast_to(~visible, image.shape)
        contexts, values = self.context(image, visible)[hidden], image[hidden]
        unseen = np.full(self.levels, 0.5)
        rows = np.stack([self.counts.get(int(c), unseen) for c in contexts])
        return float(-np.log(rows[np.arange(len(values)), values] / rows.sum(1)).mean())


def draw(kind: str, size: int, seed: int, index: int) -> Array:
    """Return one mask, bool [H, W], True = visible."""
    return np.asarray(masks.draw(kind, size, size, seed=seed, index=index))


def summary(values: list[float]) -> str:
    """Return mean and standard error."""
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.4f}"


def fitted(kind: str, train: Array, network: Any, count: int) -> dict[str, Predictor]:
    """Return the predictors, counted on `count` training images under masks of all ranges."""
    rules = {
        "marginal": marginal,
        "nearest": nearest(network.levels),
        "telea": telea(network.levels),
    }
    predictors = {name: Predictor(rule, network.levels) for name, rule in rules.items()}
    chosen = np.linspace(0, len(train) - 1, count).astype(int)
    pairs = [
        (levels_of(train[index], network), draw(f"{kind}@mixture", network.size, 1, number))
        for number, index in enumerate(chosen)
    ]
    for name, predictor in predictors.items():
        nothing = np.zeros((network.size, network.size), bool)
        predictor.fit([(i, nothing) for i, _ in pairs] if name == "marginal" else pairs)
    return predictors


def levels_of(pixels: Array, network: Any) -> Array:
    """Return the levels of uint8 [C, H, W]."""
    return to_levels(torch.from_numpy(np.array(pixels)), network.levels).numpy()


def main() -> None:
    """Prints the table, as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--kind", default="freeform")
    parser.add_argument("--limit", type=int, default=500, help="test images per range")
    parser.add_argument("--fit", type=int, default=4000, help="training images to count")
    options = parser.parse_args()
    network: Any = load_model(options.model, device="cpu").model
    shape = {"size": network.size, "channels": network.channels, "levels": network.levels}
    train = data.open(options.data, split="train", **shape)
    test = data.open(options.data, split="test", **shape)
    predictors = fitted(options.kind, train.images, network, min(options.fit, len(train.images)))
    chosen = np.linspace(0, len(test.images) - 1, min(options.limit, len(test.images))).astype(int)
    print(
        f"{options.model} on {test.name} test: {len(chosen)} images a range, {options.kind} masks"
    )
    print("seed 0, nats per hidden value, mean over images ± standard error\n")
    names = ["model", *predictors]
    print(f"| visible % | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}")
    for limits in RANGES:
        found: dict[str, list[float]] = {name: [] for name in names}
        for number, index in enumerate(chosen):
            pixels = torch.from_numpy(np.array(test.images[index]))[None]
            visible = draw(f"{options.kind}@{limits}", network.size, 0, number)
            hidden = (~visible).sum() * network.channels
            log_prob = network.log_prob(pixels, torch.from_numpy(visible)[None, None]).item()
            found["model"].append(-log_prob / hidden)
            for name, predictor in predictors.items():
                found[name].append(predictor.nats(levels_of(pixels[0].numpy(), network), visible))
        cells = " | ".join(summary(found[name]) for name in names)
        print(f"| {limits} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
