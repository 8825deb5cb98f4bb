"""Fills holes with patches of the image itself: no weights, no training, any size."""

from __future__ import annotations

from typing import cast

from inpaint_cli.family import Config, Family, Model
from inpaint_cli.models.patches.config import PRESETS, PatchesConfig


class PatchesFamily(Family):
    """Multi-scale patch synthesis; as many completions as are asked for."""

    name = "patches"
    summary = "patches of the photo's own texture; no weights, n completions, any size"
    presets = PRESETS
    texture_only = True

    def build(self, config: Config) -> Model:
        """Return the method as a model."""
        from inpaint_cli.models.patches.sampling import PatchesModel

        return PatchesModel(cast(PatchesConfig, config))


FAMILIES: dict[str, Family] = {"patches": PatchesFamily()}
