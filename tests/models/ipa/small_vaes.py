"""Small VD-VAEs with random weights large enough to matter."""

from typing import Any

import torch

from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.posterior import Name

ALONE: tuple[Name, Name] = ("q", "p")
"""The prior in the place of c."""


def small_config(**changes: Any) -> VaeConfig:
    """Return a config of 8x8 images whose widths differ from side to side."""
    settings: dict[str, Any] = {
        "size": 8,
        "channels": 3,
        "levels": 256,
        "width": 8,
        "zdim": 2,
        "mixtures": 2,
        "custom_widths": "4:12,1:16",
        "enc_blocks": "8x1,8d2,4x1,4d4,1x1",
        "dec_blocks": "1x1,4m1,4x1,8m4",
        "no_bias_above": 4,
        "shift": -120.0,
        "scale": 1 / 64,
    }
    return VaeConfig(**{**settings, **changes})


def random_vae(seed: int = 0, **changes: Any) -> CompletingVae:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CompletingVae(small_config(**changes))
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.5 * parameter[0].numel() ** -0.5 if parameter.dim() == 4 else 0.1
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def random_images(count: int, seed: int = 0, channels: int = 3, size: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, size, size)
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)
