"""Tiny families for the trainer's tests: one with two optimisers, one with two stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.family import (
    Batch,
    Completions,
    Config,
    Family,
    Model,
    ParameterGroup,
    Stage,
    StepResult,
    Training,
)
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.randomness import Noise


@dataclass(frozen=True, kw_only=True)
class FakeConfig(Config):
    filters: int = 4
    dropout: float = 0.1
    norm: Literal["batch", "group"] = "batch"
    break_at: int = -1
    """The loss is NaN at this step."""
    note: str | None = None


class FakeModel(CompletionModel):
    """A two-layer network that paints, and a critic of its paintings."""

    config: FakeConfig

    def __init__(self, config: FakeConfig) -> None:
        super().__init__(config)
        filters = config.filters
        normalise = nn.BatchNorm2d(filters) if config.norm == "batch" else nn.GroupNorm(2, filters)
        self.painter = nn.Sequential(
            nn.Conv2d(config.channels + 1, filters, 3, padding=1),
            normalise,
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Conv2d(filters, config.channels, 3, padding=1),
        )
        self.critic = nn.Sequential(nn.Conv2d(config.channels, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 3))
        self.perceptual: Any = None

    def use_perceptual(self, distance: Any) -> None:
        object.__setattr__(self, "perceptual", distance)

    def paint(self, image: Tensor, visible: Tensor) -> Tensor:
        shown = visible.float()
        return cast(Tensor, self.painter(torch.cat([image.float() / 255 * shown, shown], 1)))

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        painted = self.paint(image, visible) + 0.1 * noise.normal(*image.shape[1:]).to(image.device)
        values = (painted.clamp(0, 1) * 255).to(torch.uint8)
        return Completions(torch.where(visible, image, values))


class PaintStage(Stage[FakeModel]):
    """Painter against critic: two optimisers."""

    name = "paint"

    def trainable(self, model: FakeModel) -> list[ParameterGroup]:
        return [
            ParameterGroup("painter", list(model.painter.parameters())),
            ParameterGroup("critic", list(model.critic.parameters()), 0.5, (0.5, 0.9)),
        ]

    def loss(self, model: FakeModel, batch: Batch, step: int, noise: Noise) -> StepResult:
        target = batch.image.float() / 255 + 0.01 * noise.normal(1, 1, 1).float().to(
            batch.image.device
        )
        painted = model.paint(batch.image, batch.visible)
        frozen = {n: p.detach() for n, p in model.critic.named_parameters()}
        judged = torch.func.functional_call(model.critic, frozen, (painted,))
        error = F.mse_loss(painted, target)
        painter = error - 0.01 * judged.mean()
        if step == model.config.break_at:
            painter = painter * torch.nan
        critic = F.softplus(-model.critic(target)).mean()
        critic = critic + F.softplus(model.critic(painted.detach())).mean()
        scalars = {"error": error.detach(), "progress": torch.tensor(batch.progress)}
        return StepResult({"painter": painter, "critic": critic}, scalars)

    def validate(self, model: FakeModel, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        painted = model.paint(batch.image, batch.visible)
        error = (painted - batch.image.float() / 255).square().mean((1, 2, 3))
        return {"error": error.double(), "twice": 2 * error.double()}


class PolishStage(PaintStage):
    """A second stage that trains the critic alone and stands on the first."""

    name = "polish"
    needs = ("paint",)

    def begin(self, model: FakeModel) -> None:
        """Doubles the critic's last bias and adds one, so that a second call would show."""
        last = cast(nn.Conv2d, model.critic[-1])
        assert last.bias is not None
        last.bias.mul_(2).add_(1)

    def trainable(self, model: FakeModel) -> list[ParameterGroup]:
        return super().trainable(model)[1:]

    def loss(self, model: FakeModel, batch: Batch, step: int, noise: Noise) -> StepResult:
        return StepResult({"critic": model.critic(batch.image / 255).square().mean()})


class TintStage(PaintStage):
    """A third stage that trains the painter alone and stands on the first, not on the second."""

    name = "tint"
    needs = ("paint",)

    def trainable(self, model: FakeModel) -> list[ParameterGroup]:
        return super().trainable(model)[:1]

    def loss(self, model: FakeModel, batch: Batch, step: int, noise: Noise) -> StepResult:
        result = super().loss(model, batch, step, noise)
        return StepResult({"painter": result.losses["painter"]})


TRAINING = Training(
    batch_size=4,
    steps=12,
    lr=1e-2,
    ema_decay=0.9,
    masks="box-25",
    augment="crop",
    schedule="cosine",
    warmup_steps=2,
    clip_norm=1.0,
    precision="float32",
    log_every=2,
    validate_every=5,
    validate_images=6,
    checkpoint_every=3,
    sheet_images=0,
)


class FakeFamily(Family):
    summary = "for tests"

    def __init__(self, name: str, *stages: PaintStage) -> None:
        self.name, self._stages = name, stages
        self.stage_names = tuple(stage.name for stage in stages)
        training = dict.fromkeys(self.stage_names, TRAINING)
        self.presets = {
            "small": FakeConfig(size=8, channels=1, levels=256, training=training),
            "large": FakeConfig(size=16, channels=3, levels=256, training=training),
        }

    def stages(self) -> tuple[PaintStage, ...]:
        return self._stages

    def build(self, config: Config) -> Model:
        return FakeModel(cast(FakeConfig, config))


FAMILIES: dict[str, Family] = {
    "fake": FakeFamily("fake", PaintStage()),
    "fake-two": FakeFamily("fake-two", PaintStage(), PolishStage()),
    "fake-three": FakeFamily("fake-three", PaintStage(), PolishStage(), TintStage()),
}
