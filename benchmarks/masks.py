"""Masks drawn per second on one core, beside masks picked from a cache, measured in one run.

Training must never wait for masks: compare these figures with the images per second of a training
step, divided by the number of loader processes.

    python -m benchmarks.masks [--kind blobs --kind freeform@40-60] [--size 32 --size 64]
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from inpaint_cli import masks
from inpaint_cli.masks.cache import MaskCache

KINDS = (
    "blobs",
    "freeform",
    "freeform-scaled",
    "freeform-mat512-large-scaled",
    "freeform@mixture",
    "patches",
    "random",
)
SIZES = (32, 64, 256)
CACHED = 200


def per_second(draw: Callable[[int], object], seconds: float) -> float:
    """Gives how often a second `draw` runs on successive indices, over about `seconds`."""
    draw(0)
    start = time.process_time()
    for count in itertools.count(1):
        draw(count)
        used = time.process_time() - start
        if used >= seconds:
            return count / used
    raise AssertionError("unreachable")


def drawn_per_second(kind: str, size: int, seconds: float) -> float:
    """Gives the masks of training that one core draws a second."""
    return per_second(
        lambda index: masks.draw(kind, size, size, index=index, training=True), seconds
    )


def picked_per_second(kind: str, size: int, seconds: float) -> float:
    """Gives the masks that one core picks from a memory-mapped cache a second."""
    with tempfile.TemporaryDirectory() as folder:
        cache = MaskCache.open(kind, size, size, CACHED, 0, Path(folder))
        return per_second(lambda index: cache.pick(0, 0, index), seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one line a kind and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", help=f"default: {', '.join(KINDS)}")
    parser.add_argument("--size", action="append", type=int, help="default: 32, 64, 256")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time a figure")
    options = parser.parse_args(arguments)
    print("| kind | size | drawn/s | picked/s | ratio |\n| --- | --- | --- | --- | --- |")
    for kind, size in itertools.product(options.kind or KINDS, options.size or SIZES):
        drawn = drawn_per_second(kind, size, options.seconds)
        picked = picked_per_second(kind, size, options.seconds)
        print(f"| {kind} | {size} | {drawn:.0f} | {picked:.0f} | {picked / drawn:.1f} |")


if __name__ == "__main__":
    main()
