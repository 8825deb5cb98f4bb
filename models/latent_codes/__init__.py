"""Latent codes: tokens for what is hidden, pixels for what is seen (Chen & Zhao 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from inpaint_cli.declarations import Detail, Option
from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.latent_codes.config import PRESETS, LatentConfig


class LatentFamily(Family):
    """Binds the files of this folder together; torch is imported when something is built."""

    name = "latent-codes"
    summary = "Latent codes: a transformer fills the missing tokens of a VQGAN, for photos"
    presets = PRESETS
    stage_names = ("vqgan", "encoder", "transformer", "decoder")
    reconstructs = True
    layouts = ("latent-codes", "taming")
    options = (
        Option(
            "steps",
            int,
            "Transformer steps; more are slower and more coherent.  [default: the model's: 5]",
            minimum=1,
            maximum=100_000,
        ),
        Option(
            "annealing",
            float,
            "The temperature is multiplied by this after each step: less is more coherent and less "
            "diverse.  [default: the model's: 0.9]",
            minimum=0.01,
            maximum=1.0,
        ),
        Option(
            "top-k",
            int,
            "Draw each token from its N likeliest codes only.",
            minimum=1,
            maximum=1_000_000,
        ),
        Option(
            "order",
            str,
            "Which tokens are drawn together: those the model is surest of, those drawn luckily "
            "(MaskGIT; more diverse), or some that lie far apart (truest to the model's "
            "uncertainty).  [default: the model's]",
            choices=("confidence", "sampled", "spread"),
        ),
        Option(
            "keep-seams",
            bool,
            "Leave hidden pixels as the networks drew them: a step of colour may show at the edge "
            "of a hole.",
            default=False,
        ),
    )
    details = (Detail("tokens", per="completion"),)

    def stages(self) -> tuple[Stage[Any], ...]:
        from inpaint_cli.models.latent_codes.objective import STAGES

        return STAGES

    def build(self, config: Config) -> Model:
        from inpaint_cli.models.latent_codes.networks import LatentCodes

        return LatentCodes(cast(LatentConfig, config))

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Read the authors' files, or a VQGAN of taming-transformers."""
        from inpaint_cli.models.latent_codes.convert import convert

        return convert(layout, files)


FAMILIES: dict[str, Family] = {"latent-codes": LatentFamily()}
