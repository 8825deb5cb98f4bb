"""A quick stand-in for a trained model: smooth random pictures, an honest interface."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli import api, contestants, models
from inpaint_cli.family import Completions, Config
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.randomness import Noise


class PretendModel(CompletionModel):
    """Draws each hidden value from a coarse random picture; notes how it was called."""

    has_log_prob = True

    def __init__(self, size: int = 16, channels: int = 3) -> None:
        super().__init__(Config(size, channels, 256))
        self.batches: list[int] = []
        self.largest_batch = 10**9
        self.seen: list[tuple[Tensor, Tensor]] = []

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        if len(noise) > self.largest_batch:
            raise MemoryError
        self.batches.append(len(noise))
        self.seen.append((image, visible))
        coarse = noise.uniform(self.channels, 4, 4)
        picture = nn.functional.interpolate(coarse, size=image.shape[2:], mode="nearest")
        images = torch.where(visible, image, (picture * 255).to(torch.uint8))
        details = {}
        if options.get("trace"):
            details["trace"] = torch.zeros(3, self.size, self.size, 3, dtype=torch.uint8)
            details["trace"][1:] = 255
        # In doubles the sum is exact, whatever its order, and so the same in every batch.
        return Completions(images, -coarse.double().sum((1, 2, 3)), details)

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        return torch.zeros(len(image), dtype=torch.float64)


def loaded(size: int = 16, channels: int = 3) -> api.LoadedModel:
    """Return the stand-in as if it were a model of pcnn."""
    return api.LoadedModel(
        "pretend", models.get("pcnn"), PretendModel(size, channels), torch.device("cpu"), "0" * 64
    )


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> PretendModel:
    """Let every model but the classical ones be one and the same stand-in."""
    real, stand_in = api.load_model, loaded()

    def load(
        name: Any, device: str = "auto", *, later: bool = False, **more: Any
    ) -> api.LoadedModel:
        return real(name, device, later=later) if name in ("telea", "navier-stokes") else stand_in

    monkeypatch.setattr(api, "load_model", load)
    monkeypatch.setattr(contestants, "load_model", load)
    return cast(PretendModel, stand_in.model)
