"""One call for n completions beside n calls for one, and what the FLOP count allows.

Both share nothing but the model: the ratio shows whether encoders and the transformer's first step
run once per image. Times are of one run, side by side. Below, the n completions of one call by
part, and beside a plain loop: float32, one by one, nothing shared.

    python -m benchmarks.latent_codes [--preset small64 --preset photo64] [--threads 1]
    python -m benchmarks.latent_codes --preset places256 --device cuda
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inpaint_cli import models
from inpaint_cli.device import resolve
from inpaint_cli.models.latent_codes.blocks import at_side
from inpaint_cli.models.latent_codes.networks import LatentCodes, reduced_precision
from inpaint_cli.models.latent_codes.sampling import (
    CPU_BATCH,
    DEVICE_BATCH,
    TokenContext,
    encode_context,
    picture_of,
    tokens_of,
)
from inpaint_cli.models.latent_codes.token_sampling import Drawing
from inpaint_cli.randomness import Noise

HIDDEN = 0.8
"""Side of the hidden box in the middle over the image's: the paper's 80 % box."""


def task(model: LatentCodes, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a noise image and the mask of the 80 % box."""
    side = model.size
    image = Noise.of_completions(0, b"benchmark", [0]).uniform(model.channels, side, side)
    visible = torch.ones(1, 1, side, side, dtype=torch.bool)
    edge = round(side * (1 - HIDDEN) / 2)
    visible[..., edge : side - edge, edge : side - edge] = False
    return (256 * image).to(torch.uint8).to(device), visible.to(device)


def noise(*indices: int) -> Noise:
    """Return the noise of some completions."""
    return Noise.of_completions(0, b"benchmark", indices)


def gigaflops(call: Callable[[], object]) -> float:
    """Count 2 x multiply-adds of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 1e9


def counts(model: LatentCodes, image: Tensor, visible: Tensor) -> tuple[float, float]:
    """Return GFLOP per image and per completion."""
    x, seen = at_side(image, visible, model.config.coarse_side)
    with torch.no_grad():
        context = encode_context(model, x, seen)
        shared = gigaflops(lambda: encode_context(model, x, seen))
        step = gigaflops(lambda: model.transformer(context.tokens, context.known))
        picture = gigaflops(lambda: picture_of(model, context, context.tokens))
    return shared, (model.config.sampling_steps - 1) * step + picture


def seconds(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Return the shortest time of `repeats` calls, all work on the device included."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)


@dataclass(frozen=True)
class Bench:
    """A model of random weights, which cost the same as trained ones, and its task."""

    model: LatentCodes
    image: Tensor
    visible: Tensor
    n: int
    repeats: int

    def timed(self, call: Callable[[], object]) -> float:
        """Return the shortest time of a call."""
        return seconds(call, self.repeats, self.image.device)

    def complete(self, *indices: int) -> None:
        """Complete as the command does."""
        self.model.complete(self.image, self.visible, noise(*indices))

    def one_by_one(self) -> None:
        """Complete n times by calls of their own."""
        for index in range(self.n):
            self.complete(index)

    def row(self) -> str:
        """Return the line of one call beside n calls."""
        shared, each = counts(self.model, self.image, self.visible)
        self.complete(0)
        together = self.timed(lambda: self.complete(*range(self.n)))
        alone = self.timed(self.one_by_one)
        allowed = (shared + self.n * each) / (self.n * (shared + each))
        return (
            f"{shared:9.1f} {each:9.1f} {together:9.3f} {alone:9.3f}"
            f" {together / alone:7.3f} {allowed:8.3f} {together / alone / allowed:8.3f}"
        )

    @torch.inference_mode()
    def parts(self) -> str:
        """Return the time of each part in ms per completion, the plain loop's, and the memory."""
        model, config, device = self.model, self.model.config, self.image.device
        how = Drawing(config.sampling_steps, config.temperature, config.annealing)
        size = CPU_BATCH if device.type == "cpu" else DEVICE_BATCH
        x, seen = at_side(self.image, self.visible, config.coarse_side)

        def drawn(context: TokenContext, which: Noise, size: int) -> Tensor:
            return torch.cat([tokens_of(model, context, p, how, size) for p in which.split(size)])

        def plain() -> None:
            for index in range(self.n):
                context = encode_context(model, x, seen)
                picture_of(model, context, drawn(context, noise(index), 1))

        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        with reduced_precision(device):
            context, every = encode_context(model, x, seen), noise(*range(self.n))
            tokens = drawn(context, every, size)
            times = {
                "encode": self.timed(lambda: encode_context(model, x, seen)),
                "tokens": self.timed(lambda: drawn(context, noise(*range(self.n)), size)),
                "decode": self.timed(
                    lambda: [picture_of(model, context, some) for some in tokens.split(size)]
                ),
            }
        peak = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else 0.0
        total, loop = sum(times.values()), self.timed(plain)
        text = ", ".join(f"{name} {1e3 * t / self.n:.2f}" for name, t in times.items())
        memory = f", peak {peak:.0f} MiB" if peak else ""
        return (
            f"  ms per completion: {text}, together {1e3 * total / self.n:.2f}; plain loop "
            f"{1e3 * loop / self.n:.2f} ({loop / total:.2f}x){memory}"
        )


def bench_of(preset: str, device: torch.device, n: int, repeats: int) -> Bench:
    """Build the model of a preset and its task."""
    family = models.get("latent-codes")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = cast(LatentCodes, family.build(family.presets[preset]))
        model = model.changed(completion_only=True)
    model = model.eval().to(device)
    return Bench(model, *task(model, device), n, repeats)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    presets = models.get("latent-codes").presets
    parser.add_argument("--preset", action="append", choices=sorted(presets))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-n", type=int, default=8, help="completions")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = resolve(options.device)
    where = f"{options.threads} CPU thread(s)" if device.type == "cpu" else str(device)
    print(f"{where}, n = {options.n}, shortest of {options.repeats}")
    print("preset        GFLOP/img  GFLOP/n   1xn [s]   nx1 [s]   ratio  allowed  over it")
    for preset in options.preset or ["tiny32", "small64", "photo64"]:
        bench = bench_of(preset, device, options.n, options.repeats)
        print(f"{preset:13} {bench.row()}\n{bench.parts()}", flush=True)


if __name__ == "__main__":
    main()
