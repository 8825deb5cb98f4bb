"""A classifier: no completions, but features and feature maps for metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from inpaint_cli.declarations import Detail, Option
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.classifier.config import PRESETS, ClassifierConfig


class ClassifierFamily:
    """Binds the files of this folder together; torch is imported when something is built."""

    name = "classifier"
    summary = "small residual network that tells classes apart; features for metrics"
    presets: Mapping[str, Config] = PRESETS
    stage_names: tuple[str, ...] = ("classes",)
    texture_only = False
    completes = False
    stochastic = False
    has_log_prob = False
    reconstructs = False
    layouts: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    details: tuple[Detail, ...] = ()

    def stages(self) -> tuple[Stage[Any], ...]:
        """Return the stages in training order."""
        from inpaint_cli.models.classifier.objective import STAGES

        return STAGES

    def build(self, config: Config) -> Model:
        """Build the network with random weights."""
        from inpaint_cli.models.classifier.networks import Classifier

        return Classifier(cast(ClassifierConfig, config))

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Raise UserError: there are no foreign files."""
        raise UserError("the classifier has no foreign layouts, so there is nothing to convert.")


FAMILIES: dict[str, Family] = {"classifier": ClassifierFamily()}
