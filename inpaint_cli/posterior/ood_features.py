"""What a model says of the visible part of one picture: features, by statistic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.metrics.forecasts import energy_scores
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.randomness import Noise, content_key, stream

Values = npt.NDArray[np.float64]
StatisticKind = Literal["gradient", "likelihood", "agreement"]
Form = Literal["analytic", "sampled"]
BATCH_PIXELS = 2**15
"""Over all passes; more at a time leave the processor's caches and take longer."""
HELD_BACK = 0.25
"""Share of the visible pixels that `agreement` hides and compares with completions."""
SMALLEST_ENERGY = 1e-6
"""Of values in 0..1; its logarithm is taken."""


@dataclass(frozen=True)
class Asking:
    """What is asked of a model about every picture."""

    kinds: tuple[StatisticKind, ...]
    passes: int = 4
    """Walks down the layers; completions of `agreement`."""
    form: Form = "analytic"
    seed: int = 0


def kinds_of(contestant: Contestant, wanted: StatisticKind | None) -> tuple[StatisticKind, ...]:
    """Return the statistics that a model is asked for; UserError where it has none such.

    wanted: None = gradient and likelihood, which one pass gives, else agreement.
    """
    model = contestant.model
    if not contestant.weights_sha256 or not model.size:
        raise UserError(
            f"{contestant.name} has no weights: it has learned nothing that a picture could be "
            "unlike. Take a trained model.",
            setting="model",
        )
    layered = model.typicality_layers() > 0
    if wanted == "agreement" or (wanted is None and not layered):
        if not model.stochastic:
            raise UserError(
                f"{contestant.name} draws nothing: its completions are all equal.", setting="model"
            )
        return ("agreement",)
    if not layered:
        raise UserError(
            f"{contestant.name} ({contestant.family}) cannot tell how likely the visible part of a "
            "picture is: it has no partial encoder with layers of latents. Take 'agreement', or a "
            "model of ipa.",
            setting="statistic",
        )
    return ("gradient", "likelihood")


def length_of(contestant: Contestant, kind: StatisticKind) -> int:
    """Return how many features a statistic has."""
    return contestant.model.typicality_layers() if kind == "gradient" else 1


def features(
    contestant: Contestant, image: Tensor, visible: Tensor, asking: Asking
) -> Mapping[StatisticKind, Values]:
    """Return the features [N, L] of what is visible of each picture, by statistic.

    image: uint8 [N, C, H, W]; visible: bool [N, 1, H, W], True somewhere; of one `Stratum`. They
    depend on the visible values, the mask and the seed alone, not on the other pictures.
    """
    cases = [(image[n : n + 1], visible[n : n + 1]) for n in range(len(image))]
    if asking.kinds == ("agreement",):
        return {"agreement": np.array([[agreement(contestant, *case, asking)] for case in cases])}
    noises = [
        Noise.of_completions(asking.seed, content_key(*case), range(asking.passes))
        for case in cases
    ]
    told = contestant.model.typicality(
        image.to(contestant.device),
        visible.to(contestant.device),
        noises,
        sampled=asking.form == "sampled",
    )
    bounds = torch.logsumexp(told.log_weights, 1) - math.log(asking.passes)
    values = visible.flatten(1).sum(1) * image.shape[1]
    return {
        "gradient": told.gradients.mean(1).numpy(),
        "likelihood": (bounds / values)[:, None].numpy(),
    }


def batch_size(contestant: Contestant, asking: Asking) -> int:
    """Return how many pictures are asked about at once: few of large ones, for memory."""
    pixels = asking.passes * contestant.model.size**2
    return max(1, BATCH_PIXELS // pixels)


def agreement(contestant: Contestant, image: Tensor, visible: Tensor, asking: Asking) -> float:
    """Return minus the log of the energy score of completions of pixels that were held back.

    A random quarter of the visible pixels is hidden, keyed by the visible values. The energy is
    that of values in 0..1 over the root of their number.
    """
    held = held_back(image, visible, asking.seed)
    shown = visible & ~held
    noise = Noise.of_completions(asking.seed, content_key(image, shown), range(asking.passes))
    completions = contestant.model.complete(
        image.to(contestant.device), shown.to(contestant.device), noise
    ).images.cpu()
    places = held[0].expand_as(image[0])
    truth = image[0][places].numpy()
    energy = energy_scores(completions[:, places].numpy(), truth)["energy"]
    return -math.log(max(energy / 255 / math.sqrt(truth.size), SMALLEST_ENERGY))


def held_back(image: Tensor, visible: Tensor, seed: int) -> Tensor:
    """Return a random quarter of the visible pixels, at least one: bool [1, 1, H, W]."""
    places = np.flatnonzero(visible.numpy())
    rng = stream(seed, b"held back" + content_key(image, visible))
    chosen = places[np.argsort(rng.random(len(places)), kind="stable")]
    held = np.zeros(visible.shape, np.bool_)
    held.reshape(-1)[chosen[: max(1, round(HELD_BACK * len(places)))]] = True
    return torch.from_numpy(held)
