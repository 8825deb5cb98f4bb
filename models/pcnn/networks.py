"""Networks of the Pixel Constrained CNN (Dupont & Suresha 2018, section 4 and appendix A)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.models.pcnn.config import PixelConfig

if TYPE_CHECKING:
    from inpaint_cli.family import Completions
    from inpaint_cli.randomness import Noise


def gate(a: Tensor, groups: int = 1) -> Tensor:
    """Halve the channels: tanh(second half) * sigmoid(first half), in each of `groups` pieces.

    The order is that of the authors' code. Maps [N, 2F, ...] to [N, F, ...].
    """
    n, channels, *size = a.shape
    halves = a.view(n, groups, 2, channels // (2 * groups), *size)
    return (torch.tanh(halves[:, :, 1]) * torch.sigmoid(halves[:, :, 0])).flatten(1, 2)


class VerticalConv(nn.Conv2d):
    """Convolution that sees only rows above its own ("first"), or its own too.

    With `first`, output row i sees input rows i-r..i-1, else i-r..i, r = kernel // 2. Behind a
    first one the own row holds no pixel of row i, so there is no blind spot. The weight has the
    full kernel, as in the authors' files; the rows that may not be seen are never read.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, first: bool) -> None:
        super().__init__(inputs, outputs, kernel)
        self.reach = kernel // 2
        self.rows = self.reach if first else self.reach + 1

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (self.reach, self.reach, self.reach, 0))
        return F.conv2d(padded, self.weight[:, :, : self.rows], self.bias)[:, :, : x.shape[2]]


def seen_at_centre(outputs: int, inputs: int, groups: int, *, first: bool) -> Tensor:
    """Return 1 where output o may see input i at the same pixel, float [outputs, inputs].

    R sees R, G sees R and G, B sees all; in the first layer a colour does not see itself, and with
    one group that leaves nothing.
    """
    seen = torch.arange(groups) + (0 if first else 1)
    limit = (seen * (inputs // groups)).repeat_interleave(outputs // groups)
    return (torch.arange(inputs)[None, :] < limit[:, None]).float()


class HorizontalConv(nn.Conv2d):
    """1 x k convolution that sees columns left of its own, and at its own the earlier colours.

    The three convolutions of the authors' RGB network are one here, outputs ordered R, G, B.
    """

    centre: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int, *, first: bool) -> None:
        super().__init__(inputs, outputs, (1, kernel))
        self.reach = kernel // 2
        mask = seen_at_centre(outputs, inputs, groups, first=first)
        # Not persistent: the config determines it. The weights are masked at every use, since an
        # optimiser's step would refill entries that were zeroed once.
        self.register_buffer("centre", mask[:, :, None, None], persistent=False)

    def masked_weight(self) -> Tensor:
        """Return the weight without columns that are never seen, [outputs, inputs, 1, r + 1]."""
        left, centre = self.weight[..., : self.reach], self.weight[..., self.reach : self.reach + 1]
        return torch.cat([left, centre * self.centre], dim=3)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (self.reach, 0, 0, 0)), self.masked_weight(), self.bias)


class PointwiseConv(nn.Conv2d):
    """1x1 convolution in which a colour group sees itself and the earlier ones."""

    centre: Tensor

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__(inputs, outputs, 1)
        mask = seen_at_centre(outputs, inputs, groups, first=False)
        self.register_buffer("centre", mask[:, :, None, None], persistent=False)

    def masked_weight(self) -> Tensor:
        """Return the weight with zeros where a colour would see a later one."""
        return self.weight * self.centre

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.masked_weight(), self.bias)


class Block(nn.Module):
    """One layer of both stacks: (V, H) [N, F, H, W] each -> (V, H) of F filters.

    The horizontal stack reads the vertical one before its gate. Only it has a residual, and not in
    the first block, whose inputs are the image's channels.
    """

    def __init__(self, inputs: int, filters: int, kernel: int, groups: int, *, first: bool) -> None:
        super().__init__()
        self.groups, self.first = groups, first
        self.vertical = VerticalConv(inputs, 2 * filters, kernel, first=first)
        self.vertical_to_horizontal = nn.Conv2d(2 * filters, 2 * filters, 1)
        self.horizontal = HorizontalConv(inputs, 2 * filters, kernel, groups, first=first)
        self.horizontal_out = PointwiseConv(filters, filters, groups)

    def forward(self, v_in: Tensor, h_in: Tensor) -> tuple[Tensor, Tensor]:
        v = self.vertical(v_in)
        a = self.horizontal(h_in) + self.vertical_to_horizontal(v)
        h = self.horizontal_out(gate(a, self.groups))
        return gate(v), h if self.first else h + h_in


