"""Which files belong together: originals, their completions and holes, by name or as recorded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.files import hash_of, resolved
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.photos.holes import HoleSource, source_of
from inpaint_cli.photos.listing import MASK_NAME, SUFFIXES, masks_among
from inpaint_cli.photos.pairing import composed
from inpaint_cli.photos.record import NAME as RECORD
from inpaint_cli.photos.record import Record
from inpaint_cli.pictures.reading import look
from inpaint_cli.reporting import Reporter

WAYS = {"hole": ("hole", "mask"), "model": ("model", "weights_sha256"), "options": ("options",)}
"""In what completions of one photo may differ, so that they are none of one forecast."""


@dataclass(frozen=True)
class PictureHole:
    """The hole of one picture, and what it is drawn from."""

    source: HoleSource
    picture: Path
    """The original, whose own transparency or colour may be the hole."""
    seed: int = 0
    model_size: int = 0
    number: int = 0
    """The place in a set of masks."""

    def visible(
        self,
        height: int,
        width: int,
        *,
        own_size: bool = False,
        reporter: Reporter | None = None,
    ) -> Mask:
        """Return bool [height, width], True = visible; UserError for a mask of another size.

        own_size: a mask file that nothing was done to is returned at the size that it has.
        """
        size, mask = (height, width), self.source.path
        if own_size and mask is not None and self.source == HoleSource(mask, resize=None):
            seen = look(mask)
            size = seen.height, seen.width
        return self.source.visible(
            self.picture,
            mask,
            size,
            model_size=self.model_size,
            seed=self.seed,
            reporter=reporter,
            number=self.number,
            check=False,
        )

    @property
    def files(self) -> list[Path]:
        """The files that it is read from, beside the picture."""
        return [path for path in (self.source.path, self.source.painted) if path is not None]


def completed(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an item for each photo, its completions as they were drawn, those of all seeds.

    Of whole photos that were given back only if there are no others. UserError for a photo that was
    completed in two ways: it would count twice.

    >>> one, two = ({"image": "a", "completions": [{"file": f}]} for f in ("a-0", "a-s7-0"))
    >>> completed([one, two, {**one, "options": {"reconstruct": True}}])
    [{'image': 'a', 'completions': [{'file': 'a-0'}, {'file': 'a-s7-0'}]}]
    """
    kept = [item for item in items if not (item.get("options") or {}).get("reconstruct")]
    photos: dict[str, dict[str, Any]] = {}
    for item in kept or items:
        lines = sorted(item["completions"], key=lambda line: line.get("index", 0))
        first = photos.setdefault(str(item.get("image")), {**item, "completions": []})
        for what, keys in WAYS.items():
            if any(item.get(key) != first.get(key) for key in keys):
                files = f"{first['completions'][0]['file']} and {lines[0]['file']}"
                raise UserError(
                    f"{item.get('image')}: {files} differ in {what}, and a photo counts once. "
                    "Complete it into folders of their own, and score each."
                )
        first["completions"] += lines
    return list(photos.values())


def hole_of(item: Mapping[str, Any], picture: Path) -> PictureHole | None:
    """Return the hole of an item of completions.json; None where it cannot be drawn again.

    picture: the original.

    >>> photo = Path("photo.png")
    >>> hole = hole_of({"hole": {"mask": None, "boxes": [[1, 0, 2, 1]]}}, photo)
    >>> hole.visible(1, 4).tolist()
    [[True, False, False, True]]
    >>> hole_of({"hole": {"mask": "gone.png"}}, photo) is None
    True
    """
    fields = item.get("hole") or {}
    source = source_of(fields)
    seed, size, number = (fields.get(name) for name in ("seed", "model_size", "number"))
    if source.everything or source == HoleSource(resize=source.resize):
        return None
    # Records from before the scale of a drawn mask and the place in a set were kept lack them.
    if source.kind is not None and (
        seed is None or (masks.parse(source.kind).absolute and size is None)
    ):
        return None
    if source.path is not None and source.path.suffix == ".npz" and number is None:
        return None
    hole = PictureHole(source, picture, seed or 0, size or 0, number or 0)
    return hole if all(path.is_file() for path in hole.files) else None


SHOWN = 3
"""So many names stand in a message."""


@dataclass(frozen=True)
class Pair:
    """One original with its completions, in files."""

    id: str
    truth: Path
    completions: tuple[Path, ...]
    hole: PictureHole | None = None


