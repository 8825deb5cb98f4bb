"""Classifiers of partly hidden pictures for tests: random weights in a file, or an exact table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_cli.models.classifier.config import ClassifierConfig
from inpaint_cli.models.classifier.networks import Classifier
from inpaint_cli.weights import CLASSES, save_weights


def saved(
    folder: Path, size: int = 16, channels: int = 3, names: Sequence[str] = (), **fields: object
) -> str:
    """Write a classifier with random weights, and return its path; names: of its classes."""
    chosen = {"classes": 3, "masked": True, "widths": (4, 6), "shift": 0, **fields}
    config = ClassifierConfig(size=size, channels=channels, **chosen)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Classifier(config).eval()
        torch.nn.init.normal_(model.head.weight, std=3)
    path = folder / "classifier.safetensors"
    extra = {CLASSES: json.dumps(names)} if names else {}
    save_weights(path, model, family="classifier", preset="own", extra=extra)
    return str(path)


class Table:
    """p(class | what is visible) of binary 2x2 pictures, by summing p(class, picture)."""

    size, channels = 2, 1

    def __init__(self, joint: npt.NDArray[np.float64]) -> None:
        self.joint = joint
        """[C, 2, 2, 2, 2]: class and the four pixels."""
        self.calls = 0

    def probabilities(self, images: Tensor, visible: Tensor) -> Tensor:
        self.calls += 1
        rows = []
        shown = visible.expand(len(images), -1, -1, -1).reshape(-1, 4).tolist()
        for image, known in zip((images.reshape(-1, 4) > 0).long().tolist(), shown, strict=True):
            place = tuple(v if k else slice(None) for v, k in zip(image, known, strict=True))
            of_class = self.joint[(slice(None), *place)].reshape(len(self.joint), -1).sum(axis=1)
            rows.append(of_class / of_class.sum())
        return torch.from_numpy(np.array(rows))
