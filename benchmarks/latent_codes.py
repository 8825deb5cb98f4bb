"""One call for n completions beside n calls for one, and what the FLOP count allows.

Both share nothing but the model: the ratio shows whether encoders and the transformer's first step
run once per image. Times are of one run, side by side.

    python -m benchmarks.latent_codes [--preset small64 --preset photo64] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inpaint_cli import models
from inpaint_cli.models.latent_codes.blocks import at_side
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.sampling import look, picture_of
from inpaint_cli.randomness import Noise

HIDDEN = 0.8
"""Side of the hidden box in the middle over the image's: the paper's 80 % box."""


def task(model: LatentCodes) -> tuple[Tensor, Tensor]:
    """Gives a noise image and the mask of the 80 % box."""
    side = model.size
    image = Noise.of_completions(0, b"benchmark", [0]).uniform(model.channels, side, side)
    visible = torch.ones(1, 1, side, side, dtype=torch.bool)
    edge = round(side * (1 - HIDDEN) / 2)
    visible[..., edge : side - edge, edge : side - edge] = False
    return (256 * image).to(torch.uint8), visible


def gigaflops(call: Callable[[], object]) -> float:
    """Counts 2 x multiply-adds of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 1e9


def counts(model: LatentCodes, image: Tensor, visible: Tensor) -> tuple[float, float]:
    """Gives GFLOP per image and per completion."""
    x, seen = at_side(image, visible, model.config.coarse_side)
    with torch.no_grad():
        context = look(model, x, seen)
        shared = gigaflops(lambda: look(model, x, seen))
        step = gigaflops(lambda: model.transformer(context.tokens, context.known))
        picture = gigaflops(lambda: picture_of(model, context, context.tokens))
    return shared, (model.config.sampling_steps - 1) * step + picture


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Gives the shortest time of `repeats` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(preset: str, repeats: int, n: int) -> str:
    """Gives one line of the table."""
    family = models.get("latent-codes")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = cast(LatentCodes, family.build(family.presets[preset])).eval()
    image, visible = task(model)
    shared, each = counts(model, image, visible)

    def complete(indices: range) -> None:
        model.complete(image, visible, Noise.of_completions(0, b"benchmark", indices))

    complete(range(1))
    together = seconds(lambda: complete(range(n)), repeats)
    alone = seconds(lambda: [complete(range(i, i + 1)) for i in range(n)], repeats)
    allowed = (shared + n * each) / (n * (shared + each))
    return (
        f"{preset:13} {shared:9.1f} {each:9.1f} {together:9.2f} {alone:9.2f}"
        f" {together / alone:7.3f} {allowed:8.3f} {together / alone / allowed:8.3f}"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    presets = models.get("latent-codes").presets
    parser.add_argument("--preset", action="append", choices=sorted(presets))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-n", type=int, default=8, help="completions")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"CPU, {options.threads} thread(s), float32, n = {options.n}, shortest of {options.repeats}"
    )
    print("preset        GFLOP/img  GFLOP/n     1xn [s]   nx1 [s]   ratio  allowed  over it")
    for preset in options.preset or ["tiny32", "small64", "photo64"]:
        print(measure(preset, options.repeats, options.n), flush=True)


if __name__ == "__main__":
    main()
