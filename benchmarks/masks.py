"""Masks drawn per second on one core, beside masks picked from a cache, measured in one run.

Training must never wait for masks: beside them stand the images per second of a training step of a
small network, on the same core.

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
    """Return how often a second `draw` runs on successive indices, over about `seconds`."""
    draw(0)
    start = time.process_time()
    for count in itertools.count(1):
        draw(count)
        used = time.process_time() - start
        if used >= seconds:
            return count / used
    raise AssertionError("unreachable")


def drawn_per_second(kind: str, size: int, seconds: float) -> float:
    """Return the masks of training that one core draws a second."""
    return per_second(
        lambda index: masks.draw(kind, size, size, index=index, training=True), seconds
    )


def picked_per_second(kind: str, size: int, seconds: float) -> float:
    """Return the masks that one core picks from a memory-mapped cache a second."""
    with tempfile.TemporaryDirectory() as folder:
        cache = MaskCache.open(kind, size, size, CACHED, 0, Path(folder))
        return per_second(lambda index: cache.pick(0, 0, index), seconds)


def trained_per_second(size: int) -> float:
    """Return the images a second of training steps of pcnn's `small32` at another size."""
    import torch

    from inpaint_cli import device, models
    from inpaint_cli.configuration import override
    from inpaint_cli.family import Batch
    from inpaint_cli.randomness import Noise

    torch.set_num_threads(1)
    family = models.get("pcnn")
    config = override(family.presets["small32"], {"pixels": {"size": size}})
    model, stage = family.build(config), family.stages()[0]
    (group,) = stage.trainable(model)
    optimiser = torch.optim.Adam(group.parameters)
    count = max(1, 32 * 32 * 32 // size**2)
    noise = Noise.of_samples(0, "benchmark", 0, range(count))
    image = (noise.uniform(3, size, size) * 256).to(torch.uint8)
    batch = Batch(image, noise.uniform(1, size, size) < 0.5)
    bfloat16 = device.has_fast_bf16(torch.device("cpu"))

    def step(_: int) -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = stage.loss(model, batch, 0, noise).losses["all"]
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return count * per_second(step, 5.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line a kind and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", help=f"default: {', '.join(KINDS)}")
    parser.add_argument("--size", action="append", type=int, help="default: 32, 64, 256")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time a figure")
    options = parser.parse_args(arguments)
    print("| kind | size | drawn/s | picked/s | trained/s | drawn : trained |")
    print("| --- | --- | --- | --- | --- | --- |")
    sizes = options.size or SIZES
    trained = {size: trained_per_second(size) for size in sizes}
    for kind, size in itertools.product(options.kind or KINDS, sizes):
        drawn = drawn_per_second(kind, size, options.seconds)
        picked = picked_per_second(kind, size, options.seconds)
        ratio = drawn / trained[size]
        print(
            f"| {kind} | {size} | {drawn:.0f} | {picked:.0f} | {trained[size]:.1f} | {ratio:.0f} |"
        )


if __name__ == "__main__":
    main()
