"""What may be asked of pictures that were made beforehand, and what means nothing for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.masks.sets import LARGEST_SIDE
from inpaint_cli.metrics.folders import CommonSize
from inpaint_cli.parsing import brief

OF_FOLDERS = ("reference", "resize", "crop", "unpaired")
"""Options that belong to folders of pictures alone."""
OF_MODELS = "belongs to models; folders of pictures are scored here."
"""Why an option is refused beside folders."""


@dataclass(frozen=True)
class FolderOptions:
    """Pictures made beforehand."""

    folders: tuple[Path, ...] = ()
    reference: Path | None = None
    masks: Path | None = None
    k: int | None = None
    """None = all that there are."""
    size: CommonSize = field(default_factory=CommonSize)
    unpaired: bool = False
    """Pictures of both sides do not pair."""


def folder_options(folders: tuple[Path, ...], options: Mapping[str, Any]) -> FolderOptions:
    """Return what was asked of folders. UserError for what means nothing with or without them."""
    if not folders:
        for name in OF_FOLDERS:
            if options.get(name) not in (None, False):
                raise UserError("belongs to folders of pictures; none is given.", setting=name)
        return FolderOptions()
    for name in ("data", "size", "temperature", "detail", "reconstruct"):
        if options.get(name):
            raise UserError(OF_MODELS, setting=name)
    size = CommonSize(*(_sides(options.get(name), name) for name in ("resize", "crop")))
    if size.resize and size.crop:
        raise UserError("give it or crop, not both.", setting="resize")
    paths = [options.get(name) for name in ("reference", "masks")]
    reference, masks = (None if path is None else Path(path) for path in paths)
    if masks is not None and not masks.is_dir():
        raise UserError(
            f"{masks}: no such folder. Masks of pictures made beforehand are a folder of files.",
            setting="masks",
        )
    unpaired = bool(options.get("unpaired"))
    return FolderOptions(folders, reference, masks, options.get("k"), size, unpaired)


def _sides(value: Any, name: str) -> tuple[int, int] | None:
    """Return (height, width) of one side or of both; UserError for what are none."""
    if value is None:
        return None
    sides = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2 or not all(type(s) is int and 1 <= s <= LARGEST_SIDE for s in sides):
        raise UserError(
            f"must be a side or (height, width), of 1 to {LARGEST_SIDE} pixels each, got "
            f"{brief(repr(value))}.",
            setting=name,
        )
    return sides
