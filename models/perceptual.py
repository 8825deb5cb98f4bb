"""The perceptual distance that losses and metrics share: LPIPS, or any network's feature maps.

LPIPS (Zhang et al. 2018) is a squared Euclidean distance of an embedding, because its head weights
are not negative. So means, spreads and nearest neighbours of many completions need one pass of the
trunk per image, and not one per pair.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from inpaint_cli import torchvision_import
from inpaint_cli.device import full_precision
from inpaint_cli.errors import UserError

EPSILON = 1e-10
"""Added to the length of a feature vector, as lpips does."""

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""ImageNet's mean and deviation for images in [-1, 1], as lpips rounds them."""

RESIZED_PX = 64
"""A side below the smallest that a trunk takes becomes this long."""

TRUNKS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet"}
"""Trunks of lpips, by the name of their head file: their classes there."""

MINIMUM_SIDE = {"alex": 31, "vgg": 16, "squeeze": 17}
"""Below it the last pooling has nothing left."""

HEAD_SUMS = {
    "alex": (2.349532, 16.143027, 39.268439, 27.197178, 20.317177),
    "vgg": (6.925992, 8.858334, 17.515006, 51.521323, 47.034854),
    "squeeze": (5.690101, 1.185279, 16.326565, 71.012624, 37.370723, 24.262872, 17.590553),
}
"""Sums of the head weights of version 0.1: lpips itself loads any file without a word."""


class PerceptualDistance(nn.Module):
    """Map two images [N, C, H, W] in [-1, 1] to their distance [N], sum_l |phi_l(a) - phi_l(b)|^2.

    network: maps images [N, 3, H, W] in [-1, 1] to feature maps [N, C_l, H_l, W_l], l = 0, 1, ...
    heads: a weight [C_l] >= 0 for each channel of each level; None for 1 everywhere (uncalibrated).
    channels: what the network takes; grey images are repeated to it.

    Its own weights are frozen, and it stays in evaluation mode; gradients flow to the images. Its
    state dict holds the whole trunk, so a model that trains with it keeps it outside itself.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        *,
        heads: Sequence[Tensor] | None = None,
        minimum_side: int = 1,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.network = network
        self.name = name
        self.minimum_side = minimum_side
        self.channels = channels
        self.calibrated = heads is not None
        self.sha256: str | None = None
        """Of the weight file, where the distance came out of one."""
        for level, head in enumerate(heads or ()):
            self.register_buffer(f"head{level}", head.detach().flatten().clone())
        self.requires_grad_(False)
        self.eval()

    @property
    def is_published(self) -> bool:
        """Whether figures can be compared with published ones."""
        return self.calibrated and self.name.startswith("lpips-")

    def train(self, mode: bool = True) -> PerceptualDistance:
        """Stay in evaluation mode, also inside a model that trains."""
        return super().train(False)

    def resizes(self, height: int, width: int) -> bool:
        """Return whether images of this size are enlarged first; reports mention it."""
        return min(height, width) < self.minimum_side

    def embedding(self, images: Tensor) -> list[Tensor]:
        """Return phi: per level [N, C_l, H_l, W_l], unit vectors times sqrt(w_l / (H_l W_l)).

        The trunk runs in the precision of the surrounding autocast, the rest at least in float32.
        """
        maps = self.features(images)
        with full_precision(images.device):
            return [embed(level, self._head(index)) for index, level in enumerate(maps)]

    def features(self, images: Tensor) -> Sequence[Tensor]:
        """Return the trunk's feature maps [N, C_l, H_l, W_l], as they are, the finest first."""
        maps: Sequence[Tensor] = self.network(self._prepared(images))
        return maps

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return squared_distance(self.embedding(a), self.embedding(b))

    def _head(self, level: int) -> Tensor | None:
        return self.get_buffer(f"head{level}") if self.calibrated else None

    def _prepared(self, images: Tensor) -> Tensor:
        if images.shape[1] == 1:
            images = images.expand(-1, self.channels, -1, -1)
        height, width = images.shape[-2:]
        if not self.resizes(height, width):
            return images
        size = [RESIZED_PX if side < self.minimum_side else side for side in (height, width)]
        return functional.interpolate(images, size, mode="bilinear", align_corners=False)


def embed(level: Tensor, head: Tensor | None) -> Tensor:
    """Return sqrt(w / (H W)) times the unit vectors [N, C, H, W] of one level's features.

    >>> features = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)
    >>> [round(float(x), 3) for x in embed(features, torch.tensor([1.0, 4.0])).flatten()]
    [0.6, 1.6]
    """
    level = level if level.dtype == torch.float64 else level.float()
    # The floor keeps the gradient of the root finite where no feature is active.
    length = level.square().sum(1, keepdim=True).clamp_min(1e-36).sqrt()
    weight = torch.ones_like(level[0, :, 0, 0]) if head is None else head.to(level)
    scale = (weight / (level.shape[2] * level.shape[3])).sqrt()
    return level / (length + EPSILON) * scale[:, None, None]


