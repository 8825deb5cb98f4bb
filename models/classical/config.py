"""Config and presets of the classical methods; nothing in them is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from inpaint_cli.bounds import Between
from inpaint_cli.family import Config


@dataclass(frozen=True, kw_only=True)
class ClassicalConfig(Config):
    """One of OpenCV's two methods, on images of any size."""

    size: int = 0
    channels: int = 3
    levels: int = 256
    method: Literal["telea", "navier-stokes"] = "telea"
    radius: Annotated[float, Between(0, 100, above=True)] = 3.0
    """Pixels round a hidden one that have a say in it (the value of OpenCV's own example)."""


PRESETS = {
    "telea": {"default": ClassicalConfig(method="telea")},
    "navier-stokes": {"default": ClassicalConfig(method="navier-stokes")},
}
"""Family -> its presets."""
