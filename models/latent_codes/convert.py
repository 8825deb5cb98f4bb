"""Reads the authors' files, one network each or nested, and VQGANs of taming-transformers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inpaint_cli import building
from inpaint_cli.errors import UserError
from inpaint_cli.models.foreign import check_fit, read_state, shape_text, skeleton
from inpaint_cli.models.latent_codes.config import GROUPS, PRESETS, LatentConfig
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.randomness import tag_of

NEST = "first_stage_model."
"""Before the names of a network that another one was trained on, inside that one's file."""
LEFT_OUT = ("loss.", "loss_fstg.")
"""Discriminators and the perceptual distance, which only training needs."""
TRANSFORMER = "transformer."
NEEDED = {
    "vqgan": "VQGAN",
    "encoder": "restrictive encoder",
    "transformer": "transformer",
    "decoder": "decoder",
}
"""What a model cannot do without, as people call it; only the refinement may be missing."""
TELLING = {
    "vqgan": "quantize.embedding.weight",
    "encoder": "cls_head.conv.weight",
    "transformer": "head.weight",
    "decoder": "decoder.conv_out.weight",
    "refinement": "decoder.conv_out.weight",
}
"""The tensor of each network by which two copies of it are compared."""
SAME = 0.01
"""Copies differ by less than this share of their norm: what half precision would change."""
TAMING_GRID = 16
"""Tokens along a side in all configs of taming-transformers: their files do not tell."""


@dataclass(frozen=True)
class ForeignNetwork:
    """One network in a file of the authors."""

    name: str
    """The child of LatentCodes that it belongs to."""
    state: Mapping[str, Tensor]
    """Its tensors, by the names that the child has for them."""
    path: Path
    prefix: str = ""
    """What stands before those names in the file."""

    @property
    def depth(self) -> int:
        """How many networks it lies in."""
        return self.prefix.count(NEST)

    def shape(self, name: str, dimensions: int = 4) -> torch.Size:
        """Return the shape of a tensor. UserError where it is missing or of other dimensions."""
        if name not in self.state:
            raise UserError(f"{self.path}: '{self.prefix}{name}' is missing.")
        shape = self.state[name].shape
        if len(shape) != dimensions or 0 in shape:
            raise UserError(
                f"{self.path}: '{self.prefix}{name}' is {shape_text(shape)}; it should "
                f"have {dimensions} dimensions."
            )
        return shape

    def count(self, prefix: str) -> int:
        """Return how many numbers follow `prefix` in the names."""
        names = (name.removeprefix(prefix) for name in self.state if name.startswith(prefix))
        return len({name.split(".")[0] for name in names})


def convert(layout: str, files: Sequence[Path]) -> LatentCodes:
    """Return the model in the authors' files, in any order, or one with a VQGAN of taming.

    UserError tells what is missing or does not fit, by name and shape. float32 tensors stay where
    the files have them, so a model of a billion weights is not copied.
    """
    parts = [part for path in files for part in parts_in(read_state(path), path)]
    model = from_taming(parts) if layout == "taming" else from_authors(parts)
    return model.eval()


def parts_in(state: Mapping[str, Tensor], path: Path, prefix: str = "") -> list[ForeignNetwork]:
    """Return the networks in a state dict of the authors, the outermost first.

    UserError where the outermost is none of them.
    """
    unnested = {name: tensor for name, tensor in state.items() if not name.startswith(NEST)}
    kind = _kind(unnested)
    if kind is None and not prefix:
        names = ", ".join(f"'{name}'" for name in sorted(state)[:2])
        raise UserError(
            f"{path}: holds none of the networks {', '.join(NEEDED.values())} and refinement "
            f"(its names are like {names})."
        )
    parts = [] if kind is None else [_part(kind, unnested, path, prefix)]
    nested = {n.removeprefix(NEST): t for n, t in state.items() if n.startswith(NEST)}
    return parts + (parts_in(nested, path, prefix + NEST) if nested else [])


def _kind(state: Mapping[str, Tensor]) -> str | None:
    """Return which network these names are of."""
    tops = {name.split(".")[0] for name in state}
    if "transformer" in tops:
        return "transformer"
    if "cls_head" in tops:
        return "encoder"
    if tops & {"bottleneck_conv", "post_bottleneck_conv"}:
        first, last = state.get("encoder.conv_in.weight"), state.get("decoder.conv_out.weight")
        # The decoder sees the mask as one more channel; the refinement is told none.
        blind = first is not None and last is not None and first.shape[1] == last.shape[0]
        return "refinement" if blind else "decoder"
    return "vqgan" if tops & {"quant_conv", "post_quant_conv"} else None


