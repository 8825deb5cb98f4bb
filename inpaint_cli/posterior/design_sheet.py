"""The picture of looks at a photo: a row a look, with the map of expected gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from inpaint_cli.photos.sheets import ScreenPixels, captioned, headed
from inpaint_cli.photos.windows import Mask
from inpaint_cli.posterior.gains import Gains, excess

if TYPE_CHECKING:
    from inpaint_cli.posterior.classifying import Judge
    from inpaint_cli.posterior.design_pictures import DesignedPhoto
    from inpaint_cli.posterior.designing import Step
    from inpaint_cli.posterior.looks import Looks

TILE_PX = 140
SHOWN = 5
"""Completions in a row."""
MORE, LESS = (0, 60, 230), (220, 20, 20)
"""Colours of gains above and below 0."""
UNSEEN = (196, 190, 208)
MARK = (255, 150, 0)
STRONGEST = 0.9
"""Opacity of the largest gain."""
PALE = 0.5
"""Pictures under a map are mixed with so much white: a tint does not show on black."""


def sheet_of(designed: DesignedPhoto) -> Image.Image:
    """Return a row for each look: seen; gains over the mean; some completions; seen after."""
    rows = [_row(designed, step) for step in designed.steps]
    labels = [f"look {number}" for number in range(1, len(rows) + 1)]
    return headed(_lines(designed), captioned(rows, row_labels=labels, tile=TILE_PX))


def _lines(designed: DesignedPhoto) -> list[str]:
    bench = designed.bench
    order, looks, judge = bench.order, bench.looks, bench.judge
    who = [designed.name, f"{bench.contestant.name}, classifier {judge.name}"]
    who += [f"target {judge.target_name}"] * (judge.target is not None)
    how = f"estimator {designed.estimator}, seed {order.seed}, looks of {looks.patch}x{looks.patch}"
    lines = [", ".join(filter(None, who)), f"{how} at {looks.grid}x{looks.grid} places"]
    if len(designed.ig[0]):
        n = len(designed.steps[-1].choice.pictures)
        lines.append(
            "blue: a look there tells of the class, red: it misleads; full colour as printed"
        )
        if designed.estimator != "epe":
            lines.append(
                f"gains over {n} pictures are up to about {excess(judge.classes, n):.2f} nats too "
                "high"
            )
    return lines


def _row(designed: DesignedPhoto, step: Step) -> list[tuple[ScreenPixels, str]]:
    looks, choice = designed.bench.looks, step.choice
    truth = _picture(designed.image[0].numpy())
    before, after = _enlarged(_seen(truth, step.seen_before)), _enlarged(_seen(truth, step.seen))
    row, column = (looks.corners[choice.place] + looks.patch / 2) * len(after) / looks.size
    frame = looks.corners[choice.place] * len(after) // looks.size
    side = looks.patch * len(after) // looks.size
    tiles = [(before, "seen")]
    if len(choice.pictures):
        pictures = choice.pictures.numpy()
        top = float(np.nanmax(np.abs(choice.each)))
        mean = _enlarged(_picture(np.rint(pictures.mean(axis=0)).astype(np.uint8)))
        gained = choice.gain[choice.place]
        over = _crossed(_overlaid(mean, choice.gain, looks, top), row, column)
        tiles.append(
            (over, f"mean of {len(pictures)}\n{gained:.3f} nats at +\nfull colour: {top:.3f}")
        )
        kind = (
            "training image" if choice.pictures is designed.bench.tools.training else "completion"
        )
        for number in range(min(SHOWN, len(pictures))):
            each = _enlarged(_picture(pictures[number]))
            shown = _overlaid(each, choice.each[number], looks, top)
            tiles.append(
                (shown, f"{kind} {number}\n{choice.each[number, choice.place]:.3f} nats at +")
            )
    tiles.append(
        (_framed(after, frame, side), f"seen after\n{_likeliest(step, designed.bench.judge)}")
    )
    return tiles


def _likeliest(step: Step, judge: Judge) -> str:
    """Return the two likeliest classes with their probabilities in percent, a line each."""
    order = np.argsort(-step.after, kind="stable")[:2]
    return "\n".join(f"{judge.answer(c)}: {100 * step.after[c]:.0f} %" for c in order)


def _picture(image: npt.NDArray[np.uint8]) -> ScreenPixels:
    """Return [C, S, S] as [S, S, 3]."""
    return np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0))


def _seen(picture: ScreenPixels, visible: Mask) -> ScreenPixels:
    return np.where(visible[..., None], picture, np.array(UNSEEN, np.uint8))


def _enlarged(picture: ScreenPixels) -> ScreenPixels:
    """Return a picture with each pixel repeated, as large as a tile holds."""
    factor = max(1, TILE_PX // len(picture))
    return np.asarray(np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1))


def _overlaid(picture: ScreenPixels, gain: Gains, looks: Looks, top: float) -> ScreenPixels:
    """Return a picture under a map of gains [L]; each place counts at the middle of its square."""
    size = len(picture)
    map_ = np.nan_to_num(gain).reshape(looks.grid, looks.grid).astype(np.float32)
    middle = (np.arange(size, dtype=np.float32) + 0.5) * looks.size / size - looks.patch / 2
    at = np.clip(middle * (looks.grid - 1) / (looks.size - looks.patch), 0, looks.grid - 1)
    at = at.astype(np.float32)
    columns, rows = np.meshgrid(at, at)
    values = cv2.remap(map_, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = STRONGEST * np.clip(np.abs(values) / max(top, 1e-12), 0, 1)[..., None]
    colour = np.where(values[..., None] >= 0, np.array(MORE), np.array(LESS))
    pale = picture * (1 - PALE) + 255 * PALE
    return np.asarray(np.rint(pale * (1 - share) + colour * share), np.uint8)


def _crossed(picture: ScreenPixels, row: float, column: float) -> ScreenPixels:
    """Return a picture with a cross: white within black, seen on any ground."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for colour, width, arm in (((0, 0, 0), 5, 8), ((255, 255, 255), 1, 6)):
        draw.line((column - arm, row, column + arm, row), colour, width)
        draw.line((column, row - arm, column, row + arm), colour, width)
    return np.asarray(image)


def _framed(picture: ScreenPixels, corner: npt.NDArray[np.int64], side: int) -> ScreenPixels:
    image = Image.fromarray(picture)
    row, column = map(int, corner)
    ImageDraw.Draw(image).rectangle(
        (column, row, column + side - 1, row + side - 1), outline=MARK, width=2
    )
    return np.asarray(image)
