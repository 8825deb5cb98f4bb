"""What the partial encoder sees, where it starts, and which VAE it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli import tensors
from inpaint_cli.configuration import from_dict
from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.parsing import json_of

if TYPE_CHECKING:
    from inpaint_cli.models.ipa.vdvae import VdVae

PARTS = ("part_encoder.", ".part_enc.")
"""Marks in the names of the partial encoder's parameters; all others are the VAE's."""
VAE_SETTINGS = (
    "size",
    "channels",
    "width",
    "custom_widths",
    "bottleneck",
    "zdim",
    "enc_blocks",
    "dec_blocks",
    "no_bias_above",
    "mixtures",
    "likelihood",
    "shift",
    "scale",
)
"""What two configs must share for a partial encoder of one to serve the VAE of the other; and
`share_encoders`, which older files do not say."""
EDGE_STEP = 160
"""Sum of the absolute Sobel derivatives above which a pixel is an edge."""


def is_partial(name: str) -> bool:
    """Return whether a parameter is one of the partial encoder and its heads.

    >>> [is_partial(n) for n in ("decoder.dec_blocks.0.part_enc.c1.bias", "decoder.gain")]
    [True, False]
    """
    return any(mark in name for mark in PARTS)


def partial_input(model: VdVae, image: Tensor, visible: Tensor) -> Tensor:
    """Return what the partial encoder sees: the scaled image, 0 where hidden, and the mask.

    image: uint8 [N, C, H, W]; visible: bool [N, 1, H, W]. A model of edges sees the drawing alone.
    """
    x = model.scaled(image)
    if model.config.condition == "edges":
        return x
    seen = torch.cat([torch.where(visible, x, 0.0), visible.to(x.dtype)], 1)
    return seen.contiguous(memory_format=torch.channels_last)


def drawing_and_photo(image: Tensor, *, draw_edges: bool = True) -> tuple[Tensor, Tensor]:
    """Return drawing and photo [N, C, S, S] of pairs [N, C, S, 2 S], drawing to the left.

    Photos alone, [N, C, S, S], get a drawing that is made of them, if `draw_edges`.
    """
    height, width = image.shape[-2:]
    if width == 2 * height:
        return image[..., :height], image[..., height:]
    if not draw_edges:
        raise UserError(
            f"edges: expected a drawing and its photo side by side, {2 * height}x{height}, "
            f"got {width}x{height}."
        )
    return edges_of(image), image


def edges_of(photo: Tensor) -> Tensor:
    """Return the edges of uint8 [N, C, H, W], black on white, in whole numbers on any device."""
    grey = photo.float().mean(1, keepdim=True).round()
    around = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([kernel, kernel.T])[:, None].to(around)
    strength = F.conv2d(around, kernels).abs().sum(1, keepdim=True)
    drawn = torch.where(strength > EDGE_STEP, 0, 255).to(torch.uint8)
    return drawn.expand_as(photo)


@torch.no_grad()
def start_from_encoder(model: VdVae, heads: bool) -> None:
    """Copy the full encoder into the partial one, and its heads too if `heads`.

    Weights of the mask's channel are 0, so that at first a wholly visible image gives c = q.
    """
    source, target = model.encoder.state_dict(), model.part_encoder.state_dict()
    for name, tensor in source.items():
        target[name].zero_()
        target[name][tuple(slice(n) for n in tensor.shape)] = tensor
    if heads:
        for block in model.decoder.blocks():
            block.part_enc.load_state_dict(block.enc.state_dict())


def is_untrained(model: VdVae) -> bool:
    """Return whether the VAE is as it was built: its prior is a standard normal everywhere."""
    return not any(block.prior.c4.weight.any() for block in model.decoder.blocks())


def differences(one: VaeConfig, other: VaeConfig) -> list[str]:
    """Return the settings in which two VAEs differ, with both values."""
    return [
        f"{name} {_shown(getattr(one, name))} and {_shown(getattr(other, name))}"
        for name in (*VAE_SETTINGS, "share_encoders")
        if getattr(one, name) != getattr(other, name)
    ]


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def refuse_other_vae(one: tuple[str, VaeConfig], other: tuple[str, VaeConfig]) -> None:
    """Raise UserError where a partial encoder is for another VAE; each side with its name."""
    unlike = differences(one[1], other[1])
    if unlike:
        raise UserError(
            f"{one[0]} and {other[0]} are of different VAEs: {'; '.join(unlike)}. A partial "
            "encoder serves the VAE it was trained with."
        )


@torch.no_grad()
def load_vae(model: VdVae, path: Path) -> None:
    """Take the VAE of a weight file over; UserError where it is none or another than `model`'s."""
    wanted = {n: t for n, t in model.state_dict().items() if not is_partial(n)}
    with _vae_in(path, model.config) as handle:
        for name, tensor in wanted.items():
            tensor.copy_(handle.get_tensor(name))


def check_vae(path: Path, config: VaeConfig) -> None:
    """Raise UserError where a weight file holds no VAE, or another than that of `config`."""
    with _vae_in(path, config):
        pass


@contextmanager
def _vae_in(path: Path, config: VaeConfig) -> Iterator[Any]:
    """Open a weight file with the VAE of `config`; UserError for any other."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"vae: {path}: no such file.", setting="set")
    try:
        with safe_open(path, framework="pt") as handle:
            theirs = _config_of(path, dict(handle.metadata() or {}))
            refuse_other_vae((f"vae: {path}", theirs), ("this model", config))
            tensors.check(path)
            yield handle
    except (SafetensorError, OSError) as error:
        raise UserError(f"vae: {path}: cannot be read ({error}).", setting="set") from error


def _config_of(path: Path, header: dict[str, str]) -> VaeConfig:
    """Return the config in the header of one of our files; UserError if it is of another family."""
    known = {field.name for field in fields(VaeConfig)}
    try:
        stored = json_of(header["config"], f"vae: {path}: config")
        if not isinstance(stored, dict):
            raise KeyError("config")
        if not set(VAE_SETTINGS) <= stored.keys():
            raise UserError(
                f"vae: {path}: a model of '{header.get('family')}', not a VD-VAE. Give one of "
                "ipa, ipa-r, aipo or aipo-r."
            )
        return from_dict(VaeConfig, {k: v for k, v in stored.items() if k in known})
    except KeyError as error:
        raise UserError(
            f"vae: {path}: not a weight file of inpaint. The authors' files are read with 'inpaint "
            "convert'."
        ) from error
