"""A quick stand-in for a trained model: smooth random pictures, an honest interface."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli import api, models
from inpaint_cli.family import Completions, Config, Model
from inpaint_cli.randomness import Noise


class PretendModel(nn.Module):
    """Draws each hidden value from a coarse random picture; notes how it was called."""

    stochastic = True
    levels = 256

    def __init__(self, size: int = 16, channels: int = 3) -> None:
        super().__init__()
        self.size, self.channels = size, channels
        self.config = Config(size, channels, 256)
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
        trace: bool = False,
    ) -> Completions:
        if len(noise) > self.largest_batch:
            raise MemoryError
        self.batches.append(len(noise))
        self.seen.append((image, visible))
        coarse = noise.uniform(self.channels, 4, 4)
        wide = nn.functional.interpolate(coarse, size=image.shape[2:], mode="nearest")
        images = torch.where(visible, image, (wide * 255).to(torch.uint8))
        details = {}
        if trace:
            details["trace"] = torch.zeros(3, self.size, self.size, 3, dtype=torch.uint8)
            details["trace"][1:] = 255
        return Completions(images, -coarse.sum((1, 2, 3)), details)

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        return torch.zeros(len(image), dtype=torch.float64)


def loaded(size: int = 16, channels: int = 3) -> api.LoadedModel:
    """Gives the stand-in as if it were a model of pcnn."""
    model = cast(Model, PretendModel(size, channels))
    return api.LoadedModel("pretend", models.get("pcnn"), model, torch.device("cpu"), "0" * 64)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> PretendModel:
    """Lets every model but the classical ones be one and the same stand-in."""
    real, stand_in = api.load_model, loaded()

    def load(name: Any, device: str = "auto") -> api.LoadedModel:
        return real(name, device) if name in ("telea", "navier-stokes") else stand_in

    monkeypatch.setattr(api, "load_model", load)
    return cast(PretendModel, stand_in.model)