def squared_distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return [N], the distance of two embeddings."""
    parts = [(p - q).square().flatten(1).sum(1) for p, q in zip(a, b, strict=True)]
    return torch.stack(parts).sum(0)


def of_lpips(
    net: str,
    trunk: Mapping[str, Tensor],
    *,
    name: str | None = None,
    heads: Sequence[Tensor] | None = None,
    where: str = "trunk",
) -> PerceptualDistance:
    """Build LPIPS 0.1 on `trunk`, tensors named as torchvision's (`features.0.weight`, ...).

    net: "alex", "vgg" or "squeeze". name: default `lpips-NET`, which only the weights that the
    authors used deserve. heads: default those inside the lpips package. where: what messages call
    the trunk. UserError where lpips is missing or the tensors do not fit.
    """
    network = nn.Sequential(Scaling(), _trunk(net, trunk, where))
    return PerceptualDistance(
        network,
        name or f"lpips-{net}",
        heads=_heads(net) if heads is None else heads,
        minimum_side=MINIMUM_SIDE[net],
    )


def of_features(
    network: nn.Module, name: str, *, minimum_side: int = 1, channels: int = 3
) -> PerceptualDistance:
    """Build the uncalibrated distance of a network that gives a list of feature maps.

    Its name becomes `lpips@NAME (uncalibrated)`: values cannot be compared with LPIPS.
    """
    full_name = f"lpips@{name} (uncalibrated)"
    return PerceptualDistance(network, full_name, minimum_side=minimum_side, channels=channels)


def layout_of(tensors: Mapping[str, Any]) -> str | None:
    """Return the trunk ("alex", ...) that tensors named as torchvision's belong to, or None.

    tensors: anything with a shape. Only the first convolutions and the depth are looked at;
    `of_lpips` checks the rest.
    """
    first = {"alex": (64, 3, 11, 11), "vgg": (64, 3, 3, 3), "squeeze": (64, 3, 3, 3)}
    deepest = {
        "alex": "features.10.weight",
        "vgg": "features.28.weight",
        "squeeze": "features.12.squeeze.weight",
    }
    if "features.0.weight" not in tensors:
        return None
    shape = tuple(tensors["features.0.weight"].shape)
    return next((n for n in TRUNKS if shape == first[n] and deepest[n] in tensors), None)


class Scaling(nn.Module):
    """Map images in [-1, 1] to what networks trained on ImageNet expect; version 0.0 lacked it."""

    def forward(self, images: Tensor) -> Tensor:
        shift = images.new_tensor(SHIFT)[:, None, None]
        return (images - shift) / images.new_tensor(SCALE)[:, None, None]


def _lpips() -> Any:
    torchvision_import.load()
    try:
        import lpips
        from lpips import pretrained_networks  # noqa: F401
    # Whatever breaks inside an optional package must not break more than what needs it.
    except Exception as error:
        raise UserError(
            "The perceptual distance needs the package lpips, which does not load here "
            f"({str(error).partition(chr(10))[0]}). Install it with: pip install lpips"
        ) from error
    return lpips


def _trunk(net: str, tensors: Mapping[str, Tensor], where: str) -> nn.Module:
    """Build a trunk of lpips on no device at all, then puts the tensors in."""
    build = getattr(_lpips().pretrained_networks, TRUNKS[net])
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lpips names torchvision's arguments as of old
        trunk: nn.Module = build(pretrained=False, requires_grad=False)
    state = {}
    for name, wanted in trunk.state_dict().items():
        source = "features." + name.split(".", 1)[1]  # slice3.6.weight: features.6.weight
        if source not in tensors or tensors[source].shape != wanted.shape:
            raise UserError(
                f"{where}: no {source} of shape {list(wanted.shape)}, so it is no trunk for "
                f"lpips-{net}."
            )
        state[name] = tensors[source].detach().to("cpu", torch.float32, copy=True)
    trunk.load_state_dict(state, assign=True)
    return trunk


def _heads(net: str) -> list[Tensor]:
    """Return the head weights [C_l] inside the lpips package, checked."""
    path = Path(_lpips().__file__).parent / "weights" / "v0.1" / f"{net}.pth"
    try:
        stored: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        heads = [stored[f"lin{i}.model.1.weight"].flatten() for i in range(len(HEAD_SUMS[net]))]
    except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(
            f"lpips: its head file {path.name} is damaged; install it again."
        ) from error
    for head, expected in zip(heads, HEAD_SUMS[net], strict=True):
        if bool((head < 0).any()) or abs(float(head.double().sum()) - expected) > 1e-5:
            raise UserError(f"lpips: {path.name} holds other heads than those of version 0.1.")
    return heads
