"""What autoencoders make of the originals, scored like completions: the best that those can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint_cli import metrics
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.protocol import RECONSTRUCTION, TargetFacts
from inpaint_cli.metrics.targets import Case, ModelTarget, Target, scored
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.pictures.picture import of_array
from inpaint_cli.reporting import Reporter

OF_COMPLETIONS = frozenset({"hole", "several", "likelihood"})
"""What metrics need that say nothing on reconstructions."""
REMARK = (
    "reconstructions are whole pictures and completions keep what is visible: compare the figures "
    "of the hole"
)


def applies(name: str) -> bool:
    """Return whether a metric compares a picture with its original, drawn or not.

    >>> applies("psnr"), applies("crps"), applies("fid-agg")
    (True, False, False)
    """
    metric = metrics.get(name)
    return not metric.needs & OF_COMPLETIONS and not metric.over_masks


@dataclass
class ReconstructionTarget(Target):
    """A model that is shown the originals as a whole, and gives them back.

    The masks are those of the completions beside it, for the figures of hidden pixels alone.
    """

    of: ModelTarget
    k: int = 1
    is_reconstruction = True

    def __post_init__(self) -> None:
        self.name = f"{self.of.name} ({RECONSTRUCTION})"
        self.label = f"{self.of.label} ({RECONSTRUCTION})"
        self.ids, self.setting, self.classes = self.of.ids, self.of.setting, self.of.classes

    def case(self, index: int) -> Case:
        image, levels = self.of.picture(index), self.setting.levels
        given = self._in_windows(image) if self.setting.windows else self._given(image)
        return Case(
            scored(image, levels),
            torch.from_numpy(np.array(self.of.masks[index])),
            scored(given, levels),
            label=self.of.label_of(index),
        )

    def _given(self, image: Tensor) -> Tensor:
        contestant = self.of.contestant
        return contestant.model.reconstruct(image[None].to(contestant.device)).cpu()

    def _in_windows(self, image: Tensor) -> Tensor:
        """Return the picture as the model sees it, at its own size, at that of the original."""
        photo = of_array(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
        hidden = np.zeros((photo.height, photo.width), np.bool_)
        request = CompletionRequest(reconstruct=True)
        completed = complete_photo(photo, hidden, self.of.contestant.model, request)
        return torch.from_numpy(np.ascontiguousarray(completed.samples(0).transpose(2, 0, 1)))[None]

    def facts(self) -> TargetFacts:
        facts = self.of.facts()
        at = facts.model["sampler"]["at"].replace("windows of ", "")
        return replace(
            facts,
            model={**facts.model, "sampler": {"at": at}},
            completions={
                **facts.completions,
                "k": 1,
                "seed": None,
                "composited": False,
                "source": RECONSTRUCTION,
            },
        )

    def fingerprint(self) -> Any:
        return [RECONSTRUCTION, self.facts().completions, self.of.fingerprint()]


def reconstructing(
    targets: Sequence[ModelTarget], names: Sequence[str], reporter: Reporter
) -> list[ReconstructionTarget]:
    """Return the reconstructions by those models that have an autoencoder.

    UserError where none has, and where no metric is asked for that says something on them; a
    warning for a model without one beside others.
    """
    if not any(map(applies, names)):
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
