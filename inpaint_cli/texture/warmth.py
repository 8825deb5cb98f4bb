"""Whether the compiled loops are ready: the first fill on a machine waits for numba."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inpaint_cli.texture import frequency, patchmatch


def compiled() -> bool:
    """Return whether numba's cache holds the loops; if not, the first fill takes ~20 s longer."""
    kernels: dict[str, Any] = {"fill_blocks": frequency.fill_blocks, "sweep": patchmatch.sweep}
    return all(
        kernel.signatures or _cached(kernel.stats.cache_path, name)
        for name, kernel in kernels.items()
    )


def _cached(folder: str | None, name: str) -> bool:
    return folder is not None and any(Path(folder).glob(f"*.{name}-*.nbi"))
