"""Weight files of other programs, read without executing anything in them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.parsing import brief

INERT = ("pytorch_lightning", "lightning", "lightning_fabric", "omegaconf", "argparse", "numpy")
"""Packages whose objects training checkpoints carry beside their weights; never imported here."""
PICKLE = b"\x80"
"""The first byte of a bare pickle."""


class Inert:
    """Stands for an unwanted object of a checkpoint: does nothing, keeps nothing."""

    def __new__(cls, *arguments: object) -> Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file or of a PyTorch file, by name, on the CPU.

    A training checkpoint gives its `state_dict` alone. Tensors stay on the disk until they are
    used, where the format allows it. UserError for files that are damaged or hold code.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder. Give the files in it.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    content = _unpickled(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{path}: not a state dict (names to tensors).")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{path}: not a state dict (names to tensors): {name!r} is no tensor.")
    return dict(content)


def shape_text(tensor: Tensor) -> str:
    """Return a shape as people read it.

    >>> shape_text(torch.zeros(4, 3)), shape_text(torch.tensor(1))
    ('4x3', 'one number')
    """
    return "x".join(map(str, tensor.shape)) or "one number"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: damaged, or not a safetensors file ({error}).") from error


def _unpickled(path: Path) -> Any:
    mapped = zipfile.is_zipfile(path)  # files from before 2020 are bare pickles
    try:
        objects = torch.serialization.get_unsafe_globals_in_checkpoint(path) if mapped else []
        inert: list[Any] = [(Inert, name) for name in objects if name.split(".")[0] in INERT]
        with torch.serialization.safe_globals(inert):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        with path.open("rb") as handle:
            if not mapped and handle.read(1) != PICKLE:
                raise UserError(f"{path}: damaged, or not a PyTorch file.") from error
        raise UserError(
            f"{path}: refused: it holds more than tensors, which could run code when loaded. Save "
            "its state_dict() alone."
        ) from error
    except MemoryError:
        raise
    # Of damaged files torch raises what comes: AssertionError, RuntimeError, LookupError, ...
    except Exception as error:
        raise UserError(f"{path}: damaged, or not a PyTorch file ({brief(error, 200)}).") from error
