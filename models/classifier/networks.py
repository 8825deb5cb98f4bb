"""The residual network of the classifier, and how images of any size and colour get into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.models.pixels import to_unit

if TYPE_CHECKING:
    from inpaint_cli.models.classifier.config import ClassifierConfig
    from inpaint_cli.randomness import Noise

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601, as Pillow's)."""


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution and its batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs)
    )


class ResidualBlock(nn.Module):
    """relu(x + f(x)), f two convolutions: [N, C, H, W] to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = convolution(width, width), convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Level(nn.Module):
    """One level: a convolution, which may halve the size, and residual blocks."""

    def __init__(self, inputs: int, width: int, stride: int, blocks: int) -> None:
        super().__init__()
        self.entry = convolution(inputs, width, stride)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.blocks(F.relu(self.entry(x)))
        return result


class Classifier(CompletionModel):
    """Images [N, C, S, S] in [-1, 1] -> logits [N, classes], or one for each label.

    A masked one takes [N, C + 1, S, S]: 0 where hidden, and the mask, 1 = visible.
    """

    config: ClassifierConfig
    stochastic = False

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        inputs = (config.channels + config.masked, *config.widths)
        self.trunk = nn.ModuleList(
            Level(inputs[i], width, stride=min(i + 1, 2), blocks=config.blocks if i else 0)
            for i, width in enumerate(config.widths)
        )
        self.head = nn.Linear(config.widths[-1], config.output_count)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self._pooled(x))
        return logits

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, d] and logits [N, classes], float32, of uint8 images of any size.

        Features are the averages of the last level. Images get the model's size and channels.
        """
        with torch.no_grad():
            pooled = self._pooled(self._own(images))
            return pooled, self.head(pooled)

    def features(self, images: Tensor) -> Tensor:
        """Return the features alone (see `outputs`)."""
        return self.outputs(images)[0]

    def logits(self, images: Tensor) -> Tensor:
        """Return the class logits alone (see `outputs`)."""
        return self.outputs(images)[1]

    def maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps [N, C_l, H_l, W_l] of all levels, of images [N, 1 or 3, H, W] in [-1, 1].

        They are not resized: a distance of maps at 32 pixels would miss what is finer. The gradient
        reaches the images.
        """
        x, features = self._all_visible(with_channels(images, self.channels)), []
        for level in self.trunk:
            x = level(x)
            features.append(x)
        return features

    def probabilities(self, images: Tensor, visible: Tensor) -> Tensor:
        """Return p(class | what is visible), float64 [N, classes]; of labels p(it holds), [N, B].

        images: uint8 of the model's own size and channels; what is hidden has no influence.
        visible: bool [N or 1, 1, S, S]. Only of a masked classifier.
        """
        with torch.no_grad():
            logits = self(self.seen(to_unit(images), visible))
            logits = logits.cpu().double()  # MPS has no float64
            result: Tensor = logits.sigmoid() if self.config.multilabel else logits.softmax(1)
        return result

    def seen(self, x: Tensor, visible: Tensor) -> Tensor:
        """Return the input of a masked classifier: images in [-1, 1] under masks, and the masks."""
        visible = visible.expand(len(x), -1, -1, -1)
        return torch.cat([torch.where(visible, x, 0.0), visible.to(x.dtype)], 1)

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Raise UserError: nothing is completed."""
        raise UserError("classifier: tells images apart and completes none; it serves metrics.")

    def _pooled(self, x: Tensor) -> Tensor:
        for level in self.trunk:
            x = level(x)
        return x.mean((2, 3))

    def _own(self, images: Tensor) -> Tensor:
        """Return uint8 images in the model's size, channels and scale, all of it visible."""
        converted = resized(with_channels(to_unit(images), self.channels), self.size)
        return self._all_visible(converted)

    def _all_visible(self, x: Tensor) -> Tensor:
        masked = self.config.masked
        return self.seen(x, torch.ones_like(x[:, :1], dtype=torch.bool)) if masked else x


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Return float images [N, 1 or 3, H, W] in `channels` channels; grey is repeated, RGB weighed.

    >>> with_channels(torch.ones(1, 3, 1, 1), 1).flatten().tolist()
    [1.0]
    """
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    weights = images.new_tensor(LUMA)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def resized(images: Tensor, size: int) -> Tensor:
    """Return float images [N, C, size, size]: bilinear, antialiased where it shrinks."""
    if images.shape[2:] == (size, size):
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True)
