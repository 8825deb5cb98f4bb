"""What the Python API returns for one image: arrays, likelihoods, and how they look."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.parsing import telling_long_names
from inpaint_cli.photos.arguments import names, path, whole
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.completing import CompletedPhoto
from inpaint_cli.photos.intervals import PhotoIntervals
from inpaint_cli.photos.listing import names_file
from inpaint_cli.photos.overview import Overview
from inpaint_cli.pictures.writing import suffix_for, write
from inpaint_cli.reporting import percent


@dataclass(frozen=True)
class CompletionResult:
    """Completions of one image; a notebook shows them as a sheet."""

    images: list[npt.NDArray[Any]]
    """n arrays of the image's own shape, depth and channels; visible samples are its own."""
    log_prob: npt.NDArray[np.float64] | None
    """[n], nats of what the model drew at its own resolution; None where it has no likelihood."""
    details: Mapping[str, Any]
    """What the family tells beside the pictures, of the first window; its page says what."""
    window_details: list[Mapping[str, Any]]
    """The same of each window, where holes far apart have their own."""
    hole_fraction: float
    notes: list[str]
    """Remarks, such as that the model's picture was enlarged."""
    mode: str
    """What the channels are, and their depth: "rgb 8 bit", "cmyk 8 bit", "rgb+alpha 16 bit"."""
    completed: CompletedPhoto = field(compare=False)
    """What the arrays were made of, with the metadata of the image's file."""
    calibration: Calibration | None = None
    """Of the model, where one was given."""

    def __repr__(self) -> str:
        height, width = self.images[0].shape[:2]
        return (
            f"CompletionResult({len(self.images)} of {width} x {height} pixels, {self.mode}, "
            f"{percent(self.hole_fraction)} hidden)"
        )

    @property
    def intervals(self) -> PhotoIntervals | None:
        """Calibrated intervals of the hidden pixels; None without a calibration."""
        if self.calibration is None or not self.completed.windows:
            return None
        return PhotoIntervals(self.completed, self.calibration)

    @classmethod
    def of(
        cls, completed: CompletedPhoto, flat: bool, calibration: Calibration | None = None
    ) -> CompletionResult:
        """Return all completions; flat: arrays of one channel have no axis for it."""
        images = []
        for index in range(completed.request.n):
            samples = completed.samples(index)
            images.append(samples[..., 0] if flat and samples.shape[2] == 1 else samples)
        return cls(
            images,
            completed.log_prob,
            completed.details[0] if completed.details else {},
            list(completed.details),
            completed.hole_fraction,
            completed.notes(),
            completed.photo.mode,
            completed,
            calibration,
        )

    @telling_long_names
    def save(
        self,
        folder: str | Path,
        stem: str = "completion",
        *,
        format: str = "lossless",
        quality: int | None = None,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write STEM-0.png, STEM-1.png ... and STEM-sheet.png; return the paths.

        format, quality: as `inpaint complete` takes them. UserError where a file is in the way.
        """
        photo = self.completed.photo
        suffix = suffix_for(photo, format)
        place, (stem,) = path(folder, "folder"), names((stem,), "stem")
        if names_file(place):
            text = "is called as a file. Give a folder, and the name of the files as stem."
            raise UserError(f"{place} {text}", setting="folder")
        quality = None if quality is None else whole(quality, "quality")
        paths = [place / f"{stem}-{index}{suffix}" for index in range(len(self.images))]
        sheet = place / f"{stem}-sheet.png"
        for file in (*paths, sheet):
            if file.exists() and not overwrite:
                raise UserError("exists. Choose another place, or overwrite it.", where=file)
        for file, samples in zip(paths, self._samples(), strict=True):
            write(file, photo, samples, format=format, quality=quality)
        with replacing(sheet) as temporary:
            temporary.write_bytes(self._repr_png_())
        return [*paths, sheet]

    def _samples(self) -> list[npt.NDArray[Any]]:
        """Return the images with their axis for channels."""
        shape = self.completed.photo.samples.shape
        return [image.reshape(shape) for image in self.images]

    def _repr_png_(self) -> bytes:
        """Return the sheet of all completions, as notebooks ask for it."""
        overview = Overview(self.completed, calibration=self.calibration)
        for index, samples in enumerate(self._samples()):
            overview.add(samples, index)
        file = io.BytesIO()
        overview.sheet().save(file, format="PNG")
        return file.getvalue()
