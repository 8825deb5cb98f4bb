"""Recorded images, masks and feature maps as torch tensors in our layout."""

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from tests.metrics.recorded_metrics import FOLDER


def tensors(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{name}.safetensors")


def metadata(name: str) -> dict[str, str]:
    with safe_open(FOLDER / f"{name}.safetensors", "pt") as handle:
        return dict(handle.metadata())


def ours(images: Tensor) -> Tensor:
    """Return [..., H, W, C] as [..., C, H, W]."""
    return images.movedim(-1, -3).contiguous()


def visible(mask: Tensor) -> Tensor:
    """Return one mask [H, W], 1 = observed, as bool [1, H, W]."""
    return mask.bool()[None]
