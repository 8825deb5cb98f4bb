"""What `coverage` adds with a calibration: how often its intervals hold, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from inpaint_cli import models
from inpaint_cli.declarations import not_as_scored
from inpaint_cli.device import rank
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.metric import Figures, Line, MeasuredCase, Metric, Results, mean_line
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.reporting import Reporter

if TYPE_CHECKING:
    from inpaint_cli.metrics.targets import Target


def check(calibration: Calibration | None, targets: Sequence[Target], reporter: Reporter) -> None:
    """Raise UserError where a calibration says nothing on the completions to be scored.

    Masks or pictures of another kind are warned of, and the very pictures that it was found on: its
    intervals exist, but nothing is promised of them.
    """
    from inpaint_cli.metrics.targets import ModelTarget

    if calibration is None:
        return
    targets = [target for target in targets if not target.is_reconstruction]
    if len({target.name for target in targets}) != 1:
        raise UserError("is of one model. Score that one alone.", setting="calibration")
    facts, target = targets[0].facts(), targets[0]
    sampler = facts.model.get("sampler", {})
    own = target.contestant.model.own_temperature if isinstance(target, ModelTarget) else 1.0
    why = calibration.mismatch(
        target.name,
        facts.model.get("checkpoint_sha256"),
        target.k,
        sampler.get("temperature"),
        own,
    )
    every = [option for name in models.usable() for option in models.get(name).options]
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
    from inpaint_cli.metrics.targets import ModelTarget

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


def figures(case: MeasuredCase, calibration: Calibration) -> Figures:
    """Return share inside, mean width in 0..1 and interval score of one image's hidden values."""
    hidden = ~case.visible[0].numpy()
    if not hidden.any():
        return {}
    members = case.completions.numpy()[..., hidden].reshape(len(case.completions), -1) / 255.0
    truth = case.truth.numpy()[..., hidden].reshape(-1) / 255.0
    low, high = calibration.intervals(members, float(case.visible[0].double().mean()))
    beyond = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    # The interval score (Gneiting & Raftery 2007, eq. 43).
    score = high - low + 2 / (1 - calibration.level) * beyond
    return {
        "calibrated-inside": float((beyond == 0).mean()),
        "calibrated-width": float((high - low).mean()),
        "interval-score": float(score.mean()),
    }


def lines(metric: Metric, results: Results, calibration: Calibration) -> Iterator[Line]:
    """Yield the lines of the report on calibrated intervals."""
    name = f"{100 * calibration.level:g} % calibrated"
    about = {"level": calibration.level, "factors": [one.factor for one in calibration.factors]}
    yield mean_line(
        metric,
        results,
        "calibrated-inside",
        "conformal risk control",
        label=f"coverage {name}",
        target=calibration.level,
        params=about,
    )
    yield mean_line(
        metric,
        results,
        "calibrated-width",
        "width, share of black to white",
        label="width calibrated",
        better="lower",
    )
    yield mean_line(
        metric,
        results,
        "interval-score",
        "interval score",
        label="interval score",
        better="lower",
    )
