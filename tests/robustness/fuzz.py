"""Mutated files through the real commands: none may end in an internal error or half a file.

`python -m tests.robustness.fuzz` runs the full form and prints a table. Every input is made of the
seed, its kind and its number alone, so a failure is found again with --kind and --only.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from click.testing import CliRunner
from PIL import Image

from inpaint_cli.cli import main as inpaint
from inpaint_cli.errors import PlainError
from tests.robustness import mutations, seeds

LIMIT_SECONDS = 30.0
"""Of the processor, for one input."""
SLOW_SECONDS = 2.0
GROWTH_MIB = 500
"""By which one input may raise the most memory that the process had."""


@dataclass(frozen=True)
class Kind:
    """Files of one format: how they are made, changed and used."""

    name: str
    files: Callable[[], list[tuple[str, bytes]]]
    """Valid ones, by name."""
    changes: tuple[mutations.Mutation, ...]
    use: Callable[[Path, Path], None]
    """Use of (file, folder for results); raises what the program would."""


@dataclass
class Tally:
    """What came of the inputs of one kind."""

    inputs: int = 0
    done: int = 0
    refused: int = 0
    internal: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    large: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def row(self, name: str) -> str:
        """Return the line of a table."""
        wrong = (self.internal, self.half, self.slow, self.large)
        counts = (self.inputs, self.done, self.refused, *map(len, wrong))
        return f"| {name} | " + " | ".join(f"{n:,}" for n in counts) + f" | {self.slowest:.1f} |"


class InternalError(Exception):
    """A command ended in an error that is no sentence for people."""


class TooLong(Exception):
    """An input that held the program up."""


def command(*arguments: object) -> None:
    """Run a command of the program; InternalError where it ends as no command may."""
    result = CliRunner().invoke(inpaint, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise InternalError(f"{type(result.exception).__name__}: {result.exception}")
    if "internal error" in result.stderr:
        raise InternalError(result.stderr[-300:].strip())
    if result.exit_code:
        raise PlainError(result.stderr)


def complete(file: Path, out: Path, *more: object) -> None:
    """Complete a photo with the fastest method."""
    model = () if "--model" in more else ("--model", "telea")
    command("complete", file, "-n", 1, "--no-sheet", "-o", out, *model, *more)


def use_data(file: Path, out: Path) -> None:
    """Read a source of images as training does."""
    from inpaint_cli import data

    data.load_images([str(file)], size=8, channels=1, split="train")


def use_foreign(file: Path, out: Path) -> None:
    """Try to make a model of a file of other programs, which is none, and read it."""
    from inpaint_cli.models.foreign import read_state

    with contextlib.suppress(PlainError):
        command("convert", "--from", "latent-codes", file, "-o", out / "a.safetensors")
    read_state(file)


def use_mask_set(file: Path, out: Path) -> None:
    """Read a set of masks, then write one in its place."""
    with contextlib.suppress(PlainError):
        complete(seeds.photo(out), out, "--mask", file)
    command("masks", "--size", 8, "-n", 2, "-o", file)


def use_manifest(file: Path, out: Path) -> None:
    """Write a set into a folder with this masks.json."""
    folder = seeds.mask_folder(out)
    shutil.copy(file, folder / "masks.json")
    command("masks", "--size", 8, "-n", 2, "-o", folder)


def use_record(file: Path, out: Path) -> None:
    """Complete into a folder with this completions.json, then look at it."""
    shutil.copy(file, out / "completions.json")
    with contextlib.suppress(PlainError):
        command("pick", out / "photo-0.png", "-o", out / "final.png")
    complete(seeds.photo(out), out, "--box", "1,1,3,2")


def use_picture(file: Path, out: Path) -> None:
    """Complete it."""
    complete(file, out, "--box", "1,1,3,2")


def use_mask(file: Path, out: Path) -> None:
    """Complete a photo with it."""
    complete(seeds.photo(out), out, "--mask", file)


def use_weights(file: Path, out: Path) -> None:
    """Load the model, and look at its card."""
    from inpaint_cli import load_model

    command("models", file)
    load_model(file)


def use_statistics(file: Path, out: Path) -> None:
    """Read a published mean and covariance, as for --reference."""
    from inpaint_cli.metrics import statistics_file

    statistics_file.load(file)


def use_config(file: Path, out: Path) -> None:
    """Plan a run with it."""
    command("train", "--config", file, "--dry-run")


BLIND = (mutations.blind,)
TEXT = (mutations.blind, mutations.values)
ARRAYS = (mutations.blind, mutations.members(mutations.array))
MEMBERS = (mutations.blind, mutations.members(mutations.blind))
WEIGHTS = (mutations.blind, mutations.header)

KINDS = {
    kind.name: kind
    for kind in (
        Kind("picture", seeds.pictures, BLIND, use_picture),
        Kind("png", seeds.pngs, (mutations.chunks,), use_picture),
        Kind("mask", seeds.pictures, BLIND, use_mask),
        Kind("mask set", seeds.mask_sets, ARRAYS, use_mask_set),
        Kind("masks.json", seeds.manifests, TEXT, use_manifest),
        Kind("config.toml", seeds.configs, TEXT, use_config),
        Kind("weights", seeds.weights, WEIGHTS, use_weights),
        Kind("completions.json", seeds.records, TEXT, use_record),
        Kind("zip", seeds.zips, MEMBERS, use_data),
        Kind("tar", seeds.tars, BLIND, use_data),
        Kind("tar.gz", seeds.packed_tars, (mutations.packed,), use_data),
        Kind("npz", seeds.npzs, ARRAYS, use_data),
        Kind("statistics", seeds.statistics, ARRAYS, use_statistics),
        Kind("foreign", seeds.foreign, MEMBERS, use_foreign),
    )
}


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise TooLong inside the block after LIMIT_SECONDS of the processor."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def content_of(kind: Kind, seed: int, number: int) -> tuple[str, bytes]:
    """Return an input by its number: name and bytes."""
    draw = random.Random(f"{seed} {kind.name} {number}")
    name, data = draw.choice(kind.files())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name, which is meant
        return name, draw.choice(kind.changes)(data, draw)


def try_one(kind: Kind, seed: int, number: int, tally: Tally, keep: Path | None = None) -> None:
    """Use one input in folders of its own, and note what came of it."""
    name, data = content_of(kind, seed, number)
    with tempfile.TemporaryDirectory() as place:
        file, out = Path(place) / name, Path(place) / "out"
        file.write_bytes(data)
        out.mkdir()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun, wrong = time.process_time(), ""
        try:
            with limited(), contextlib.redirect_stderr(io.StringIO()):
                kind.use(file, out)
            tally.done += 1
        except PlainError:
            tally.refused += 1
        # Whatever comes out is what is looked for.
        except Exception as error:
            wrong = f"{number} ({name}): {type(error).__name__}: {str(error)[:300]}"
        seconds, half = time.process_time() - begun, [*_half(out), *_temporary(Path(place))]
        _note(tally, number, wrong, seconds, peak, half)
        if wrong and keep:
            keep.mkdir(exist_ok=True)
            (keep / f"{kind.name}-{number}-{name}").write_bytes(data)


def _note(
    tally: Tally, number: int, wrong: str, seconds: float, peak: int, half: Sequence[str]
) -> None:
    tally.inputs += 1
    tally.slowest = max(tally.slowest, seconds)
    if wrong:
        tally.internal.append(wrong)
    if half:
        tally.half.append(f"{number}: {', '.join(half)}")
    if seconds > SLOW_SECONDS:
        tally.slow.append(f"{number}: {seconds:.1f} s")
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) >> 10
    if growth > GROWTH_MIB:
        tally.large.append(f"{number}: {growth} MiB")


def _temporary(folder: Path) -> Iterator[str]:
    """Yield what a run left beside its input, where a set of masks is written."""
    return (path.name for path in folder.iterdir() if path.name.startswith("."))


def _half(out: Path) -> Iterator[str]:
    """Yield what a run left that is temporary, or no whole picture."""
    for folder, _, names in os.walk(out):
        for name in names:
            if name.startswith(".") and not name.endswith(".lock"):
                yield name
            elif name.endswith(".png"):
                try:
                    with Image.open(Path(folder) / name) as image:
                        image.load()
                except (OSError, SyntaxError):
                    yield name


def run(inputs: int, seed: int, kinds: Sequence[str], keep: Path | None = None) -> dict[str, Tally]:
    """Try `inputs` files, shared out over the kinds."""
    tallies = {name: Tally() for name in kinds}
    for number in range(inputs):
        name = kinds[number % len(kinds)]
        try_one(KINDS[name], seed, number // len(kinds), tallies[name], keep)
    return tallies


def main() -> int:
    """Run the full form; exit 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--only", type=int, help="this number of each kind alone")
    parser.add_argument("--keep", type=Path, help="folder for what failed")
    given = parser.parse_args()
    kinds = given.kind or list(KINDS)
    well = table(given.inputs, given.seed, kinds, given.only, given.keep)
    return 0 if well else 1


def table(
    inputs: int = 10_000,
    seed: int = 0,
    kinds: Sequence[str] = tuple(KINDS),
    only: int | None = None,
    keep: Path | None = None,
) -> bool:
    """Print the figures of a run, and what went wrong; return whether nothing did."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["INPAINT_HOME"] = home
        if only is None:
            tallies = run(inputs, seed, kinds, keep)
        else:
            tallies = {name: Tally() for name in kinds}
            for name in kinds:
                try_one(KINDS[name], seed, only, tallies[name], keep)
    print("| format | inputs | done | refused | internal | half | slow | large | slowest (s) |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, tally in tallies.items():
        print(tally.row(name))
    wrong = [
        f"{name} {text}"
        for name, tally in tallies.items()
        for texts in (tally.internal, tally.half, tally.slow, tally.large)
        for text in texts
    ]
    print("\n".join(wrong))
    return not wrong


if __name__ == "__main__":
    sys.exit(main())
