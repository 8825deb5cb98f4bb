"""Loops that numba compiles: their machine code is kept beside the source, else in our caches."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numba

from inpaint_cli import files
from inpaint_cli.errors import UserError

_FOLDER = "CACHE_DIR"
"""The setting of numba, which it reads from the environment as NUMBA_CACHE_DIR."""
_BLAS = "scipy.linalg.cython_blas"
Compile = Callable[[Callable[..., Any]], Any]


def compiled(**options: Any) -> Compile:
    """Return a decorator that compiles a function at its first call, without the interpreter lock.

    Where no folder can hold the machine code, it is compiled again in each process.
    """
    kept = _has_cache()
    _load_without_blas()

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=kept, nogil=True, **options)(function)
        except RuntimeError:  # "no locator available": neither source nor caches can be written
            return numba.njit(nogil=True, **options)(function)

    return decorate


def _load_without_blas() -> None:
    """Load numba's view of numpy without scipy's BLAS, which no loop here calls.

    It takes time and memory, and where memory does not hold its buffers OpenBLAS asks for ever.
    """
    if _BLAS in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules[_BLAS] = None  # type: ignore[assignment]  # "import" fails
    try:
        import_module("numba.np.arraymath")
    finally:
        del sys.modules[_BLAS]


def _has_cache() -> bool:
    """Choose a folder for machine code, and return whether there is one.

    Left alone, numba takes ~/.cache where the source cannot be written, and makes a folder called
    "~" where no home is known.
    """
    if not getattr(numba.config, _FOLDER) and not os.access(Path(__file__).parent, os.W_OK):
        try:
            setattr(numba.config, _FOLDER, str(files.home() / "numba"))
        except UserError:
            return False
    return True
