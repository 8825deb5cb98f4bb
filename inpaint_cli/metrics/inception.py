"""The Inception network of FID, from torch-fidelity: its weights, its resizing, its features."""

from __future__ import annotations

import io
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli import torchvision_import
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.options import Resize

SIDE = 299
CLASSES = 1008
"""Of this network; torchvision's has 1000 and other layers."""
FEATURES = 2048

RESIZES: dict[Resize, str] = {
    "tf1": "bilinear to 299x299 as TensorFlow 1 (no half-pixel shift, no antialiasing), as "
    "torch-fidelity",
    "clean": "bicubic to 299x299, antialiased, clipped to 0..255 and not rounded, as clean-fid",
}
"""Name -> the rule in words. Figures of the two do not compare."""


class Inception(nn.Module):
    """uint8 images [N, 3, H, W] -> pool features [N, 2048] and logits without bias [N, 1008]."""

    def __init__(self, extractor: nn.Module, resize: Resize) -> None:
        super().__init__()
        self.resize = resize
        # The layers in the order of use, which is the order of their definition.
        layers = dict(extractor.named_children())
        self.fc = cast(nn.Linear, layers.pop("fc"))
        self.trunk = nn.Sequential()
        for name, layer in layers.items():
            self.trunk.add_module(name, layer)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = resized(images.float(), self.resize)
        features = self.trunk((x - 128) / 128).flatten(1)
        return features, features @ self.fc.weight.T


def resized(images: Tensor, resize: Resize, size: tuple[int, int] = (SIDE, SIDE)) -> Tensor:
    """Return float images of 0..255 [N, C, H, W] in `size`, by one of `RESIZES`."""
    if resize == "clean":
        return F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 255)
    like_tensorflow = library(
        "torch_fidelity.interpolate_compat_tensorflow"
    ).interpolate_bilinear_2d_like_tensorflow1x
    return cast(Tensor, like_tensorflow(images, size=size, align_corners=False))


def load(path: Path, resize: Resize = "tf1") -> Inception:
    """Build the network and load the published weights. Refused where that is not possible.

    The file is read with weights_only=True: nothing in it is executed.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise Refused(
            f"{path.name}: not a file of weights ({first}).", missing_file=True
        ) from error
    return of_state(state, resize)


def of_state(state: dict[str, Tensor], resize: Resize = "tf1") -> Inception:
    """Build the network from its weights by name."""
    shape = tuple(state["fc.weight"].shape) if "fc.weight" in state else None
    if shape != (CLASSES, FEATURES):
        raise Refused(
            f"the last layer of these Inception weights is {shape}, not ({CLASSES}, {FEATURES}): "
            "they are of another network, which would give other figures.",
            missing_file=True,
        )
    kind = library("torch_fidelity.feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    # The library unpickles whatever it is given. It gets our own copy of what was read safely.
    copy = io.BytesIO()
    torch.save(state, copy)
    copy.seek(0)
    with torch.random.fork_rng(devices=[]):
        extractor = kind("inception", ["2048"], feature_extractor_weights_path=copy)
    return Inception(extractor, resize).eval().requires_grad_(False)


def library(module: str) -> Any:
    """Import a module of torch-fidelity; Refused where it is missing or does not load."""
    try:
        torchvision_import.load()
        return import_module(module)
    except UserError as error:
        raise Refused(str(error)) from error
    except ModuleNotFoundError as error:
        raise Refused(
            "this needs torch-fidelity. Install it with: pip install torch-fidelity"
        ) from error
    # What it imports in turn may raise anything where versions do not fit.
    except Exception as error:
        first = str(error).partition("\n")[0]
        raise Refused(f"torch-fidelity is installed but does not load here ({first}).") from error
