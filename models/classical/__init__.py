"""The classical baselines that every model must beat: OpenCV's Telea and Navier-Stokes."""

from __future__ import annotations

from typing import cast

from inpaint_cli.family import Config, Family, Model
from inpaint_cli.models.classical.config import PRESETS, ClassicalConfig


class ClassicalFamily(Family):
    """One method of OpenCV; no weights, no training, one completion."""

    stochastic = False

    def __init__(self, name: str, summary: str) -> None:
        self.name, self.summary = name, summary
        self.presets = PRESETS[name]

    def build(self, config: Config) -> Model:
        """Return the method as a model."""
        from inpaint_cli.models.classical.sampling import ClassicalModel

        return ClassicalModel(cast(ClassicalConfig, config))


FAMILIES: dict[str, Family] = {
    "telea": ClassicalFamily("telea", "OpenCV's fast marching method; one completion, any size"),
    "navier-stokes": ClassicalFamily(
        "navier-stokes", "OpenCV's fluid flow method; one completion, any size"
    ),
}
