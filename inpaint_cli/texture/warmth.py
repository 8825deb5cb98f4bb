"""Whether the compiled loops are ready: the first fill on a machine waits for numba."""

from __future__ import annotations

from pathlib import Path

from inpaint_cli.texture import frequency, patchmatch


def compiled() -> bool:
    """Return whether numba's cache holds the loops; if not, the first fill takes ~20 s longer."""
    return all(
        kernel.signatures or _cached(kernel.stats.cache_path, kernel.__name__)
        for kernel in (frequency.fill_blocks, patchmatch.sweep)
    )


def _cached(folder: str | None, name: str) -> bool:
    return folder is not None and any(Path(folder).glob(f"*.{name}-*.nbi"))
