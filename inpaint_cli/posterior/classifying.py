"""What a classifier of partly hidden pictures expects to know after each look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch

from inpaint_cli import zoo
from inpaint_cli.device import resolve
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.posterior.gains import Probabilities
from inpaint_cli.weights import hash_of, load_weights, read_header

if TYPE_CHECKING:
    from torch import Tensor

FAMILY = "classifier"
BATCH_PIXELS = 2**16
"""Pixels that the classifier sees at a time; more leave the processor's caches and take longer."""


class MaskedClassifier(Protocol):
    """A network that tells the class of a picture of which a part is visible."""

    size: int
    channels: int

    def probabilities(self, images: Tensor, visible: Tensor) -> Tensor:
        """Return p(class | visible), float64 [N, C], of uint8 [N, C, S, S] under [N, 1, S, S]."""
        ...


class Judge:
    """A masked classifier, with the checks that its answers need."""

    def __init__(
        self,
        name: str,
        network: MaskedClassifier,
        classes: int,
        device: torch.device,
        weights_sha256: str | None = None,
    ) -> None:
        self.name, self.network, self.classes = name, network, classes
        self.device, self.weights_sha256 = device, weights_sha256

    def of(self, images: Tensor, visible: npt.NDArray[np.bool_], when: str = "") -> Probabilities:
        """Return p(class | visible) [N, C] of N pictures, or of one, under N masks [N, S, S].

        when: where in the work that is, for the ResourceError if a probability is no number.
        """
        size = max(1, BATCH_PIXELS // (visible.shape[1] * visible.shape[2]))
        parts = []
        for start in range(0, len(visible), size):
            masks = torch.from_numpy(visible[start : start + size])[:, None]
            some = images if len(images) == 1 else images[start : start + size]
            some = some.expand(len(masks), -1, -1, -1).to(self.device)
            parts.append(self.network.probabilities(some, masks.to(self.device)).cpu().numpy())
        found = np.concatenate(parts)
        if not np.isfinite(found).all():
            raise ResourceError(f"{self.name}: its probabilities are no numbers (NaN){when}.")
        return found

    def each(
        self, pictures: Tensor, visible: npt.NDArray[np.bool_], when: str = ""
    ) -> Probabilities:
        """Return p(class | visible) of every picture [N, C, S, S] under every mask, [N, L, C].

        One picture at a time, so that its figures do not depend on how many there are.
        """
        return np.stack([self.of(picture[None], visible, when) for picture in pictures])


def load_judge(name: str, device: str) -> Judge:
    """Load a masked classifier: a name of the zoo, a run folder or a weight file."""
    source = zoo.find(name, setting="classifier")
    if isinstance(source, str) or (family := read_header(source)["family"]) != FAMILY:
        what = source if isinstance(source, str) else family
        raise UserError(f"{name} is of the family '{what}'. {_HOW}", setting="classifier")
    network = load_weights(source)
    config = network.config
    if not getattr(config, "masked", False):
        raise UserError(
            f"{name} was trained on whole pictures, and would be asked about parts. {_HOW}",
            setting="classifier",
        )
    place = resolve(device)
    moved = cast("torch.nn.Module", network).to(place).eval()
    classes = int(getattr(config, "classes", 0))
    title = source.stem if name == FAMILY else Path(name).name.removesuffix(source.suffix)
    return Judge(title, cast(MaskedClassifier, moved), classes, place, hash_of(source))


_HOW = (
    "Take a classifier of partly hidden pictures: 'inpaint train --model classifier --preset "
    "mnist-masked --data mnist', and so on."
)
