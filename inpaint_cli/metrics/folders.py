"""Pictures in folders as a target: originals and completions are paired by name.

Pictures of any tool in one folder and originals in another, or the results of `inpaint complete`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from inpaint_cli.data.image_set import counted
from inpaint_cli.errors import UserError
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.metrics.pairs import (
    Pair,
    PictureHole,
    check_folder,
    of_folder,
    of_record,
    state_of,
)
from inpaint_cli.metrics.protocol import FILES, Setting, TargetFacts, dataset_facts, mask_facts
from inpaint_cli.metrics.targets import Case, Target, subset
from inpaint_cli.photos.listing import HEIF_SUFFIXES
from inpaint_cli.photos.record import NAME as RECORD
from inpaint_cli.photos.record import is_recorded
from inpaint_cli.pictures.plain import Span, common_span, plain_bytes
from inpaint_cli.pictures.reading import is_exact_webp, look
from inpaint_cli.reporting import Reporter

LOSSY = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx"),
    *(".webp", ".avif", *HEIF_SUFFIXES),
}
PixelArray = npt.NDArray[np.uint8]


def is_lossy(file: Path) -> bool:
    """Return whether the format of a file changes pixels; WebP may be either."""
    suffix = file.suffix.lower()
    return suffix in LOSSY and not (suffix == ".webp" and is_exact_webp(file.read_bytes()))


def suffixes_of(files: Iterable[Path]) -> str:
    """Return the suffixes of files as a message names them; empty where there is no file."""
    return ", ".join(sorted({file.suffix.lower() for file in files}))


@dataclass(frozen=True)
class CommonSize:
    """How pictures of unequal size become equal: resized or cropped to (height, width)."""

    resize: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.resize:
            return f"resized to {self.resize[0]}x{self.resize[1]} (Lanczos), both sides"
        return f"centre crop of {self.crop[0]}x{self.crop[1]}, both sides" if self.crop else "none"

    def of(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) that a picture of `size` ends with."""
        return self.resize or self.crop or size

    def picture(self, pixels: PixelArray) -> PixelArray:
        """Return uint8 [H, W, C] at the common size."""
        if self.resize:
            flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            image = Image.fromarray(flat).resize(self.resize[::-1], Image.Resampling.LANCZOS)
            return np.asarray(image).reshape(*self.resize, pixels.shape[2])
        return pixels[self._middle(pixels.shape[:2])]

    def mask(self, visible: Mask) -> Mask:
        """Return bool [H, W] at the common size; a pixel that any hidden one touches is hidden."""
        if not self.resize:
            return visible[self._middle(visible.shape)]
        image = Image.fromarray(np.where(visible, 0, 255).astype(np.uint8)).convert("F")
        return np.asarray(image.resize(self.resize[::-1], Image.Resampling.BOX)) <= 0

    def _middle(self, size: Sequence[int]) -> tuple[slice, slice]:
        wanted = self.crop or (size[0], size[1])
        top, left = ((have - want) // 2 for have, want in zip(size, wanted, strict=True))
        return slice(top, top + wanted[0]), slice(left, left + wanted[1])


@dataclass
class Notes(Reporter):
    """Keeps remarks on a file, without its name, to be told of all files at once."""

    name: str = ""
    texts: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.texts.append(text.removeprefix(f"{self.name}: ").rstrip("."))


@dataclass
class FilesTarget(Target):
    """Pairs of files; every picture has one size, by itself or made so."""

    name: str
    pairs: Sequence[Pair]
    size: CommonSize = field(default_factory=CommonSize)
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What a record says of how they were made: model, weights_sha256, options, seed."""

    def __post_init__(self) -> None:
        self.ids, self.label = [pair.id for pair in self.pairs], self.name
        self.k = len(self.pairs[0].completions)
        self.has_masks = all(pair.hole is not None for pair in self.pairs)
        self.files = [f for pair in self.pairs for f in (pair.truth, *pair.completions)]
        self.setting = self._setting()
        self.converted: Counter[str] = Counter()

    def _setting(self) -> Setting:
        grey, sizes = True, dict[tuple[int, int], Path]()
        self._resized = self._mixed = 0
        for pair in self.pairs:
            size = header(pair.truth)[0]
            shown = f"{pair.truth} has {size[1]}x{size[0]}"
            for path in (pair.truth, *pair.completions):
                other, is_grey = header(path)
                grey = grey and is_grey
                if other != size and not self.size.resize:
                    raise UserError(
                        f"{path}: {other[1]}x{other[0]} pixels, but {shown} (width x height). "
                        "A completion has its original's size; with resize, both are resized."
                    )
                self._resized += other != size
                self._mixed += is_grey and path != pair.truth and not header(pair.truth)[1]
            if self.size.crop and any(map(int.__lt__, size, self.size.crop)):
                raise UserError(f"{shown} pixels only.", setting="crop")
            sizes.setdefault(self.size.of(size), pair.truth)
        if len(sizes) > 1:
            (first, a), (second, b) = list(sizes.items())[:2]
            raise UserError(
                f"{b}: {second[1]}x{second[0]} pixels, but {a} has {first[1]}x{first[0]} (width x "
                "height). Score pictures of one size: resize or crop them."
            )
        height, width = next(iter(sizes))
        return Setting(height, width, 1 if grey else 3)

    def case(self, index: int) -> Case:
        pair = self.pairs[index]
        truth = self._pixels(pair.truth)
        completions = [self._pixels(path) for path in pair.completions]
        sized = [self.size.picture(pixels) for pixels in (truth, *completions)]
        original, pictures = _tensor(sized[:1])[0], _tensor(sized[1:])
        if not self.has_masks or pair.hole is None:
            return Case(original, None, pictures)
        known = self._visible(pair.hole, truth.shape[:2])
        visible = torch.from_numpy(np.ascontiguousarray(self.size.mask(known)))
        if all(pixels.shape[:2] == known.shape for pixels in (truth, *completions)):
            # As the tool gave them: resizing carries the hole into the pixels around.
            changed = changed_of(_tensor([truth])[0], torch.from_numpy(known), _tensor(completions))
        else:
            changed = changed_of(original, visible, pictures)
        return Case(original, visible, pictures, spent=changed)

    def _visible(self, hole: PictureHole, size: tuple[int, int]) -> Mask:
        """Return the visible pixels of a picture; of a mask's own size where all are resized."""
        notes = Notes(name=str(hole.source.path))
        visible = hole.visible(*size, own_size=bool(self.size.resize), reporter=notes)
        if visible.shape != size:
            notes.note("a mask of another size than its picture was resized")
        self.converted.update(notes.texts)
        return visible

    def check_holes(self) -> None:
        """Refuse masks of which none hides anything: they are no masks of these completions."""
        holes = [(pair.truth, pair.hole) for pair in self.pairs if pair.hole is not None]
        for truth, hole in holes:
            resized = bool(self.size.resize)
            if not hole.visible(*header(truth)[0], own_size=resized).all():
                return
        shown = holes[0][1].source.path or holes[0][0]
        raise UserError(
            f"{shown}: hides nothing, and no other mask here does. White is hidden: "
            "values of 128 and above of 255.",
            setting="masks",
        )

    @cached_property
    def _span(self) -> Span | None:
        """Black and white of deeper samples, by the originals."""
        return common_span(pair.truth for pair in self.pairs)

    def _pixels(self, path: Path) -> PixelArray:
        """Return a file as it is stored, in the channels of the whole."""
        pixels, remarks = plain_bytes(path, self._span)
        self.converted.update(remarks)
        return pixels.repeat(3, axis=2) if self.setting.channels > pixels.shape[2] else pixels

    def cautions(self) -> list[str]:
        """Return what a person should know of the files before any figure."""
        lines = []
        if self._mixed:
            lines.append(
                f"{counted(self._mixed, 'completion')} in grey of originals in colour, so errors "
                "of colour are counted"
            )
        if lossy := self._lossy_completions:
            lines.append(
                f"{counted(len(lossy), 'completion')} of a lossy format ({suffixes_of(lossy)}), so "
                "errors of the compression are counted"
            )
        unknown = [pair.id for pair in self.pairs if pair.hole is None]
        if 0 < len(unknown) < len(self.pairs):
            lines.append(
                f"the masks of {counted(len(unknown), 'picture')} (such as {unknown[0]}) are not "
                "where the record says, so those of the others are left aside: give masks, a "
                "folder of all"
            )
        if chosen := self.origin.get("chosen"):
            lines.append(
                f"of {counted(chosen, 'picture')} the likeliest completions alone were kept: they "
                "are no sample, so coverage, crps, energy and diversity are not those of the model"
            )
        if self._resized:
            lines.append(
                f"{counted(self._resized, 'completion')} of another size than the originals: both "
                "were resized, which blurs what was finer"
            )
        return lines

    @cached_property
    def _lossy(self) -> frozenset[Path]:
        """The files whose format changes pixels; of WebP each is read to tell, so once."""
        return frozenset(filter(is_lossy, self.files))

    @property
    def _lossy_completions(self) -> list[Path]:
        return [file for pair in self.pairs for file in pair.completions if file in self._lossy]

    @property
    def keeps_visible(self) -> bool:
        return bool(self.origin) and not self._lossy_completions

    def facts(self) -> TargetFacts:
        lossy = suffixes_of(self._lossy)
        told = f"some files are lossy ({lossy}): their artefacts alone may tell the sides apart"
        return TargetFacts(
            model={
                "family": None,
                "checkpoint": self.origin.get("model"),
                "checkpoint_sha256": self.origin.get("weights_sha256"),
                "sampler": dict(self.origin.get("options") or {}),
            },
            dataset=dataset_facts(FILES, "none", self.ids, self.setting, self.size.rule),
            masks=mask_facts(FILES if self.has_masks else "unknown"),
            completions={
                "k": self.k,
                "seed": self.origin.get("seed"),
                # `inpaint complete` composites; of other tools' files nothing is known.
                "composited": bool(self.origin),
                "quantised": "uint8 as stored",
                "source": "inpaint complete" if self.origin else "folder",
            },
            warnings=tuple(self.cautions()),
            of_features=(told,) * bool(lossy),
        )

    def fingerprint(self) -> Any:
        masks = [path for p in self.pairs if p.hole is not None for path in p.hole.files]
        state = state_of([*self.files, *masks])
        holes = str([pair.hole for pair in self.pairs])
        return [self.ids, state, self.size.rule, holes, self.setting.channels]


def in_colours_alike(targets: Sequence[FilesTarget]) -> Iterator[str]:
    """Let folders of equal names be compared in colour where one of them is; yield remarks.

    Some tools return grey pictures as RGB. The number of values is a factor in the energy score.
    """
    for target in targets:
        alike = [one for one in targets if list(one.ids) == list(target.ids)]
        lead = next((one for one in alike if one.setting.channels == 3), None)
        if lead is not None and target.setting.channels == 1:
            target.setting = replace(target.setting, channels=3)
            yield f"{target.name}: grey, and compared as RGB, which those of {lead.name} are"


def target_of(
    folder: Path,
    reference: Path | None,
    masks: Path | None,
    k: int | None,
    size: CommonSize,
    limit: int | None = None,
) -> FilesTarget:
    """Return the target of a folder of pictures, or of the results of `inpaint complete`.

    reference: the originals; None = those that the record names. masks: white = hidden, named as
    the originals. k: take the first k completions of each. UserError for anything that does not
    pair.
    """
    check_folder(folder)
    if is_recorded(folder):
        pairs, origin = of_record(folder, reference, masks)
    elif reference is None:
        raise UserError(
            f"{folder}: holds no {RECORD}, so the originals are unknown. Give their folder "
            "with the setting reference."
        )
    else:
        pairs, origin = of_folder(folder, reference, masks), {}
    counts = {len(pair.completions) for pair in pairs}
    wanted = k or max(counts)
    short = next((pair for pair in pairs if len(pair.completions) < wanted), None)
    if short:
        least = min(counts)
        raise UserError(
            f"{folder}: {short.id} has {counted(len(short.completions), 'completion')}, not "
            f"{wanted}. Every image needs as many, and {least} of each are there: give that.",
            setting="k",
        )
    chosen = [pairs[row] for row in subset(pairs, limit)]
    pairs = [Pair(p.id, p.truth, p.completions[:wanted], p.hole) for p in chosen]
    target = FilesTarget(folder.name or str(folder), pairs, size, origin)
    if target.has_masks:
        target.check_holes()
    return target


def header(path: Path) -> tuple[tuple[int, int], bool]:
    """Return the upright (height, width) of a picture and whether it is grey, from its header."""
    seen = look(path)
    return (seen.height, seen.width), seen.grey


def _tensor(pictures: Sequence[PixelArray]) -> Tensor:
    """Return pictures [H, W, C] as one tensor [N, C, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2)))


def changed_of(truth: Tensor, visible: Tensor, completions: Tensor) -> dict[str, float]:
    """Return the share of visible samples that completions changed, and by how much on average.

    And whether nothing that is hidden differs. truth: uint8 [C, H, W]; visible: bool [H, W];
    completions: uint8 [K, C, H, W]. Nothing where nothing is visible.
    """
    if not visible.any():
        return {}
    away = (completions.short() - truth.short()).abs()
    seen, filled = away[..., visible].double(), away[..., ~visible]
    moved = seen > 0
    by = float(seen[moved].mean()) if moved.any() else 0.0
    untouched = float(filled.numel() > 0 and not filled.any())
    return {"changed": float(moved.double().mean()), "changed_by": by, "untouched": untouched}
