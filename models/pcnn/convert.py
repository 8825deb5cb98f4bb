"""Reads the authors' files: a folder with config.json and model.pt (a state dict)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from inpaint_cli.configuration import from_dict
from inpaint_cli.errors import UserError
from inpaint_cli.models.foreign import check_fit, read_state, shape_text, skeleton
from inpaint_cli.models.pcnn.config import PixelConfig
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.parsing import read_bytes

COLOURS = ("R", "G", "B")
OURS = {
    "size": "resize",
    "levels": "num_colors",
    "depth": "depth",
    "filters": "num_filters_prior",
    "cond_filters": "num_filters_cond",
    "kernel": "filter_size",
}
"""Our settings -> the authors' keys in config.json."""
WEIGHTS = {"alpha": "weight_cond_logits_loss", "beta": "weight_prior_logits_loss"}
"""Settings of the loss, which older files lack."""
MASKED = {"vertical_conv", "horizontal_conv", "horizontal_conv_2", "stacks_to_pixel_logits"}
"""The authors' layers that keep a mask beside their weight."""
TRAINING = {"batch_size": "batch_size", "epochs": "epochs", "lr": "lr"}


def convert(files: Sequence[Path]) -> PixelConstrainedCNN:
    """Return the model in the authors' folder, or in model.pt with config.json beside it.

    The state dict may also be a safetensors file. UserError tells what does not fit, by name and
    shape. Pickles are read with weights_only: nothing in them is executed.
    """
    config_path, weights_path = _locate(files)
    config = read_config(config_path)
    state = _unwrapped(read_state(weights_path), weights_path)
    if not any(name.startswith("prior_net.") for name in state):
        raise UserError(
            f"{weights_path}: no 'prior_net.' in it: an unconstrained model of the authors, which "
            'cannot complete images. Give one trained with "constrained": true.'
        )
    # Compared first: a config may ask for any number and width of layers.
    shapes = skeleton(lambda: PixelConstrainedCNN(config), len(state), config_path).state_dict()
    ours, left = translate(state, shapes, config.channels == 3, weights_path)
    model = PixelConstrainedCNN(config)
    _check_masks(left, model, weights_path)
    model.load_state_dict(ours)
    return model.eval()


def _unwrapped(state: Mapping[str, Tensor], where: Path) -> dict[str, Tensor]:
    """Return tensors by their names without what a trainer put before them, such as "model."."""
    beginnings = {head for name in state if (head := _before_the_network(name)) is not None}
    if len(beginnings) > 1:
        names = ", ".join(f"'{head}'" for head in sorted(beginnings))
        raise UserError(
            f"{where}: holds several networks, which begin with {names}. Save the one to use alone."
        )
    head = min(beginnings, default="")
    return {name.removeprefix(head): tensor for name, tensor in state.items()}


def _before_the_network(name: str) -> str | None:
    head, separator, _ = f".{name}".partition(".prior_net.")
    return f"{head[1:]}." * bool(head) if separator else None


def read_config(path: Path) -> PixelConfig:
    """Return our config for the authors' config.json."""
    try:
        theirs = json.loads(read_bytes(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}).") from error
    if not isinstance(theirs, dict):
        raise UserError(f"{path}: not a config.json of the authors (no table of settings).")
    if not theirs.get("constrained", True):
        raise UserError(f"{path}: an unconstrained model, which cannot complete images.")
    missing = [
        name for name in ("dataset", *OURS.values(), *TRAINING.values()) if name not in theirs
    ]
    if missing:
        raise UserError(f"{path}: not a config.json of the authors (missing '{missing[0]}').")
    training = {name: theirs[key] for name, key in TRAINING.items()}
    weights = {name: theirs[key] for name, key in WEIGHTS.items() if key in theirs}
    settings = {name: theirs[key] for name, key in OURS.items()}
    is_grey = theirs["dataset"] == "mnist" or bool(theirs.get("grayscale"))
    return from_dict(
        PixelConfig,
        {
            **settings,
            **weights,
            "channels": 1 if is_grey else 3,
            "training": {"pixels": {**training, "masks": "blobs"}},
        },
        str(path),
    )


def translate(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], rgb: bool, where: Path
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return our state dict for theirs, and the masks that are left.

    expected: our tensors, of which shape and type alone count. UserError for what is missing, left
    over or misshapen.
    """
    left = dict(state)
    ours: dict[str, Tensor] = {}
    for name, tensor in expected.items():
        parts = their_names(name, rgb)
        if name.endswith("num_batches_tracked") and parts[0] not in left:
            # Older files of the authors lack it.
            ours[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
            continue
        pieces = []
        wanted = tensor.chunk(len(parts)) if len(parts) > 1 else (tensor,)
        for part, like in zip(parts, wanted, strict=True):
            if part not in left:
                raise UserError(f"{where}: '{part}' is missing, shape {shape_text(like.shape)}.")
            check_fit(left[part], like, f"{where}: '{part}'", "the config asks")
            pieces.append(left.pop(part))
        ours[name] = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
    surplus = sorted(name for name, tensor in left.items() if not _is_mask(name, tensor, state))
    if surplus:
        raise UserError(f"{where}: {len(surplus)} tensors have no place, '{surplus[0]}' first.")
    return ours, left


def _is_mask(name: str, tensor: Tensor, state: Mapping[str, Tensor]) -> bool:
    """Return whether a tensor is in the place of a masked layer's mask, which its weight tells."""
    *layer, last = name.split(".")
    weight = state.get(".".join([*layer, "weight"]))
    has_mask = name.startswith("prior_net.") and not MASKED.isdisjoint(layer)
    return last == "mask" and has_mask and weight is not None and weight.shape == tensor.shape


