"""Reads the recorded values of openai/vdvae: which networks there are, and their files."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.models.ipa.networks import CompletingVae
from tests.golden_files import golden

FLOAT64, ROUNDED, FLOAT32 = 1e-9, 2e-7, 2e-5
"""Tolerances of the recordings: in float64, where they were rounded to float32, and in float32."""
NAMES = sorted(
    path.name.partition("_")[0] for path in golden("vdvae").glob("*_weights.safetensors")
)
each_network = pytest.mark.parametrize("name", NAMES)


def tensors(file: str) -> dict[str, Tensor]:
    return load_file(golden("vdvae") / f"{file}.safetensors")


def meta(name: str) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((golden("vdvae") / "meta.json").read_text())[name]
    return description


def config(name: str) -> VaeConfig:
    theirs = meta(name)["config"]
    return VaeConfig(
        size=theirs["image_size"],
        channels=3,
        levels=256,
        width=theirs["width"],
        custom_widths=theirs["custom_width_str"],
        bottleneck=theirs["bottleneck_multiple"],
        zdim=theirs["zdim"],
        enc_blocks=theirs["enc_blocks"],
        dec_blocks=theirs["dec_blocks"],
        no_bias_above=theirs["no_bias_above"],
        mixtures=theirs["num_mixtures"],
        likelihood="5-bit-published" if theirs["dataset"] == "ffhq_256" else "8-bit",
        shift=theirs["shift"],
        scale=theirs["scale"],
    )


def network(name: str, dtype: torch.dtype = torch.float64) -> CompletingVae:
    """Return the recorded network; the partial encoder, which it lacks, is random."""
    model = CompletingVae(config(name))
    state = tensors(f"{name}_weights")
    partial = model.load_state_dict(state, strict=False)
    assert not partial.unexpected_keys
    assert all("part_enc" in key for key in partial.missing_keys)
    return model.to(dtype)


def images(recorded: dict[str, Tensor], key: str = "x_uint8") -> Tensor:
    """Return a recorded uint8 [N, H, W, C] as [N, C, H, W]."""
    return recorded[key].permute(0, 3, 1, 2)


def in_turn(recorded: dict[str, Tensor], start: str, first: int = 0) -> Callable[..., Tensor]:
    """Return the recorded noise start + "0", start + "1", ... in place of random numbers."""
    number = iter(range(first, 10_000))

    def draw(*shape: int) -> Tensor:
        drawn = recorded[f"{start}{next(number)}"]
        assert drawn.shape[1:] == shape
        return drawn

    return draw


def assert_recorded(ours: Tensor, recorded: Tensor, what: str, tolerance: float = 0.0) -> None:
    """Compare as the recordings ask: max |a - b| / (1 + max |b|)."""
    limit = tolerance or (FLOAT64 if recorded.dtype == torch.float64 else ROUNDED)
    assert ours.shape == recorded.shape, what
    error = (ours.double() - recorded.double()).abs().max() / (1 + recorded.double().abs().max())
    assert error.item() < limit, f"{what}: {error.item():.2e}"
