"""Which completion belongs to which original: by name, never by the order of a folder.

Pictures of any tool in one folder and originals in another, or the results of `inpaint complete`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.metrics.folders import FilesTarget, Fit, Hole, Pair
from inpaint_cli.photos.pairing import SUFFIXES
from inpaint_cli.photos.record import NAME as RECORD
from inpaint_cli.photos.record import Record

SHOWN = 3
"""So many names stand in a message."""


def by_name(folder: Path) -> dict[str, Path]:
    """Gives the pictures of a folder and the folders in it, by path without suffix.

    The suffix begins at the last dot. UserError where there are none, or two of one name.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder.")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = inner.with_suffix("").as_posix()
        if name in found:
            raise UserError(
                f"{folder}: {found[name].name} and {path.name} have one name. Pictures are paired "
                "by name: keep one of them."
            )
        found[name] = path
    if not found:
        raise UserError(f"{folder}: no pictures in this folder.")
    return found


def target_of(
    folder: Path,
    reference: Path | None,
    masks: Path | None,
    k: int | None,
    fit: Fit,
    limit: int | None = None,
) -> FilesTarget:
    """Gives the target of a folder of pictures, or of the results of `inpaint complete`.

    reference: the originals; None = those that the record names. masks: white = hidden, named as
    the originals. k: take the first k completions of each. UserError for anything that does not
    pair.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder.")
    if (folder / RECORD).is_file():
        pairs, made = of_record(folder, reference, masks)
    elif reference is None:
        raise UserError(
            f"{folder}: holds no {RECORD}, so the originals are unknown. Add --reference DIR."
        )
    else:
        pairs, made = of_folder(folder, reference, masks), {}
    counts = {len(pair.completions) for pair in pairs}
    wanted = k or max(counts)
    short = next((pair for pair in pairs if len(pair.completions) < wanted), None)
    if short:
        least = min(counts)
        raise UserError(
            f"{folder}: {short.id} has {len(short.completions)} completions, not {wanted}. Every "
            f"image needs as many: -k {least} takes the first {least} of each."
        )
    cut = [Pair(p.id, p.truth, p.completions[:wanted], p.hole) for p in pairs]
    return FilesTarget(folder.name or str(folder), cut[:limit], fit, made)


def of_folder(folder: Path, reference: Path, masks: Path | None) -> list[Pair]:
    """Pairs NAME, or NAME-0, NAME-1 ..., with NAME of the reference folder."""
    originals, found = by_name(reference), by_name(folder)
    holes = None if masks is None else by_name(masks)
    pairs, used = [], set[str]()
    for name, truth in originals.items():
        own = [name] if name in found else list(_numbered(name, found))
        used.update(own)
        hole = None if holes is None else _mask_for(name, holes, masks)
        pairs.append(Pair(name, truth, tuple(found[n] for n in own), hole))
    missing = [pair.id for pair in pairs if not pair.completions]
    left = sorted(found.keys() - used)
    for what, names, there in (
        ("lacks a picture for", missing, reference),
        ("holds pictures without an original:", left, reference),
    ):
        if names:
            raise UserError(
                f"{folder}: {what} {_some(names)} (originals: {there}). Pictures are paired by "
                "name, all of them."
            )
    return pairs


def _numbered(name: str, found: Mapping[str, Path]) -> Iterator[str]:
    number = 0
    while f"{name}-{number}" in found:
        yield f"{name}-{number}"
        number += 1


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _mask_for(name: str, holes: Mapping[str, Path], masks: Path | None) -> Hole:
    for wanted in (name, f"{name}_mask"):
        if wanted in holes:
            return Hole(holes[wanted])
    raise UserError(f"{masks}: no mask for {name} (looked for {name}.png, {name}_mask.png).")


def of_record(
    folder: Path, reference: Path | None, masks: Path | None
) -> tuple[list[Pair], dict[str, Any]]:
    """Gives the pairs that completions.json lists, and how they were made."""
    items = Record.of(folder, overwrite=False).items
    if not items:
        raise UserError(f"{folder / RECORD}: lists no completions.")
    originals = None if reference is None else by_name(reference)
    holes = None if masks is None else by_name(masks)
    pairs = []
    for item in items:
        image = Path(str(item.get("image")))
        truth = image if originals is None else originals.get(image.stem)
        if truth is None or not truth.is_file():
            where = reference or "where the record says"
            raise UserError(f"{image}: its original is not in {where}. Give --reference DIR.")
        lines = sorted(item["completions"], key=lambda line: line.get("index", 0))
        files = tuple(folder / line["file"] for line in lines)
        hole = hole_of_fields(item.get("hole") or {}) if holes is None else _mask_for(
            image.stem, holes, masks
        )  # fmt: skip
        pairs.append(Pair(_stem_of(lines[0]["file"]), truth, files, hole))
    made = {key: items[0].get(key) for key in ("model", "weights_sha256", "options")}
    same = all({key: item.get(key) for key in made} == made for item in items)
    if not same:
        made = {"model": "several", "weights_sha256": None, "options": {}}
    return pairs, {**made, "seed": items[0]["completions"][0].get("seed")}


def _stem_of(file: str) -> str:
    return re.sub(r"-\d+$", "", Path(file).with_suffix("").as_posix())


def hole_of_fields(hole: Mapping[str, Any]) -> Hole | None:
    """Return the hole of a record; None where it needs more than a mask file and boxes."""
    mask = hole.get("mask")
    boxes = tuple(",".join(map(str, box)) for box in hole.get("boxes", ()))
    if hole.get("kind") or hole.get("alpha") or not (mask or boxes):
        return None
    return Hole(Path(mask) if mask else None, boxes, hole["invert"], hole["grow"])


def hole_of(label: str) -> Hole | None:
    """Gives the hole that a record's words describe; None where they name no file or box.

    >>> hole_of("box 10,20,5,5 + grown by 2")
    Hole(mask=None, boxes=('10,20,5,5',), invert=False, grow=2)
    >>> hole_of("freeform") is None
    True
    """
    mask, boxes, invert, grow = None, list[str](), False, 0
    for part in label.split(" + "):
        name = part.removesuffix(", inverted")
        if part.startswith("box "):
            boxes.append(part.removeprefix("box "))
        elif re.fullmatch(r"grown by \d+", part):
            grow = int(part.split()[-1])
        elif Path(name).is_file():
            mask, invert = Path(name), part != name
        else:
            return None
    return Hole(mask, tuple(boxes), invert, grow) if mask or boxes else None
