"""Building blocks of PIC (Zheng et al. 2019), whose backbone the paper keeps."""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.device import full_precision

SLOPE = 0.1
"""Of the leaky rectifiers; the block after the attention has 0.01."""
START_ITERATIONS = 5
"""Power iterations at construction: the first training step then divides by a usable norm."""


class SpectralNorm(nn.Module):
    """Divides a weight by its largest singular value (Miyato et al. 2018), followed step by step.

    The weight [A, ...] counts as a matrix of A rows, also where a transposed convolution has its
    inputs there. In training each call takes one power iteration and keeps it. Otherwise the one
    iteration is not kept, so outputs do not drift between calls; and without gradients the quotient
    is kept for as long as the weight stays as it is: a forward pass then costs plain convolutions.
    """

    u: Tensor
    """[A], the left singular vector so far."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("u", F.normalize(torch.randn(len(weight)), dim=0))
        self._kept: tuple[tuple[object, ...], Tensor] | None = None
        for _ in range(0 if weight.is_meta else START_ITERATIONS):
            self._iterate(weight.detach().flatten(1))

    def _iterate(self, matrix: Tensor, keep: bool = True) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            v = F.normalize(matrix.t() @ self.u, dim=0, eps=1e-12)
            u = F.normalize(matrix @ v, dim=0, eps=1e-12)
            if keep:
                self.u.copy_(u)
        return u, v

    def forward(self, weight: Tensor) -> Tensor:
        if self.training:
            self._kept = None
            return self._quotient(weight)
        if torch.is_grad_enabled() or weight.is_inference() or self.u.is_inference():
            return self._quotient(weight)
        versions = (weight.data_ptr(), weight._version, self.u.data_ptr(), self.u._version)
        key = (*versions, weight.dtype, weight.device)
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self._quotient(weight))
        return self._kept[1]

    def _quotient(self, weight: Tensor) -> Tensor:
        with full_precision(weight.device):
            matrix = weight.flatten(1)
            u, v = self._iterate(matrix.detach(), keep=self.training)
            return weight / torch.dot(u, matrix @ v)


class Conv(nn.Conv2d):
    """Convolution that keeps the side, with spectral normalisation.

    With `halve` it gives the means over 2x2 of its outputs. They are computed as one convolution of
    stride 2, whose kernel is the mean of four shifts of the weight: less than half the work of a
    3x3 convolution and a pooling, a quarter for a single pixel.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        size: int,
        padding: int | None = None,
        halve: bool = False,
    ) -> None:
        super().__init__(c_in, c_out, size, padding=size // 2 if padding is None else padding)
        self.norm = SpectralNorm(self.weight)
        self.halve = halve
        self._kept: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.norm(self.weight)
        if self.halve:
            weight = self._halving(weight)
        return F.conv2d(x, weight, self.bias, 1 + self.halve, cast("tuple[int, int]", self.padding))

    def _halving(self, weight: Tensor) -> Tensor:
        """Return the mean of the shifted kernels, kept for as long as the quotient is."""
        if self._kept is not None and self._kept[0] is weight:
            return self._kept[1]
        # Zero padding counts in this mean.
        kernel = F.avg_pool2d(weight, 2, stride=1, padding=1)
        # A graph must not be kept.
        self._kept = None if weight.requires_grad else (weight, kernel)
        return kernel


class UpConv(nn.ConvTranspose2d):
    """Transposed convolution that doubles the side exactly, with spectral normalisation."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 3, stride=2, padding=1, output_padding=1)
        self.norm = SpectralNorm(self.weight)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        weight = self.norm(self.weight)
        return F.conv_transpose2d(x, weight, self.bias, 2, 1, 1)


class NearestUpConv(Conv):
    """Doubles the side by repeating pixels, then convolves."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class ResBlock(nn.Module):
    """Two activated convolutions beside one of a single pixel; may halve the side."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        hidden: int,
        *,
        halve: bool = False,
        slope: float = SLOPE,
    ) -> None:
        super().__init__()
        self.conv1 = Conv(c_in, hidden, 3)
        self.conv2 = Conv(hidden, c_out, 3, halve=halve)
        self.bypass = Conv(c_in, c_out, 1, halve=halve)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.leaky_relu(x, self.slope))
        main: Tensor = self.conv2(F.leaky_relu(y, self.slope))
        bypass: Tensor = self.bypass(x)
        return main + bypass


class FirstBlock(nn.Module):
    """Takes an image and halves its side; nothing is activated before its first convolution."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv1 = Conv(c_in, c_out, 3)
        self.conv2 = Conv(c_out, c_out, 3, halve=True)
        self.bypass = Conv(c_in, c_out, 1, halve=True)

    def forward(self, x: Tensor) -> Tensor:
        main: Tensor = self.conv2(F.leaky_relu(self.conv1(x), SLOPE))
        bypass: Tensor = self.bypass(x)
        return main + bypass


class UpBlock(nn.Module):
    """Residual block that doubles the side, with instance normalisation."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        upsampling: Literal["transposed", "interpolated"],
    ) -> None:
        super().__init__()
        double = UpConv if upsampling == "transposed" else NearestUpConv
        self.norm1 = nn.InstanceNorm2d(c_in, affine=True)
        self.conv1 = Conv(c_in, c_out, 3)
        self.norm2 = nn.InstanceNorm2d(c_out, affine=True)
        self.conv2 = double(c_out, c_out)
        self.bypass = double(c_in, c_out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.leaky_relu(self.norm1(x), SLOPE))
        main: Tensor = self.conv2(F.leaky_relu(self.norm2(y), SLOPE))
        bypass: Tensor = self.bypass(x)
        return main + bypass


class Output(nn.Module):
    """Features to an image in [-1, 1]."""

    def __init__(self, c_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = Conv(c_in, channels, 3, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(F.leaky_relu(x, SLOPE), (1, 1, 1, 1), mode="reflect")
        return torch.tanh(self.conv1(x))


class SelfAttention(nn.Module):
    """Adds to each position what the like positions hold (short-term attention)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(channels, channels // 4, 1)
        # Spectral normalisation hides every other weight from PIC's orthogonal start.
        nn.init.orthogonal_(self.query_conv.weight, 0.02)
        nn.init.zeros_(self.query_conv.bias)  # type: ignore[arg-type]
        self.gamma = nn.Parameter(torch.zeros(1))

    def likeness(self, x: Tensor) -> Tensor:
        """Return [N, H W, H W]: how much of each position (last) another one takes; sums to 1."""
        query = self.query_conv(x).flatten(2)
        return torch.softmax(query.transpose(1, 2) @ query, dim=-1)

    def gathered(self, likeness: Tensor, x: Tensor) -> Tensor:
        """Return [N, C, H, W], what each position takes of x."""
        return (x.flatten(2) @ likeness.transpose(1, 2)).view_as(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.gamma * self.gathered(self.likeness(x), x) + x


class ContextAttention(SelfAttention):
    """Short- and long-term attention: within the decoder, and to the encoder where it saw."""

    def __init__(self, channels: int, c_encoder: int) -> None:
        super().__init__(channels)
        self.alpha = nn.Parameter(torch.zeros(1))
        self.model = ResBlock(channels + c_encoder, channels, channels, slope=0.01)

    def forward(self, x: Tensor, e: Tensor, m: Tensor) -> Tensor:  # type: ignore[override]
        """Map x [N, C, H, W] to its shape.

        e: [N or 1, C_e, H, W], of the encoder. m: [N or 1, 1, H, W], the visible share.
        """
        n, channels = x.shape[:2]
        e, m = e.expand(n, -1, -1, -1), m.expand(n, -1, -1, -1)
        both = torch.cat([x, e], 1)
        taken = self.gathered(self.likeness(x), both)
        near = self.gamma * taken[:, :channels] + x
        far = self.alpha * (1 - m) * taken[:, channels:] + m * e
        out: Tensor = self.model(torch.cat([near, far], 1))
        return out
