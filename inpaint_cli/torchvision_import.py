"""Importing torchvision where its compiled operators do not fit the torch beside it.

torchvision's wheel for Linux is built for CUDA. Beside a torch for the CPU its import fails with
"operator torchvision::nms does not exist", because it describes operators that nothing defined.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from inpaint_cli.errors import UserError

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""The operators that torchvision describes on import; data sets and transforms use neither."""

_libraries: list[Any] = []
"""Keeps the definitions alive: torch drops them with their library object."""


def load(module: str = "torchvision") -> ModuleType:
    """Import torchvision or a module of it; UserError where it is missing or does not load."""
    try:
        return _import(module)
    except ModuleNotFoundError as error:
        raise UserError(
            "This needs torchvision. Install it with: pip install torchvision"
        ) from error
    # A torchvision built for another torch raises RuntimeError, OSError and others.
    except Exception as error:
        first = str(error).partition("\n")[0]
        raise UserError(f"torchvision is installed but does not load here ({first}).") from error


def _import(module: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(module)
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _define_schemas()
        _forget()
        return importlib.import_module(module)


def _define_schemas() -> None:
    from torch import library

    definitions: Any = library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in SCHEMAS.values():
        definitions.define(schema)
    _libraries.append(definitions)


def _forget() -> None:
    """Drop the half-imported modules, so that the second import starts afresh."""
    import sys

    for name in [n for n in sys.modules if n == "torchvision" or n.startswith("torchvision.")]:
        del sys.modules[name]
