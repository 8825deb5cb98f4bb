"""A whole score: from options to targets, measured shard by shard, to a report each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from inpaint_cli import metrics
from inpaint_cli.device import rank, resolve
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.masks import each
from inpaint_cli.metrics import calibrated
from inpaint_cli.metrics.completion_options import CompletionOptions, load_images
from inpaint_cli.metrics.folder_options import (
    OF_FOLDERS,
    OF_MODELS,
    FolderOptions,
    folder_options,
)
from inpaint_cli.metrics.folders import FilesTarget, in_colours_alike, target_of
from inpaint_cli.metrics.pairs import names_of
from inpaint_cli.metrics.protocol import (
    MeasureOptions,
    ModelSize,
    Setting,
    check_counts,
    settings_of,
    unequal_warning,
)
from inpaint_cli.metrics.reconstructions import reconstructing
from inpaint_cli.metrics.report import Document
from inpaint_cli.metrics.scoring import Scoring
from inpaint_cli.metrics.targets import (
    Contestant,
    ModelTarget,
    Target,
    check_temperature,
    prepared,
    takes_temperature,
)
from inpaint_cli.metrics.unpaired import UnpairedScoring, split_reference, write
from inpaint_cli.photos import arguments
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.calibration import load as load_calibration
from inpaint_cli.photos.family_options import names_in_score, shared_options
from inpaint_cli.ranks import first_before_the_others, joined
from inpaint_cli.reporting import Reporter

Loader = Callable[[str, str], Contestant]
"""Loads a model by name on a device."""


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
        completed = self.completed
        check_counts(completed.k, completed.limit, self.measured.sets, completed.size)
        check_counts(self.files.k, None, None, None)
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


def run(order: ScoreOrder, load: Loader, reporter: Reporter) -> list[Document]:
    """Return a report per target; in the other processes of torchrun, nothing."""
    with joined(resolve(order.device)) as device:
        if order.files.unpaired:
            return _unpaired(order, device, reporter).run()
        targets = targets_of(order, load, reporter, device)
        calibrated.check(order.measured.calibration, targets, reporter)
        return scoring_of(order, device, reporter).run(targets)


def check(order: ScoreOrder, load: Loader, reporter: Reporter) -> list[tuple[str, str, str]]:
    """Return (target, metric, "ok" or why not), computing nothing."""
    device = resolve(order.device)
    if order.files.unpaired:
        return _unpaired(order, device, reporter).check()
    targets = targets_of(order, load, reporter, device)
    return scoring_of(order, device, reporter).check(targets)


def scoring_of(order: ScoreOrder, device: torch.device, reporter: Reporter) -> Scoring:
    """Return what scores an order's targets."""
    return Scoring(order.measured, device, reporter, order.work, "+".join(order.completed.data))


def write_reference(order: ScoreOrder, path: Path, reporter: Reporter) -> Document:
    """Write mean and covariance of the features of a folder; nothing in the other processes."""
    with joined(resolve(order.device)) as device:
        scoring = scoring_of(order, device, reporter)
        return write(scoring, order.files, order.completed.limit, path)


def _unpaired(order: ScoreOrder, device: torch.device, reporter: Reporter) -> UnpairedScoring:
    scoring = scoring_of(order, device, reporter)
    return UnpairedScoring.of(scoring, order.files, order.completed.limit)


def targets_of(
    order: ScoreOrder, load: Loader, reporter: Reporter, device: torch.device
) -> list[Target]:
    """Return what is to be scored, loaded and checked; remarks come from one process only."""
    reporter = reporter if rank() == 0 else Reporter(quiet=True)
    files, folders = order.files, list[FilesTarget]()
    for folder, name in zip(files.folders, names_of(files.folders), strict=True):
        limit = order.completed.limit
        target = target_of(folder, files.reference, files.masks, files.k, files.size, limit)
        target.name = target.label = name
        for line in target.cautions():
            reporter.warn(f"{target.name}: {line}")
        folders.append(target)
    for line in in_colours_alike(folders):
        reporter.note(line)
    targets: list[Target] = [*folders]
    _check_names([target.name for target in targets])
    if not files.folders:
        targets += _of_models(order, load, reporter, device)
    if order.measured.by_visible and not all(target.has_masks for target in targets):
        raise UserError(
            "which pixels are visible is unknown. Give masks, a folder of them.",
            setting="by_visible",
        )
    return targets


def _check_names(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise UserError(f"{', '.join(names)}: two of these have one name. Give each once.")


def _of_models(
    order: ScoreOrder, load: Loader, reporter: Reporter, device: torch.device
) -> Sequence[Target]:
    contestants = [load(name, str(device)) for name in order.models]
    _check_names([contestant.name for contestant in contestants])
    check_temperature(order.completed.temperature, contestants)
    _remark_on_temperature(order.completed, contestants, reporter)
    drawn = _drawn(order, contestants, reporter)
    sizes = [contestant.size for contestant in contestants]
    settings = settings_of(sizes, order.completed.size)
    _remark_on(sizes, settings, reporter)
    images = {}
    for setting in dict.fromkeys(settings):
        images[setting] = first_before_the_others(
            partial(load_images, order.completed, setting, reporter)
        )
        for line in images[setting].remarks:
            reporter.note(line)
        for line in images[setting].describe():
            reporter.detail(line)
    targets = list[ModelTarget]()
    for kind in order.kinds:
        options = replace(order.completed, masks=kind)
        of_kind = prepared(contestants, settings, images, options, reporter)
        for target, chosen in zip(of_kind, drawn, strict=True):
            target.options = chosen
        targets += of_kind
    if len(order.kinds) > 1:
        for target in targets:
            target.label = f"{target.name} ({target.masks.kind})"
    if not order.reconstruct:
        return targets
    return [*targets, *reconstructing(targets, order.measured.metrics, reporter)]


def _remark_on_temperature(
    completed: CompletionOptions, contestants: Sequence[Contestant], reporter: Reporter
) -> None:
    if completed.temperature is None:
        return
    others = [c.name for c in contestants if c.model.stochastic and not takes_temperature(c)]
    if others:
        reporter.note(f"{', '.join(others)}: drawn without a temperature")
    if completed.temperature == 0 and completed.k > 1:
        reporter.note(f"at temperature 0 one completion stands for {completed.k} equal ones")


def _drawn(
    order: ScoreOrder, contestants: Sequence[Contestant], reporter: Reporter
) -> list[dict[str, Any]]:
    """Return the options of its family for each model; a remark where some models have none."""
    drawn = shared_options([contestant.family for contestant in contestants], order.drawn)
    for name, value in order.drawn.items():
        takers = [c.name for c, own in zip(contestants, drawn, strict=True) if name in own]
        if 0 < len(takers) < len(contestants):
            reporter.note(f"{name} {value} is for {', '.join(takers)}; the others have no such")
    return drawn


def _remark_on(sizes: Sequence[ModelSize], settings: Sequence[Setting], reporter: Reporter) -> None:
    warning = unequal_warning(sizes, settings)
    if warning:
        reporter.warn(warning)
    for setting in dict.fromkeys(settings):
        group = [size for size, other in zip(sizes, settings, strict=True) if other == setting]
        if setting.levels < 256 and any(model.levels != setting.levels for model in group):
            lead = min(group, key=lambda model: model.levels).name
            reporter.note(
                f"originals and completions are compared at {setting.levels} levels, those of "
                f"{lead}"
            )
