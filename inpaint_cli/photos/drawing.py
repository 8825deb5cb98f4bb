"""What a model is asked for and what it gives, as arrays: only networks need torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.declarations import Detail
from inpaint_cli.family import Completions, Model
from inpaint_cli.models.method import Method
from inpaint_cli.photos.details import joined
from inpaint_cli.photos.memory import Batches
from inpaint_cli.photos.windows import Mask
from inpaint_cli.pictures.picture import Samples
from inpaint_cli.randomness import Noise

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Drawn:
    """Completions of one window, at the model's size."""

    pictures: npt.NDArray[np.uint8]
    """[n, size, size, C]."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the family tells beside the pictures."""
    log_prob: npt.NDArray[np.float64] | None = None
    """[n], nats; None where the family has none."""
    lower_bound: bool = False
    """Whether likelihoods of the model are lower bounds."""


@dataclass(frozen=True)
class Guide:
    """A completion as a model drew it, whose structure texture follows."""

    samples: Samples
    """[H, W, bands], the samples that are filled, as the model fills them."""
    scale: float
    """How many pixels of the photo one of the model's is wide."""


def draw(
    model: Model,
    image: npt.NDArray[np.uint8],
    visible: Mask,
    noise: Noise,
    declared: Sequence[Detail],
    options: Mapping[str, Any],
) -> Drawn:
    """Draw len(noise) completions of one image.

    image: uint8 [H, W, C]; visible: bool [H, W]; declared: what the family tells besides; options:
    temperature and the family's own.
    """
    if isinstance(model, Method):
        drawn = model.drawn(image, visible, noise, **options)
        return Drawn(np.where(visible[..., None], image, drawn))
    import torch

    # By tensors where the network lies, in batches that memory holds.
    shown = as_tensor(image, model)
    known = torch.from_numpy(np.ascontiguousarray(visible))[None, None].to(shown.device)
    batches = Batches(len(noise)).drawn(model, shown, known, noise, **options)
    return together([_as_arrays(batch) for batch in batches], declared)


def as_tensor(image: npt.NDArray[np.uint8], model: Model) -> Tensor:
    """Return an image [H, W, C] as [1, C, H, W], where the network lies that is to see it."""
    import torch

    whole = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    parameters = getattr(model, "parameters", list)
    return whole.to(next((p.device for p in parameters()), whole.device))


def _as_arrays(completions: Completions) -> Drawn:
    nats = completions.log_prob
    return Drawn(
        np.ascontiguousarray(completions.images.permute(0, 2, 3, 1).cpu().numpy()),
        completions.details,
        None if nats is None else nats.double().cpu().numpy(),
        completions.lower_bound,
    )


def together(batches: Sequence[Drawn], declared: Sequence[Detail]) -> Drawn:
    """Return the batches of one window as one."""
    if len(batches) == 1:
        return batches[0]
    nats = [batch.log_prob for batch in batches if batch.log_prob is not None]
    return Drawn(
        np.concatenate([batch.pictures for batch in batches]),
        joined([batch.details for batch in batches], declared),
        np.concatenate(nats) if len(nats) == len(batches) else None,
        batches[0].lower_bound,
    )
