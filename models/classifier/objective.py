"""Loss, training step and validation of the classifier."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch, ParameterGroup, Stage, StepResult
from inpaint_cli.models.classifier.networks import Classifier
from inpaint_cli.models.pixels import to_unit
from inpaint_cli.randomness import Noise


class ClassStage(Stage[Classifier]):
    """The only stage: the whole network, by the cross entropy of the classes."""

    name = "classes"

    def trainable(self, model: Classifier) -> list[ParameterGroup]:
        """Return one group with every parameter."""
        return [ParameterGroup("all", list(model.parameters()))]

    def loss(self, model: Classifier, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return the cross entropy in nats, of smoothed targets and randomly moved images."""
        label = checked_labels(batch, model.config.classes)
        image = moved(batch.image, model.config.shift, noise)
        logits = model(inputs(model, image, batch.visible)).float()
        loss = F.cross_entropy(logits, label, label_smoothing=model.config.smoothing)
        return StepResult({"all": loss}, {"error": wrong(logits.detach(), label).float().mean()})

    def validate(self, model: Classifier, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return 1 for a wrong class and 0 for the right one; and minus log p of the right one."""
        label = checked_labels(batch, model.config.classes)
        logits = model(inputs(model, batch.image, batch.visible))
        nats = F.cross_entropy(logits.cpu().double(), label.cpu(), reduction="none")
        return {"error": wrong(logits, label).cpu().double(), "cross_entropy": nats}


def inputs(model: Classifier, image: Tensor, visible: Tensor) -> Tensor:
    """Return what the network takes: the image, of a masked one under its mask."""
    x = to_unit(image)
    return model.seen(x, visible) if model.config.masked else x


def wrong(logits: Tensor, label: Tensor) -> Tensor:
    """Return, for each image, whether its largest logit is that of another class."""
    return logits.argmax(1) != label


def checked_labels(batch: Batch, classes: int) -> Tensor:
    """Return the classes of a batch; UserError where the data have none, or too many."""
    if batch.label is None:
        raise UserError(
            "these images have no classes, and a classifier learns them. Give one folder per "
            "class, inside train/ and test/ if there are such, or a named set with classes.",
            setting="data",
        )
    largest = -1 if batch.label.is_meta else int(batch.label.max())
    if largest >= classes:
        raise UserError(
            f"has {largest + 1} classes or more, and this classifier tells {classes} apart. Say "
            f"how many: classes={largest + 1}.",
            setting="data",
        )
    return batch.label


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
