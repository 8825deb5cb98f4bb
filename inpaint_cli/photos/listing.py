"""Which photos files, folders and patterns mean, and why other files of a folder are left out.

The photo that comes by standard input, PHOTO `-`, is kept among the results, as any other file.
"""

from __future__ import annotations

import filecmp
import glob
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing, resolved
from inpaint_cli.photos import preview
from inpaint_cli.photos.record import NAME as RECORD
from inpaint_cli.photos.record import Record
from inpaint_cli.pictures.opening import has_heif

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx"),
    *(".avif", ".tga", ".pcx", ".ico", ".mpo", ".apng", ".dds"),
}
"""Files of a folder that are taken for photos; a file given by name may be called anything."""
HEIF_SUFFIXES = {".heic", ".heif", ".hif"}
_OTHER_FILES = {
    *(".jxl", ".svg", ".psd", ".pdf", ".mp4", ".zip", ".npz", ".npy", ".json", ".csv", ".txt"),
    *(".toml", ".safetensors", ".pt", ".pth", ".th", ".ckpt"),
}
MASK_NAME = re.compile(r"(.+)[-_. ]mask\d*", re.IGNORECASE | re.DOTALL)
"""How masks are named that lie beside their photos: cat_mask.png, cat-mask001.png."""
SILENT = {RECORD, "masks.json"}
"""Files of ours that are no pictures; that they are left out is nothing to tell."""
NAMED = 5
"""So many files are named in a remark on those that are left out."""
STDIN = "-"
STDIN_NAME = "stdin"
"""What the photo is called, and so its results: stdin-0.png, stdin-sheet.png."""


@dataclass(frozen=True)
class FoundPhoto:
    """A photo, and the folder below the argument that it came from."""

    path: Path
    below: Path = Path()


@dataclass
class FoundPhotos:
    """What the arguments of a command mean."""

    photos: list[FoundPhoto] = field(default_factory=list)
    several: bool = False
    """Whether more than one could have been meant: a folder, a pattern, or two arguments."""
    remarks: list[str] = field(default_factory=list)
    """Which files of a folder are left out, and why; one line a reason."""


@dataclass
class Places:
    """Resolves paths; each folder is asked for once, since a run may have 10,000 files."""

    _folders: dict[Path, Path] = field(default_factory=dict)

    def folder_of(self, path: Path) -> Path:
        """Return the folder in which a file lies, resolved."""
        if path.parent not in self._folders:
            self._folders[path.parent] = resolved(path.parent)
        return self._folders[path.parent]

    def of(self, path: Path) -> Path:
        """Return the place of a file, not of what it may be a link to: two links are two photos."""
        return self.folder_of(path) / path.name


def photos_of(
    arguments: Sequence[str],
    *,
    recursive: bool = False,
    masks: Path | None = None,
    output: Path | None = None,
) -> FoundPhotos:
    """Return the photos that files, folders and patterns mean.

    masks, output: a folder below an argument that holds masks or results, and no photos. Where
    results lie among the photos, those that the record names are left out. UserError for a folder
    without photos.
    """
    listed = FoundPhotos(several=len(arguments) > 1)
    for argument in arguments:
        refuse_url(argument)
        path = Path(argument)
        if os.path.isdir(path):  # unlike Path.is_dir, no error for what lies in a closed folder
            listed.several = True
            inside = _FolderListing(path, recursive, masks, output)
            listed.photos += inside.photos()
            listed.remarks += inside.remarks()
        elif not os.path.lexists(path) and glob.has_magic(argument):
            listed.several = True
            matches = sorted(m for m in glob.glob(argument, recursive=True) if os.path.isfile(m))
            if not matches:
                raise UserError("no file fits this pattern.", where=argument)
            listed.photos += [FoundPhoto(Path(match)) for match in matches]
        else:
            listed.photos.append(FoundPhoto(path))
    places = Places()
    # The first of several ways to name a file is kept.
    unique = {places.of(entry.path): entry for entry in reversed(listed.photos)}
    listed.photos = [entry for entry in listed.photos if unique[places.of(entry.path)] is entry]
    return listed


def refuse_url(text: str, setting: str = "") -> None:
    """Raise UserError for an address in place of a file; it names the setting."""
    if re.match(r"(https?|ftp)://", text, re.IGNORECASE):
        raise UserError(
            f"{text}: URLs are not fetched: download the picture first.", setting=setting
        )


