"""A whole score: from options to targets, measured shard by shard, to a report each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from inpaint_cli import metrics, models
from inpaint_cli.data.image_set import ImageSet, counted
from inpaint_cli.declarations import not_as_scored
from inpaint_cli.device import rank, resolve
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.folders import FilesTarget, in_colours_alike, target_of
from inpaint_cli.metrics.options import CompletionOptions, ScoreOrder
from inpaint_cli.metrics.pairs import names_of
from inpaint_cli.metrics.protocol import (
    MaskChoice,
    ModelSize,
    Setting,
    bin_weights,
    check_names,
    choose_masks,
    settings_of,
    unequal_warning,
)
from inpaint_cli.metrics.report import Document
from inpaint_cli.metrics.sample_set import load_images
from inpaint_cli.metrics.scoring import Scoring
from inpaint_cli.metrics.targets import (
    Contestant,
    ModelTarget,
    ReconstructionTarget,
    Target,
    subset,
    takes_temperature,
)
from inpaint_cli.metrics.unpaired import UnpairedScoring, write
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.photos.family_options import shared_options
from inpaint_cli.ranks import first_before_the_others, joined
from inpaint_cli.reporting import Reporter

REMARK = (
    "reconstructions are whole pictures and completions keep what is visible: compare the figures "
    "of the hole"
)
UNEVEN = 0.01
"""Ranges whose shares of the images differ by more than this are told of."""
Loader = Callable[[str, str], Contestant]
"""Loads a model by name on a device."""


def run(order: ScoreOrder, load: Loader, reporter: Reporter) -> list[Document]:
    """Return a report per target; in the other processes of torchrun, nothing."""
    with joined(resolve(order.device)) as device:
        if order.files.unpaired:
            return _unpaired(order, device, reporter).run()
        targets = targets_of(order, load, reporter, device)
        check_calibration(order.measured.calibration, targets, reporter)
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
    check_names([target.name for target in targets])
    if not files.folders:
        targets += _of_models(order, load, reporter, device)
    if order.measured.by_visible and not all(target.has_masks for target in targets):
        raise UserError(
            "which pixels are visible is unknown. Give masks, a folder of them.",
            setting="by_visible",
        )
    return targets


def _of_models(
    order: ScoreOrder, load: Loader, reporter: Reporter, device: torch.device
) -> Sequence[Target]:
    contestants = [load(name, str(device)) for name in order.models]
    for contestant in contestants:
        contestant.tell(reporter)
    check_names([contestant.name for contestant in contestants])
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
        _tell_of_weights(of_kind[0].masks, len(of_kind[0].ids), reporter)
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
        takers = [c.name for c, some in zip(contestants, drawn, strict=True) if name in some]
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


def check_temperature(temperature: float | None, contestants: Sequence[Contestant]) -> None:
    """Raise UserError for a temperature that no model would take."""
    if temperature is not None and not any(map(takes_temperature, contestants)):
        raise UserError(
            "no model here has one: methods draw without, and a program is told its own in its "
            "command. Leave it out.",
            setting="temperature",
        )


def _check_holes(masks: MaskChoice, count: int) -> None:
    """Refuse masks of which none hides anything: every model would be perfect."""
    if all(masks[index].all() for index in range(count)):
        raise UserError(
            f"'{masks.kind}' leaves all of {masks.height}x{masks.width} pixels visible: there is "
            "no hole. Take another kind, size or seed.",
            setting="masks",
        )


def _tell_of_weights(masks: MaskChoice, count: int, reporter: Reporter) -> None:
    """Tell where the ranges of a mixture weigh unequally, by more than 1 in 100."""
    weights = bin_weights(count)
    if masks.is_mixture and max(weights) - min(weights) > UNEVEN:
        shares = ", ".join(f"{weight * count:.0f}" for weight in weights)
        reporter.note(
            f"{masks.drawn_kind}: of {counted(count, 'image')} the ranges 0-20 to 80-100 have "
            f"{shares}, so they do not weigh the same in means; a multiple of {len(weights)} would"
        )


def prepared(
    contestants: Sequence[Contestant],
    settings: Sequence[Setting],
    load: Mapping[Setting, ImageSet],
    options: CompletionOptions,
    reporter: Reporter | None = None,
) -> list[ModelTarget]:
    """Return a target for each model; models of one setting share images and masks."""
    if options.detail and not any(setting.windows for setting in settings):
        raise UserError(
            "every model completes pictures of its own size here. Set size to larger pictures.",
            setting="detail",
        )
    targets, masks = [], dict[Setting, MaskChoice]()
    for contestant, setting in zip(contestants, settings, strict=True):
        images = load[setting]
        rows = subset(images, options.limit)
        if setting not in masks:
            masks[setting] = choose_masks(
                options.masks, setting, len(rows), options.seed, options.by_visible, reporter
            )
            _check_holes(masks[setting], len(rows))
            if reporter and options.limit and options.limit > len(rows):
                there = counted(len(rows), "picture")
                reporter.note(f"limit: there are no more than {there} in this split")
        chosen = masks[setting]
        target = ModelTarget(contestant, images, rows, setting, chosen, options.k, options.seed)
        target.temperature = options.temperature
        target.detail = options.detail or "none"
        targets.append(target)
    return targets


def reconstructing(
    targets: Sequence[ModelTarget], names: Sequence[str], reporter: Reporter
) -> list[ReconstructionTarget]:
    """Return the reconstructions by those models that have an autoencoder.

    UserError where none has, and where no metric is asked for that says something on them; a
    warning for a model without one beside others.
    """
    if not any(metrics.get(name).compares_pictures for name in names):
        raise UserError(
            "none of these metrics compares a picture with its original. Ask for psnr, lpips-gt or "
            "the like.",
            setting="reconstruct",
        )
    reasons = {t.name: t.contestant.model.no_reconstruction() for t in targets}
    lacking = {name: reason for name, reason in reasons.items() if reason}
    if len(lacking) == len(reasons):
        name, reason = next(iter(lacking.items()))
        raise UserError(f"{name} {reason}", setting="reconstruct")
    for name, reason in lacking.items():
        reporter.warn(f"no reconstruction: {name} {reason}")
    reporter.note(REMARK)
    return [ReconstructionTarget(target) for target in targets if target.name not in lacking]


def check_calibration(
    calibration: Calibration | None, targets: Sequence[Target], reporter: Reporter
) -> None:
    """Raise UserError where a calibration says nothing on the completions to be scored.

    Masks or pictures of another kind are warned of, and the very pictures that it was found on: its
    intervals exist, but nothing is promised of them.
    """
    if calibration is None:
        return
    targets = [target for target in targets if not target.is_reconstruction]
    if len({target.name for target in targets}) != 1:
        raise UserError("is of one model. Score that one alone.", setting="calibration")
    facts, target = targets[0].facts(), targets[0]
    sampler = facts.model.get("sampler", {})
    usual = target.contestant.model.own_temperature if isinstance(target, ModelTarget) else 1.0
    why = calibration.mismatch(
        target.name,
        facts.model.get("checkpoint_sha256"),
        target.k,
        sampler.get("temperature"),
        usual,
    )
    every = [option for _, option in models.options()]
    config = target.contestant.model.config if isinstance(target, ModelTarget) else None
    if why:
        raise UserError(
            f"{why}. Make one for these with 'inpaint calibrate'.", setting="calibration"
        )
    if why := not_as_scored(every, sampler, config):
        raise UserError(
            f"{why}, and there are none for others. Draw the completions with what is usual in a "
            "score.",
            setting="calibration",
        )
    if rank() == 0:
        for text in dict.fromkeys(text for one in targets for text in _doubts(calibration, one)):
            reporter.warn(text)


def _doubts(calibration: Calibration, target: Target) -> Iterator[str]:
    """Yield why the intervals of a calibration promise nothing of a target."""
    facts = target.facts()
    kind, data = str(facts.masks["distribution"]), facts.dataset
    nothing = "its intervals promise nothing here"
    if kind != calibration.masks:
        yield f"the calibration is of masks {calibration.masks}, and these are {kind}: {nothing}"
    made_on = (calibration.size, calibration.channels, calibration.levels)
    if (data["height"], data["channels"], data["levels"]) != made_on:
        yield (
            f"the calibration is of pictures of {_kind(*made_on)}, and these are of "
            f"{_kind(data['height'], data['channels'], data['levels'])}: {nothing}"
        )
    if isinstance(target, ModelTarget) and target.images.sha256 == calibration.data_sha256:
        yield (
            f"the calibration was found on these very pictures ({calibration.data}, "
            f"{calibration.split}), so how well it covers them proves nothing. Score others"
        )


def _kind(size: int, channels: int, levels: int) -> str:
    return f"{size} pixels across, {channels} channel{'s' * (channels > 1)}, {levels} levels"
