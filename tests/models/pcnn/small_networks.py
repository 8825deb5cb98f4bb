"""Small networks with random weights large enough to matter, for tests of exactness."""

import torch

from inpaint_cli.models.pcnn.config import PixelConfig
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN


def random_network(
    *, channels: int = 1, levels: int = 2, depth: int = 4, kernel: int = 3, seed: int = 0
) -> PixelConstrainedCNN:
    config = PixelConfig(
        size=8,
        channels=channels,
        levels=levels,
        depth=depth,
        filters=6,
        cond_filters=4,
        kernel=kernel,
        head=60,
    )
    model = PixelConstrainedCNN(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.4)
                if "running_var" in name:
                    tensor.abs_().add_(0.5)
    return model.eval()


def random_task(
    model: PixelConstrainedCNN, height: int, width: int, seed: int, hidden_share: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return levels int64 [1, C, H, W] and visible bool [1, 1, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, model.levels, (1, model.channels, height, width), generator=generator)
    return levels, torch.rand(1, 1, height, width, generator=generator) >= hidden_share
