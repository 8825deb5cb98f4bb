"""A classifier: no completions, but features and feature maps for metrics."""

from __future__ import annotations

from typing import Any, cast

from inpaint_cli.family import Config, Family, Model, Stage
from inpaint_cli.models.classifier.config import PRESETS, ClassifierConfig


class ClassifierFamily(Family):
    """Binds the files of this folder together; torch is imported when something is built."""

    name = "classifier"
    summary = "small residual network that tells classes apart; features for metrics"
    presets = PRESETS
    stage_names = ("classes",)
    completes = False
    stochastic = False

    def stages(self) -> tuple[Stage[Any], ...]:
        from inpaint_cli.models.classifier.objective import STAGES

        return STAGES

    def build(self, config: Config) -> Model:
        from inpaint_cli.models.classifier.networks import Classifier

        return Classifier(cast(ClassifierConfig, config))


FAMILIES: dict[str, Family] = {"classifier": ClassifierFamily()}
