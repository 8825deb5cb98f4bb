"""A family with one small layer, for tests of what surrounds families."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli import models
from inpaint_cli.family import Completions, Config, Family, Model, Stage, Training
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.randomness import Noise


@dataclass(frozen=True)
class TinyConfig(Config):
    width: int = 4


class TinyModel(CompletionModel):
    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.layer = nn.Linear(config.width, config.width)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        return Completions(image.expand(len(noise), -1, -1, -1))


class TinyFamily(Family):
    name = "tiny"
    summary = "One layer."
    presets = MappingProxyType(
        {
            "small": TinyConfig(8, 1, 2, {"all": Training(batch_size=3)}),
            "wide": TinyConfig(8, 3, 256, width=6),
        }
    )
    stage_names = ("all",)
    layouts = ("tiny-foreign",)

    def stages(self) -> tuple[Stage[Any], ...]:
        return ()

    def build(self, config: Config) -> Model:
        assert isinstance(config, TinyConfig)
        return TinyModel(config)

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        model = TinyModel(TinyConfig(8, 3, 256, width=6))
        model.load_state_dict(torch.load(files[0], weights_only=True))
        return model


def register(patch: pytest.MonkeyPatch) -> TinyFamily:
    """Make "tiny" a family for the time of a test."""
    module = ModuleType("tiny_module")
    family = TinyFamily()
    module.FAMILIES = {"tiny": family}  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "tiny_module", module)
    patch.setitem(models.FAMILIES, "tiny", "tiny_module")
    return family