def _part(kind: str, state: Mapping[str, Tensor], path: Path, prefix: str) -> ForeignNetwork:
    """Return a network without what the authors keep beside it."""
    left_out = LEFT_OUT if kind == "vqgan" else (*LEFT_OUT, "quantize.")
    kept = {n: t for n, t in state.items() if not n.startswith(left_out)}
    if kind == "transformer":
        prefix += TRANSFORMER
        kept = {
            # Without the causal mask of minGPT, which their attention does not use.
            name.removeprefix(TRANSFORMER): tensor
            for name, tensor in kept.items()
            if not name.endswith(".attn.mask")
        }
    return ForeignNetwork(kind, kept, path, prefix)


def from_authors(parts: Iterable[ForeignNetwork]) -> LatentCodes:
    """Return the model of these networks; their tensors become its own (on any device)."""
    chosen = chosen_of(parts)
    for name, what in NEEDED.items():
        if name not in chosen:
            have = ", ".join(sorted({part.path.name for part in chosen.values()}))
            raise UserError(
                f"latent-codes: no {what} in {have}. Give the file with it as well (the authors' "
                "VQGAN, encoder, transformer and decoder make up one model).",
                setting="from",
            )
    config = config_of(chosen)
    tensors = sum(len(part.state) for part in chosen.values())
    model = skeleton(lambda: LatentCodes(config), tensors, chosen["vqgan"].path)
    fill(model, chosen.values())
    return model


def from_taming(parts: Iterable[ForeignNetwork]) -> LatentCodes:
    """Return a model with the VQGAN found, the other networks random: they are to be trained.

    Its sizes are the VQGAN's, its settings those of our preset `photo128`.
    """
    chosen = chosen_of(part for part in parts if part.name == "vqgan")
    if not chosen:
        raise UserError(
            "taming: no VQGAN among the files given ('quant_conv.weight', ...).", setting="from"
        )
    vqgan = chosen["vqgan"]
    config = _config(vqgan, TAMING_GRID, PRESETS["photo128"])
    # Compared first: sizes of one tensor alone could make a network that no machine holds.
    fill(skeleton(lambda: LatentCodes(config), building.MOST_PARTS, vqgan.path), [vqgan])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(tag_of("weights beside a VQGAN of taming") >> 1)
        model = LatentCodes(config)
    fill(model, [vqgan])
    model.trained_stages = ("vqgan",)
    return model


def chosen_of(parts: Iterable[ForeignNetwork]) -> dict[str, ForeignNetwork]:
    """Return one network of each kind, the outermost; copies inside others must agree with it."""
    chosen: dict[str, ForeignNetwork] = {}
    for part in sorted(parts, key=lambda part: part.depth):
        first = chosen.setdefault(part.name, part)
        if first is part:
            continue
        what = NEEDED.get(part.name, part.name)
        if part.depth == 0:
            raise UserError(
                f"{first.path} and {part.path} each hold a {what}. Give the files of one model."
            )
        if not _agree(first, part):
            raise UserError(
                f"{part.path}: was trained with another {what} than that in {first.path}. Give "
                "the files of one model."
            )
    return chosen


def _agree(one: ForeignNetwork, other: ForeignNetwork) -> bool:
    """Return whether two networks are copies, by one tensor of theirs."""
    a, b = (part.state.get(TELLING[part.name]) for part in (one, other))
    if a is None or b is None or a.is_meta or b.is_meta:
        return True
    return a.shape == b.shape and bool((a.float() - b.float()).norm() <= SAME * a.float().norm())


def config_of(parts: Mapping[str, ForeignNetwork]) -> LatentConfig:
    """Return our config for the sizes of the authors' networks."""
    vqgan, transformer = parts["vqgan"], parts["transformer"]
    positions = transformer.shape("pos_emb", 3)[1] - 1
    grid = math.isqrt(positions)
    if grid < 1 or grid**2 != positions:
        raise UserError(
            f"{transformer.path}: '{transformer.prefix}pos_emb' is for {positions} tokens, which "
            "fill no square."
        )
    width = transformer.shape("tok_emb.weight", 2)[1]
    refinement = parts.get("refinement")
    enlarges = refinement is not None and refinement.count("decoder.up.") > vqgan.count(
        "encoder.down."
    )
    preset = replace(
        PRESETS["places512" if enlarges else "places256"],
        token_width=width,
        token_layers=transformer.count("blocks."),
        token_heads=heads_of(width),
        partial="encoder.conv_in.conv.weight" in parts["decoder"].state,
        disc_width=0,
    )
    return _config(vqgan, grid, preset, refinement)


