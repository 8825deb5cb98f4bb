"""Config and presets of the Pixel Constrained CNN (Dupont & Suresha 2018)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from inpaint_cli.bounds import CHANNELS, NOT_NEGATIVE, Between
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Training


@dataclass(frozen=True, kw_only=True)
class PixelConfig(Config):
    """One Pixel Constrained CNN; two networks whose logits are added."""

    depth: Annotated[int, Between(2, 256)]
    """Layers of each network; each but the first sees kernel // 2 pixels further."""
    filters: Annotated[int, CHANNELS]
    """Filters of the prior network (a gated PixelCNN)."""
    cond_filters: Annotated[int, CHANNELS]
    """Filters of the conditioning network (a ResNet)."""
    kernel: Annotated[int, Between(3, 63, odd=True)] = 5
    head: Annotated[int, Between(1, 65536)] = 1023
    """Filters between the two last layers of the prior network; RGB only (appendix A.2)."""
    alpha: Annotated[float, NOT_NEGATIVE] = 1.0
    """Weight of the conditioning network's own cross entropy (section 4.2)."""
    beta: Annotated[float, NOT_NEGATIVE] = 0.0
    """Weight of the prior network's own cross entropy; 0 in the paper."""
    loss_pixels: Literal["all", "hidden"] = "all"
    """all: mean over every pixel, as the authors' code; hidden: over hidden ones (eq. 4)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise UserError("size: must be at least 1.")
        if self.channels == 3 and (self.filters % 3 or self.head % 3):
            raise UserError(
                f"filters, head: must be divisible by 3 for RGB, got {self.filters}, {self.head}."
            )


_TRAINING = Training(batch_size=64, epochs=50, lr=4e-4, masks="blobs")
"""The released configs: Adam with torch's defaults, constant rate, no decay, no averaging."""

_MNIST = PixelConfig(
    size=28,
    channels=1,
    levels=2,
    depth=16,
    filters=32,
    cond_filters=32,
    training={"pixels": _TRAINING},
)

_CELEBA32 = PixelConfig(
    size=32,
    channels=3,
    levels=32,
    depth=18,
    filters=66,
    cond_filters=66,
    # 60 epochs in the paper; 80 in the released config, to which the released weights belong.
    training={"pixels": replace(_TRAINING, epochs=80)},
)

_DIGITS = PixelConfig(
    size=8,
    channels=1,
    levels=16,
    depth=5,
    filters=32,
    cond_filters=32,
    kernel=3,
    training={
        "pixels": replace(
            _TRAINING,
            steps=1200,
            lr=2e-3,
            schedule="cosine",
            warmup_steps=50,
            ema_decay=0.99,
            masks="freeform-scaled",
            validate_every=400,
            checkpoint_every=400,
        )
    },
)

# In short training the loss over hidden pixels (eq. 4) does not spend itself on learning to copy
# visible levels, which the completion never needs.
_SMALL32 = PixelConfig(
    size=32,
    channels=3,
    levels=32,
    depth=9,
    filters=36,
    cond_filters=36,
    head=192,
    loss_pixels="hidden",
    training={
        "pixels": replace(
            _TRAINING,
            batch_size=32,
            steps=3600,
            lr=1e-3,
            schedule="cosine",
            warmup_steps=200,
            ema_decay=0.999,
            clip_norm=1.0,
            masks="freeform-scaled@mixture",
            augment="flip",
            validate_every=500,
            validate_images=256,
            checkpoint_every=250,
        )
    },
)

PRESETS = {"digits": _DIGITS, "mnist": _MNIST, "small32": _SMALL32, "celeba32": _CELEBA32}
"""mnist and celeba32 are the paper's; digits and small32 are ours, for a laptop."""
