"""Looks at one photo: what the model saw of it, the record, the arrays, and saving them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from inpaint_cli import masks
from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.masks.files import read_mask
from inpaint_cli.parsing import telling_long_names
from inpaint_cli.photos.arguments import names, path
from inpaint_cli.photos.blending import reduced_mask
from inpaint_cli.photos.cutting import model_input, window_colours
from inpaint_cli.photos.windows import Box, Mask, middle_square
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.pictures.ranges import ranged_as_trained
from inpaint_cli.posterior.choosing import Estimator
from inpaint_cli.posterior.designing import Bench, Step, check_start, corners_of
from inpaint_cli.posterior.gains import entropy
from inpaint_cli.reporting import Advance

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

SCHEMA = "inpaint.design-photos/1"
Record = dict[str, Any]


@dataclass(frozen=True)
class DesignedPhoto:
    """A photo, and where it was looked at."""

    name: str
    """Of the photo; "" for an array."""
    estimator: Estimator
    bench: Bench
    photo: Picture
    square: Box
    """The part of the photo that the model saw."""
    image: Tensor
    """That part as the model took it, uint8 [1, C, S, S]."""
    steps: tuple[Step, ...]

    @property
    def corners(self) -> npt.NDArray[np.int64]:
        """Row and column of the upper left pixel of each look, of the model's picture, [T, 2]."""
        return np.array(corners_of(self.steps, self.bench.looks))

    @property
    def eig(self) -> npt.NDArray[np.float64]:
        """The expected gain of each place, nats [T, G, G]; NaN where visible or not computed."""
        grid = self.bench.looks.grid
        return np.stack([step.choice.gain for step in self.steps]).reshape(-1, grid, grid)

    @property
    def ig(self) -> npt.NDArray[np.float64]:
        """The gain with each picture that was averaged over, nats [T, N, G, G]; NaN for none."""
        grid = self.bench.looks.grid
        most = max(len(step.choice.each) for step in self.steps)
        gains = np.full((len(self.steps), most, grid * grid), np.nan)
        for row, step in zip(gains, self.steps, strict=True):
            row[: len(step.choice.each)] = step.choice.each
        return gains.reshape(len(self.steps), most, grid, grid)

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """The class probabilities before the first look and after each, [T + 1, C]."""
        return np.stack([self.steps[0].before, *[step.after for step in self.steps]])

    def record(self) -> Record:
        """Return what design.json says of the photo."""
        return {
            "photo": self.name,
            "width": self.photo.width,
            "height": self.photo.height,
            "square": _xywh(self.square),
            "estimator": self.estimator,
            "steps": [self._step(step) for step in self.steps],
        }

    def _step(self, step: Step) -> Record:
        gain = step.choice.gain[step.choice.place]
        training = self.bench.tools.training
        from_data = step.choice.pictures is training
        return {
            "corner": corners_of([step], self.bench.looks)[0],
            "patch_in_photo": _xywh(self.patch(step)),
            "eig": None if np.isnan(gain) else float(gain),
            "n": len(step.choice.pictures),
            "pictures": ("training images" if from_data else "completions")
            if len(step.choice.pictures)
            else None,
            "entropy_before": float(entropy(step.before)),
            "entropy_after": float(entropy(step.after)),
            "probabilities": step.after.tolist(),
            "seconds": round(step.seconds, 3),
        }

    def patch(self, step: Step) -> Box:
        """Return where in the photo a look is, to whole pixels."""
        looks, square = self.bench.looks, self.square
        scale = square.height / looks.size
        row, column = looks.corners[step.choice.place]
        top, bottom = round(row * scale), round((row + looks.patch) * scale)
        left, right = round(column * scale), round((column + looks.patch) * scale)
        return Box(top, left, bottom, right).moved(square.top, square.left)

    def sheet(self) -> Image.Image:
        """Return the picture of all looks, a row each."""
        from inpaint_cli.posterior.design_sheet import sheet_of

        return sheet_of(self)

    @telling_long_names
    def save(self, folder: str | Path, stem: str = "photo") -> list[Path]:
        """Write STEM-design.png and STEM-design.npz, and return their paths."""
        place, (stem,) = path(folder, "folder"), names((stem,), "stem")
        picture, arrays = (place / f"{stem}-design.{ending}" for ending in ("png", "npz"))
        with replacing(picture) as temporary:
            self.sheet().save(temporary)
        with replacing(arrays) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, eig=self.eig, ig=self.ig, corners=self.corners)
        return [picture, arrays]


def design_photo(
    bench: Bench, photo: Picture, name: str, advance: Advance = lambda units=1, text="": None
) -> DesignedPhoto:
    """Look at a photo, or at the square in its middle, as often as was ordered."""
    square = middle_square(photo.height, photo.width)
    colours_of_all = photo.samples[..., : photo.channels]
    photo = ranged_as_trained(photo, np.asarray(np.isfinite(colours_of_all).all(axis=2)))
    visible = np.ones((photo.height, photo.width), np.bool_)
    colours = window_colours(photo, visible, square, bench.judge.network.channels)
    pixels, _ = model_input(colours, visible[square.slices], bench.looks.size)
    image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
    start = start_of(bench, photo, square)
    check_start(start, bench.looks)
    estimator: Estimator = bench.order.estimators[0]  # type: ignore[assignment]
    steps = list[Step]()
    for step in bench.walk(estimator, image, start):
        steps.append(step)
        advance(1, name)
    advance(bench.order.steps - len(steps))
    return DesignedPhoto(name, estimator, bench, photo, square, image, tuple(steps))


def start_of(bench: Bench, photo: Picture, square: Box) -> Mask:
    """Return what of a photo is visible at first, bool [S, S].

    A file is a mask of the photo, white = hidden; a kind is drawn at the model's size.
    """
    size, text = bench.looks.size, bench.order.start
    path = Path(text)
    if not path.exists():
        return _drawn(text, size, bench.order.seed)
    if path.suffix == ".npz" or path.is_dir():
        raise UserError(
            f"{text}: sets of masks are for data sets. Give one mask file, or a kind.",
            setting="start",
        )
    return reduced_mask(read_mask(path, size=(photo.height, photo.width))[square.slices], size)


def _drawn(text: str, size: int, seed: int) -> Mask:
    try:
        return masks.draw(text, size, size, seed=seed)
    except UserError as error:
        raise UserError(
            f"{text}: no such file, and as a kind of mask: {error.text}", setting="start"
        ) from error


def _xywh(box: Box) -> list[int]:
    return [box.left, box.top, box.width, box.height]
