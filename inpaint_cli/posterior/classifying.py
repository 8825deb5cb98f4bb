"""What a classifier of partly hidden pictures expects to know after each look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch

from inpaint_cli import models, zoo
from inpaint_cli.device import resolve
from inpaint_cli.errors import ResourceError, UserError, unknown_name
from inpaint_cli.family import unfinished
from inpaint_cli.metrics.features import title_of
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
        """Return p(class | visible), float64 [N, C], of uint8 [N, C, S, S] under [N, 1, S, S].

        Of a classifier of labels, p(label | visible) for each of them, [N, B].
        """
        ...


@dataclass(frozen=True)
class Judge:
    """A masked classifier, with the checks that its answers need."""

    name: str
    network: MaskedClassifier
    classes: int
    """How many it tells apart: two, where one label is the target."""
    device: torch.device
    weights_sha256: str | None = None
    outputs: tuple[str, ...] = ()
    """Names of the labels that it tells of, one by one; none where it tells classes apart."""
    target: int | None = None
    """The label that is asked for; None where it tells classes apart."""
    class_names: tuple[str, ...] = ()
    """Of the classes that it tells apart, in its order; none where its file does not say."""
    note: str = ""
    """What is not trained yet; empty if all is."""

    @property
    def target_name(self) -> str | None:
        """The name of the label that is asked for."""
        return None if self.target is None else self.outputs[self.target]

    def answer(self, number: int) -> str:
        """Return what one of its probabilities is of, in words: a class, or a label or none."""
        if self.target_name is not None:
            return self.target_name if number else f"no {self.target_name}"
        return self.class_names[number] if self.class_names else f"class {number}"

    def of(self, images: Tensor, visible: npt.NDArray[np.bool_], when: str = "") -> Probabilities:
        """Return p(class | visible) [N, C] of N pictures, or of one, under N masks [N, S, S].

        Of a label, p(it does not hold) and p(it holds), [N, 2]. when: where in the work that is,
        for the ResourceError if a probability is no number.
        """
        outputs = self.all_outputs(images, visible, when)
        return outputs if self.target is None else two_point(outputs[:, self.target])

    def all_outputs(
        self, images: Tensor, visible: npt.NDArray[np.bool_], when: str = ""
    ) -> Probabilities:
        """Return what the network says, as `of` does, of all labels: [N, B]."""
        size = max(1, BATCH_PIXELS // (visible.shape[1] * visible.shape[2]))
        parts = []
        for start in range(0, len(visible), size):
            masks = torch.from_numpy(visible[start : start + size])[:, None]
            some = images if len(images) == 1 else images[start : start + size]
            some = some.expand(len(masks), -1, -1, -1).to(self.device)
            parts.append(self.network.probabilities(some, masks.to(self.device)).cpu().numpy())
        outputs = np.concatenate(parts)
        if not np.isfinite(outputs).all():
            raise ResourceError(f"{self.name}: its probabilities are no numbers (NaN){when}.")
        return outputs

    def each(
        self, pictures: Tensor, visible: npt.NDArray[np.bool_], when: str = ""
    ) -> Probabilities:
        """Return p(class | visible) of every picture [N, C, S, S] under every mask, [N, L, C].

        One picture at a time, so that its figures do not depend on how many there are.
        """
        return np.stack([self.of(picture[None], visible, when) for picture in pictures])


def two_point(p: npt.NDArray[np.float64]) -> Probabilities:
    """Return 1 - p and p of each probability, [N, 2].

    >>> two_point(np.array([0.25])).tolist()
    [[0.75, 0.25]]
    """
    return np.stack([1 - p, p], axis=-1)


def load_judge(name: str, device: str, target: str | None = None, asked: str = "target") -> Judge:
    """Load a masked classifier: a name of the zoo, a run folder or a weight file.

    target: name or number of the label that is asked for; for a classifier of labels, and needed
    there. asked: the setting that gave it.
    """
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
    title = source.stem if name == FAMILY else title_of(name)
    outputs = tuple(getattr(config, "output_names", ()))
    number = target_of(target, outputs, title, asked)
    place = resolve(device)
    moved = cast("torch.nn.Module", network).to(place).eval()
    classes = int(getattr(config, "classes", 0)) if number is None else 2
    note = unfinished(models.get(FAMILY), read_header(source))
    facts = (place, hash_of(source), outputs, number, zoo.class_names_of(source), note)
    return Judge(title, cast(MaskedClassifier, moved), classes, *facts)


def target_of(
    target: str | None, outputs: tuple[str, ...], classifier: str, asked: str
) -> int | None:
    """Return the number of a label, given by name or number; None where there are classes.

    asked: the setting that gave it, for errors.
    """
    if not outputs:
        if target is not None:
            raise UserError(
                f"{classifier} tells classes apart, of which one holds: there is no label to "
                "choose. Leave it out.",
                setting=asked,
            )
        return None
    if target is None:
        raise UserError(
            f"{classifier} tells of {len(outputs)} labels. Say which one matters: "
            f"{', '.join(outputs)}.",
            setting=asked,
        )
    if target in outputs:
        return outputs.index(target)
    if target.isascii() and target.isdecimal() and int(target) < len(outputs):
        return int(target)
    raise unknown_name(f"{classifier}: no label", target, outputs, setting=asked)


_HOW = (
    "Take a classifier of partly hidden pictures, such as classifier-mnist-masked, or train one: "
    "'inpaint train --model classifier --preset mnist-masked --data mnist', and so on."
)
