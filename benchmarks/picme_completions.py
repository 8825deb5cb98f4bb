"""Six completions of one image beside six calls for one: times and multiply-adds in one run.

f runs once per image and g once per completion, so six at once should cost the share of six single
calls that the multiply-adds say (0.64 at 256 pixels).

    python -m benchmarks.picme_completions [--preset photo256 --preset photo32] [--device cuda]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inpaint_cli.models.picme import FAMILIES
from inpaint_cli.models.picme.networks import MixtureOfPrimitives
from inpaint_cli.randomness import Noise

N = 6
REPEATS = 5


def network(preset: str, device: str) -> MixtureOfPrimitives:
    """Return the preset's network with random weights, which cost the same as trained ones."""
    family = FAMILIES["picme"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = cast(MixtureOfPrimitives, family.build(family.presets[preset]))
    # The counter looks for gradients, which there are none of.
    return model.to(device).eval().requires_grad_(False)


def task(model: MixtureOfPrimitives, device: str) -> tuple[Tensor, Tensor]:
    """Return a random image and the hole of the paper's tables, the middle quarter."""
    side = model.size
    image = torch.randint(0, 256, (1, model.channels, side, side), dtype=torch.uint8)
    visible = torch.ones(1, 1, side, side, dtype=torch.bool)
    visible[..., side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = False
    return image.to(device), visible.to(device)


def noise(n: int) -> Noise:
    """Return the streams of n completions."""
    return Noise.of_completions(0, b"benchmark", range(n))


def seconds(call: Callable[[], object], device: str) -> float:
    """Return how long a call takes: of the processor's time where it computes, else of the clock's.

    So other work on the same machine does not count.
    """
    wait: Any = torch.cuda.synchronize if device == "cuda" else lambda: None
    clock = time.process_time if device == "cpu" else time.perf_counter
    wait()
    start = clock()
    call()
    wait()
    return clock() - start


def multiply_adds(call: Callable[[], object]) -> float:
    """Return the multiply-adds of convolutions and matrix products in a call, in 10^9."""
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 2e9


def measure(preset: str, device: str) -> str:
    """Return one line of the table."""
    model = network(preset, device)
    image, visible = task(model, device)

    def one() -> object:
        return model.complete(image, visible, noise(1))

    def six() -> object:
        return model.complete(image, visible, noise(N))

    single, together = multiply_adds(one), multiply_adds(six)
    counted = together / (N * single)
    # In turns: what else the machine does then slows both alike.
    pairs = [(seconds(one, device), seconds(six, device)) for _ in range(REPEATS)]
    alone, at_once = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = at_once / (N * alone)
    return (
        f"| `{preset}` | {single:.3f} | {together:.2f} | {counted:.2f} | {1e3 * alone:.1f} | "
        f"{1e3 * at_once / N:.1f} | {ratio:.2f} | {ratio / counted:.2f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", action="append", help="default: the four of the paper's kind")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| preset | GMAC n=1 | GMAC n=6 | share | ms n=1 | ms each n=6 | share | over count |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for preset in arguments.preset or ("photo32", "photo64", "photo128", "photo256"):
        print(measure(preset, arguments.device), flush=True)


if __name__ == "__main__":
    main()
