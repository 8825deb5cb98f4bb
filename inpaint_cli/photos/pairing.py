"""Which photos a command means, which mask belongs to each, and how their results are called."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpaint_cli.errors import UserError

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif", ".tga", ".pcx", ".sgi", ".ico"),
}
"""Files of a folder that are taken for photos; a file given by name may be called anything."""


@dataclass(frozen=True)
class PhotoTask:
    """One photo to complete."""

    photo: Path
    stem: Path
    """Its results are called STEM-0.png ..., below the output folder."""
    mask: Path | None = None
    number: int = 0
    """Its place among the photos."""
    problem: UserError | None = None
    """Why it cannot be completed, if that is known before it is read."""


@dataclass(frozen=True)
class FoundPhoto:
    """A photo, and the folder below the argument that it came from."""

    path: Path
    below: Path = Path()


def photos_of(
    arguments: Sequence[str], *, recursive: bool = False, ignored: Sequence[Path] = ()
) -> tuple[list[FoundPhoto], bool]:
    """Return the photos that files, folders and patterns mean, and whether any was no plain file.

    ignored: folders and files below a folder that hold no photos (masks, results). UserError for a
    folder without photos.
    """
    photos, several = list[FoundPhoto](), len(arguments) > 1
    left_out = {path.resolve() for path in ignored}
    for argument in arguments:
        refuse_url(argument)
        path = Path(argument)
        if path.is_dir():
            several = True
            inside = list(_inside(path, recursive, left_out))
            if not inside:
                deeper = "" if recursive else " (the setting recursive adds the folders in it)"
                raise UserError(f"no photos in this folder{deeper}.", where=argument)
            photos += inside
        elif not path.exists() and glob.has_magic(argument):
            several = True
            matches = sorted(m for m in glob.glob(argument, recursive=True) if Path(m).is_file())
            if not matches:
                raise UserError("no file fits this pattern.", where=argument)
            photos += [FoundPhoto(Path(match)) for match in matches]
        else:
            photos.append(FoundPhoto(path))
    unique = {entry.path.resolve(): entry for entry in reversed(photos)}
    return [entry for entry in photos if unique[entry.path.resolve()] is entry], several


def refuse_url(text: str, setting: str = "") -> None:
    """Raise UserError for an address in place of a file; it names the setting."""
    if re.match(r"(https?|ftp)://", text, re.IGNORECASE):
        raise UserError(
            f"{text}: URLs are not fetched: download the picture first.", setting=setting
        )


def tasks_of(
    photos: Sequence[FoundPhoto], masks: Path | None
) -> tuple[list[PhotoTask], list[Path]]:
    """Return each photo with its mask and the stem of its results, and the masks left over.

    masks: one mask for all, or a folder in which `cat.jpg` finds `cat.png`, `cat_mask.png` or
    `cat_mask001.png`, with any suffix, in the same relative folder or at the top.
    """
    if masks is not None and masks.is_dir():
        photos = [p for p in photos if not _is_mask_name(p.path, masks)]
    stems = _stems(photos)
    if masks is None or not masks.is_dir():
        pairs = zip(photos, stems, strict=True)
        return [PhotoTask(p.path, s, masks, i) for i, (p, s) in enumerate(pairs)], []
    tasks = [_paired(p, s, masks) for p, s in zip(photos, stems, strict=True)]
    used = {task.mask.resolve() for task in tasks if task.mask}
    taken = used | {p.path.resolve() for p in photos}
    left = [f for f in _images(masks) if f.resolve() not in taken]
    if not used:
        raise UserError(
            "no mask in it fits a photo by name. For cat.jpg call it cat.png, cat_mask.png or "
            "cat_mask001.png; or give one mask file for all.",
            where=masks,
        )
    return tasks, left


def _inside(folder: Path, recursive: bool, left_out: set[Path]) -> list[FoundPhoto]:
    try:
        files = sorted(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror}).", where=folder) from error
    inside = []
    for file in files:
        resolved = file.resolve()
        skipped = resolved in left_out or any(parent in left_out for parent in resolved.parents)
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix.lower() in SUFFIXES and file.is_file() and not skipped and not hidden:
            inside.append(FoundPhoto(file, file.relative_to(folder).parent))
    return inside


def _images(folder: Path) -> list[Path]:
    return [entry.path for entry in _inside(folder, True, set())]


def _is_mask_name(photo: Path, masks: Path) -> bool:
    """Return whether a file lies among the masks and is called like one."""
    same = masks.resolve() == photo.parent.resolve()
    return same and re.search(r"_mask\d*$", photo.stem) is not None


def _stems(photos: Sequence[FoundPhoto]) -> list[Path]:
    """Return the stems of results; photos that differ by suffix alone keep it."""
    short = [entry.below / entry.path.stem for entry in photos]
    counts = Counter(short)
    stems = [
        s if counts[s] == 1 else p.below / p.path.name for p, s in zip(photos, short, strict=True)
    ]
    twice = [stem for stem, count in Counter(stems).items() if count > 1]
    if twice:
        names = ", ".join(str(p.path) for p, s in zip(photos, stems, strict=True) if s == twice[0])
        raise UserError(
            "their results would have the same name. Complete them one by one into different "
            "output folders, or their common folder with the setting recursive.",
            where=names,
        )
    return stems


def _paired(photo: FoundPhoto, stem: Path, masks: Path) -> PhotoTask:
    name = photo.path.stem
    for folder in dict.fromkeys((masks / photo.below, masks)):
        fits = []
        for file in sorted(folder.iterdir()) if folder.is_dir() else []:
            named = re.fullmatch(re.escape(name) + r"(_mask\d*)?", file.stem)
            if named and file.suffix.lower() in SUFFIXES and file.resolve() != photo.path.resolve():
                fits.append(file)
        if len(fits) == 1:
            return PhotoTask(photo.path, stem, fits[0])
        if fits:
            names = ", ".join(file.name for file in fits)
            problem = UserError(f"several masks fit it ({names}).", where=folder)
            return PhotoTask(photo.path, stem, problem=problem)
    problem = UserError(
        f"no mask for it (looked for {name}.png, {name}_mask.png). One mask file, in place of the "
        "folder, serves for all photos.",
        where=masks,
    )
    return PhotoTask(photo.path, stem, problem=problem)
