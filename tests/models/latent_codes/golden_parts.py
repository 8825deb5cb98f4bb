"""The recorded parts of the family: weights, configurations, inputs and results."""

import json
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli.models.latent_codes.blocks import Shape
from tests.golden_files import golden

FOLDER = golden("latent-codes")


def part(name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Gives the configuration and the float32 weights of NAME.weights.safetensors."""
    path = FOLDER / f"{name}.weights.safetensors"
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
    return config, {key: value.float() for key, value in load_file(path).items()}


def recorded(name: str) -> dict[str, Tensor]:
    """Gives the recorded inputs and results of NAME.io.safetensors, as stored."""
    return load_file(FOLDER / f"{name}.io.safetensors")


def shape_of(settings: dict[str, Any]) -> Shape:
    """Gives the shape that the authors' `ddconfig` or `edconfig` means."""
    return Shape(
        width=settings["ch"],
        multipliers=tuple(settings["ch_mult"]),
        blocks=settings["num_res_blocks"],
        attention=tuple(settings["attn_resolutions"]),
        latent_channels=settings["z_channels"],
        resolution=settings["resolution"],
    )


def close(actual: Tensor, expected: Tensor, gradient: bool = False) -> None:
    """Asserts the tolerance of the README: relative to the largest recorded value."""
    largest = expected.abs().max().item()
    atol = 1e-3 * largest if gradient else 1e-4 * largest + 1e-6
    torch.testing.assert_close(
        actual.detach().to(expected.dtype), expected, rtol=0, atol=atol, check_device=False
    )
