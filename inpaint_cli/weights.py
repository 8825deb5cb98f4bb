"""Our weight files: safetensors with a header that says which family and config they are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_cli import building, models, tensors
from inpaint_cli.configuration import from_dict, to_dict
from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.family import Config, Family, Model
from inpaint_cli.files import check_utf8
from inpaint_cli.files import hash_of as hash_of
from inpaint_cli.parsing import brief, json_of

if TYPE_CHECKING:
    import torch

FORMAT = "1"
CLASSES = "class_names"
"""In the header of a classifier: the names of its classes, a JSON list in the order of its outputs.
Files of earlier versions do not have it."""
OWN_PRESET = "own"
"""In the header of a model whose config is none of its family's presets."""


def save_weights(
    path: Path,
    model: Model,
    *,
    family: str,
    preset: str,
    dtype: torch.dtype | None = None,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write the model's state to `path`, its matrices as `dtype` (default: as they are).

    Vectors (biases, statistics) stay as they are: they weigh nothing and may not fit float16.
    extra: further header strings, such as the stage that was trained.
    """
    cast_tensors = {}
    for name, tensor in model.state_dict().items():  # type: ignore[attr-defined]
        cast = dtype is not None and tensor.is_floating_point() and tensor.ndim > 1
        cast_tensors[name] = tensor.detach().to("cpu", dtype if cast else tensor.dtype).contiguous()
    header = {
        "family": family,
        "preset": preset,
        "config": json.dumps(to_dict(model.config)),
        "format": FORMAT,
        **(extra or {}),
    }
    check_utf8(path)
    tensors.save(path, cast_tensors, header)


def read_header(path: Path) -> dict[str, str]:
    """Return the header of one of our weight files. UserError if it is not one."""
    header, _ = _inspect(path)
    if header.get("format", FORMAT) != FORMAT and "family" in header:
        raise UserError(
            f"{path}: a model of another version of inpaint (format {header['format']}, "
            f"and this one reads {FORMAT}). Use that version, or train it anew."
        )
    if "progress" in header and "family" not in header:
        raise UserError(
            f"{path}: a checkpoint, from which its run is resumed, and no model. Give the folder "
            f"of the run, or {path.stem.rpartition('-')[0]}-best.safetensors beside it."
        )
    if header.get("format") != FORMAT or "family" not in header or "config" not in header:
        raise UserError(
            f"{path}: a safetensors file, but not a model of inpaint (its header names no family). "
            "Files of the papers' authors are read with 'inpaint convert'."
        )
    return header


def class_names_of(header: Mapping[str, str], path: Path) -> tuple[str, ...]:
    """Return the names of the classes that a header says, in their order; () where it says none."""
    names = json_of(header.get(CLASSES, "[]"), f"{path}: {CLASSES}")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: {CLASSES}: must be a list of names.")
    return tuple(names)


def load_weights(path: Path) -> Model:
    """Build the model that `path` describes and load its weights, strictly, in float32 eval mode.

    UserError for files that are damaged, foreign, or do not fit; nothing in them is ever executed.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = read_header(path)
    config = read_config(header, path)
    family = models.get(header["family"])
    _check_fit(path, family, config)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(_not_ours(path, error)) from error
    for name, tensor in state.items():  # one by one: together they would be held twice
        held = tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        if not torch.isfinite(held).all():
            raise UserError(f"{path}: {name} holds values that are no numbers; it is damaged.")
    tensors.check(path)
    # The weights that it starts from are random, but no business of the caller's generator.
    with torch.random.fork_rng(devices=[]):
        model = family.build(config)
    model.load_state_dict(state)  # type: ignore[attr-defined]
    model.eval()  # type: ignore[attr-defined]
    return model


def read_config(header: Mapping[str, str], path: Path) -> Config:
    """Return the config inside a header; UserError where it does not fit its family."""
    name = header["family"]
    if name not in models.FAMILIES or not models.get(name).stage_names:
        raise UserError(f"{path}: a model of '{name}', a family that this version does not know.")
    kind = type(next(iter(models.get(name).presets.values())))
    return from_dict(kind, json_of(header["config"], f"{path}: config"), f"{path}: config")


def _inspect(path: Path) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Return header and shapes of a safetensors file, without its values."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"{path}: no such file.")
    check_utf8(path)
    try:
        # As numpy: for torch, that would be loaded, and shapes need none.
        with safe_open(path, framework="numpy") as handle:
            shapes = {name: handle.get_slice(name).get_shape() for name in handle.keys()}  # noqa: SIM118
            return dict(handle.metadata() or {}), shapes
    except (SafetensorError, OSError) as error:
        raise UserError(_not_ours(path, error)) from error


def _check_fit(path: Path, family: Family, config: Config) -> None:
    """Compare the file's shapes with those of its config before anything is allocated."""
    import torch

    _, shapes = _inspect(path)
    count = sum(math.prod(shape) for shape in shapes.values())
    # A network without room in the file; the building itself might take for ever.
    for name, value in to_dict(config).items():
        if isinstance(value, int) and value > max(count, 4096):
            raise UserError(f"{path}: its config is damaged ({name} = {value}).")
    try:
        with torch.device("meta"), building.at_most(building.parts_for(len(shapes))):
            expected = family.build(config).state_dict()  # type: ignore[attr-defined]
    except PlainError as error:
        raise UserError(f"{path}: its config {error}") from error
    except MemoryError:
        raise
    # What a network is made of checks its settings in its own ways.
    except Exception as error:
        raise UserError(f"{path}: its config describes no network ({brief(error)}).") from error
    wrong = sorted(expected.keys() ^ shapes.keys()) + sorted(
        n for n in expected.keys() & shapes.keys() if list(expected[n].shape) != shapes[n]
    )
    if wrong:
        raise UserError(
            f"{path}: {len(wrong)} tensors do not fit its own config, {wrong[0]} first. "
            "The file is damaged, or of another version of inpaint."
        )


def preset_of(family: Family, config: Config) -> str:
    """Return the name of the preset that describes the same network; OWN_PRESET if none does."""
    for name, preset in family.presets.items():
        if network_of(preset) == network_of(config):
            return name
    return OWN_PRESET


def network_of(config: Config) -> dict[str, object]:
    """Return the settings of the network alone, without those of its training."""
    return {**to_dict(config), "training": None}


def _not_ours(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{path}: cannot be read ({error.strerror})."
    with path.open("rb") as handle:
        start = handle.read(9)
    # A safetensors file may begin like a pickle, with the length of its header, but not go on so.
    is_pickle = start[:1] == b"\x80" and start[8:] != b"{"
    if start[:2] == b"PK" or is_pickle:
        return (
            f"{path}: a PyTorch pickle, which could run code when loaded, so it is refused. Files "
            "of the papers' authors are read safely with 'inpaint convert --from LAYOUT FILE'."
        )
    return f"{path}: not a weight file of inpaint, or damaged ({error})."
