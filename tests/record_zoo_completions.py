"""What each model that ships makes of one fixed picture; run as a program, it records that.

    python -m tests.record_zoo_completions [NAME ...]

After a model was added or replaced, and after a change that is meant to alter completions.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli import models, zoo
from inpaint_cli.api import load_model
from inpaint_cli.configuration import read_toml, to_toml
from inpaint_cli.files import write_text
from inpaint_cli.metrics import features
from inpaint_cli.randomness import Noise, content_key
from inpaint_cli.weights import load_weights

RECORDS = Path(__file__).parent / "zoo_completions.toml"
COMMAND = "python -m tests.record_zoo_completions"
COMPLETIONS = 2
BLOCKS = 4
"""A thumbnail has so many blocks down and across."""
BLOCK_TOLERANCE = 13
"""Elsewhere than where it was recorded, a block of a thumbnail may differ by so much of 255.

Rounding on another processor moves a byte of a completion by 1, which is nothing here. But a model
that draws tokens may draw another one where a random number falls next to the edge between two: at
64 pixels that redraws a patch of 8x8 in one of the two completions, an eighth of its block of 16x16
in the mean over both, which moves the mean by 12.5 if the patch changes by 100. Draws of pcnn are
computed in float64, whose rounding practically never moves one.
"""
LOGIT_TOLERANCE = 0.002
"""Likewise for logits, which are float32 of some units and recorded to the third decimal."""


@dataclass(frozen=True)
class Outcome:
    """What a model makes of its picture."""

    sha256: str
    """Of the bytes of all completions, or of the rounded logits."""
    coarse: list[float]
    """The thumbnail of the mean completion, channel by channel, or the rounded logits."""
    untouched: bool = True
    """Whether visible pixels are the picture's."""


