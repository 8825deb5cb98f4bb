"""Runs `inpaint` in a process of its own: what it says, which libraries it loads, what it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """
import json, pathlib, sys
from inpaint_cli.cli import main


def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # getrusage would count what the tests held when they started this
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    try:
        import resource
    except ImportError:  # there is none on Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes: no Linux, so macOS


try:
    main(sys.argv[1:], prog_name="inpaint")
except SystemExit as end:
    watched = ("torch", "torch._dynamo", "numba", "cv2", "numpy", "sklearn", "scipy.linalg")
    heavy = [name for name in watched if name in sys.modules]
    print("\\n" + json.dumps([end.code or 0, heavy, peak()]))
"""


@dataclass(frozen=True)
class Ended:
    """What a command left."""

    exit_code: int
    libraries: list[str]
    """What was loaded of the large ones."""
    peak_bytes: int
    """The most it ever held; 0 where that cannot be told."""
    seconds: float
    """Of the processor, not of the clock: that one depends on what else the machine does."""
    stdout: str
    stderr: str


def run(*arguments: object, top: Path, before: str = "") -> Ended:
    """Run `inpaint` with some arguments, in the repository's `top` folder.

    before: lines of Python that are run first.
    """
    start = os.times()
    done = subprocess.run(
        [sys.executable, "-c", before + PROGRAM, *map(str, arguments)],
        cwd=top,
        capture_output=True,
        text=True,
        check=True,
    )
    end = os.times()
    seconds = end.children_user + end.children_system
    seconds -= start.children_user + start.children_system
    stdout, _, facts = done.stdout.rstrip("\n").rpartition("\n")
    code, libraries, peak = json.loads(facts)
    return Ended(code, libraries, peak, seconds, stdout, done.stderr)
