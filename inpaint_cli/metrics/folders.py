"""Files made beforehand as a target: originals and completions, read pair by pair."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import apply_grow, hide_boxes, parse_box, read_mask
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.metrics.protocol import Facts, Setting, digest_of
from inpaint_cli.metrics.targets import Case
from inpaint_cli.photos.reading import read_photo

LOSSY = {".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif"}
ORIENTATION = 274
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Fit:
    """How pictures of unequal size become equal: resized or cropped to (height, width)."""

    resize: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.resize:
            return f"resized to {self.resize[0]}x{self.resize[1]} (Lanczos), both sides"
        return f"centre crop of {self.crop[0]}x{self.crop[1]}, both sides" if self.crop else "none"

    def size(self, own: tuple[int, int]) -> tuple[int, int]:
        """Gives the (height, width) that a picture of size `own` ends with."""
        return self.resize or self.crop or own

    def picture(self, pixels: Pixels) -> Pixels:
        """Gives uint8 [H, W, C] fitted."""
        if self.resize:
            flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            image = Image.fromarray(flat).resize(self.resize[::-1], Image.Resampling.LANCZOS)
            return np.asarray(image).reshape(*self.resize, pixels.shape[2])
        return pixels[self._middle(pixels.shape[:2])]

    def mask(self, visible: Mask) -> Mask:
        """Gives bool [H, W] fitted; a pixel that any hidden one touches is hidden."""
        if not self.resize:
            return visible[self._middle(visible.shape)]
        image = Image.fromarray(np.where(visible, 0, 255).astype(np.uint8)).convert("F")
        return np.asarray(image.resize(self.resize[::-1], Image.Resampling.BOX)) <= 0

    def _middle(self, own: Sequence[int]) -> tuple[slice, slice]:
        wanted = self.crop or (own[0], own[1])
        top, left = ((have - want) // 2 for have, want in zip(own, wanted, strict=True))
        return slice(top, top + wanted[0]), slice(left, left + wanted[1])


@dataclass(frozen=True)
class Hole:
    """Where the hole of one picture is written down: a mask file, boxes, how they were read."""

    mask: Path | None = None
    boxes: tuple[str, ...] = ()
    invert: bool = False
    grow: int = 0

    def visible(self, height: int, width: int) -> Mask:
        """Gives bool [height, width], True = visible."""
        known = np.ones((height, width), np.bool_)
        if self.mask is not None:
            known = read_mask(self.mask, invert=self.invert)
            if known.shape != (height, width):
                raise UserError(
                    f"{self.mask}: the mask has {known.shape[1]}x{known.shape[0]} pixels, its "
                    f"picture {width}x{height} (width x height)."
                )
        return apply_grow(hide_boxes(known, map(parse_box, self.boxes)), self.grow)


@dataclass(frozen=True)
class Pair:
    """One original with its completions, in files."""

    id: str
    truth: Path
    completions: tuple[Path, ...]
    hole: Hole | None = None


@dataclass
class FilesTarget:
    """Pairs of files; every picture has one size, by itself or fitted."""

    name: str
    pairs: Sequence[Pair]
    fit: Fit = field(default_factory=Fit)
    made: Mapping[str, Any] = field(default_factory=dict)
    """What a record says of how they were made: model, weights_sha256, options, seed."""
    has_likelihood: bool = False
    bound: str | None = None

    def __post_init__(self) -> None:
        self.ids = [pair.id for pair in self.pairs]
        self.k = len(self.pairs[0].completions)
        self.has_masks = all(pair.hole is not None for pair in self.pairs)
        self.files = [f for pair in self.pairs for f in (pair.truth, *pair.completions)]
        self.setting = self._setting()

    def _setting(self) -> Setting:
        grey, sizes = True, dict[tuple[int, int], Path]()
        for pair in self.pairs:
            own = header(pair.truth)[0]
            for path in (pair.truth, *pair.completions):
                size, is_grey = header(path)
                grey = grey and is_grey
                if size != own:
                    raise UserError(
                        f"{path}: {size[1]}x{size[0]} pixels, but {pair.truth} has "
                        f"{own[1]}x{own[0]} (width x height). A completion has its original's size."
                    )
            if self.fit.crop and (own[0] < self.fit.crop[0] or own[1] < self.fit.crop[1]):
                raise UserError(f"--crop: {pair.truth} has {own[1]}x{own[0]} pixels only.")
            sizes.setdefault(self.fit.size(own), pair.truth)
        if len(sizes) > 1:
            (first, a), (second, b) = list(sizes.items())[:2]
            raise UserError(
                f"{b}: {second[1]}x{second[0]} pixels, but {a} has {first[1]}x{first[0]} (width x "
                "height). Score pictures of one size: add --resize S or --crop S."
            )
        height, width = next(iter(sizes))
        return Setting(height, width, 1 if grey else 3)

    def case(self, index: int) -> Case:
        pair = self.pairs[index]
        truth = self._pixels(pair.truth)
        completions = [self._pixels(path) for path in pair.completions]
        visible = None
        if self.has_masks and pair.hole is not None:
            height, width = header(pair.truth)[0]
            visible = torch.from_numpy(
                np.ascontiguousarray(self.fit.mask(pair.hole.visible(height, width)))
            )
        made = np.stack(completions).transpose(0, 3, 1, 2)
        return Case(
            torch.from_numpy(np.ascontiguousarray(truth.transpose(2, 0, 1))),
            visible,
            torch.from_numpy(np.ascontiguousarray(made)),
        )

    def _pixels(self, path: Path) -> Pixels:
        pixels = read_pixels(path)
        if self.setting.channels == 3 and pixels.shape[2] == 1:
            pixels = pixels.repeat(3, axis=2)
        return np.ascontiguousarray(self.fit.picture(pixels))

    def facts(self) -> Facts:
        lossy = sorted({f.suffix.lower() for f in self.files} & LOSSY)
        warnings = []
        if lossy:
            kinds = ", ".join(lossy)
            warnings.append(
                f"some files are lossy ({kinds}): their artefacts alone tell the sides apart"
            )
        return Facts(
            model={
                "family": None,
                "checkpoint": self.made.get("model"),
                "checkpoint_sha256": self.made.get("weights_sha256"),
                "sampler": dict(self.made.get("options") or {}),
            },
            dataset={
                "name": "files",
                "split": "none",
                "n_images": len(self.pairs),
                "ids_sha256": digest_of(self.ids),
                "height": self.setting.height,
                "width": self.setting.width,
                "channels": self.setting.channels,
                "levels": 256,
                "preprocess": self.fit.rule,
            },
            masks={
                "distribution": "files" if self.has_masks else "unknown",
                "params": {},
                "seed": None,
                "convention": "1=observed",
                "bins": None,
                "bin_weights": None,
            },
            completions={
                "k": self.k,
                "seed": self.made.get("seed"),
                # `inpaint complete` composites; of other tools' files nothing is known.
                "composited": bool(self.made),
                "quantised": "uint8 as stored",
                "source": "inpaint complete" if self.made else "folder",
            },
            pairing={"by": "id", "real_set": f"the same {len(self.pairs)} images"},
            warnings=tuple(warnings),
        )

    def fingerprint(self) -> Any:
        digest = hashlib.sha256()
        masks = [p.hole.mask for p in self.pairs if p.hole is not None and p.hole.mask is not None]
        for path in [*self.files, *masks]:
            state = path.stat()
            digest.update(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}\n".encode())
        return [self.ids, digest.hexdigest(), self.fit.rule, str([p.hole for p in self.pairs])]


def header(path: Path) -> tuple[tuple[int, int], bool]:
    """Gives the upright (height, width) of a picture and whether it is grey, from its header."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
            grey = image.mode in ("1", "L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a picture that can be read ({error}).") from error
    return ((width, height) if turned else (height, width)), grey


def read_pixels(path: Path) -> Pixels:
    """Gives uint8 [H, W, C], C = 1 or 3; UserError for transparency and for other depths."""
    photo = read_photo(path)
    if photo.has_alpha:
        raise UserError(f"{path}: has an alpha channel, which no metric sees. Save it without one.")
    if photo.samples.dtype != np.uint8 or photo.mode not in ("1", "L", "RGB"):
        raise UserError(f"{path}: {photo.mode} pixels; metrics take 8-bit grey or RGB.")
    return np.asarray(photo.samples, np.uint8)
