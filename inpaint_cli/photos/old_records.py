"""Records of schema 1, whose hole is a sentence: "m.png, inverted + box 1,2,3,4 + grown by 2"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inpaint_cli.errors import UserError
from inpaint_cli.masks import is_kind
from inpaint_cli.masks.files import parse_box
from inpaint_cli.photos.holes import HoleSource
from inpaint_cli.pictures.reading import look

NUMBER = r"\s*\d+(?:\.\d+)?%?\s*"
SENTENCE = re.compile(
    # The name of a mask may hold any of the words behind it, so they are read from the end.
    r"(?P<source>.*?)(?P<its_alpha>, its alpha)?(?P<inverted>, inverted)?"
    rf"(?P<boxes>(?:(?:^| \+ )box {NUMBER}(?:,{NUMBER}){{3}})*)"
    r"(?: \+ grown by (?P<grow>\d+))?",
    re.DOTALL,
)


def upgraded(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of schema 1 with `hole` in place of the sentence `mask`."""
    kept = {key: value for key, value in item.items() if key != "mask"}
    seeds = [line.get("seed") for line in item["completions"]]
    seed = next((seed for seed in seeds if isinstance(seed, int)), 0)
    hole = hole_fields(str(item.get("mask", "")), str(item.get("image")), seed)
    return {**kept, "hole": hole}


def hole_fields(sentence: str, image: str, seed: int) -> dict[str, Any] | None:
    """Return the fields of a hole, as `HoleSource.fields` does; None where they are unknown.

    >>> hole = hole_fields("a + b.png, inverted + box 1,2,3,4 + grown by 2", "photo.png", 0)
    >>> hole["mask"], hole["boxes"], hole["invert"], hole["grow"]
    ('a + b.png', [[1, 2, 3, 4]], True, 2)
    """
    if sentence == "everything":
        return HoleSource(everything=True).fields(None, (1, 1), 0)
    match = SENTENCE.fullmatch(sentence)
    if match is None or not sentence:
        return None
    name = match["source"]
    drawn = is_kind(name) and not Path(name).is_file()
    is_alpha = name == "alpha"
    mask = None if not name or drawn or is_alpha else Path(name)
    try:
        hole = HoleSource(
            path=mask,
            kind=name if drawn else None,
            boxes=tuple(map(parse_box, re.split(r"(?:^| \+ )box ", match["boxes"])[1:])),
            alpha=is_alpha or match["its_alpha"] is not None,
            invert=match["inverted"] is not None,
            grow=int(match["grow"] or 0),
        )
        return hole.fields(mask, _size_of(image, hole), seed)
    except UserError:
        return None


def _size_of(image: str, hole: HoleSource) -> tuple[int, int]:
    """Return (height, width) of a photo where boxes need them. UserError if it is gone."""
    if not any(box.percent for box in hole.boxes):
        return 0, 0
    picture = look(Path(image))
    return picture.height, picture.width
