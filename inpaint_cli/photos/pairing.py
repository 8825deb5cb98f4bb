"""Which mask belongs to each photo, and how the results of each are called."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inpaint_cli.errors import UserError
from inpaint_cli.files import resolved
from inpaint_cli.photos.listing import MASK_NAME, FoundPhoto, Places, files_in, is_picture


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


def tasks_of(
    photos: Sequence[FoundPhoto], masks: Path | None, *, written: bool = True
) -> tuple[list[PhotoTask], list[Path]]:
    """Return each photo with its mask and the stem of its results, and the masks left over.

    masks: one mask for all, or a folder in which `cat.jpg` finds `cat.png`, `cat_mask.png`,
    `cat-mask.png`, `cat.mask.png` or `cat_mask001.png`, with any suffix, in upper or lower case:
    beside it, in the same relative folder, or at the top. In the folder of the photos themselves
    only names with "mask" are masks. written: files will be named for the photos, so no two may
    have the same stem; UserError where they do.
    """
    if masks is None or not masks.is_dir():
        pairs = zip(photos, _stems(photos, written), strict=True)
        return [PhotoTask(p.path, s, masks, i) for i, (p, s) in enumerate(pairs)], []
    folder = _MaskFolder(masks, photos)
    stems = _stems(folder.photos, written)
    tasks = [folder.paired(p, stem) for p, stem in zip(folder.photos, stems, strict=True)]
    if not any(folder.fitting(photo) for photo in folder.photos):
        raise UserError(
            "no mask in it fits a photo by name. For cat.jpg call it cat.png, cat_mask.png or "
            "cat_mask001.png; or give one mask file for all.",
            where=masks,
        )
    return tasks, folder.left_over()


def inputs_of(tasks: Sequence[PhotoTask], painted: Path | None) -> frozenset[Path]:
    """Return the resolved paths of photos, masks and a painted copy, which are never replaced."""
    files = {task.photo for task in tasks} | {task.mask for task in tasks} | {painted}
    return frozenset(resolved(file) for file in files if file is not None)


@dataclass
class _MaskFolder:
    """A folder of masks, which may also hold the photos."""

    path: Path
    given: Sequence[FoundPhoto]
    photos: list[FoundPhoto] = field(init=False)
    """The given files without those that are named as masks."""
    masks: list[Path] = field(init=False)
    _by_name: dict[tuple[Path, str], list[tuple[str, Path]]] = field(init=False)
    """(folder below, a photo's stem as `_key` has it) -> the stem as it is written, and the mask"""
    _places: Places = field(default_factory=Places)

    def __post_init__(self) -> None:
        self._root = resolved(self.path)
        self.photos = [p for p in self.given if not self._is_mask(p.path)]
        if not self.photos:
            raise UserError("no photos: all of them are named as masks.", where=self.path)
        places = {self._places.of(entry.path) for entry in self.photos}
        self.masks = [
            file
            for file in sorted(files_in(self.path, recursive=True))
            if is_picture(file) and file.is_file() and self._places.of(file) not in places
        ]
        self._by_name = defaultdict(list)
        for file in self.masks:
            named = MASK_NAME.fullmatch(file.stem)
            for stem in {file.stem, named[1] if named else file.stem}:
                self._by_name[file.parent.relative_to(self.path), _key(stem)].append((stem, file))

    def _is_mask(self, file: Path) -> bool:
        """Return whether a file that was given as a photo lies here and is named as a mask."""
        return self._beside(file) is not None and MASK_NAME.fullmatch(file.stem) is not None

    def _beside(self, file: Path) -> Path | None:
        """Return the folder of a file, relative to this one; None where it lies elsewhere."""
        place = self._places.folder_of(file)
        return place.relative_to(self._root) if place.is_relative_to(self._root) else None

    def paired(self, photo: FoundPhoto, stem: Path) -> PhotoTask:
        """Return the task of a photo, with its one mask or with the problem."""
        name, files = photo.path.stem, self.fitting(photo)
        if len(files) == 1:
            return PhotoTask(photo.path, stem, files[0])
        if files:
            names = ", ".join(file.name for file in files)
            problem = UserError(
                f"several masks fit it ({names}). Leave one of them there.", where=files[0].parent
            )
            return PhotoTask(photo.path, stem, problem=problem)
        beside = self._beside(photo.path)
        looked = f"{name}_mask.png" if beside is not None else f"{name}.png, {name}_mask.png"
        problem = UserError(
            f"no mask for it (looked for {looked}). One mask file, in place of the folder, serves "
            "for all photos.",
            where=self.path,
        )
        return PhotoTask(photo.path, stem, problem=problem)

    def fitting(self, photo: FoundPhoto) -> list[Path]:
        """Return the masks that fit a photo by name, of the nearest folder that has any."""
        name, beside = photo.path.stem, self._beside(photo.path)
        folders = [photo.below, Path()] if beside is None else [beside, photo.below, Path()]
        for below in dict.fromkeys(folders):
            fits = self._by_name.get((below, _key(name)), [])
            # Cat.png and cat.png can lie in one folder, and then each belongs to its own photo.
            exact = [file for written, file in fits if composed(written) == composed(name)]
            if fits:
                return exact or [file for _, file in fits]
        return []

    def left_over(self) -> list[Path]:
        """Return masks that fit no photo; beside photos these are known by their names alone."""
        fits = {file for photo in self.photos for file in self.fitting(photo)}
        left = [file for file in self.masks if file not in fits]
        beside = {self._beside(entry.path) for entry in self.photos} - {None}
        if beside:
            near = [file for file in left if file.parent.relative_to(self.path) in beside]
            left = [file for file in near if MASK_NAME.fullmatch(file.stem)]
        return left


def composed(text: str) -> str:
    """Return a name with é as one character, as macOS and its archives do not have it."""
    return unicodedata.normalize("NFC", text)


def _key(stem: str) -> str:
    return composed(composed(stem).casefold())


def _stems(photos: Sequence[FoundPhoto], differ: bool) -> list[Path]:
    """Return the stems of results; photos that differ by suffix alone keep it."""
    short = [entry.below / entry.path.stem for entry in photos]
    counts = Counter(short)
    stems = [
        s if counts[s] == 1 else p.below / p.path.name for p, s in zip(photos, short, strict=True)
    ]
    twice = [stem for stem, count in Counter(stems).items() if count > 1]
    if twice and differ:
        names = ", ".join(str(p.path) for p, s in zip(photos, stems, strict=True) if s == twice[0])
        raise UserError(
            "their results would have the same name. Give them one by one with different output "
            "folders, or their common folder with the setting recursive.",
            where=names,
        )
    return stems
