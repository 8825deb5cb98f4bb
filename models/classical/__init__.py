"""The classical baselines that every model must beat: OpenCV's Telea and Navier-Stokes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from inpaint_cli.declarations import Detail, Option
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.classical.config import PRESETS, ClassicalConfig


class ClassicalFamily:
    """One method of OpenCV; no weights, no training, one completion."""

    stage_names: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    details: tuple[Detail, ...] = ()
    texture_only = False
    completes = True
    stochastic = False
    has_log_prob = False
    reconstructs = False
    layouts: tuple[str, ...] = ()

    def __init__(self, name: str, summary: str) -> None:
        self.name, self.summary = name, summary
        self.presets: Mapping[str, Config] = PRESETS[name]

    def stages(self) -> tuple[Stage[Any], ...]:
        """Return nothing: these methods are not trained."""
        return ()

    def build(self, config: Config) -> Model:
        """Return the method as a model."""
        from inpaint_cli.models.classical.sampling import ClassicalModel

        return ClassicalModel(cast(ClassicalConfig, config))

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Raise UserError: there is nothing to convert."""
        raise UserError(f"{self.name} has no weights, so there is nothing to convert.")


FAMILIES: dict[str, Family] = {
    "telea": ClassicalFamily("telea", "OpenCV's fast marching method; one completion, any size"),
    "navier-stokes": ClassicalFamily(
        "navier-stokes", "OpenCV's fluid flow method; one completion, any size"
    ),
}
