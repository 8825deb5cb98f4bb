"""Loss, training step and validation of the classifier."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch, ParameterGroup, Stage, StepResult
from inpaint_cli.models.classifier.config import ClassifierConfig
from inpaint_cli.models.classifier.networks import Classifier
from inpaint_cli.models.pixels import to_unit
from inpaint_cli.randomness import Noise


class ClassStage(Stage[Classifier]):
    """The only stage: the whole network, by the cross entropy of the classes or labels."""

    name = "classes"

    def trainable(self, model: Classifier) -> list[ParameterGroup]:
        """Return one group with every parameter."""
        return [ParameterGroup("all", list(model.parameters()))]

    def loss(self, model: Classifier, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return the cross entropy in nats, of smoothed targets and randomly moved images."""
        label = checked_labels(batch, model.config)
        image = moved(batch.image, model.config.shift, noise)
        logits = model(inputs(model, image, batch.visible)).float()
        loss = cross_entropies(logits, label, model.config.smoothing).mean()
        return StepResult({"all": loss}, {"error": wrong(logits.detach(), label).mean()})

    def validate(self, model: Classifier, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return 1 for a wrong class and 0 for the right one; and minus log p of the right one.

        Of labels the latter comes first: where few hold, to deny them all is seldom wrong.
        """
        label = checked_labels(batch, model.config)
        logits = model(inputs(model, batch.image, batch.visible)).cpu().double()
        figures = {
            "error": wrong(logits, label.cpu()).double(),
            "cross_entropy": cross_entropies(logits, label.cpu()),
        }
        return dict(reversed(figures.items())) if model.config.multilabel else figures


def inputs(model: Classifier, image: Tensor, visible: Tensor) -> Tensor:
    """Return what the network takes: the image, of a masked one under its mask."""
    x = to_unit(image)
    return model.seen(x, visible) if model.config.masked else x


def cross_entropies(logits: Tensor, label: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return minus log p of the right class in nats, [N]; of labels the sum over all outputs."""
    if label.ndim == 1:
        return F.cross_entropy(logits, label, reduction="none", label_smoothing=smoothing)
    targets = label.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)


def wrong(logits: Tensor, label: Tensor) -> Tensor:
    """Return, for each image, whether its largest logit is that of another class, [N] of 0 and 1.

    Of labels it is the share of outputs that are on the wrong side of 1/2.
    """
    if label.ndim == 1:
        return (logits.argmax(1) != label).float()
    return ((logits > 0) != (label > 0)).float().mean(1)


def checked_labels(batch: Batch, config: ClassifierConfig) -> Tensor:
    """Return the classes or labels of a batch; UserError where the data have none."""
    if config.multilabel:  # the data were asked for these labels
        assert batch.label is not None
        assert batch.label.shape[1] == config.output_count
        return batch.label
    if batch.label is None:
        raise UserError(
            "these images have no classes, and a classifier learns them. Give one folder per "
            "class, inside train/ and test/ if there are such, or a named set with classes.",
            setting="data",
        )
    if batch.label.ndim == 2:
        raise UserError(
            "these images have labels of a table, any number each, and no classes. For a classifier"
            " of labels set multilabel=true.",
            setting="data",
        )
    return batch.label  # no more than there are outputs: the trainer has looked at all of the data


def moved(image: Tensor, most: int, noise: Noise) -> Tensor:
    """Return every image [C, H, W] moved at random by -most..most pixels; edges are reflected."""
    if not most:
        return image
    height, width = image.shape[2:]
    margined = F.pad(image.float(), (most,) * 4, mode="reflect").to(image.dtype)
    corner = (noise.uniform(2) * (2 * most + 1)).long().to(image.device)
    rows = corner[:, :1] + torch.arange(height, device=image.device)
    columns = corner[:, 1:] + torch.arange(width, device=image.device)
    each = torch.arange(len(image), device=image.device)[:, None, None]
    picked = margined.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


STAGES = (ClassStage(),)
