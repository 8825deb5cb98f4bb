"""Small perceptual distances, and weights from the recorded results' formula."""

import zlib
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.perceptual import PerceptualDistance


class Convolutions(nn.Module):
    """3x3 convolutions with ReLU, the first of stride 1 and the others of stride 2; gives all."""

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList(biases)

    def forward(self, x: Tensor) -> list[Tensor]:
        levels: list[Tensor] = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = F.relu(F.conv2d(x, weight, bias, stride=2 if levels else 1, padding=1))
            levels.append(x)
        return levels


def tiny_distance(dtype: torch.dtype = torch.float32) -> PerceptualDistance:
    """Return a calibrated distance of two levels with fixed weights."""
    draw = torch.Generator().manual_seed(3)
    shapes = [(6, 3, 3, 3), (8, 6, 3, 3)]
    weights = [(torch.rand(s, generator=draw, dtype=torch.float64) - 0.5).to(dtype) for s in shapes]
    biases = [torch.full((s[0],), 0.05, dtype=dtype) for s in shapes]
    heads = [torch.rand(s[0], generator=draw, dtype=torch.float64).to(dtype) for s in shapes]
    return PerceptualDistance(Convolutions(weights, biases), "tiny", heads=heads)


def of_formula(name: str, shape: Sequence[int], base_seed: int) -> Tensor:
    """Return the weight that the README of the recorded results describes."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()) ^ base_seed))
    u = rng.random(int(np.prod(shape))).reshape(shape)
    if name.endswith(("running_var", "bn.weight")):
        value = 0.5 + u
    elif name.endswith(("running_mean", ".bias")):
        value = 0.2 * (u - 0.5)
    elif name.startswith("lin"):
        value = 0.1 * u
    else:
        value = (2 * u - 1) * np.sqrt(6 / np.prod(shape[1:]))
    return torch.from_numpy(value.astype(np.float32))
