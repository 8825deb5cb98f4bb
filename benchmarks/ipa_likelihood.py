"""Held-out likelihoods of IPA and its kin: of whole images, and of hidden parts by range.

Bits per dimension are those of the evidence bound. Nats per hidden value are minus the bound of
log p(hidden | visible) from one sample and from K, by the share that is visible; models given
together see the same images and masks. Smaller is better. What is hidden differs from range to
range. So two more lines hold it fixed: each range's pixels as if nothing were visible; and the
pixels that the last range hides, when no more of the rest is visible than in each range.

    python -m benchmarks.ipa_likelihood --model RUN --model OTHER --data cifar10 --limit 500
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks import held_out
from benchmarks.held_out import Values
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa import elbo
from inpaint_cli.models.ipa.bounds import ALONE, log_prob_hidden
from inpaint_cli.models.ipa.posterior import FORWARD, Name
from inpaint_cli.randomness import Noise

BATCH = 50


@torch.no_grad()
def bits(model: Any, images: Any) -> Values:
    """Return bits per dimension of each image."""
    found = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(np.stack([images[i] for i in span(start, len(images))]))
        noise = Noise.of_samples(0, "bits", 0, span(start, len(images)))
        found.append(elbo.bound(model, batch, noise.normal).total.double() / math.log(2))
    return torch.cat(found).numpy()


def span(start: int, end: int) -> range:
    """Return the places of a batch."""
    return range(start, min(start + BATCH, end))


@torch.no_grad()
def hidden_nats(
    model: Any, images: Any, kind: str, samples: int, pair: tuple[Name, Name] = FORWARD
) -> tuple[Values, Values]:
    """Return nats per hidden value of each image, and the effective number of samples."""
    nats, effective = [], []
    for index, pixels in enumerate(images):
        image, visible = held_out.case(pixels, kind, index)
        found = log_prob_hidden(model, image, visible, samples, pair)
        hidden = int((~visible).sum()) * image.shape[1]
        nats.append(-float(found.nats) / hidden)
        effective.append(float(found.effective))
    return np.array(nats), np.array(effective)


@torch.no_grad()
def nested_nats(model: Any, images: Any, masks: str, share: str, samples: int) -> Values:
    """Return nats per value of what the last range hides, seeing what both it and `share` show."""
    nats = []
    for index, pixels in enumerate(images):
        image, most = held_out.case(pixels, f"{masks}@{held_out.RANGES[-1]}", index)
        _, seen = held_out.case(pixels, f"{masks}@{share}", index)
        found = log_prob_hidden(model, image, most & seen, samples, counted=~most)
        nats.append(-float(found.nats) / (int((~most).sum()) * image.shape[1]))
    return np.array(nats)


def rows(name: str, model: Any, images: Any, options: argparse.Namespace) -> Iterator[str]:
    """Yields the lines of a model, each when it is known."""
    kinds = [f"{options.masks}@{share}" for share in held_out.RANGES]
    seen = []
    for samples in sorted({1, options.samples}):
        seen = [hidden_nats(model, images, kind, samples) for kind in kinds]
        effective = float(np.mean([count.mean() for _, count in seen]))
        yield line(f"{name}, {samples}", [nats for nats, _ in seen], f"{effective:.1f}")
    alone = [hidden_nats(model, images, kind, options.samples, ALONE)[0] for kind in kinds]
    yield line("the same, nothing visible", alone)
    gains = [before - nats for before, (nats, _) in zip(alone, seen, strict=True)]
    yield line("what is visible tells", gains)
    nested = [
        nested_nats(model, images, options.masks, share, options.samples)
        for share in held_out.RANGES
    ]
    yield line("the last range's pixels, seeing so much", nested)


def line(title: str, found: Sequence[Values], effective: str = "") -> str:
    """Return one line of the table."""
    return f"| {title} | {' | '.join(map(held_out.shown, found))} | {effective} |"


def main() -> None:
    """Prints both tables."""
    parser = held_out.parser(__doc__, 200)
    parser.add_argument("--whole", type=int, default=1000, help="images of the bits per dimension")
    parser.add_argument("--samples", type=int, default=16)
    options = parser.parse_args()
    models: dict[str, Any] = {n: load_model(n, device="cpu").model for n in options.model}
    tested = held_out.pictures(next(iter(models.values())), options.data).images
    whole = held_out.spread(tested, options.whole)
    for name, model in models.items():
        print(f"{name}: {held_out.shown(bits(model, whole))} bits per dimension", flush=True)
    images = held_out.spread(tested, options.limit)
    print(f"\n{len(images)} images a range, masks {options.masks}, seed 0\n")
    print(held_out.head("model, K", "effective"))
    for name, model in models.items():
        for text in rows(name, model, images, options):
            print(text, flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
