"""What may be asked of a score: what is measured, of which models or folders, under which masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

from inpaint_cli import metrics
from inpaint_cli.bounds import LARGEST_SIDE
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.masks import each
from inpaint_cli.metrics import statistics_file
from inpaint_cli.metrics.folders import CommonSize
from inpaint_cli.metrics.statistics_file import Statistics
from inpaint_cli.parsing import brief
from inpaint_cli.photos import arguments
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.calibration import load as load_calibration
from inpaint_cli.photos.family_options import names_in_score
from inpaint_cli.photos.record import is_recorded
from inpaint_cli.photos.request import DetailSource

Resize = Literal["tf1", "clean"]
KidForm = Literal["paired", "subsets"]
OF_FOLDERS = ("reference", "resize", "crop", "unpaired")
"""Options that belong to folders of pictures alone."""
OF_MODELS = "belongs to models; folders of pictures are scored here."
"""Why an option is refused beside folders."""


@dataclass(frozen=True)
class MeasureOptions:
    """What is to be measured, whatever the target is."""

    metrics: tuple[str, ...] = field(default_factory=metrics.defaults)
    features: str | None = None
    """Name or path; None = Inception where it lies, else the classifier that ships."""
    trust_code: bool = False
    """A TorchScript file of features may run its code."""
    features_input: str | None = None
    """What a TorchScript file takes, "SIDE,VALUES"; None = 224,imagenet."""
    perceptual: str | None = None
    """Name or path; None = LPIPS where its trunk lies, else the classifier that ships."""
    weights_dir: Path | None = None
    by_visible: bool = False
    sets: int | None = None
    """Completion sets whose features are kept; None = what the metrics take by themselves."""
    fid_resize: Resize = "tf1"
    pooled: bool = False
    """Also the inception score of all images pooled."""
    kid_form: KidForm = "paired"
    """Unbiased for pairs, with an error; or the field's mean over random subsets."""
    kid_subsets: int | None = None
    """Of the form "subsets": how many; None = 100."""
    kid_size: int | None = None
    """Images of each; None = 1000."""
    allow_biased: bool = False
    """Frechet distances of no more images than features are computed, not refused."""
    statistics: Statistics | None = None
    """Published mean and covariance, with which `fid` compares the completions too."""
    strict: bool = False
    """Any refusal is an error."""
    calibration: Calibration | None = None
    """Of the one model that is scored; `coverage` then also tells of its intervals."""

    def __post_init__(self) -> None:
        for name, value, least in (
            ("kid_subsets", self.kid_subsets, 1),
            ("kid_size", self.kid_size, 2),
        ):
            if value is None:
                continue
            if value < least:
                raise UserError(f"must be at least {least}, got {value}.", setting=name)
            if self.kid_form != "subsets":
                raise UserError("belongs to the form 'subsets'; the other has none.", setting=name)


@dataclass(frozen=True)
class CompletionOptions:
    """What is completed, how often, under which masks."""

    data: tuple[str, ...] = ()
    split: str = "test"
    masks: str = "freeform@mixture"
    k: int = 10
    limit: int | None = None
    seed: int = 0
    size: int | None = None
    temperature: float | None = None
    detail: DetailSource | None = None
    """Where pixels finer than a model's come from, in pictures larger than it; None = nowhere."""
    by_visible: bool = False
    download: bool = False
    split_map: str = ""
    check_leaks: bool = False

    def __post_init__(self) -> None:
        check_counts(k=self.k, limit=self.limit, size=self.size)
        arguments.whole(self.seed, "seed", 0)
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise UserError(f"must be at least 0, got {self.temperature}.", setting="temperature")


@dataclass(frozen=True)
class FolderOptions:
    """Pictures made beforehand."""

    folders: tuple[Path, ...] = ()
    reference: Path | None = None
    masks: Path | None = None
    k: int | None = None
    """None = all that there are."""
    size: CommonSize = field(default_factory=CommonSize)
    unpaired: bool = False
    """Pictures of both sides do not pair."""


@dataclass(frozen=True)
class ScoreOrder:
    """All of a score that a person may ask for."""

    models: tuple[str, ...]
    measured: MeasureOptions
    completed: CompletionOptions
    """Its `masks` are those of `kinds` in turn."""
    files: FolderOptions
    kinds: tuple[str, ...] = (CompletionOptions.masks,)
    """What is completed under: a kind of mask, or several, each by itself."""
    reconstruct: bool = False
    """Also what the models' autoencoders make of the originals."""
    drawn: Mapping[str, Any] = field(default_factory=dict)
    """Options of families that decide what is drawn, for those models whose families have them."""
    device: str = "auto"
    work: Path | None = None

    def __post_init__(self) -> None:
        check_counts(k=self.files.k, sets=self.measured.sets)
        if not self.models and not self.files.folders:
            raise UserError("nothing to score: give a model or a folder.")


