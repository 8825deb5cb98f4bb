"""Runs one command and tells what it took; started by path, in a process of its own.

It stands between because Linux counts the memory of the process that starts a command as the
command's own: this one is small, a program with torch is not. It imports nothing of the package.

    python measured_run.py REPORT LOG COMMAND...
"""

import json
import subprocess
import sys
import time

try:
    import resource
except ImportError:  # Windows has none, so memory is not measured there
    resource = None  # type: ignore[assignment]

KIB = 1024 if sys.platform != "darwin" else 1
"""Bytes of the unit in which the system counts memory."""


def main(report: str, log: str, command: list[str]) -> None:
    """Run a command, its output in `log`; write exit code, seconds and peak bytes to `report`."""
    start = time.perf_counter()
    with open(log, "wb") as output:
        code = subprocess.call(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    told: dict[str, object] = {"code": code, "seconds": time.perf_counter() - start}
    if resource is not None:
        told["bytes"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KIB
    with open(report, "w", encoding="utf-8") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
