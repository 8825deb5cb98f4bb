"""PICME: a conditional VAE with a Gaussian mixture, one component per kind of completion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from inpaint_cli.declarations import Detail, Option
from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.picme.config import PRESETS, MixtureConfig


class MixtureFamily(Family):
    """Binds the files of this folder together; torch is imported when something is built."""

    name = "picme"
    summary = "PICME: a Gaussian-mixture conditional VAE, fast; each component a kind of completion"
    presets = PRESETS
    stage_names = ("completion",)
    reconstructs = True
    layouts = ("pic",)
    options = (
        Option(
            "primitive",
            int,
            "Draw all completions from this component of the mixture, counted from 0; otherwise "
            "each draws its own, by weight.",
            minimum=0,
            maximum=10_000,
        ),
        Option(
            "stratify",
            bool,
            "Take the components in turn: completion i from component i mod k.",
            default=False,
        ),
        Option(
            "by-primitive",
            bool,
            "Also write STEM-by-primitive.png, a row of completions from each component, and "
            "STEM-latents.png, sampled latent variables in two dimensions, coloured by component.",
            default=False,
            tells=True,
        ),
        Option(
            "projection",
            str,
            "How --by-primitive comes to two dimensions: principal components, or t-SNE (the "
            "paper's figure 10; slower).",
            default="pca",
            tells=True,
            choices=("pca", "tsne"),
        ),
    )
    details = (
        Detail("primitive", per="completion", recorded=int, captioned=True),
        Detail("weight", per="completion", recorded=float),
        Detail("weights"),
        Detail(
            "by_primitive",
            drawn="rows",
            ending="-by-primitive.png",
            shares="weights",
            title="completions from each primitive at the model's size; number and weight on the "
            "left",
        ),
        Detail(
            "latents",
            drawn="picture",
            ending="-latents.png",
            title="100 latent variables of each primitive, by {projection}; numbers and weights "
            "on the right",
        ),
        Detail("projection"),
        Detail("separation", recorded=dict),
    )

    def stages(self) -> tuple[Stage[Any], ...]:
        from inpaint_cli.models.picme.objective import STAGES

        return STAGES

    def build(self, config: Config) -> Model:
        from inpaint_cli.models.picme.networks import MixtureOfPrimitives

        return MixtureOfPrimitives(cast(MixtureConfig, config))

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Read the four networks of a PIC checkpoint, as a model of one primitive."""
        from inpaint_cli.models.picme.convert import convert

        return convert(files)


FAMILIES: dict[str, Family] = {"picme": MixtureFamily()}
