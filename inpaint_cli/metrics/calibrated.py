"""Whether a calibration says anything on the completions that are scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inpaint_cli import models
from inpaint_cli.declarations import not_as_scored
from inpaint_cli.device import rank
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.targets import ModelTarget, Target
from inpaint_cli.photos.calibration import Calibration
from inpaint_cli.reporting import Reporter


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
