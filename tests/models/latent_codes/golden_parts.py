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
GRADIENT = 1e-4
"""Share of the largest entry by which gradients recorded in float32 may be off."""


def part(name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the configuration and the float32 weights of NAME.weights.safetensors."""
    path = FOLDER / f"{name}.weights.safetensors"
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
    return config, {key: value.float() for key, value in load_file(path).items()}


def recorded(name: str) -> dict[str, Tensor]:
    """Return the recorded inputs and results of NAME.io.safetensors, as stored."""
    return load_file(FOLDER / f"{name}.io.safetensors")


def shape_of(settings: dict[str, Any]) -> Shape:
    """Return the shape that the authors' `ddconfig` or `edconfig` means."""
    return Shape(
        width=settings["ch"],
        multipliers=tuple(settings["ch_mult"]),
        blocks=settings["num_res_blocks"],
        attention=tuple(settings["attn_resolutions"]),
        latent_channels=settings["z_channels"],
        resolution=settings["resolution"],
    )


def close(actual: Tensor, expected: Tensor) -> None:
    """Assert the tolerance of the README: relative to the largest recorded value."""
    atol = 1e-4 * expected.abs().max().item() + 1e-6
    torch.testing.assert_close(
        actual.detach().to(expected.dtype), expected, rtol=0, atol=atol, check_device=False
    )


def close_in_double(actual: Tensor, expected: Tensor) -> None:
    """Assert that what was computed in float64 is what was recorded, but for its float32.

    Gradients are compared in float64 only: rounding takes a rectifier whose input is nearly 0 to
    either side, by the processor's order of summation, and that shows in the third figure.
    """
    assert actual.dtype == torch.float64
    atol = GRADIENT * expected.abs().max().item()
    torch.testing.assert_close(
        actual.detach(), expected.double(), rtol=0, atol=atol, check_device=False
    )