def picture(size: int, channels: int) -> Tensor:
    """Return ramps with a disc and a bar, in integers: uint8 [1, channels, size, size]."""
    y, x = np.mgrid[:size, :size]
    disc = (x - size // 3) ** 2 + (y - size // 3) ** 2 < (size // 4) ** 2
    bar = (y >= size * 5 // 8) & (y < size * 6 // 8)
    planes = []
    for channel, (of_disc, of_bar) in enumerate(((224, 24), (120, 60), (32, 200))[:channels]):
        ramp = ((3 + channel) * x + (5 - channel) * y) * 255 // (8 * (size - 1))
        planes.append(np.where(bar, of_bar, np.where(disc, of_disc, ramp)))
    return torch.from_numpy(np.stack(planes).astype(np.uint8))[None]


def box(size: int) -> Tensor:
    """Return what is visible round a hole of half the side in the middle, bool [1, 1, H, W]."""
    visible = torch.ones(1, 1, size, size, dtype=torch.bool)
    visible[..., size // 4 : size * 3 // 4, size // 4 : size * 3 // 4] = False
    return visible


@cache
def outcome(name: str) -> Outcome:
    """Return what a model of the zoo makes of its picture: seed 0, on one thread of the CPU."""
    entry = next(entry for entry in zoo.entries() if entry.name == name)
    with one_thread():
        if models.get(entry.card["family"]).completes:
            return completed(entry)
        return classified(entry)


def completed(entry: zoo.Entry) -> Outcome:
    """Return the outcome of a model that completes."""
    model = load_model(entry.weights, "cpu").model
    image, visible = picture(model.size, model.channels), box(model.size)
    noise = Noise.of_completions(0, content_key(image, visible), range(COMPLETIONS))
    images = model.complete(image, visible, noise).images.cpu()
    seen = visible.expand_as(images)
    return Outcome(
        hashlib.sha256(images.numpy().tobytes()).hexdigest(),
        thumbnail(images),
        bool((images == image)[seen].all()),
    )


def thumbnail(completions: Tensor) -> list[float]:
    """Return the means of blocks of the mean completion, rounded, channel by channel."""
    mean = completions.double().mean(0).numpy()
    rows = np.array_split(mean, BLOCKS, axis=1)
    blocks = [[part.mean((1, 2)) for part in np.array_split(row, BLOCKS, axis=2)] for row in rows]
    return [round(float(value)) for value in np.stack(blocks).transpose(2, 0, 1).flatten()]


def classified(entry: zoo.Entry) -> Outcome:
    """Return the outcome of a classifier."""
    config = load_weights(entry.weights).config
    logits = features.load(entry.name, device=torch.device("cpu")).logits(
        picture(config.size, config.channels)
    )
    assert logits is not None
    rounded = [round(float(value), 3) + 0.0 for value in logits[0]]
    return Outcome(hashlib.sha256(repr(rounded).encode()).hexdigest(), rounded)


@contextmanager
def one_thread() -> Iterator[None]:
    """Has torch compute on one thread inside the block: its sums then have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def environment() -> dict[str, str]:
    """Return what bits depend on beside the weights and the code."""
    return {
        "torch": str(torch.__version__),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpu": processor(),
    }


def processor() -> str:
    """Return the vendor, family and model of the processor, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if platform.system() == "Darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    if cpuinfo.is_file():
        lines = [line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line]
        facts = {name.strip(): value.strip() for name, value in reversed(lines)}
        wanted = ("vendor_id", "cpu family", "model")
        return ", ".join(facts[name] for name in wanted if name in facts) or platform.machine()
    return platform.machine()


def records() -> dict[str, Any]:
    """Return the recorded outcomes by name of the model."""
    return read_toml(RECORDS) if RECORDS.is_file() else {}


def record_of(entry: zoo.Entry) -> dict[str, Any]:
    """Return the record of a model, made here and now."""
    now = outcome(entry.name)
    return {
        **environment(),
        "weights": entry.card["sha256"],
        "sha256": now.sha256,
        "coarse": now.coarse,
    }


def faults(entry: zoo.Entry, recorded: Mapping[str, Any]) -> list[str]:
    """Describe in what a model's outcome differs from the records, and how to mend that."""
    again = f"If that is meant, record it with '{COMMAND} {entry.name}'."
    record = recorded.get(entry.name)
    if record is None:
        return [f"{entry.name}: no outcome is recorded. Record it with '{COMMAND} {entry.name}'."]
    if record["weights"] != entry.card["sha256"]:
        return [f"{entry.name}: other weights than those recorded. {again}"]
    now, differences = outcome(entry.name), list[str]()
    if not now.untouched:
        differences.append(f"{entry.name}: visible pixels changed.")
    here = environment()
    if {name: record[name] for name in here} == here and now.sha256 != record["sha256"]:
        differences.append(
            f"{entry.name}: other bits than on the same processor and torch. {again}"
        )
    completes = models.get(entry.card["family"]).completes
    tolerance = BLOCK_TOLERANCE if completes else LOGIT_TOLERANCE
    if not near(now.coarse, record["coarse"], tolerance):
        what = "another thumbnail" if completes else "other logits"
        differences.append(f"{entry.name}: {what} than recorded, beyond {tolerance}. {again}")
    return differences


def near(ours: list[float], theirs: list[float], tolerance: float) -> bool:
    """Return whether two lists are of one length and nowhere further apart than the tolerance."""
    if len(ours) != len(theirs):
        return False
    return bool(np.abs(np.asarray(ours) - np.asarray(theirs)).max() <= tolerance)


def main() -> None:
    """Parses the command line above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="models of the zoo, all by default")
    wanted = parser.parse_args().names
    entries = {entry.name: entry for entry in zoo.entries()}
    for name in wanted:
        if name not in entries:
            parser.error(f"no model of the zoo is called '{name}'; there are {', '.join(entries)}")
    kept = {name: record for name, record in records().items() if name in entries}
    renewed = {name: record_of(entries[name]) for name in wanted or entries}
    both = {**kept, **renewed}
    text = to_toml({name: both[name] for name in sorted(both)})
    write_text(RECORDS, f"# Written by {COMMAND}.\n{text}")
    print(RECORDS)


if __name__ == "__main__":
    main()
