"""What completions cost: seconds and memory of one model, in a process of its own.

Prints one JSON object. A picture of the sample set is completed in one call, n times (once by a
method that knows one completion), at the model's own size; the times are medians of several calls
after a first one that is not counted. The memory is what the whole process held at most, and what
of it came after the libraries were there and before there was a model.

    python -m benchmarks.completion_cost --model pcnn-photos32 [-n 8] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli import masks
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.family import Model
from inpaint_cli.metrics import sample_set
from inpaint_cli.metrics.protocol import SIDE
from inpaint_cli.models.quantise import to_bytes, to_levels
from inpaint_cli.randomness import Noise, content_key

HOLE = "freeform@40-60"


@dataclass(frozen=True)
class Settings:
    """How costs are measured."""

    n: int = 8
    repeats: int = 5
    threads: int = 1
    size: int = SIDE
    """Side of the picture for methods of any size."""


def task(model: Model, size: int) -> tuple[Tensor, Tensor]:
    """Return a picture of the sample set at the model's size, and what is visible of it."""
    side = model.size or size
    image = torch.from_numpy(np.array(sample_set.load(side, model.channels).images[:1]))
    if model.levels < 256:
        image = to_bytes(to_levels(image, model.levels), model.levels)
    return image, torch.from_numpy(masks.draw(HOLE, side, side))[None, None]


def cost(name: str, settings: Settings) -> dict[str, Any]:
    """Return the costs of a model, measured in this process."""
    torch.set_num_threads(settings.threads)
    before = resident()[0]
    model = load_model(name, "cpu").model
    image, visible = task(model, settings.size)
    n = settings.n if model.stochastic else 1

    def complete() -> None:
        noise = Noise.of_completions(0, content_key(image, visible), range(n))
        model.complete(image, visible, noise)

    complete()
    times = [timed(complete) for _ in range(settings.repeats)]
    peak = resident()[1]
    return {
        "model": name,
        "n": n,
        "size": image.shape[-1],
        "threads": settings.threads,
        "repeats": settings.repeats,
        "seconds_per_completion": statistics.median(wall for wall, _ in times) / n,
        "processor_seconds_per_completion": statistics.median(processor for _, processor in times)
        / n,
        "peak_bytes": peak,
        "above_bytes": peak - before,
        "torch": str(torch.__version__),
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
    }


def timed(call: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of a call by the clock, and those of the processor.

    The latter leave out the waiting for other work on the machine.
    """
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def resident() -> tuple[int, int]:
    """Return the bytes of this process in memory: now, and the most there ever were.

    Linux starts the peak of a process (ru_maxrss) at that of the one that started it, so there it
    is read from /proc. Where there is no /proc, the peak so far stands for now; both are 0
    where neither is told.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = [line.split() for line in status.read_text().splitlines()]
        facts = {words[0]: words[1] for words in lines if len(words) == 3}
        if "VmRSS:" in facts and "VmHWM:" in facts:
            return 1024 * int(facts["VmRSS:"]), 1024 * int(facts["VmHWM:"])
    try:
        import resource
    except ImportError:  # there is none on Windows
        return 0, 0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak, peak


def in_own_process(name: str, settings: Settings) -> dict[str, Any]:
    """Return the costs of a model, measured in a fresh process; UserError where that fails."""
    top = Path(__file__).resolve().parent.parent
    paths = [str(top), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [
        sys.executable,
        "-m",
        "benchmarks.completion_cost",
        "--model",
        name,
        "-n",
        str(settings.n),
        "--repeats",
        str(settings.repeats),
        "--threads",
        str(settings.threads),
        "--size",
        str(settings.size),
    ]
    threads = {"OMP_NUM_THREADS": str(settings.threads), "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        command, env={**os.environ, **threads}, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"{name}: its costs could not be measured; see the lines above.")
    cost: dict[str, Any] = json.loads(done.stdout)
    return cost


def main() -> None:
    """Parse the command line above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("-n", type=int, default=Settings.n)
    parser.add_argument("--repeats", type=int, default=Settings.repeats)
    parser.add_argument("--threads", type=int, default=Settings.threads)
    parser.add_argument("--size", type=int, default=SIDE, help="for methods of any size")
    given = parser.parse_args()
    settings = Settings(given.n, given.repeats, given.threads, given.size)
    print(json.dumps(cost(given.model, settings)))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
