"""IPA, IPA-R, AIPO, AIPO-R: a partial encoder for a trained VD-VAE (Harvey et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from inpaint_cli.declarations import Detail, Option
from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.models.ipa.presets import Variant, presets

OPTIONS = (
    Option(
        "fix-top",
        int,
        "All completions share the N coarsest groups of latents with completion 0, and differ in "
        "the finer ones.",
        minimum=0,
        maximum=10_000,
        default=0,
    ),
    Option(
        "temperatures",
        str,
        "A temperature for each layer, coarse to fine, in place of --temperature: T or TxN, such "
        "as 1x20,0.8x23.",
    ),
    Option(
        "prior-after",
        int,
        "Draw only the N coarsest groups of latents for what is visible, the finer ones from the "
        "prior.  [default: all for what is visible]",
        minimum=0,
        maximum=10_000,
    ),
    Option(
        "pixel-noise",
        float,
        "Factor on the deviation of each pixel round its latents' mean. 1 draws from the model; 0 "
        "takes the mean of the logistic that was drawn, without grain.",
        minimum=0,
        maximum=1,
        default=1.0,
        of_photos=0.0,
    ),
    Option(
        "bound",
        int,
        "Bound the log-probability of each completion with N importance samples.  [default: no "
        "bound]",
        minimum=1,
        maximum=100_000,
        for_rank=16,
        tells=True,
    ),
    Option(
        "condition",
        str,
        "edges: PHOTO is a drawing of edges and everything is filled in; for models that were "
        "trained so.",
        choices=("edges",),
        of_drawing="edges",
    ),
)

DETAILS = (
    Detail("raw", per="completion"),
    Detail("effective_samples", per="completion"),
)


class IpaFamily(Family):
    """One objective and mask distribution of the papers; all share one implementation."""

    stage_names = ("vae", "partial-encoder")
    has_log_prob = True
    reconstructs = True
    options = OPTIONS
    details = DETAILS
    page = "ipa"
    """All four share docs/ipa.md."""

    def __init__(self, name: Variant, summary: str, layouts: tuple[str, ...] = ()) -> None:
        self.name: str = name
        self.summary, self.layouts = summary, layouts
        self.presets = presets(name)

    def stages(self) -> tuple[Stage[Any], ...]:
        from inpaint_cli.models.ipa.objective import STAGES

        return STAGES

    def build(self, config: Config) -> Model:
        from inpaint_cli.models.ipa.networks import CompletingVae

        return CompletingVae(cast(VaeConfig, config))

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Read the authors' files: openai/vdvae or plai-group/ipa."""
        from inpaint_cli.models.ipa.convert import convert

        return convert(layout, files)


FAMILIES: dict[str, Family] = {
    "ipa": IpaFamily(
        "ipa",
        "IPA: a partial encoder for a trained VD-VAE; likelihood bounds, diverse completions",
        ("vdvae", "ipa"),
    ),
    "ipa-r": IpaFamily("ipa-r", "IPA-R: IPA trained by the reverse, mode-seeking objective"),
    "aipo": IpaFamily("aipo", "AIPO: IPA on square patches, predicting the whole image"),
    "aipo-r": IpaFamily("aipo-r", "AIPO-R: AIPO trained by the reverse objective"),
}
