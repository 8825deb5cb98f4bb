"""Reads the recorded folder of this family: models, batches and noise."""

import json
from functools import cache
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.presets import PUBLISHED
from inpaint_cli.randomness import Noise
from tests.golden_files import golden

FOLDER = golden("ipa")
MODELS = sorted(path.name.split("_")[0] for path in FOLDER.glob("*_weights.safetensors"))


@cache
def meta() -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((FOLDER / "meta.json").read_text(encoding="utf-8")))


@cache
def tensors(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{name}.safetensors")


def config(name: str, **changes: Any) -> VaeConfig:
    recorded = meta()[name]["config"]
    source = PUBLISHED[recorded["dataset"]]
    return VaeConfig(
        **{
            "size": recorded["image_size"],
            "channels": 3,
            "levels": 256,
            "width": recorded["width"],
            "custom_widths": recorded["custom_width_str"],
            "bottleneck": recorded["bottleneck_multiple"],
            "zdim": recorded["zdim"],
            "enc_blocks": recorded["enc_blocks"],
            "dec_blocks": recorded["dec_blocks"],
            "no_bias_above": recorded["no_bias_above"],
            "mixtures": recorded["num_mixtures"],
            "shift": source.shift,
            "scale": source.scale,
            "condition": "edges" if recorded["conditioning"] == "image" else "mask",
            **changes,
        }
    )


def model(name: str, **changes: Any) -> CompletingVae:
    vae = CompletingVae(config(name, **changes))
    vae.load_state_dict(tensors(f"{name}_weights"))
    return vae.double().eval()


def pictures(recorded: Tensor) -> Tensor:
    """Return uint8 or float [N, C, H, W] for what was recorded with the channels last."""
    return recorded.permute(0, 3, 1, 2).contiguous()


def visible(recorded: dict[str, Tensor], prefix: str = "") -> Tensor:
    """Return the masks; all True where images of edges are the condition."""
    if f"{prefix}mask" in recorded:
        return pictures(recorded[f"{prefix}mask"]) > 0.5
    image = recorded[f"{prefix}x_uint8"]
    return torch.ones(len(image), 1, image.shape[1], image.shape[1], dtype=torch.bool)


def listed(recorded: dict[str, Tensor], prefix: str) -> list[Tensor]:
    """Return the tensors called PREFIX.0, PREFIX.1, ..."""
    count = sum(name.rpartition(".")[0] == prefix for name in recorded)
    return [recorded[f"{prefix}.{index}"] for index in range(count)]


class Replay:
    """Recorded noise in place of a `Noise`."""

    def __init__(self, *normals: Tensor) -> None:
        self.normals = list(normals)

    def normal(self, *shape: int) -> Tensor:
        drawn = self.normals.pop(0)
        assert drawn.shape[1:] == shape
        return drawn

    def as_noise(self) -> Noise:
        return cast(Noise, self)


def error(ours: Tensor, theirs: Tensor) -> float:
    """Return max |a - b| / (1 + max |b|), the measure of the recorded folder's README."""
    theirs = theirs.double()
    return float((ours.double() - theirs).abs().max() / (1 + theirs.abs().max()))


def assert_recorded(ours: Tensor, theirs: Tensor, what: str = "") -> None:
    """Check what was computed in float64: 1e-9, or 2e-7 where it was stored as float32."""
    limit = 1e-9 if theirs.dtype == torch.float64 else 2e-7
    assert ours.shape == theirs.shape, what
    assert error(ours, theirs) < limit, (what, error(ours, theirs))
