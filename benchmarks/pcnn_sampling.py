"""Incremental sampling beside the naive loop: the ratio of their times, measured in one run.

The naive loop runs both networks in full for every hidden entry, as the authors' code does. It is
timed on some entries, spread over the image, and scaled to all of them; every level that the
incremental sampler drew is checked against one full forward of the finished images, which by
causality holds the logits that the naive loop would have seen.

    python -m benchmarks.pcnn_sampling [--preset mnist --preset celeba32] [--dtype float32]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from inpaint_cli import models
from inpaint_cli.models.pcnn.incremental import IncrementalSampler
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.randomness import Noise

BATCH = 8
NAIVE_ENTRIES = 12
REPEATS = 3
MARGIN = {torch.float32: 1e-5, torch.float64: 1e-9}
"""Draw whose uniform lies nearer to a cdf value may differ by rounding (none to be expected)."""


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the shortest time of `repeats` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def network(preset: str, dtype: torch.dtype) -> PixelConstrainedCNN:
    """Return the preset's network with random weights, which cost the same as trained ones."""
    family = models.get("pcnn")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = cast(PixelConstrainedCNN, family.build(family.presets[preset]))
    return model.to(dtype).eval()


def differing(model: PixelConstrainedCNN, levels: Tensor, visible: Tensor, uniforms: Tensor) -> int:
    """Count the hidden levels that the naive loop would not have drawn."""
    with torch.inference_mode():
        prior, cond = model(levels, visible.expand(len(levels), -1, -1, -1))
    cdf = torch.softmax((prior + cond).double(), 1).cumsum(1)[:, :-1]
    expected = (cdf <= uniforms[:, None]).sum(1)
    clear = ((cdf - uniforms[:, None]).abs() > MARGIN[model.dtype]).all(1)
    return int(((levels != expected) & clear & ~visible).sum())


def measure(preset: str, dtype: torch.dtype, hidden_share: float) -> str:
    """Return one line of the table."""
    model = network(preset, dtype)
    size = (model.channels, model.size, model.size)
    uniforms = Noise.of_completions(0, b"benchmark", range(BATCH)).uniform(*size)
    draws = Noise.of_completions(1, b"benchmark", range(1)).uniform(*size)
    visible = draws[:, :1] >= hidden_share
    image = (draws * model.levels).long()

    def incremental() -> Tensor:
        return IncrementalSampler(model, image, visible, dtype).sample(uniforms).levels

    samples = incremental()  # also compiles the kernel, once per machine
    entries = int((~visible).sum()) * model.channels
    x, shown = samples, visible.expand(BATCH, -1, -1, -1)
    with torch.inference_mode():
        ours = seconds(incremental)
        forward = seconds(lambda: model(x, shown), NAIVE_ENTRIES)
    wrong = differing(model, samples, visible, uniforms)
    kind = str(dtype).removeprefix("torch.")
    return (
        f"{preset:9} {kind:8} {hidden_share:5.0%} {entries:7} {ours:9.3f} {forward * entries:10.1f}"
        f" {forward * entries / ours:7.0f}x {wrong:5}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", action="append", choices=sorted(models.get("pcnn").presets))
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"one CPU thread, batch {BATCH}; the conditioning network is part of both times")
    print("network   dtype    hidden entries   ours [s]  naive [s]    ratio wrong")
    for preset in options.preset or ["mnist", "celeba32"]:
        for dtype in options.dtype or ["float32", "float64"]:
            for share in (1.0, 0.5):
                print(measure(preset, getattr(torch, dtype), share), flush=True)


if __name__ == "__main__":
    main()
