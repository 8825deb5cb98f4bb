"""What the components of one mixture look like: completions of each, and their latent variables."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from inpaint_cli.models.picme.mixture import Mixture
from inpaint_cli.models.pixels import paste_visible
from inpaint_cli.randomness import Noise

if TYPE_CHECKING:
    from inpaint_cli.models.picme.networks import MixtureOfPrimitives
    from inpaint_cli.models.picme.sampling import MixtureContext

COLUMNS = 6
"""Completions of each component (figure 12)."""
POINTS = 100
"""Latent variables sampled from each component (figure 10)."""
SIDE_PX, MARGIN_PX, DOT_PX, LEGEND_PX, TEXT_PX = 480, 24, 3, 96, 13
FINER = 3
"""The picture is drawn this many times larger and reduced, for smooth dots."""
PROJECTIONS = {"pca": "two principal components", "tsne": "t-SNE in two dimensions"}
PAPER, INK = (255, 255, 255), (32, 32, 32)

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def by_primitive(
    model: MixtureOfPrimitives,
    context: MixtureContext,
    image: Tensor,
    visible: Tensor,
    noise: Noise,
    temperature: float,
    projection: str,
) -> dict[str, Any]:
    """Return what `complete` adds to its details, of one image.

    "by_primitive": uint8 [k, 6, C, H, W], row i drawn from component i; "weights": float64 [k];
    "latents": uint8 [H, W, 3], the picture of `scatter`; "projection": how it was made, in words;
    "separation": what `separation` gives.
    """
    k = context.mixture.primitives
    weights = context.mixture.weights[0].double().cpu()
    rows = [completions_of(model, context, image, visible, noise, temperature, i) for i in range(k)]
    points, labels = sampled_latents(context.mixture, noise)
    flat = projected(points, projection)
    return {
        "by_primitive": torch.stack(rows),
        "weights": weights,
        "latents": torch.from_numpy(np.array(scatter(flat, labels, weights.tolist()))),
        "projection": PROJECTIONS[projection],
        "separation": separation(points, labels),
    }


def completions_of(
    model: MixtureOfPrimitives,
    context: MixtureContext,
    image: Tensor,
    visible: Tensor,
    noise: Noise,
    temperature: float,
    primitive: int,
) -> Tensor:
    """Return uint8 [6, C, H, W], completions of one component."""
    from inpaint_cli.models.picme.sampling import latents_of, picture_of

    # Keys of two numbers: no completion's own, which has one; and the same for any n.
    streams = Noise(noise.seed, noise.tag, [(primitive, column) for column in range(COLUMNS)])
    z = latents_of(context.mixture, torch.full((COLUMNS,), primitive), streams, temperature)
    picture = picture_of(model, context, z, COLUMNS)
    return paste_visible(picture, image, visible, model.levels).cpu()


def sampled_latents(mixture: Mixture, noise: Noise) -> tuple[Points, Labels]:
    """Return z_c float64 [100 k, d] of one image, the same number of each component, and which."""
    from inpaint_cli.models.picme.sampling import latents_of

    k = mixture.primitives
    labels = np.repeat(np.arange(k), POINTS)
    keys = [(int(i), COLUMNS + number % POINTS) for number, i in enumerate(labels)]
    streams = Noise(noise.seed, noise.tag, keys)
    z = latents_of(mixture, torch.from_numpy(labels), streams, 1.0)
    return z.flatten(1).double().cpu().numpy(), labels


def projected(points: Points, method: str) -> Points:
    """Return points [N, d] in two dimensions: "pca" or "tsne", both without chance."""
    from sklearn.decomposition import PCA

    flat = PCA(2, svd_solver="full").fit_transform(points)
    if method == "pca":
        return np.asarray(flat, dtype=np.float64)
    from sklearn.manifold import TSNE

    start = flat / flat[:, 0].std() * 1e-4
    perplexity = min(30.0, (len(points) - 1) / 3)
    embedding = TSNE(2, init=start, perplexity=perplexity, random_state=0)
    return np.asarray(embedding.fit_transform(points), dtype=np.float64)


def separation(points: Points, labels: Labels) -> dict[str, float]:
    """Return how far apart the components lie, by points [N, d] that are sampled from them.

    "silhouette": mean over points, in [-1, 1]; "distance_ratio": the mean distance between points
    of two components over that within one, 1 where components are alike. {} for one component.
    """
    if len(np.unique(labels)) < 2:
        return {}
    from sklearn.metrics import pairwise_distances, silhouette_score

    distances = pairwise_distances(points)
    same = labels[:, None] == labels
    other = ~np.eye(len(points), dtype=bool)
    return {
        "silhouette": float(silhouette_score(distances, labels, metric="precomputed")),
        "distance_ratio": float(distances[~same].mean() / distances[same & other].mean()),
    }


def scatter(points: Points, labels: Labels, weights: list[float]) -> Image.Image:
    """Return a picture of points [N, 2], coloured by component, with the weights as its legend."""
    low, high = points.min(0), points.max(0)
    inner = SIDE_PX - 2 * MARGIN_PX
    scale = inner / max(float((high - low).max()), 1e-12)
    middle = (low + high) / 2
    places = ((points - middle) * scale + SIDE_PX / 2) * FINER
    large = Image.new("RGB", (SIDE_PX * FINER, SIDE_PX * FINER), PAPER)
    draw, radius = ImageDraw.Draw(large), DOT_PX * FINER
    # In turns, so that no component covers another.
    order = np.argsort(np.arange(len(labels)) % max(1, len(labels) // len(weights)), kind="stable")
    for number in order:
        x, y = places[number]
        colour = colour_of(int(labels[number]), len(weights))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    picture = Image.new("RGB", (SIDE_PX + LEGEND_PX, SIDE_PX), PAPER)
    picture.paste(large.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS), (0, 0))
    _legend(picture, weights)
    return picture


def _legend(picture: Image.Image, weights: list[float]) -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(TEXT_PX)
    for i, weight in enumerate(weights):
        y = MARGIN_PX + i * (TEXT_PX + 8)
        box = (SIDE_PX, y - DOT_PX, SIDE_PX + 2 * DOT_PX, y + DOT_PX)
        draw.ellipse(box, fill=colour_of(i, len(weights)))
        draw.text((SIDE_PX + 4 * DOT_PX, y), f"{i}  {100 * weight:.1f} %", INK, font, anchor="lm")


def colour_of(index: int, count: int) -> tuple[int, int, int]:
    """Return the colour of component `index` of `count`: hues apart, every second one darker."""
    red, green, blue = colorsys.hsv_to_rgb(index / count, 0.75, 0.85 if index % 2 else 0.6)
    return round(255 * red), round(255 * green), round(255 * blue)