def their_names(name: str, rgb: bool) -> list[str]:
    """Return the authors' entries that make up our entry `name`, in the order of their outputs."""
    part, *rest = name.split(".")
    if part == "cond":
        index, last = int(rest[1]), ".".join(rest[2:])
        return [f"cond_net.img_to_pixel_logits.{index}.{last}"]
    if rest[0] == "head":
        stem = "prior_net.stacks_to_pixel_logits"
        if not rgb:
            return [f"{stem}.{rest[2]}"]
        return [f"{stem}.{rest[1]}.conv_{colour}.{rest[2]}" for colour in COLOURS]
    layer, conv, last = int(rest[1]), rest[2], rest[3]
    stem = "prior_net." + ("input_to_stacks" if layer == 0 else f"gated_stacks.{layer - 1}")
    theirs = {
        "vertical": "vertical_conv",
        "vertical_to_horizontal": "vertical_to_horizontal",
        "horizontal": "horizontal_conv",
        "horizontal_out": "horizontal_conv_2",
    }[conv]
    if rgb and conv in ("horizontal", "horizontal_out"):
        return [f"{stem}.{theirs}.conv_{colour}.{last}" for colour in COLOURS]
    return [f"{stem}.{theirs}.{last}"]


def _check_masks(left: Mapping[str, Tensor], model: PixelConstrainedCNN, where: Path) -> None:
    """Compare the masks that the authors' files carry with what our layers see."""
    for name, mask in left.items():
        if name.endswith(".mask") and not torch.equal(mask.float(), our_mask(name, mask, model)):
            raise UserError(f"{where}: '{name}' is not the mask of this network's layer.")


def our_mask(name: str, like: Tensor, model: PixelConstrainedCNN) -> Tensor:
    """Return the mask that our layers apply where the authors keep `name`."""
    parts = name.split(".")
    colour = COLOURS.index(parts[-2][-1]) if parts[-2].startswith("conv_") else 0
    groups = model.channels
    if parts[1] == "stacks_to_pixel_logits":
        centre = model.prior.head[int(parts[2])].centre
        return centre.unflatten(0, (groups, -1))[colour].expand_as(like)  # type: ignore[operator,no-any-return]
    layer = 0 if parts[1] == "input_to_stacks" else int(parts[2]) + 1
    block = model.prior.blocks[layer]
    mask = torch.zeros_like(like, dtype=torch.float32)
    if "vertical_conv" in parts:
        mask[:, :, : block.vertical.rows] = 1  # type: ignore[union-attr]
        return mask
    reach = model.config.kernel // 2
    conv = block.horizontal if "horizontal_conv" in parts else block.horizontal_out
    centre = conv.centre.unflatten(0, (groups, -1))[colour]  # type: ignore[union-attr,operator]
    if "horizontal_conv_2" in parts:
        return centre  # type: ignore[no-any-return]
    mask[..., :reach] = 1
    mask[..., reach : reach + 1] = centre
    return mask


def _locate(files: Sequence[Path]) -> tuple[Path, Path]:
    """Return (config.json, state dict) from what the user named."""
    config, weights = None, None
    named = [path for path in files if not path.is_dir() and path.suffix != ".json"]
    if len(named) > 1:
        raise UserError(f"pcnn: give one file of weights, got {len(named)}.", setting="from")
    for path in files:
        if path.is_dir():
            config = config or path / "config.json"
            weights = weights or (None if named else _in_folder(path))
        elif path.suffix == ".json":
            config = path
        else:
            weights = path
    if weights is None and config is not None:
        return _locate([config.parent, config])
    if weights is None:
        raise UserError("pcnn: give the authors' folder, or its model.pt.", setting="from")
    config = config or weights.parent / "config.json"
    for path in (config, weights):
        if not path.is_file():
            raise UserError(
                f"{path}: no such file. The authors' folder holds config.json and model.pt."
            )
    return config, weights


def _in_folder(folder: Path) -> Path:
    """Return the state dict in a folder: model.pt, or the one that training wrote so far."""
    usual = folder / "model.pt"
    if usual.is_file():
        return usual
    epochs = sorted(folder.glob("model*.pt"))
    if len(epochs) > 1:
        raise UserError(f"{folder}: {len(epochs)} files model*.pt in it; name the one you want.")
    stored = [*epochs, folder / "model.safetensors"]
    return next((path for path in stored if path.is_file()), usual)
