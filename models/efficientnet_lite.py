"""EfficientNet-Lite0 as a feature network: 1280 features and the logits of ImageNet.

Tan & Le 2019 without squeeze-and-excitation and with ReLU6, as Google's "lite"
variants are. Weights come in two spellings, and were trained with two kinds of padding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from inpaint_cli.errors import UserError

SIDE = 224
FEATURES, CLASSES = 1280, 1000
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""Of each stage: expansion, channels, blocks, stride of the first, kernel (Table 1 there)."""
LEVELS = (1, 2, 4, 6)
"""The stages whose maps make a perceptual distance: strides 4, 8, 16 and 32."""


@dataclass(frozen=True)
class Layout:
    """How weights of one origin are to be used."""

    same: bool
    """Padding as TensorFlow's "same", all of an odd pixel on the far side; else both sides."""
    eps: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


LAYOUTS = {
    "tf_efficientnet_lite0": Layout(True, 1e-3, (127 / 255,) * 3, (128 / 255,) * 3),
    "efficientnet_lite0": Layout(False, 1e-5, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""timm's name -> what its weights need. The package's weights are of the first."""


class Convolution(nn.Module):
    """A convolution with batch normalisation, and ReLU6 unless it is the last of a block."""

    def __init__(
        self,
        inside: int,
        outside: int,
        kernel: int,
        layout: Layout,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.same, self.active = layout.same, active
        padding = 0 if layout.same else (kernel - 1) // 2
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outside, eps=layout.eps)

    def forward(self, maps: Tensor) -> Tensor:
        if self.same:
            maps = functional.pad(maps, self._padding(maps))
        maps = self.norm(self.conv(maps))
        return functional.relu6(maps) if self.active else maps

    def _padding(self, maps: Tensor) -> list[int]:
        sides = list[int]()
        for size in (maps.shape[3], maps.shape[2]):
            kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
            total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            sides += [total // 2, total - total // 2]
        return sides


class Block(nn.Module):
    """An inverted residual: widen, filter each channel, narrow."""

    def __init__(
        self, inside: int, outside: int, wider: int, stride: int, kernel: int, layout: Layout
    ) -> None:
        super().__init__()
        width = inside * wider
        parts = [Convolution(inside, width, 1, layout)] if wider > 1 else []
        parts.append(Convolution(width, width, kernel, layout, stride, groups=width))
        parts.append(Convolution(width, outside, 1, layout, active=False))
        self.parts = nn.Sequential(*parts)
        self.adds = stride == 1 and inside == outside

    def forward(self, maps: Tensor) -> Tensor:
        done: Tensor = self.parts(maps)
        return maps + done if self.adds else done


class EfficientNetLite0(nn.Module):
    """Maps images [N, 3, H, W] in [-1, 1] to feature maps; `outputs` to features and logits."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        self.stem = Convolution(3, 32, 3, layout, stride=2)
        stages, inside = [], 32
        for wider, outside, count, stride, kernel in STAGES:
            blocks = []
            for number in range(count):
                step = stride if number == 0 else 1
                blocks.append(Block(inside, outside, wider, step, kernel, layout))
                inside = outside
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.head = Convolution(inside, FEATURES, 1, layout)
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of `LEVELS`, at the size that the images have."""
        return self._maps(images)[1]

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, 1280] and logits [N, 1000] of uint8 images [N, 3, H, W]."""
        sized = functional.interpolate(
            images.float() / 127.5 - 1, (SIDE, SIDE), mode="bilinear", antialias=True
        )
        pooled = self.head(self._maps(sized)[0]).mean((2, 3))
        return pooled, self.classifier(pooled)

    def _maps(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        mean, deviation = (
            images.new_tensor(values)[:, None, None]
            for values in (self.layout.mean, self.layout.deviation)
        )
        maps, kept = self.stem(((images + 1) / 2 - mean) / deviation), []
        for number, stage in enumerate(self.stages):
            maps = stage(maps)
            if number in LEVELS:
                kept.append(maps)
        return maps, kept


def load(tensors: Mapping[str, Tensor], layout: str, where: str) -> EfficientNetLite0:
    """Return the network with weights in the spelling of timm or of the package.

    layout: a name of `LAYOUTS`. UserError where a tensor is missing, left over or of another shape.
    """
    with torch.device("meta"):
        network = EfficientNetLite0(LAYOUTS[layout])
    given = {name: tensor for name, tensor in tensors.items() if "num_batches" not in name}
    spell = _of_package if "_conv_stem.weight" in given else _of_timm
    state, left = {}, set(given)
    for name, wanted in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros((), dtype=torch.int64)
            continue
        source = spell(name)
        if source not in given or given[source].shape != wanted.shape:
            raise UserError(
                f"{where}: no {source} of shape {list(wanted.shape)}, so it is no {layout}.",
                setting="features",
            )
        state[name] = given[source].detach().to("cpu", torch.float32, copy=True)
        left.discard(source)
    if left:
        raise UserError(f"{where}: {sorted(left)[0]} is no part of {layout}.", setting="features")
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _split(name: str) -> tuple[int, int, int, bool, str]:
    """Return stage, block, part, whether the block widens first, and the rest of a name."""
    match = re.fullmatch(r"stages\.(\d+)\.(\d+)\.parts\.(\d+)\.(.*)", name)
    if match is None:
        raise ValueError(name)
    stage, block, part = (int(number) for number in match.groups()[:3])
    return stage, block, part, STAGES[stage][0] > 1, match[4]


def _of_timm(name: str) -> str:
    """Return timm's name of a tensor.

    >>> _of_timm("stages.1.0.parts.1.conv.weight"), _of_timm("head.norm.bias")
    ('blocks.1.0.conv_dw.weight', 'bn2.bias')
    """
    ends = {"stem.conv": "conv_stem", "stem.norm": "bn1", "head.conv": "conv_head"}
    ends |= {"head.norm": "bn2", "classifier": "classifier"}
    module, _, tensor = name.rpartition(".")
    if module in ends:
        return f"{ends[module]}.{tensor}"
    stage, block, part, widens, rest = _split(name)
    kinds = ("conv_pw", "conv_dw", "conv_pwl") if widens else ("conv_dw", "conv_pw")
    what = kinds[part] if rest.startswith("conv") else f"bn{part + 1}"
    return f"blocks.{stage}.{block}.{what}.{tensor}"


def _of_package(name: str) -> str:
    """Return the package's name of a tensor; it counts its blocks through.

    >>> _of_package("stages.2.0.parts.2.norm.bias"), _of_package("stem.conv.weight")
    ('_blocks.3._bn2.bias', '_conv_stem.weight')
    """
    ends = {"stem.conv": "_conv_stem", "stem.norm": "_bn0", "head.conv": "_conv_head"}
    ends |= {"head.norm": "_bn1", "classifier": "_fc"}
    module, _, tensor = name.rpartition(".")
    if module in ends:
        return f"{ends[module]}.{tensor}"
    stage, block, part, widens, rest = _split(name)
    number = sum(count for _, _, count, _, _ in STAGES[:stage]) + block
    role = part if widens else part + 1
    conv = ("_expand_conv", "_depthwise_conv", "_project_conv")[role]
    return f"_blocks.{number}.{conv if rest.startswith('conv') else f'_bn{role}'}.{tensor}"
