"""How far the completions of IPA and its kin differ in what their latents say, by range.

Drawn pixels are noisy whatever the latents are, and distances between completions count that noise.
So each completion is taken before its pixels are drawn, as the mean of each pixel: the standard
deviation of these means over completions, averaged over the hidden values of an image, in levels of
255. Models given together see the same images, masks and noise; differences are image by image.

    python -m benchmarks.ipa_spread --model ipa-cifar32 --model RUN --data cifar10-jpeg.tar.gz
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import held_out
from benchmarks.held_out import Values
from benchmarks.ipa_likelihood import line
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.sampling import CompletionDecoder, Plan
from inpaint_cli.randomness import Noise, content_key

HALF_RANGE = 127.5


def normals(noise: Noise) -> Callable[[int, tuple[int, ...]], Tensor]:
    """Return what draws the noise of each layer."""
    return lambda _, shape: noise.normal(*shape)


@torch.no_grad()
def spreads(model: Any, images: Any, kind: str, n: int) -> Values:
    """Return the mean deviation of each image's hidden values over n completions."""
    layers = len(model.decoder.blocks())
    plan = Plan([1.0] * layers, 0, layers)
    found = []
    for index, pixels in enumerate(images):
        image, visible = held_out.case(pixels, kind, index)
        noise = Noise.of_completions(0, content_key(image, visible), range(n))
        decoder = CompletionDecoder(model, image, visible, plan)
        last, _ = decoder.walk(n, normals(noise))
        means = dmol.mean(model.decoder.read(last), model.channels)
        found.append(float(means.std(0)[~visible[0, 0]].mean()) * HALF_RANGE)
    return np.array(found)


def main() -> None:
    """Prints the table."""
    parser = held_out.parser(__doc__, 100)
    parser.add_argument("-n", type=int, default=10, help="completions of each image")
    options = parser.parse_args()
    models: dict[str, Any] = {n: load_model(n, device="cpu").model for n in options.model}
    first = next(iter(models.values()))
    images = held_out.spread(held_out.pictures(first, options.data).images, options.limit)
    print(f"{len(images)} images a range, {options.n} completions, masks {options.masks}, seed 0\n")
    print(held_out.head("model"))
    leading: list[Values] = []
    for name, model in models.items():
        own = [spreads(model, images, f"{options.masks}@{s}", options.n) for s in held_out.RANGES]
        print(line(name, own), flush=True)
        if leading:
            print(line("less than the first", [a - b for a, b in zip(leading, own, strict=True)]))
        leading = leading or own


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