class PriorNetwork(nn.Module):
    """Gated PixelCNN: [N, C, H, W] in 0..1 -> logits [N, K, C, H, W], causal in raster order."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.channels, self.levels = config.channels, config.levels
        groups = config.channels
        self.blocks = nn.ModuleList(
            Block(
                config.channels if layer == 0 else config.filters,
                config.filters,
                config.kernel,
                groups,
                first=layer == 0,
            )
            for layer in range(config.depth - 1)
        )
        outputs = config.channels * config.levels
        self.head = nn.Sequential(
            *(
                [PointwiseConv(config.filters, outputs, groups)]
                if config.channels == 1
                else [
                    PointwiseConv(config.filters, config.head, groups),
                    nn.ReLU(),
                    PointwiseConv(config.head, outputs, groups),
                ]
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        v = h = x
        for block in self.blocks:
            v, h = block(v, h)
        # Output channel = colour * K + level.
        logits: Tensor = self.head(h)
        n, _, height, width = logits.shape
        return logits.view(n, self.channels, self.levels, height, width).transpose(1, 2)


class ResidualBlock(nn.Module):
    """x + f(x); the last ReLU is inside f, so the trunk can only grow (as in the authors' code)."""

    def __init__(self, filters: int, kernel: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(filters, filters, 1),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, kernel, padding=kernel // 2),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 1),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.convs(x)
        return x + residual


class ConditioningNetwork(nn.Module):
    """ResNet: masked image and mask [N, C+1, H, W] -> logits [N, K, C, H, W]."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.channels, self.levels = config.channels, config.levels
        filters, kernel = config.cond_filters, config.kernel
        self.layers = nn.Sequential(
            nn.Conv2d(config.channels + 1, filters, kernel, padding=kernel // 2),
            *(ResidualBlock(filters, kernel) for _ in range(config.depth - 2)),
            nn.Conv2d(filters, config.levels * config.channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        # Output channel = level * C + colour: not the order of the prior network.
        logits: Tensor = self.layers(x)
        n, _, height, width = logits.shape
        return logits.view(n, self.levels, self.channels, height, width)


class PixelConstrainedCNN(CompletionModel):
    """p(x | visible) = product over hidden entries of softmax(prior(x before it) + cond(visible)).

    Maps levels [N, C, H, W] (integers 0..K-1) and `visible` bool [N, 1, H, W] to the logits of the
    prior and of the conditioning network, float32 [N, K, C, H, W] each; the model's logits are
    their sum (Dupont & Suresha 2018, section 4).
    """

    config: PixelConfig
    has_log_prob = True

    def __init__(self, config: PixelConfig) -> None:
        super().__init__(config)
        self.prior = PriorNetwork(config)
        self.cond = ConditioningNetwork(config)

    def forward(self, levels: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        return self.prior_logits(levels), self.cond_logits(levels, visible)

    def prior_logits(self, levels: Tensor) -> Tensor:
        """Return the prior network's logits; entry (c, i, j) depends on earlier entries alone."""
        return self._own(self.prior(self.scaled(levels)))

    def cond_logits(self, levels: Tensor, visible: Tensor) -> Tensor:
        """Return the conditioning network's logits, which do not depend on hidden levels."""
        shown = visible.to(self.dtype)
        return self._own(self.cond(torch.cat([self.scaled(levels) * shown, shown], dim=1)))

    def scaled(self, levels: Tensor) -> Tensor:
        """Return levels as the networks take them: level / (K - 1), 0..1."""
        return levels.to(self.dtype) / (self.levels - 1)

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the weights."""
        return self.cond.layers[0].weight.dtype  # type: ignore[return-value]

    def _own(self, logits: Tensor) -> Tensor:
        # Under autocast the last convolution gives bfloat16: too coarse for a softmax over levels.
        return logits.to(self.dtype)

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        """Return the exact log p(hidden | visible), float64 [N], nats, of uint8 images."""
        from inpaint_cli.models.pcnn.sampling import log_prob

        return log_prob(self, image, visible)

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete one image len(noise) times (see `inpaint_cli.family.Model`)."""
        from inpaint_cli.models.pcnn.sampling import complete

        return complete(self, image, visible, noise, temperature=temperature, **options)