def files_in(folder: Path, recursive: bool, closed: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield the files of a folder that are not hidden; links to folders are not followed.

    closed: resolved folders that are not entered. UserError where the folder cannot be read.
    """
    shut, root = set(closed), resolved(folder)

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot be read ({error.strerror}).", where=str(error.filename)) from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        below = Path(place).relative_to(folder)
        folders[:] = [
            name
            for name in folders
            if recursive and not name.startswith(".") and root / below / name not in shut
        ]
        yield from (folder / below / name for name in names if not name.startswith("."))


def names_file(path: Path) -> bool:
    """Return whether a path that is no folder yet is called as files are, so none is meant."""
    files = SUFFIXES | HEIF_SUFFIXES | _OTHER_FILES
    return path.suffix.lower() in files and not path.is_dir()


def is_picture(path: Path) -> bool:
    """Return whether a file of a folder is a picture that can be read, by its suffix."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or (suffix in HEIF_SUFFIXES and has_heif())


@dataclass
class _FolderListing:
    """The photos of one folder, and what else lies in it."""

    folder: Path
    recursive: bool
    masks: Path | None
    output: Path | None
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Reason -> names."""

    def photos(self) -> list[FoundPhoto]:
        """Return the photos, in the order of their names. UserError where there are none."""
        root, places = resolved(self.folder), Places()
        given = [resolved(path) for path in (self.masks, self.output) if path is not None]
        ours, photos = self._ours(root), []
        for file in sorted(files_in(self.folder, self.recursive, set(given) - {root})):
            below = file.relative_to(self.folder)
            if file.name in SILENT or places.of(file) in ours or _is_given(file, given):
                continue
            if reason := _reason(file):
                self.left_out.setdefault(reason, []).append(str(below))
            else:
                photos.append(FoundPhoto(file, below.parent))
        if self.masks is None or not self.masks.is_dir():
            photos = self._without_masks(photos)
        if not photos:
            deeper = "" if self.recursive else " (the setting recursive adds the folders in it)"
            why = "".join(f" Left out: {text}." for text in self._reasons())
            raise UserError(f"no photos in this folder{deeper}.{why}", where=self.folder)
        return photos

    def _without_masks(self, photos: Sequence[FoundPhoto]) -> list[FoundPhoto]:
        """Return what is not, by its name, the mask of another photo beside it."""
        masks = masks_among(photo.path for photo in photos)
        kept = []
        for photo in photos:
            if photo.path in masks:
                name = str(photo.below / photo.path.name)
                self.left_out.setdefault("the mask of a photo, by its name", []).append(name)
            else:
                kept.append(photo)
        return kept

    def remarks(self) -> list[str]:
        """Return what is left out, one line a reason."""
        return [f"{self.folder}: left out: {text}" for text in self._reasons()]

    def _reasons(self) -> list[str]:
        lines = []
        for reason, names in self.left_out.items():
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            lines.append(f"{', '.join(names[:NAMED])}{more} ({reason})")
        return lines

    def _ours(self, root: Path) -> set[Path]:
        """Return the results of earlier runs where these lie among the photos."""
        if self.output is None or not root.is_relative_to(folder := resolved(self.output)):
            return set()
        ours = {folder / name for name in Record.of(folder, overwrite=True).named}
        previews = root.rglob(f"*{preview.ENDING}")
        return ours | {path for path in previews if preview.is_preview(path)}


def masks_among(pictures: Iterable[Path]) -> set[Path]:
    """Return what is, by its name, the mask of another picture beside it."""
    paths = list(pictures)
    stems = {(path.parent, path.stem) for path in paths}
    named = {path: MASK_NAME.fullmatch(path.stem) for path in paths}
    return {path for path, name in named.items() if name and (path.parent, name[1]) in stems}


def _is_given(file: Path, given: Sequence[Path]) -> bool:
    """Return whether a file, or what it is a link to, is one of some resolved paths."""
    names = {path.name for path in given}
    return (file.name in names or file.is_symlink()) and resolved(file) in given


def _reason(file: Path) -> str:
    """Return why a file of a folder is not taken for a photo; "" if it is."""
    if not os.path.isfile(file):
        return "no file: a broken link, a loop of links, or a device"
    if is_picture(file):
        return ""
    if not file.suffix:
        return "no suffix; give them by name"
    if file.suffix.lower() in HEIF_SUFFIXES:
        return "HEIC is read with pillow-heif only: pip install pillow-heif"
    return "not a kind of picture that is read"


def with_stdin(photos: Sequence[str], folder: Path, *, overwrite: bool) -> tuple[str, ...]:
    """Return the arguments with `-` replaced by a file in `folder` that holds standard input.

    folder: that of the results, so that the record names what was filled, and the same command
    goes on. UserError where nothing comes in, or where another photo has that name.
    """
    if STDIN not in photos:
        return tuple(photos)
    path = folder / STDIN_NAME
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError(
            "nothing comes by standard input. Write `cat photo.png | inpaint complete - ...`, or "
            "./- for a file of that name.",
            where=STDIN,
        )
    placing = replacing(path, announce=lambda new: _check(new, path, overwrite))
    with placing as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return tuple(str(path) if photo == STDIN else photo for photo in photos)


def _check(new: Path, path: Path, overwrite: bool) -> None:
    """Raise UserError for an empty stream, or one that is not the photo that came before."""
    if not new.stat().st_size:
        raise UserError("standard input is empty: no photo came in.", where=STDIN)
    if path.exists() and not overwrite and not filecmp.cmp(new, path, shallow=False):
        raise UserError(
            "it holds another photo that came by standard input. Give another output folder, or "
            "replace it with the setting overwrite.",
            where=path,
        )
