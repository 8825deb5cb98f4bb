"""Config and presets of the classifier, which tells images apart and completes none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from inpaint_cli.bounds import CHANNELS, PART, Between
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Training

ANY = "any"
"""The output of all labels together."""


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(Config):
    """A small residual network (He et al. 2016) whose last level is averaged over its positions."""

    levels: int = 256
    classes: Annotated[int, Between(2, 10**6)] = 10
    """Classes that it tells apart; data with more are refused. Not used with `multilabel`."""
    widths: Annotated[tuple[int, ...], CHANNELS] = (32, 64, 128)
    """Filters of each level; the first keeps the size, each further one halves it. The last is the
    number of features, d."""
    blocks: Annotated[int, Between(0, 256)] = 1
    """Residual blocks of two convolutions in each level but the first."""
    shift: int = 4
    """Training images are moved by up to so many pixels in each direction (reflected edges)."""
    smoothing: Annotated[float, PART] = 0.1
    """Share of the target probability that is spread over all classes; of labels over both
    answers."""
    masked: bool = False
    """Sees images that are partly hidden, and the mask beside them (AIPO, section 5: AVP-CNN)."""
    multilabel: bool = False
    """Tells of each of `labels` whether it holds, and at last whether any does; the classes of the
    data do not count."""
    labels: tuple[str, ...] = ()
    """Names in labels.csv, an output each; for `multilabel`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise UserError("size: must be at least 1.")
        if not 1 <= len(self.widths) <= 14:
            raise UserError("widths: must be one to 14 numbers.")
        if not 0 <= self.shift < self.size:
            raise UserError(f"shift: must lie in 0..{self.size - 1}, got {self.shift}.")
        if self.labels and not self.multilabel:
            raise UserError("labels: are for multilabel=true; classes have none.")
        if len(set(self.labels)) < len(self.labels) or ANY in self.labels:
            raise UserError(f"labels: each once, and without '{ANY}', which comes of itself.")

    @property
    def label_names(self) -> tuple[str, ...] | None:
        return self.labels if self.multilabel else None

    @property
    def class_count(self) -> int | None:
        return None if self.multilabel else self.classes

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, where each tells of a label; none where they tell classes apart."""
        return (*self.labels, ANY) if self.multilabel else ()

    @property
    def output_count(self) -> int:
        """How many numbers the network gives for an image."""
        return len(self.output_names) if self.multilabel else self.classes


_TRAINING = Training(
    batch_size=128,
    epochs=14,
    lr=3e-3,
    optimiser="adamw",
    weight_decay=0.05,
    schedule="cosine",
    warmup_steps=300,
    masks="everything",
    validate_every=500,
    validate_images=1000,
    checkpoint_every=250,
    sheet_images=0,
)
"""Ours, for three quarters of an hour on one CPU core; nothing is hidden."""

_CIFAR10 = ClassifierConfig(
    size=32, channels=3, training={"classes": replace(_TRAINING, augment="flip")}
)

_MNIST = ClassifierConfig(
    size=28,
    channels=1,
    widths=(16, 32, 64),
    shift=2,
    training={"classes": replace(_TRAINING, epochs=3, warmup_steps=100)},
)

_DIGITS = ClassifierConfig(
    size=8,
    channels=1,
    widths=(16, 32),
    shift=1,
    training={
        "classes": replace(
            _TRAINING,
            steps=600,
            batch_size=64,
            warmup_steps=50,
            validate_every=200,
            checkpoint_every=200,
        )
    },
)

MASKED_KIND = "patches-25"
"""Up to five visible squares of a quarter of the side: what some looks show (AIPO, section 5)."""


def _masked(config: ClassifierConfig, **training: Any) -> ClassifierConfig:
    stage = replace(config.training["classes"], masks=MASKED_KIND, **training)
    return replace(config, masked=True, smoothing=0.0, training={"classes": stage})


FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema"),
    *("Fibrosis", "Hernia", "Infiltration", "Mass", "Nodule", "Pleural_Thickening"),
    *("Pneumonia", "Pneumothorax"),
)
"""The labels of ChestX-ray14 (Wang et al. 2017)."""

_CHEST = ClassifierConfig(
    size=256,
    channels=3,
    widths=(16, 32, 64, 128, 128),
    masked=True,
    smoothing=0.0,
    multilabel=True,
    labels=FINDINGS,
    training={
        "classes": Training(
            batch_size=32,
            steps=32_000,
            lr=1e-5,
            masks=MASKED_KIND,
            validate_images=2000,
            checkpoint_every=250,
            sheet_images=0,
        )
    },
)
"""Images a batch, steps, rate and masks of AIPO, section 5, whose network is a DenseNet-121 that
knew photos before; ours begins with random weights. RGB, as `xray` of the family ipa is."""

PRESETS = {
    "digits": _DIGITS,
    "mnist": _MNIST,
    "cifar10": _CIFAR10,
    "digits-masked": _masked(_DIGITS, steps=1500),
    "mnist-masked": _masked(_MNIST, epochs=10),
    "cifar10-masked": _masked(_CIFAR10),
    "chestxray": _CHEST,
}
"""The network is ours in all of them: no paper prescribes it."""