def by_name(folder: Path, *, masks: bool = False) -> dict[str, Path]:
    """Return the pictures of a folder and the folders in it, by path without suffix.

    The suffix begins at the last dot. UserError where there are none, or two of one name. Names
    are as every system but macOS writes them.
    """
    pictures: dict[str, Path] = {}
    for path in pictures_in(folder, masks=masks):
        name = composed(path.relative_to(folder).with_suffix("").as_posix())
        if name in pictures:
            raise UserError(
                f"{folder}: {pictures[name].name} and {path.name} have one name. Keep one of "
                "them: pictures are paired by name."
            )
        pictures[name] = path
    return pictures


def names_of(folders: Sequence[Path]) -> list[str]:
    """Return what reports call folders: by their last part, or by their path where two share it.

    >>> names_of([Path("a/out"), Path("b/out"), Path("b/other")])
    ['a/out', 'b/out', 'other']
    """
    last = [folder.name or str(folder) for folder in folders]
    return [
        name if last.count(name) == 1 else folder.as_posix()
        for name, folder in zip(last, folders, strict=True)
    ]


def check_folder(folder: Path) -> None:
    """Raise UserError for what is no folder."""
    if folder.is_file():
        raise UserError(f"{folder}: a file, and a folder of pictures is needed. Unpack archives.")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder.")


def pictures_in(folder: Path, *, masks: bool = False) -> list[Path]:
    """Return the pictures of a folder and the folders in it, by path; UserError for none.

    Masks that lie beside their pictures (`cat_mask.png` beside `cat.png`) are left out, unless
    `masks`.
    """
    check_folder(folder)
    pictures = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in SUFFIXES and path.is_file():
            pictures.append(path)
    if not pictures:
        raise UserError(f"{folder}: no pictures in this folder.")
    beside = set() if masks else masks_among(pictures)
    return [path for path in pictures if path not in beside]


def _holes_in(masks: Path, reference: Path | None) -> dict[str, Path]:
    """Return the masks of a folder by name; of one that holds the originals too, those so named."""
    files = by_name(masks, masks=True)
    if reference is None or resolved(masks) != resolved(reference):
        return files
    named = masks_among(files.values())
    return {name: path for name, path in files.items() if path in named}


def of_folder(folder: Path, reference: Path, masks: Path | None) -> list[Pair]:
    """Pair NAME, or NAME-0, NAME-1 ..., with NAME of the reference folder."""
    originals, pictures = by_name(reference), by_name(folder)
    holes = None if masks is None else _holes_in(masks, reference)
    pairs, used = [], set[str]()
    for name, truth in originals.items():
        numbered = [other for other in _numbered(name, pictures) if other not in originals]
        names = [name] if name in pictures else numbered
        used.update(names)
        mask = None if holes is None else _mask_for([name], holes, masks, originals)
        hole = None if mask is None else PictureHole(HoleSource(mask, resize=None), truth)
        pairs.append(Pair(name, truth, tuple(pictures[n] for n in names), hole))
    missing = [pair.id for pair in pairs if not pair.completions]
    left = sorted(pictures.keys() - used)
    gap = any(re.sub(r"-\d+$", "", name) in originals for name in left)
    numbers = " Numbers of completions begin at 0 and leave none out." if gap else ""
    for what, names, there in (
        ("lacks a picture for", missing, reference),
        ("holds pictures without an original:", left, reference),
    ):
        if names:
            raise UserError(
                f"{folder}: {what} {_some(names)} (originals: {there}).{numbers} Pictures are "
                "paired by name, all of them; with the setting unpaired both are compared as sets."
            )
    return pairs


def _numbered(name: str, pictures: Mapping[str, Path]) -> Iterator[str]:
    number = 0
    while f"{name}-{number}" in pictures:
        yield f"{name}-{number}"
        number += 1


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _mask_for(
    names: Sequence[str],
    holes: Mapping[str, Path],
    masks: Path | None,
    originals: Collection[str] = (),
) -> Path:
    """Return the mask of the first name that has one: NAME, NAME_mask, NAME-mask, NAME_mask001.

    originals: names of other pictures, whose masks are their own. UserError for none, or several.
    """
    for name in map(composed, names):
        masks_of_it = [holes[name]] if name in holes else []
        masks_of_it += [
            path
            for other, path in holes.items()
            if other.startswith(name)
            and other not in originals
            and (match := MASK_NAME.fullmatch(other))
            and match[1] == name
        ]
        if len(masks_of_it) > 1:
            files = " and ".join(path.name for path in masks_of_it[:2])
            raise UserError(f"{masks}: {files} are both masks of {name}. Keep one of them.")
        if masks_of_it:
            return masks_of_it[0]
    name = names[-1]
    raise UserError(f"{masks}: no mask for {name} (looked for {name}.png, {name}_mask.png).")


