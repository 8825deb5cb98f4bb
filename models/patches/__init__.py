"""Fills holes with patches of the image itself: no weights, no training, any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from inpaint_cli.declarations import Detail, Option
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.patches.config import PRESETS, PatchesConfig


class PatchesFamily:
    """Multi-scale patch synthesis; as many completions as are asked for."""

    name = "patches"
    summary = "patches of the photo's own texture; no weights, n completions, any size"
    presets: Mapping[str, Config] = PRESETS
    stage_names: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    details: tuple[Detail, ...] = ()
    texture_only = True
    completes = True
    stochastic = True
    has_log_prob = False
    reconstructs = False
    layouts: tuple[str, ...] = ()

    def stages(self) -> tuple[Stage[Any], ...]:
        """Return nothing: the method is not trained."""
        return ()

    def build(self, config: Config) -> Model:
        """Return the method as a model."""
        from inpaint_cli.models.patches.sampling import PatchesModel

        return PatchesModel(cast(PatchesConfig, config))

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Raise UserError: there is nothing to convert."""
        raise UserError(f"{self.name}: has no weights, so there is nothing to convert.")


FAMILIES: dict[str, Family] = {"patches": PatchesFamily()}