def order_of(models: Sequence[str], given: Mapping[str, Any]) -> ScoreOrder:
    """Sort options by name into an order; UserError with the nearest name for unknown ones."""
    options = _converted(given)
    folders, masks = options.pop("folders", ()), _masks_of(options.pop("masks", None))
    options |= {"masks": masks[0]} if masks else {}
    measured, completed = ({f.name for f in fields(k)} for k in (MeasureOptions, CompletionOptions))
    known = measured | completed | {*OF_FOLDERS, "device", "work", "reconstruct"}
    asked = sorted(names_in_score() & options.keys() - known)
    drawn = {name: options.pop(name) for name in asked}
    for name in options:
        if name not in known:
            raise unknown_name("score: no option", name, known | names_in_score())
    if folders and drawn:
        raise UserError(OF_MODELS, setting=asked[0])
    if "calibration" in options and "coverage" not in options.get("metrics", ("coverage",)):
        raise UserError("serves coverage, which is not asked for.", setting="calibration")
    if len(masks) > 1 and folders:
        raise UserError("give one folder of masks.", setting="masks")
    split_reference(folders, options)
    return ScoreOrder(
        () if folders else tuple(models),
        MeasureOptions(**arguments.as_declared(MeasureOptions, options)),
        CompletionOptions(**arguments.as_declared(CompletionOptions, options)),
        folder_options(folders, options),
        kinds=masks or (CompletionOptions.masks,),
        reconstruct=options.get("reconstruct", False),
        drawn=drawn,
        device=options.get("device", "auto"),
        work=options.get("work"),
    )


def _converted(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not None; texts of paths, metrics and files as what they name.

    UserError for values of other types.
    """
    convert: dict[str, Callable[[Any, str], Any]] = {
        "reference": arguments.path,
        "work": arguments.path,
        "reconstruct": arguments.flag,
        "unpaired": arguments.flag,
        "folders": lambda value, name: tuple(map(Path, arguments.names(value, name))),
        "metrics": lambda value, name: metrics.parse(",".join(arguments.names(value, name))),
        "calibration": _calibration,
    }
    some = {name: value for name, value in given.items() if value is not None}
    return {n: convert[n](value, n) if n in convert else value for n, value in some.items()}


def _calibration(given: Any, name: str) -> Calibration:
    return (
        given if isinstance(given, Calibration) else load_calibration(arguments.path(given, name))
    )


def _masks_of(given: Any) -> tuple[str, ...]:
    """Return kinds and files of masks, each once; a span such as patches:n=0-5 as its kinds."""
    several = () if given is None else arguments.names(given, "masks")
    named = [name for text in several for name in _listed(text)]
    return tuple(dict.fromkeys(kind for name in named for kind in each(name)))


def _listed(text: str) -> list[str]:
    """Return the names in a text with commas between; a file's name is one, whatever is in it."""
    return [text] if Path(text).exists() else [part.strip() for part in text.split(",")]


def split_reference(folders: Sequence[Path], options: dict[str, Any]) -> None:
    """Turn a reference that is no folder into statistics; folders without originals do not pair."""
    given = options.get("reference")
    if given is not None and statistics_file.is_meant(Path(given)):
        if "fid" not in options.get("metrics", ("fid",)):
            raise UserError("statistics serve fid, which is not asked for.", setting="reference")
        options["statistics"] = statistics_file.load(Path(options.pop("reference")))
        if folders and not all(is_recorded(folder) for folder in folders):
            options["unpaired"] = True
    elif given is not None and Path(given).is_file():
        raise UserError(
            f"{given}: must be a folder of pictures or statistics in an .npz file.",
            setting="reference",
        )
    if options.get("unpaired"):
        for name in ("masks", "k", "sets", "by_visible", "calibration"):
            if options.get(name):
                raise UserError("belongs to pictures that pair; these do not.", setting=name)
        options.setdefault("metrics", ("fid",) if "statistics" in options else ("fid", "kid"))


def completion_options(given: Mapping[str, Any]) -> CompletionOptions:
    """Return options by name; UserError with the nearest name for unknown ones, and odd counts."""
    names = {field.name for field in fields(CompletionOptions)}
    for name in given:
        if name not in names:
            raise unknown_name("no option", name, names)
    return CompletionOptions(**arguments.as_declared(CompletionOptions, given))


def check_counts(**counts: int | None) -> None:
    """Raise UserError for numbers that mean nothing."""
    for name, value in counts.items():
        if value is None:
            continue
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise UserError(f"must be a whole number, got {brief(repr(value))}.", setting=name)
        least = 8 if name == "size" else 1
        if value < least:
            raise UserError(f"must be at least {least}, got {value}.", setting=name)


def folder_options(folders: tuple[Path, ...], options: Mapping[str, Any]) -> FolderOptions:
    """Return what was asked of folders. UserError for what means nothing with or without them."""
    if not folders:
        for name in OF_FOLDERS:
            if options.get(name) not in (None, False):
                raise UserError("belongs to folders of pictures; none is given.", setting=name)
        return FolderOptions()
    for name in ("data", "size", "temperature", "detail", "reconstruct"):
        if options.get(name):
            raise UserError(OF_MODELS, setting=name)
    size = CommonSize(*(_sides(options.get(name), name) for name in ("resize", "crop")))
    if size.resize and size.crop:
        raise UserError("give it or crop, not both.", setting="resize")
    paths = [options.get(name) for name in ("reference", "masks")]
    reference, masks = (None if path is None else Path(path) for path in paths)
    if masks is not None and not masks.is_dir():
        raise UserError(
            f"{masks}: no such folder. Masks of pictures made beforehand are a folder of files.",
            setting="masks",
        )
    unpaired = bool(options.get("unpaired"))
    return FolderOptions(folders, reference, masks, options.get("k"), size, unpaired)


def _sides(value: Any, name: str) -> tuple[int, int] | None:
    """Return (height, width) of one side or of both; UserError for what are none."""
    if value is None:
        return None
    sides = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2 or not all(type(s) is int and 1 <= s <= LARGEST_SIDE for s in sides):
        raise UserError(
            f"must be a side or (height, width), of 1 to {LARGEST_SIDE} pixels each, got "
            f"{brief(repr(value))}.",
            setting=name,
        )
    return sides
