"""The weights that ship: NAME.safetensors beside NAME.toml, the card; and how a model is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint_cli import models, weights
from inpaint_cli.configuration import read_toml
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.weights import hash_of

FOLDER = Path(__file__).parent
DEFAULT = "latent-codes-photos64"
"""The model that completes where none is named: the best one that ships."""

FOR_PHOTOS = ("pcnn-photos32", "ipa-photos64", "picme-photos64")
"""What a family's name means where several of its models ship: the one that takes any photo."""


@dataclass(frozen=True)
class Entry:
    """One model of the zoo."""

    name: str
    weights: Path
    card: Mapping[str, Any]


def entries() -> list[Entry]:
    """Return the models that ship, by name."""
    return [
        Entry(path.stem, path.with_suffix(".safetensors"), read_toml(path))
        for path in sorted(FOLDER.glob("*.toml"))
    ]


def problem(entry: Entry) -> str | None:
    """Return what is wrong with the weight file of an entry, if anything is; reads it all."""
    card, path = entry.card, entry.weights
    expected = f"{card['size']} bytes, SHA-256 {card['sha256']}"
    if not path.is_file():
        return f"{path}: missing. Expected there: {expected}."
    if path.stat().st_size != card["size"] or hash_of(path) != card["sha256"]:
        return f"{path}: not the file that its card describes ({expected})."
    return None


def calibration_of(name: str) -> Path | None:
    """Return the calibration that ships for a model of the zoo, if one does."""
    files = FOLDER.glob("*.calibration.json")  # since `name` may be a command, and no file's name
    return next((path for path in files if path.name == f"{name}.calibration.json"), None)


def ood_reference_of(name: str) -> Path | None:
    """Return the reference of `inpaint ood` that ships for a model of the zoo, if one does."""
    path = FOLDER / f"{name}.ood.safetensors"
    return path if path.is_file() else None


def class_names_of(path: Path) -> tuple[str, ...]:
    """Return the names of the classes that a classifier's file tells apart, in their order.

    The file says them, or the card if it ships; () where neither does.
    """
    names = weights.class_names_of(weights.read_header(path), path)
    card = path.with_suffix(".toml")
    if names or path.parent != FOLDER or not card.is_file():
        return names
    return tuple(read_toml(card).get("classes", ()))


def whole(path: Path) -> str:
    """Return the SHA-256 of a weight file; UserError if it ships, and its card says another."""
    digest = hash_of(path)
    if path.parent == FOLDER and path.with_suffix(".toml").is_file():
        expected = read_toml(path.with_suffix(".toml")).get("sha256")
        if digest != expected:
            raise UserError(
                f"{path}: damaged: its SHA-256 is {digest[:12]}..., that of its card "
                f"{str(expected)[:12]}.... Install inpaint again."
            )
    return digest


def find(name_or_path: str, setting: str = "model", *, for_completion: bool = False) -> Path | str:
    """Return the weight file of a model, run folder or file; the name of a family without weights.

    A name of the zoo wins over a file of that name in the current folder; ./NAME means the file.
    UserError about `setting` where there is nothing, with the nearest name; for_completion: of
    those that complete and need no training first.
    """
    named = {entry.name: entry for entry in entries()}
    if name_or_path in named:
        if not named[name_or_path].weights.is_file():
            raise UserError(f"{problem(named[name_or_path])}", setting=setting)
        return named[name_or_path].weights
    if name_or_path in models.FAMILIES:
        return _of_family(name_or_path, named, setting)
    path = Path(name_or_path)
    if path.is_dir():
        weights = path / "model.safetensors"
        if not weights.is_file():
            is_run = (path / "config.toml").is_file()
            why = "this run has not saved a model yet" if is_run else "give the folder of a run"
            raise UserError(f"{path} holds no model.safetensors: {why}.", setting=setting)
        return weights
    if path.is_file():
        return path
    if path.suffix or "/" in name_or_path or len(path.parts) > 1:
        raise UserError(f"{path}: no such file or folder.", setting=setting)
    raise unknown_name(
        "no model",
        name_or_path,
        completing(named) if for_completion else [*named, *models.FAMILIES],
        "'inpaint models' lists all.",
        setting=setting,
    )


def completing(named: Mapping[str, Entry]) -> list[str]:
    """Return the names of models and families that complete photos as they ship."""
    families = {name: entry.card.get("family") for name, entry in named.items()}
    ready = [
        name
        for name in models.usable()
        if models.get(name).completes
        and (not models.get(name).stage_names or name in families.values())
    ]
    return [name for name, family in families.items() if family in ready] + ready


def _of_family(name: str, named: Mapping[str, Entry], setting: str) -> Path | str:
    if not models.get(name).stage_names:
        return name
    # By the card, not by the start of the name: "ipa" is not the family of "ipa-r-faces".
    ships = sorted(entry.name for entry in named.values() if entry.card.get("family") == name)
    for preferred in (DEFAULT, *FOR_PHOTOS):
        if preferred in ships:
            return named[preferred].weights
    if not ships:
        raise UserError(
            f"no weights of '{name}' ship. Train some with 'inpaint train --model {name}', then "
            "give the run folder.",
            setting=setting,
        )
    return named[ships[0]].weights