def items_of(folder: Path) -> list[dict[str, Any]]:
    """Return what completions.json lists, an item for each photo; UserError for nothing."""
    record = Record.of(folder, overwrite=True)  # one that is not ours lists nothing
    items = [] if record.damaged else completed(record.items)
    if not items:
        what = "damaged" if record.damaged else "lists no completions that are read here"
        raise UserError(f"{record.path}: {what}. Complete the photos again.")
    return items


def _missing_original(image: Path, reference: Path | None) -> UserError:
    """Return the error for an original that is not where its record or the reference has it."""
    if reference is not None:
        return UserError(f"{image}: its original is not in {reference}.", setting="reference")
    return UserError(
        f"{image}: the original that the record names is not there, as seen from this folder. Go "
        "to where it was completed, or give the folder of originals with the setting reference."
    )


def of_record(
    folder: Path, reference: Path | None, masks: Path | None
) -> tuple[list[Pair], dict[str, Any]]:
    """Return the pairs that completions.json lists, and how they were made."""
    items = items_of(folder)
    originals = None if reference is None else by_name(reference)
    holes = None if masks is None else _holes_in(masks, reference)
    pairs = []
    for item in items:
        image, lines = Path(str(item.get("image"))), item["completions"]
        if (item.get("hole") or {}).get("extend"):
            raise UserError(
                f"{image}: its canvas grew, and no original shows what was filled in there. With "
                "the setting unpaired both are compared as sets."
            )
        # As in the folder of photos, else at the top.
        names = [Path(lines[0]["file"]).with_name(image.stem).as_posix(), image.stem]
        original: Path | None = image
        if originals is not None:
            original = next((originals[n] for n in map(composed, names) if n in originals), None)
        if original is None or not original.is_file():
            raise _missing_original(image, reference)
        files = tuple(folder / line["file"] for line in lines)
        gone = next((path for path in files if not path.is_file()), None)
        if gone is not None:
            raise UserError(
                f"{gone}: is gone, and {RECORD} lists it. Put it back, or complete {image} again."
            )
        mask = None if holes is None else _mask_for(names, holes, masks)
        hole = (
            PictureHole(HoleSource(mask, resize=None), original)
            if mask
            else hole_of(item, original)
        )
        stem = re.sub(r"-\d+$", "", Path(lines[0]["file"]).with_suffix("").as_posix())
        pairs.append(Pair(stem, original, files, hole))
    _check_apart(pairs, reference)
    origin = {key: items[0].get(key) for key in ("model", "weights_sha256", "options")}
    if any({key: item.get(key) for key in origin} != origin for item in items):
        origin = {"model": "several", "weights_sha256": None, "options": {}}
    chosen = [item for item in items if item.get("drawn") and _is_ranked(item)]
    seeds = {line.get("seed") for item in items for line in item["completions"]}
    seed = seeds.pop() if len(seeds) == 1 else None
    return pairs, {**origin, "seed": seed, "chosen": len(chosen)}


def _is_ranked(item: Mapping[str, Any]) -> bool:
    """Return whether completions have a likelihood, by which those that are kept were chosen."""
    return any(line.get("log_prob") is not None for line in item["completions"])


def _check_apart(pairs: Sequence[Pair], reference: Path | None) -> None:
    """Refuse one original for two photos, as where a reference has other folders in it."""
    of = dict[Path, str]()
    for pair in pairs:
        if pair.truth in of and reference is not None:
            raise UserError(
                f"{reference}: {pair.truth.name} would be the original of {of[pair.truth]} and of "
                f"{pair.id}. Give the folder of the originals with the folders in it."
            )
        of[pair.truth] = pair.id


def state_of(paths: Iterable[Path]) -> str:
    """Return a hash that changes with any of some files.

    Of what they hold: another file may have the place, the size and the time of one, and a copy of
    a folder has other times.
    """
    digest = hashlib.sha256()
    for path in paths:
        line = f"{resolved(path)}|{hash_of(path)}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
