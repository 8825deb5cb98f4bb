"""Where the hole of a completed picture is written down, and reading it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.photos.holes import HoleSource, source_of
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
        return self.source.drawn(
            self.picture,
            mask,
            size,
            model_size=self.model_size,
            seed=self.seed,
            reporter=reporter,
            number=self.number,
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
