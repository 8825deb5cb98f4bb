"""The head of a config.toml: what may stand there, and of which types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inpaint_cli.configuration import read_toml
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.parsing import brief

FORMAT = 1


def read(path: Path) -> dict[str, Any]:
    """Return what a config.toml says; UserError where its head cannot be."""
    file = read_toml(path)
    for name in file:
        if name not in HEAD:
            raise unknown_name(f"{path}: no setting", name, HEAD)
    for name, value in file.items():
        fits, wanted = HEAD[name]
        if not fits(value):
            raise UserError(f"{path}: {name} must be {wanted}, got '{brief(value)}'.")
    if file.get("format", FORMAT) != FORMAT:
        raise UserError(f"{path}: format {brief(file['format'])} is of another version of inpaint.")
    for stage, settings in file.get("config", {}).get("training", {}).items():
        if not isinstance(settings, dict):
            raise UserError(
                f"{path}: config.training.{stage} must be a table, got '{brief(settings)}'."
            )
    return file


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _is_config(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("training", {}), dict)


HEAD: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "format": (lambda value: type(value) is int, "a whole number"),
    "model": (_is_text, "a name"),
    "preset": (_is_text, "a name"),
    "data": (_is_list, "a list of strings"),
    "split_map": (_is_text, "a text such as 'extra=ignore'"),
    "seed": (_is_seed, "a whole number from 0 to 2^64 - 1"),
    "stages": (_is_list, "a list of strings"),
    "perceptual": (_is_text, "a name"),
    "from_weights": (_is_text, "the path of a weight file"),
    "from_weights_sha256": (_is_text, "a SHA-256"),
    "config": (_is_config, "a table, and its training too"),
}
"""What stands at the head of a config.toml: whether a value fits, and what it must be."""
