"""Kills every command that writes, anywhere, gives it again, and compares with the undisturbed run.

`python -m tests.robustness.kills` prints a table of figures; docs/reliability.md says what they are
of. Three ways: before each file operation in turn, a disk that is full from each on, and
signals at random moments.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.robustness import scenes
from tests.robustness.faults import Fault, counting, end_of, full_from, kill_at, start
from tests.robustness.scenes import INPUTS, SCENES, Scene, Snapshot

SIGNALS = (signal.SIGKILL,) * 4 + (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
MOST_RUNS = 3
"""A command is killed so often in a row at most, before it may end."""
TOP = Path(__file__).parent.parent.parent


@dataclass
class Tally:
    """What came of the trials of one scene in one way."""

    scene: str
    way: str
    kills: int = 0
    reruns: int = 0
    ended_0: int = 0
    identical: int = 0
    stray: int = 0
    """Reruns that left a file more than the undisturbed run."""
    faults: list[str] = field(default_factory=list)


class Ground:
    """A folder in which one scene is played again and again, at the same paths."""

    def __init__(self, scene: Scene, base: Path) -> None:
        self.scene, self.folder = scene, base / "trial"
        self.begin, self.log = base / "begin", base / "log.txt"
        scenes.furnish(self.begin)
        self.reset()
        for earlier in scene.earlier:
            self._must(earlier)
        shutil.rmtree(self.begin)
        shutil.copytree(self.folder, self.begin)
        self.reset()
        before = time.monotonic()
        self._must(scene.command, counting(self.folder, base / "count"))
        self.seconds = time.monotonic() - before
        self.operations = int((base / "count").read_text())
        self.whole = self.snapshot()

    def reset(self) -> None:
        """Put everything as it was before the command; inputs stay, for caches know their age."""
        self.folder.mkdir(exist_ok=True)
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in INPUTS:
                path.unlink()
            elif path.name not in INPUTS:
                shutil.rmtree(path)
        for path in self.begin.iterdir():
            if path.is_file():
                shutil.copy2(path, self.folder)
            elif path.name not in INPUTS or not (self.folder / path.name).exists():
                shutil.copytree(path, self.folder / path.name)

    def start(self, fault: Fault | None = None) -> int:
        """Give the command; return the child that runs it."""
        return start(self.scene.command, self.folder, self.log, fault)

    def go_on(self) -> int:
        """Give what is given after a kill, the command where it is refused; return the code."""
        code = end_of(start(self.scene.again, self.folder, self.log)) if self.scene.again else 2
        return end_of(self.start()) if code == 2 else code

    def snapshot(self) -> Snapshot:
        """Return what is compared of the folder."""
        return self.scene.outcome(self.folder)

    def check(self, tally: Tally, what: str) -> None:
        """Give the command once more, undisturbed, and count what came of it."""
        tally.reruns += 1
        code, files = self.go_on(), self.snapshot()
        more, less = (
            sorted(files.keys() - self.whole.keys()),
            sorted(self.whole.keys() - files.keys()),
        )
        other = sorted(n for n in files.keys() & self.whole.keys() if files[n] != self.whole[n])
        tally.ended_0 += code == 0
        tally.identical += files == self.whole
        tally.stray += bool(more)
        if code or files != self.whole:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            tally.faults.append(f"{what}: exit {code}, +{more} -{less} !{other} {last}")

    def _must(self, command: Sequence[str], fault: Fault | None = None) -> None:
        code = end_of(start(command, self.folder, self.log, fault))
        if code:
            raise RuntimeError(f"{self.scene.name}: exit {code}: {self.log.read_text()}")


def at_every_operation(ground: Ground, every: int = 1) -> Tally:
    """Kill the command before each file operation in turn (or each `every`-th)."""
    tally = Tally(ground.scene.name, "kill -9 before each file operation")
    for number in range(1, ground.operations + 1, every):
        ground.reset()
        tally.kills += end_of(ground.start(kill_at(ground.folder, number))) == -signal.SIGKILL
        ground.check(tally, f"killed at operation {number}")
    return tally


def on_a_full_disk(ground: Ground, every: int = 1) -> Tally:
    """Let the disk be full from each file operation on, in turn."""
    tally = Tally(ground.scene.name, "disk full from each file operation on")
    for number in range(1, ground.operations + 1, every):
        ground.reset()
        tally.kills += end_of(ground.start(full_from(ground.folder, number))) != 0
        ground.check(tally, f"full from operation {number}")
    return tally


def at_random(ground: Ground, kills: int, chance: random.Random) -> Tally:
    """Send signals at random moments, up to `MOST_RUNS` in a row, before the command may end."""
    scene = ground.scene
    tally = Tally(scene.name, "signal at a random moment")
    while tally.kills < kills:
        ground.reset()
        hits = 0
        for run in range(chance.randint(1, MOST_RUNS)):
            command = scene.again if run and scene.again else scene.command
            child = start(command, ground.folder, ground.log)
            number = chance.choice(SIGNALS)
            time.sleep(chance.uniform(0, ground.seconds))
            os.kill(child, number)
            hits += end_of(child) not in (0, 2)
        tally.kills += hits
        if hits:
            ground.check(tally, f"{hits} signals")
    return tally


def of_real_processes(ground: Ground, kills: int, chance: random.Random) -> Tally:
    """Kill whole processes at random moments from their start on, as a user would."""
    tally = Tally(ground.scene.name, "kill -9 of a whole process")
    command = [sys.executable, "-m", "inpaint_cli", *ground.scene.command]
    environment = {**os.environ, "PYTHONPATH": str(TOP), "INPAINT_HOME": "home"}
    seconds = 0.0
    while tally.kills < kills:
        ground.reset()
        with ground.log.open("a") as log:
            before = time.monotonic()
            process = subprocess.Popen(
                command, cwd=ground.folder, env=environment, stdout=log, stderr=log
            )
            try:
                process.wait(chance.uniform(seconds / 2, seconds) if seconds else None)
            except subprocess.TimeoutExpired:
                process.kill()
                tally.kills += process.wait() == -signal.SIGKILL
                ground.check(tally, "killed as a whole")
            seconds = seconds or time.monotonic() - before
    return tally


def tallies(kills: int, seed: int, quick: bool, only: Sequence[str] = ()) -> Iterator[Tally]:
    """Yield the tallies of all scenes; `kills` is how many signals are sent at random in all."""
    chance = random.Random(seed)
    chosen = [scene for scene in SCENES if not only or scene.name in only]
    share = -(-kills // len(chosen))
    with scenes.stage():
        for scene in chosen:
            with tempfile.TemporaryDirectory(prefix="inpaint-kills-") as base:
                ground = Ground(scene, Path(base).resolve())
                every = scene.every if quick else 1
                yield at_every_operation(ground, every)
                yield on_a_full_disk(ground, 3 * every)
                yield at_random(ground, share, chance)
                if scene.plain and not quick:
                    yield of_real_processes(ground, max(1, share // 4), chance)


def table(kills: int = 700, seed: int = 0, quick: bool = False, only: Sequence[str] = ()) -> bool:
    """Print the figures; return whether all went well."""
    well, total = True, Tally("all", "")
    print(f"{'command':<28} {'way':<38} kills reruns ended-0 identical stray", flush=True)
    for tally in tallies(kills, seed, quick, only):
        _print(tally)
        for name in ("kills", "reruns", "ended_0", "identical", "stray"):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        for fault in tally.faults:
            print(f"  {fault}", flush=True)
        well = well and not tally.faults
    _print(total)
    return well


def _print(tally: Tally) -> None:
    counts = f"{tally.kills:5} {tally.reruns:6} {tally.ended_0:7} {tally.identical:9}"
    print(f"{tally.scene:<28} {tally.way:<38} {counts} {tally.stray:5}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, try, print; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=700, help="signals sent at random, in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="what `make test` does")
    parser.add_argument("--only", action="append", default=[], help="a scene; may be repeated")
    given = parser.parse_args(arguments)
    return 0 if table(given.kills, given.seed, given.quick, given.only) else 1


if __name__ == "__main__":
    sys.exit(main())
