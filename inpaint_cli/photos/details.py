"""What a family tells beside its completions: gathered from batches, recorded, drawn to files.

A family declares each detail (`declarations.Detail`); nothing here knows one by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from inpaint_cli import models
from inpaint_cli.declarations import Detail
from inpaint_cli.files import replacing
from inpaint_cli.photos.sheets import grid, headed
from inpaint_cli.pictures.writing import Placing

Details = Mapping[str, Any]
Declared = Sequence[Detail]

FRAME_MS = 120
"""How long a frame of a moving picture stands."""
MOVING_PX = 384
"""Frames are enlarged by a whole factor up to this side."""
ROW_TILE_PX = 128


def drawn_endings() -> Mapping[str, str]:
    """Return detail -> ending of its file, over all registered families."""
    return _endings_of(tuple(models.usable()))


@cache
def _endings_of(families: tuple[str, ...]) -> Mapping[str, str]:
    declared = [detail for name in families for detail in models.get(name).details]
    return {detail.name: detail.ending for detail in declared if detail.drawn}


def joined(batches: Sequence[Details], declared: Declared) -> dict[str, Any]:
    """Return the details of the batches of one window as those of all its completions."""
    import torch

    details = dict(batches[0])
    for detail in declared:
        if detail.per == "completion" and detail.name in details:
            details[detail.name] = torch.cat([batch[detail.name] for batch in batches])
    return details


def of_completion(windows: Sequence[Details], index: int, declared: Declared) -> dict[str, Any]:
    """Return what a record keeps of one completion.

    windows: the details of each. Of several windows each value is a list, in their order.
    """
    kept = dict[str, Any]()
    for detail in declared:
        tellers = [window for window in windows if detail.name in window]
        if detail.recorded and detail.per == "completion" and tellers:
            values = [detail.recorded(window[detail.name][index]) for window in tellers]
            kept[detail.name] = values if len(windows) > 1 else values[0]
    return kept


def of_window(details: Details, declared: Declared) -> dict[str, Any]:
    """Return what a record keeps of one window, apart from its completions."""
    return {
        detail.name: detail.recorded(details[detail.name])
        for detail in declared
        if detail.recorded and detail.per == "window" and detail.name in details
    }


def captions(windows: Sequence[Details], index: int, declared: Declared) -> list[str]:
    """Return the lines that a sheet writes under one completion: "primitive 2, 0"."""
    lines = []
    for detail in declared:
        if detail.captioned and any(detail.name in window for window in windows):
            values = of_completion(windows, index, [detail])[detail.name]
            shown = values if isinstance(values, list) else [values]
            lines.append(f"{detail.name} {', '.join(map(str, shown))}")
    return lines


def write_pictures(
    details: Details,
    declared: Declared,
    folder: Path,
    stem: str,
    check: Callable[[str], None],
    placing: Placing = replacing,
    heading: str = "",
) -> dict[str, str]:
    """Write what is drawn of the details as STEM-..., and return detail -> file in `folder`.

    check: called with each file before any is written; raises if it must not be. heading: the
    line above what they show in words.
    """
    drawn = [detail for detail in declared if detail.drawn and detail.name in details]
    files = {detail.name: stem + detail.ending for detail in drawn}
    for file in files.values():
        check(file)
    for detail in drawn:
        with placing(folder / files[detail.name]) as temporary:
            lines = [line for line in (heading, detail.title.format_map(details)) if line]
            WRITERS[str(detail.drawn)](temporary, details, detail, lines)
    return files


def _write_frames(path: Path, details: Details, detail: Detail, lines: Sequence[str]) -> None:
    """Write uint8 frames [S, H, W, 3] as an animated GIF without words, enlarged to be seen."""
    from PIL import Image

    frames = details[detail.name]
    factor = max(1, MOVING_PX // max(frames.shape[1:3]))
    size = frames.shape[2] * factor, frames.shape[1] * factor
    first, *others = (
        Image.fromarray(frame.cpu().numpy()).resize(size, Image.Resampling.NEAREST)
        for frame in frames
    )
    first.save(path, format="GIF", save_all=True, append_images=others, duration=FRAME_MS, loop=0)


def _write_rows(path: Path, details: Details, detail: Detail, lines: Sequence[str]) -> None:
    """Write rows of pictures below lines of text, each labelled with its number and share."""
    rows = details[detail.name].cpu().permute(0, 1, 3, 4, 2)
    pictures = rows.expand(*rows.shape[:4], 3).numpy()
    labels = [str(number) for number in range(len(pictures))]
    if detail.shares:
        shares = map(float, details[detail.shares])
        labels = [f"{i}  {100 * share:.1f} %" for i, share in enumerate(shares)]
    sheet = grid([list(row) for row in pictures], row_labels=labels, tile=ROW_TILE_PX)
    headed(lines, sheet).save(path, format="PNG")


def _write_picture(path: Path, details: Details, detail: Detail, lines: Sequence[str]) -> None:
    """Write one picture, uint8 [H, W, 3], below lines of text."""
    from PIL import Image

    picture = Image.fromarray(details[detail.name].cpu().numpy())
    headed(lines, picture).save(path, format="PNG")


WRITERS: Mapping[str, Callable[[Path, Details, Detail, Sequence[str]], None]] = {
    "frames": _write_frames,
    "rows": _write_rows,
    "picture": _write_picture,
}
"""`Detail.drawn` -> what writes it."""
