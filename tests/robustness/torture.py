"""The full form of all harnesses: `make torture`. Prints their figures; 0 if all went well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from tests.robustness import fuzz, kills

PARTS: Mapping[str, Callable[[], bool]] = {"kills": kills.table, "fuzz": fuzz.table}
"""Name -> what prints figures and returns whether all went well. Each takes long."""


def main(names: list[str]) -> int:
    """Run the parts of these names, or all."""
    unknown = set(names) - PARTS.keys()
    if unknown:
        print(f"no part called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    results = {}
    for name in names or PARTS:
        print(f"== {name}", flush=True)
        results[name] = PARTS[name]()
    print("; ".join(f"{name}: {'well' if well else 'FAULTS'}" for name, well in results.items()))
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
