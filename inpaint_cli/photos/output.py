"""How completions become files: their format and quality, how many are kept, one file alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.photos.listing import names_file
from inpaint_cli.pictures.lossy_writing import check_sides
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.writing import FORMATS, SUFFIXES, check_quality, format_for

_OF_SUFFIX = {
    **{suffix: name for name, suffix in SUFFIXES.items()},
    ".tif": "tiff",
    ".jpeg": "jpeg",
}


@dataclass(frozen=True)
class OutputSettings:
    """What files of completions are to be like."""

    format: str = "lossless"
    """One of `FORMATS`."""
    quality: int | None = None
    """1 to 100, of jpeg and webp; None = as the photo's own, or exact."""
    keep: int | None = None
    """How many completions are written: the likeliest, or the first; None = all."""
    file: Path | None = None
    """The one file to write, in place of a folder with a sheet and a record."""

    def format_of(self, photo: Picture) -> str:
        """Return the format of a photo's completions; UserError where that does not hold them.

        Nor may the quality be one that means nothing.
        """
        chosen = format_for(photo, self.format)
        check_quality(self.quality, chosen)
        check_sides(photo.samples, chosen)
        return chosen

    def suffix_of(self, photo: Picture) -> str:
        """Return the suffix of a photo's completions."""
        return SUFFIXES[format_for(photo, self.format)]

    def count(self, n: int) -> int:
        """Return how many of n completions are written."""
        return n if self.keep is None else self.keep

    def fields(self, n: int) -> dict[str, Any]:
        """Return for a record what is not plain: the quality, and of how many some were kept."""
        fields: dict[str, Any] = {}
        if self.quality is not None:
            fields["quality"] = self.quality
        if self.keep is not None:
            fields["drawn"] = n
        return fields


def file_format(path: Path) -> str | None:
    """Return the format of a file's name; None where it is the name of a folder.

    UserError for the name of a file of a kind that is not written.

    >>> file_format(Path("a/b.JPG")), file_format(Path("a"))
    ('jpeg', None)
    """
    suffix = path.suffix.lower()
    if not names_file(path):
        return None
    if suffix not in _OF_SUFFIX:
        raise UserError(
            f"{path}: a file is written as {', '.join(sorted(_OF_SUFFIX))}. Take one of these, or "
            "give a folder.",
            setting="output",
        )
    return _OF_SUFFIX[suffix]


def output_settings(
    output: Path, asked: str | None, quality: int | None, keep: int | None
) -> OutputSettings:
    """Return the settings for a folder or a file `output`; UserError where they contradict."""
    if asked is not None and asked not in FORMATS:
        raise UserError(f"must be one of {', '.join(FORMATS)}, got {asked}.", setting="format")
    of_name = file_format(output)
    if of_name is None:
        return OutputSettings(asked or "lossless", quality, keep)
    if asked not in (None, of_name):
        raise UserError(
            f"{asked}, but {output.name} is a name for {of_name}. Leave one of them out.",
            setting="format",
        )
    return OutputSettings(of_name, quality, None, output)


def check_count(settings: OutputSettings, n: int, photos: int) -> None:
    """Refuse more completions than one file holds, and to keep more than are drawn."""
    if settings.keep is not None and not 1 <= settings.keep <= n:
        raise UserError(f"must be 1 to {n}, the number of completions.", setting="keep")
    if settings.file is None:
        return
    if n > 1 or photos > 1:
        what = f"{photos} photos" if photos > 1 else f"{n} completions"
        raise UserError(
            f"{settings.file} is one file, but there are {what}. Give a folder, or -n 1 and one "
            "photo.",
            setting="output",
        )
