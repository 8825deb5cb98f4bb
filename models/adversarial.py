"""What every game against a discriminator needs, whatever the family."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def frozen(discriminator: nn.Module, x: Tensor) -> Any:
    """Call a discriminator so that no gradient reaches its parameters, only its input."""
    weights = {name: weight.detach() for name, weight in discriminator.named_parameters()}
    return torch.func.functional_call(discriminator, weights, (x,))


def untouched(module: nn.Module) -> Tensor:
    """Return 0 with a zero gradient in each parameter: a loss before the discriminator joins."""
    return 0.0 * torch.stack([parameter.sum() for parameter in module.parameters()]).sum()
