"""Find how wide intervals must be for a model: complete pictures whose truth is known, compare.

Conformal risk control of the share of hidden values outside an interval. Angelopoulos et al. 2022,
"Conformal Risk Control", Theorem 1: with losses in [0, 1] that do not grow with the factor, the
smallest factor whose sum of losses on n exchangeable pictures satisfies (sum + 1) / (n + 1) <=
alpha has an expected loss of at most alpha on a new one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from inpaint_cli import __version__
from inpaint_cli.data.image_set import counted
from inpaint_cli.device import resolve
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.forecasts import hidden_values
from inpaint_cli.metrics.options import CompletionOptions
from inpaint_cli.metrics.protocol import BINS, bin_name, bin_of, settings_of
from inpaint_cli.metrics.sample_set import load_images
from inpaint_cli.metrics.score import check_temperature, prepared
from inpaint_cli.metrics.targets import Contestant, ModelTarget
from inpaint_cli.photos import arguments
from inpaint_cli.photos.calibration import (
    WHOLE,
    Calibration,
    RangeFactor,
    SpreadKind,
    scores,
)
from inpaint_cli.reporting import Reporter

Scores = npt.NDArray[np.float64]
ROUNDING = 1e-9
"""Sums of up to ten million weights are exact to this."""


def needed(alpha: float) -> int:
    """Return the fewest pictures for which there is a factor.

    >>> needed(0.1), needed(0.05)
    (9, 19)
    """
    return max(1, math.ceil(1 / alpha - 1 - ROUNDING))


def controlling_factor(scores: Sequence[Scores], alpha: float) -> float:
    """Return the smallest factor that controls the risk at alpha, exactly.

    scores: of each picture, r >= 0 of its hidden values; its loss at a factor is the share of r
    above it. UserError for too few pictures.
    """
    count = len(scores)
    if count < needed(alpha):
        raise UserError(
            f"{count} pictures with something hidden, where a level of {100 * (1 - alpha):.12g} % "
            f"needs at least {needed(alpha)}. Give more."
        )
    pooled = np.concatenate(scores)
    weights = np.concatenate([np.full(len(one), 1 / len(one)) for one in scores])
    order = np.argsort(pooled, kind="stable")
    pooled, weights = pooled[order], weights[order]
    # The sum of losses at factor pooled[i]: all weight of what lies strictly above it.
    above = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
    losses = above[np.searchsorted(pooled, pooled, side="right")]
    allowed = alpha * (count + 1) - 1 + ROUNDING
    if above[0] <= allowed:
        return 0.0
    return float(pooled[np.argmax(losses <= allowed)])


QUANTILES = (0.5, 0.9, 0.99)
LEVELS = (50.0, 100.0)
DECIMALS = 12
"""Of the share that may lie outside."""


@dataclass(frozen=True)
class CalibrationOrder:
    """All of a calibration that a person may ask for."""

    model: str
    completed: CompletionOptions
    level: float = 90.0
    """In percent."""
    spread: SpreadKind = "deviation"
    device: str = "auto"

    def __post_init__(self) -> None:
        level, (low, high) = arguments.number(self.level, "level") or 0.0, LEVELS
        if not (low < level < high and self.alpha):
            raise UserError(
                f"must be above {low:g} and below {high:g} (percent), with at most {DECIMALS - 2} "
                f"decimals, got {self.level}.",
                setting="level",
            )
        if self.completed.temperature is not None and self.completed.temperature <= 0:
            raise UserError(
                f"must be above 0, got {self.completed.temperature:g}: equal completions have no "
                "spread to make intervals of.",
                setting="temperature",
            )
        if self.completed.k < 2:
            raise UserError(f"must be at least 2, got {self.completed.k}.", setting="k")
        if not self.completed.data:
            raise UserError(
                "is needed: pictures that the model was not trained on.", setting="data"
            )

    @property
    def alpha(self) -> float:
        """The share of hidden values that may lie outside."""
        return round(1 - self.level / 100, DECIMALS)


def calibrate(
    order: CalibrationOrder, load: Callable[[str, str], Contestant], reporter: Reporter
) -> Calibration:
    """Return the calibration of a model on held-out pictures.

    UserError for too few pictures, before the first is completed.
    """
    contestant = load(order.model, str(resolve(order.device)))
    contestant.tell(reporter)
    check_temperature(order.completed.temperature, [contestant])
    target = _target(order, contestant, reporter)
    if order.completed.split == "train":
        reporter.warn(
            "the train split: pictures that a model was trained on are not like those it will "
            "meet, so nothing is promised"
        )
    _check_counts(order, target)
    scored, visible = _scores(order, target, reporter)
    return _calibration(order, contestant, target, scored, visible)


def _check_counts(order: CalibrationOrder, target: ModelTarget) -> None:
    """Raise UserError where too few pictures have something hidden, of all or of a range."""
    seen = [target.masks[index] for index in range(len(target.ids))]
    shares = [float(mask.mean()) for mask in seen if not mask.all()]
    wanted = f"a level of {order.level:.12g} % needs at least {needed(order.alpha)}"
    if len(shares) < needed(order.alpha):
        if len(target.ids) >= needed(order.alpha):
            raise UserError(
                f"{target.masks.kind} hides something in {len(shares)} of {len(target.ids)} "
                f"pictures, where {wanted}. Take others.",
                setting="masks",
            )
        if len(target.images) >= needed(order.alpha):
            raise UserError(f"{wanted} pictures, got {len(target.ids)}.", setting="limit")
        raise UserError(
            f"{counted(len(shares), f'{order.completed.split} picture')}, where {wanted}. Give "
            "more, or take more of them with the setting split_map, such as "
            f"'*={order.completed.split}' for all.",
            setting="data",
        )
    for number, ends in enumerate(BINS if order.completed.by_visible else ()):
        count = sum(bin_of(share) == number for share in shares)
        if count < needed(order.alpha):
            raise UserError(
                f"{bin_name(ends)} % visible: {count} pictures under {target.masks.kind}, where "
                f"{wanted}. Give more, or masks that reach all ranges.",
                setting="by_visible",
            )


def _target(order: CalibrationOrder, contestant: Contestant, reporter: Reporter) -> ModelTarget:
    (setting,) = settings_of([contestant.size], None)
    images = {setting: load_images(order.completed, setting, reporter)}
    (target,) = prepared([contestant], [setting], images, order.completed, reporter)
    return target


def _scores(
    order: CalibrationOrder, target: ModelTarget, reporter: Reporter
) -> tuple[list[Scores], list[float]]:
    """Return the scores of each picture with something hidden, and its visible share."""
    scored, visible = list[Scores](), list[float]()
    with reporter.progress(target.name, len(target.ids)) as advance:
        for index in range(len(target.ids)):
            case = target.case(index)
            assert case.visible is not None  # targets of models have masks
            members, truth = hidden_values(case.truth, case.completions, case.visible[None])
            if truth.size:
                scored.append(scores(members / 255.0, truth / 255.0, order.spread))
                visible.append(visible_share(case.visible))
            advance()
    return scored, visible


def visible_share(visible: Tensor) -> float:
    """Return the visible share of the pixels of a mask, in double precision as scoring has it."""
    return float(visible.double().mean())


def _calibration(
    order: CalibrationOrder,
    contestant: Contestant,
    target: ModelTarget,
    scored: Sequence[Scores],
    visible: Sequence[float],
) -> Calibration:
    pooled, images = np.concatenate(scored), target.images
    return Calibration(
        model=contestant.name,
        weights_sha256=contestant.weights_sha256,
        family=contestant.family,
        size=target.setting.height,
        channels=target.setting.channels,
        levels=target.setting.levels,
        data=images.name,
        data_sha256=images.sha256,
        split=images.split,
        masks=target.masks.kind,
        k=target.k,
        temperature=order.completed.temperature,
        seed=order.completed.seed,
        level=order.level / 100,
        spread=order.spread,
        factors=_factors(order, scored, visible),
        score_quantiles={str(q): float(np.quantile(pooled, q)) for q in QUANTILES},
        version=__version__,
    )


def _factors(
    order: CalibrationOrder, scored: Sequence[Scores], visible: Sequence[float]
) -> tuple[RangeFactor, ...]:
    """Return one factor for all pictures, or one for each range of the visible share."""
    if not order.completed.by_visible:
        return (RangeFactor(WHOLE, len(scored), controlling_factor(scored, order.alpha)),)
    factors = []
    for number, ends in enumerate(BINS):
        chosen = [r for r, share in zip(scored, visible, strict=True) if bin_of(share) == number]
        factors.append(RangeFactor(ends, len(chosen), controlling_factor(chosen, order.alpha)))
    return tuple(factors)
