"""From what was asked to targets, and from targets to reports: what command and API share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch

from inpaint_cli.device import rank, resolve
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.metrics import catalogue
from inpaint_cli.metrics.folders import Fit
from inpaint_cli.metrics.pairs import target_of
from inpaint_cli.metrics.protocol import (
    Needs,
    Request,
    Setting,
    check_counts,
    settings_of,
    unequal_warning,
)
from inpaint_cli.metrics.report import Document
from inpaint_cli.metrics.scoring import Session
from inpaint_cli.metrics.targets import (
    Choices,
    Contestant,
    Target,
    load_images,
    prepared,
    refuse_temperature,
)
from inpaint_cli.ranks import first_before_the_others, joined
from inpaint_cli.reporting import Reporter

Loader = Callable[[str, str], Contestant]
"""Loads a model by name on a device."""


@dataclass(frozen=True)
class Files:
    """Pictures made beforehand."""

    folders: tuple[Path, ...] = ()
    reference: Path | None = None
    masks: Path | None = None
    k: int | None = None
    """None = all that there are."""
    fit: Fit = field(default_factory=Fit)


@dataclass(frozen=True)
class Order:
    """All of a score that a person may ask for."""

    models: tuple[str, ...]
    request: Request
    choices: Choices
    files: Files
    device: str = "auto"
    work: Path | None = None

    def __post_init__(self) -> None:
        choices, request = self.choices, self.request
        check_counts(choices.k, choices.limit, request.sets, choices.size)
        if not self.models and not self.files.folders:
            raise UserError("nothing to score: give a model or a folder.")


def order_of(models: Sequence[str], given: Mapping[str, Any]) -> Order:
    """Sorts options by name into an order; UserError with the nearest name for unknown ones."""
    options = dict(given)
    folders = tuple(Path(folder) for folder in options.pop("folders", ()))
    names = {kind: {f.name for f in fields(kind)} for kind in (Request, Choices)}
    file_names = {"reference", "resize", "crop", "device", "work"}
    known = set().union(*names.values()) | file_names
    for name in options:
        if name not in known:
            raise unknown_name("score: no option", name, known)
    if isinstance(options.get("metrics"), str):
        options["metrics"] = catalogue.parse(options["metrics"])
    if isinstance(options.get("data"), str):
        options["data"] = (options["data"],)
    request = Request(**{n: v for n, v in options.items() if n in names[Request]})
    choices = Choices(**{n: v for n, v in options.items() if n in names[Choices]})
    files = _files(folders, options)
    work = options.get("work")
    return Order(
        () if folders else tuple(models), request, choices, files,
        options.get("device", "auto"), Path(work) if work else None,
    )  # fmt: skip


def _files(folders: tuple[Path, ...], options: Mapping[str, Any]) -> Files:
    if not folders:
        for name in ("reference", "resize", "crop"):
            if options.get(name) is not None:
                raise UserError(f"--{name}: belongs to folders of pictures; none is given.")
        return Files()
    for name in ("data", "size", "temperature"):
        if options.get(name):
            raise UserError(f"--{name}: belongs to models; folders of pictures are scored here.")
    fit = Fit(options.get("resize"), options.get("crop"))
    if fit.resize and fit.crop:
        raise UserError("--resize, --crop: give one of them.")
    masks = options.get("masks")
    reference = options.get("reference")
    return Files(
        folders,
        Path(reference) if reference is not None else None,
        Path(masks) if masks is not None else None,
        options.get("k"),
        fit,
    )


def run(order: Order, load: Loader, reporter: Reporter) -> list[Document]:
    """Gives a report per target; in the other processes of torchrun, nothing."""
    with joined(resolve(order.device)) as device:
        targets = targets_of(order, load, reporter, device)
        return session_of(order, device, reporter).run(targets)


def check(order: Order, load: Loader, reporter: Reporter) -> list[tuple[str, str, str]]:
    """Gives (target, metric, "ok" or why not), computing nothing."""
    device = resolve(order.device)
    targets = targets_of(order, load, reporter, device)
    return session_of(order, device, reporter).check(targets)


def session_of(order: Order, device: torch.device, reporter: Reporter) -> Session:
    """Gives the session that scores the targets of an order."""
    data = "+".join(order.choices.data)
    return Session(order.request, device, reporter, order.work, data)


def targets_of(
    order: Order, load: Loader, reporter: Reporter, device: torch.device
) -> list[Target]:
    """Gives what is to be scored, loaded and checked; remarks come from one process only."""
    reporter = reporter if rank() == 0 else Reporter(quiet=True)
    if order.files.folders:
        found: list[Target] = list(_of_folders(order))
    else:
        found = list(_of_models(order, load, reporter, device))
    names = [target.name for target in found]
    if len(set(names)) < len(names):
        raise UserError(f"{', '.join(names)}: two of these have one name. Give each once.")
    if order.request.by_visible and not all(target.has_masks for target in found):
        raise UserError("--by-visible: which pixels are visible is unknown. Add --masks DIR.")
    return found


def _of_folders(order: Order) -> list[Target]:
    files = order.files
    return [
        target_of(folder, files.reference, files.masks, files.k, files.fit, order.choices.limit)
        for folder in files.folders
    ]


def _of_models(
    order: Order, load: Loader, reporter: Reporter, device: torch.device
) -> list[Target]:
    contestants = [load(name, str(device)) for name in order.models]
    refuse_temperature(order.choices.temperature, contestants)
    needs = [contestant.needs for contestant in contestants]
    settings = settings_of(needs, order.choices.size)
    _say_setting(needs, settings, reporter)
    images = {}
    for setting in settings:
        if setting not in images:
            images[setting] = first_before_the_others(
                partial(load_images, order.choices, setting, reporter)
            )
            for line in images[setting].describe():
                reporter.detail(line)
    return list(prepared(contestants, settings, images, order.choices, reporter))


def _say_setting(needs: Sequence[Needs], settings: Sequence[Setting], reporter: Reporter) -> None:
    warning = unequal_warning(needs, settings)
    if warning:
        reporter.warn(warning)
    for setting in dict.fromkeys(settings):
        group = [m for m, own in zip(needs, settings, strict=True) if own == setting]
        if any(model.levels != setting.levels for model in group):
            lead = min(group, key=lambda model: model.levels).name
            reporter.note(
                f"originals and completions are compared at {setting.levels} levels, those of "
                f"{lead}"
            )
