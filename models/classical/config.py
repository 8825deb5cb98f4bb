"""Config and presets of the classical methods; nothing in them is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inpaint_cli.errors import UserError
from inpaint_cli.family import Config


@dataclass(frozen=True, kw_only=True)
class ClassicalConfig(Config):
    """One of OpenCV's two methods, on images of any size."""

    size: int = 0
    channels: int = 3
    levels: int = 256
    method: Literal["telea", "navier-stokes"] = "telea"
    radius: float = 3.0
    """Pixels round a hidden one that have a say in it (the value of OpenCV's own example)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.radius <= 100:
            raise UserError(f"radius: must lie in (0, 100], got {self.radius}.")


PRESETS = {
    "telea": {"default": ClassicalConfig(method="telea")},
    "navier-stokes": {"default": ClassicalConfig(method="navier-stokes")},
}
"""Family -> its presets."""
