"""Pixel Constrained CNN: exact likelihoods, one pixel after the other (Dupont & Suresha 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from inpaint_cli.declarations import Detail, Option
from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.pcnn.config import PRESETS, PixelConfig


class PixelFamily(Family):
    """Binds the files of this folder together; torch is imported when something is built."""

    name = "pcnn"
    summary = "Pixel Constrained CNN: exact log-likelihood of every completion"
    presets = PRESETS
    stage_names = ("pixels",)
    has_log_prob = True
    layouts = ("pcnn",)
    options = (
        Option(
            "trace",
            bool,
            "Also write STEM-trace.gif: how likely each unrevealed pixel is to be bright (for more "
            "than two levels: its expected level) while completion 0 is revealed row by row. "
            "Ahead of the frontier this is the next-pixel distribution as if all pixels between "
            "were 0, not a marginal.",
            default=False,
            tells=True,
        ),
    )
    details = (Detail("trace", drawn="frames", ending="-trace.gif"),)

    def stages(self) -> tuple[Stage[Any], ...]:
        from inpaint_cli.models.pcnn.objective import STAGES

        return STAGES

    def build(self, config: Config) -> Model:
        from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN

        return PixelConstrainedCNN(cast(PixelConfig, config))

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Read the authors' `config.json` and `model.pt` (or one of them from its folder)."""
        from inpaint_cli.models.pcnn.convert import convert

        return convert(files)


FAMILIES: dict[str, Family] = {"pcnn": PixelFamily()}