def heads_of(width: int) -> int:
    """Return the heads of a transformer of this width, which its tensors do not tell.

    16, as in all configs of the authors; fewer where a head would be narrower than 8 channels.

    >>> heads_of(1408), heads_of(48)
    (16, 4)
    """
    fitting = (heads for heads in (16, 8, 4, 2) if width % heads == 0 and width // heads >= 8)
    return next(fitting, 1)


def _config(
    vqgan: ForeignNetwork, grid: int, preset: LatentConfig, refinement: ForeignNetwork | None = None
) -> LatentConfig:
    """Return `preset` with the sizes of a VQGAN, for `grid` tokens along a side."""
    width, channels = vqgan.shape("encoder.conv_in.weight")[:2]
    codes, embed_dim = vqgan.shape("quantize.embedding.weight", 2)
    multipliers = _multipliers(vqgan, "encoder.down.", width)
    side = grid << (len(multipliers) - 1)
    attended = (
        level
        for level in range(len(multipliers))
        if f"encoder.down.{level}.attn.0.norm.weight" in vqgan.state
    )
    try:
        return replace(
            preset,
            channels=channels,
            width=width,
            multipliers=multipliers,
            blocks=vqgan.count("encoder.down.0.block."),
            attention=tuple(side >> level for level in attended),
            latent_channels=vqgan.shape("encoder.conv_out.weight")[0],
            embed_dim=embed_dim,
            codes=codes,
            codebook="gradient",
            norm_groups=GROUPS,
            **_finer(refinement, multipliers, side),
        )
    except UserError as error:
        raise UserError(f"{vqgan.path}: {error}") from error


def _finer(refinement: ForeignNetwork | None, coarse: tuple[int, ...], side: int) -> dict[str, Any]:
    """Return the fields of the config that tell whether there is a refinement, and how large."""
    if refinement is None:
        return {"size": side, "refinement": False}
    width = refinement.shape("encoder.conv_in.weight")[0]
    multipliers = _multipliers(refinement, "decoder.up.", width)
    more = len(multipliers) - len(coarse)
    return {
        "size": side << max(more, 0),
        "coarse_size": side if more > 0 else 0,
        "refinement": True,
        "refinement_multipliers": () if multipliers == coarse else multipliers,
    }


def _multipliers(part: ForeignNetwork, levels: str, width: int) -> tuple[int, ...]:
    """Return the widths of the levels whose names begin with `levels` over `width`."""
    count = max(part.count(levels), 1)  # without any, the first is missing
    names = [f"{levels}{level}.block.0.conv2.weight" for level in range(count)]
    widths = [part.shape(name)[0] for name in names]
    for name, channels in zip(names, widths, strict=True):
        if channels % width:
            raise UserError(
                f"{part.path}: '{part.prefix}{name}' has {channels} channels, not a multiple of "
                f"{width}."
            )
    return tuple(channels // width for channels in widths)


def fill(model: nn.Module, parts: Iterable[ForeignNetwork]) -> None:
    """Give the children of `model` the tensors of these networks, in float32, without a copy.

    UserError for what is missing, misshapen or left over.
    """
    for part in parts:
        child = model.get_submodule(part.name)
        child.load_state_dict(_fitting(part, child.state_dict()), assign=True)


def _fitting(part: ForeignNetwork, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    where, prefix = part.path, part.prefix
    for name, tensor in expected.items():
        if name not in part.state:
            raise UserError(
                f"{where}: '{prefix}{name}' is missing; it should be {shape_text(tensor.shape)}."
            )
        stored = part.state[name]
        check_fit(stored, tensor, f"{where}: '{prefix}{name}'", "the other tensors ask")
        if not stored.is_meta and not torch.isfinite(stored).all():
            raise UserError(f"{where}: '{prefix}{name}' holds values that are no numbers.")
    surplus = sorted(part.state.keys() - expected.keys())
    if surplus:
        more = f" and {len(surplus) - 1} more" if len(surplus) > 1 else ""
        raise UserError(
            f"{where}: the {part.name} has no place for '{prefix}{surplus[0]}'{more}, by the sizes "
            "of the other tensors."
        )
    return {name: part.state[name].to(torch.float32) for name in expected}
