"""LPIPS-GT of one image with many completions, beside lpips called pair by pair, in one run.

Ours also gives the diversity and the distances to the mean image. The trunk has random weights,
which cost the same as the published ones: no file is needed.

    python -m benchmarks.lpips_gt [--completions 100] [--size 64] [--net alex] [--device cpu]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli import torchvision_import
from inpaint_cli.metrics.perceptual_scores import perceptual_figures
from inpaint_cli.models import perceptual

REPEATS = 3


def seconds(call: Callable[[], object]) -> float:
    """Return the shortest time of `REPEATS` calls."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def library(net: str, device: torch.device) -> Any:
    """Return lpips' own network with a random trunk."""
    torchvision_import.load()
    import lpips

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval().to(device)


def pair_by_pair(network: Any, truth: Tensor, completions: Tensor) -> list[float]:
    """Return the distances of the completions to the original, one call each."""
    with torch.inference_mode():
        scaled = [image[None].float() / 127.5 - 1 for image in (truth, *completions)]
        return [float(network(one, scaled[0])) for one in scaled[1:]]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--completions", type=int, default=100)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--net", default="alex", choices=list(perceptual.TRUNKS))
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    network = library(options.net, device)
    trunk = {
        "features." + name.split(".", 1)[1]: value
        for name, value in network.net.state_dict().items()
    }
    distance = perceptual.of_lpips(options.net, trunk).to(device)
    rng = np.random.default_rng(0)
    shape = (options.completions, 3, options.size, options.size)
    completions = torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8)).to(device)
    truth = torch.from_numpy(rng.integers(0, 256, shape[1:], dtype=np.uint8)).to(device)
    visible = torch.zeros(1, options.size, options.size, dtype=torch.bool)
    figures = perceptual_figures(distance, truth, completions, visible)
    expected = pair_by_pair(network, truth, completions)
    difference = float(np.abs(figures.to_truth - expected).max())
    our_seconds = seconds(lambda: perceptual_figures(distance, truth, completions, visible))
    their_seconds = seconds(lambda: pair_by_pair(network, truth, completions))
    print(f"K = {options.completions}, {options.size}x{options.size}, {options.net}, {device}")
    print(f"ours          {our_seconds:8.3f} s, with the diversity and the mean image")
    print(f"pair by pair  {their_seconds:8.3f} s")
    print(f"ratio         {their_seconds / our_seconds:8.2f}")
    print(f"largest difference of a distance: {difference:.1e}")


if __name__ == "__main__":
    main()
