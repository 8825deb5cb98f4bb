"""Weights of vision transformers, from files of other projects: LAYOUT=FILE."""

from __future__ import annotations

from pathlib import Path

from inpaint_cli.errors import UserError
from inpaint_cli.models.foreign import read_state
from inpaint_cli.models.vision_transformer import VisionTransformer, layout_named, load
from inpaint_cli.weights import hash_of


def split(choice: str) -> tuple[str, Path] | None:
    """Return layout and file of "LAYOUT=FILE"; None for anything else.

    >>> split("vit_small_patch14_dinov2.lvd142m=a/b.pth")[0], split("classifier-mnist")
    ('vit_small_patch14_dinov2', None)
    """
    name, given, file = choice.partition("=")
    layout = layout_named(name)
    return (layout, Path(file)) if given and layout else None


def network_of(layout: str, path: Path, setting: str) -> tuple[VisionTransformer, str, str]:
    """Return the network, the name that figures carry, and the SHA-256 of its file.

    UserError where there is no file, or where it does not fit; nothing in it is executed.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file.", setting=setting)
    return load(read_state(path), layout, str(path)), path.stem, hash_of(path)
