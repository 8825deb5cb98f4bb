"""Exact incremental sampling: nothing that a pixel does not change is computed again.

The conditioning network runs once per image. The vertical stack is computed one row at a time, when
the row above is complete, from the r + 1 rows that its kernels still see; the horizontal stack one
pixel at a time (`row_kernel`), reading kept columns of its row. Float64 by default: summation order
then never flips a draw, so that completion i is the same for every n, batch and thread count.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from inpaint_cli.models.pcnn.networks import Block, HorizontalConv, PointwiseConv
from inpaint_cli.models.pcnn.row_kernel import RowInputs, RowState, RowWeights, sample_row

if TYPE_CHECKING:
    from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN, PriorNetwork


@dataclass(frozen=True)
class Samples:
    """Finished samples."""

    levels: Tensor
    """int64 [n, C, H, W]; visible ones are the input's."""
    log_prob: Tensor
    """float64 [n], nats, of the hidden values at temperature 1."""


class IncrementalSampler:
    """Samples completions of one image; what depends on the visible pixels is computed once here.

    levels: int64 [1, C, H, W], hidden ones ignored; visible: bool [1, 1, H, W]. Weights are copied,
    so the model may be on any device (MPS, too, which has no float64) and in any mode.
    """

    def __init__(
        self,
        model: PixelConstrainedCNN,
        levels: Tensor,
        visible: Tensor,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.dtype, self.top = dtype, model.levels - 1
        self.levels, self.visible = levels * visible, visible
        self.weights = pack_rows(model.prior, dtype)
        self.vertical = [
            VerticalLayer.pack(cast(Block, block), dtype) for block in model.prior.blocks
        ]
        shown = visible.to(dtype)
        scaled = self.levels.to(dtype) / self.top
        cond = copy.deepcopy(model.cond).cpu().to(dtype).eval()
        with torch.inference_mode():
            logits = cond(torch.cat([scaled * shown, shown], dim=1))
        self.cond = logits[0].permute(2, 3, 1, 0).contiguous()

    @torch.inference_mode()
    def sample(self, uniforms: Tensor, temperature: float = 1.0) -> Samples:
        """Draw one completion per row of `uniforms`, float64 [n, C, H, W] in [0, 1).

        The uniforms of visible entries are not used, and none is at temperature 0.
        """
        n = len(uniforms)
        hidden = ~self.visible[0, 0]
        rows = hidden.any(1).nonzero().flatten().tolist()
        levels = self.levels.expand(n, -1, -1, -1).clone()
        log_prob = torch.zeros(n, dtype=torch.float64)
        if not rows:
            return Samples(levels, log_prob)
        width, reach = self.visible.shape[3], self.vertical[1 % len(self.vertical)].reach
        # Until the first hidden row all completions are one.
        state = [layer.empty(width, 1) for layer in self.vertical]
        for i in range(rows[-1] + 1):
            if i == rows[0]:
                state = [rows_kept.repeat(1, n, 1) for rows_kept in state]
            added = self._vertical_row(i, state, keep=bool(hidden[i].any()))
            image = self._image_row(levels[: state[0].shape[1], :, i], reach)
            if hidden[i].any():
                self._sample_row(i, image, added, levels, uniforms, temperature, log_prob)
            self.vertical[0].push(state[0], image[:, reach:].transpose(0, 1), i)
        return Samples(levels, log_prob)

    def _image_row(self, levels: Tensor, reach: int) -> Tensor:
        """Return a row of levels [n, C, W] as the networks take it, [n, reach + W, C]."""
        scaled = levels.transpose(1, 2).to(self.dtype) / self.top
        return nn.functional.pad(scaled, (0, 0, reach, 0)).contiguous()

    def _vertical_row(self, i: int, state: list[Tensor], *, keep: bool) -> Tensor:
        """Compute row i of the vertical stack; gives what it adds to the horizontal one."""
        width, n = self.visible.shape[3], state[0].shape[1]
        channels = self.vertical[0].bias.numel()
        size = (len(self.vertical), width, n, channels) if keep else (0,)
        added = torch.empty(size, dtype=self.dtype)
        for index, layer in enumerate(self.vertical):
            v = layer.convolve(state[index], i, width)
            if keep:
                torch.addmm(
                    layer.to_horizontal_bias,
                    v,
                    layer.to_horizontal,
                    out=added[index].view(-1, channels),
                )
            if index + 1 < len(self.vertical):
                first, second = v.chunk(2, dim=1)
                gated = torch.tanh(second).mul_(torch.sigmoid(first))
                self.vertical[index + 1].push(state[index + 1], gated.view(width, n, -1), i)
        return added

    def _sample_row(
        self,
        i: int,
        image: Tensor,
        added: Tensor,
        levels: Tensor,
        uniforms: Tensor,
        temperature: float,
        log_prob: Tensor,
    ) -> None:
        """Sample row i: writes `image`, `levels[:, :, i]` and adds to `log_prob`."""
        n, columns, _ = image.shape
        filters = self.weights.out.shape[2]
        stack = torch.zeros(len(self.vertical), n, columns, filters, dtype=self.dtype)
        row = levels[:, :, i].contiguous()
        sample_row(
            self.weights,
            RowState(image.numpy(), stack.numpy(), row.numpy(), log_prob.numpy()),
            RowInputs(
                added.numpy(),
                self.cond[i].numpy(),
                (~self.visible[0, 0, i]).numpy(),
                uniforms[:, :, i].contiguous().numpy(),
            ),
            temperature,
        )
        levels[:, :, i] = row


@dataclass(frozen=True)
class VerticalLayer:
    """One layer of the vertical stack, with its weights laid out for one row at a time.

    The rows that a kernel still sees lie in a ring: the row with index i in slot i mod R. So that
    nothing is moved, the weights are kept in the R orders that occur. A row buffer is
    [W + 2r, n, R * inputs]: the columns of one tap, for all n, are one matrix without a copy.
    """

    kernels: Tensor
    """[R, k, R * inputs, 2F]: for the phase of the newest row, and the tap."""
    bias: Tensor
    to_horizontal: Tensor
    """[2F, 2F]."""
    to_horizontal_bias: Tensor
    """[2F], with the horizontal convolution's bias."""
    reach: int
    first: bool

    @staticmethod
    def pack(block: Block, dtype: torch.dtype) -> VerticalLayer:
        """Copy a block's weights."""
        conv, across = block.vertical, block.vertical_to_horizontal
        horizontal_bias = block.horizontal.bias
        if conv.bias is None or across.bias is None or horizontal_bias is None:
            raise TypeError("every convolution of the prior network has a bias")
        kernel = conv.weight.detach().cpu().to(dtype)[:, :, : conv.rows].permute(3, 2, 1, 0)
        slots = torch.arange(conv.rows)
        # Slot s holds the row that is (phase - s) mod R older than the newest one, whose kernel row
        # is the last.
        phases = [
            kernel[:, conv.rows - 1 - (phase - slots) % conv.rows].flatten(1, 2)
            for phase in range(conv.rows)
        ]
        return VerticalLayer(
            torch.stack(phases).contiguous(),
            conv.bias.detach().cpu().to(dtype),
            across.weight.detach().cpu().to(dtype)[:, :, 0, 0].t().contiguous(),
            across.bias.detach().cpu().to(dtype) + horizontal_bias.detach().cpu().to(dtype),
            conv.reach,
            block.first,
        )

    def empty(self, width: int, n: int) -> Tensor:
        """Return a row buffer for an image `width` columns wide, zero as above the image."""
        return self.kernels.new_zeros(width + 2 * self.reach, n, self.kernels.shape[2])

    def push(self, rows: Tensor, row: Tensor, i: int) -> None:
        """Put row i, [W, n, inputs], in the place of the oldest one."""
        inputs, slot = row.shape[2], i % len(self.kernels)
        inside = slice(self.reach, self.reach + len(row))
        rows[inside, :, slot * inputs : (slot + 1) * inputs] = row

    def convolve(self, rows: Tensor, i: int, width: int) -> Tensor:
        """Return row i of the convolution, [W * n, 2F]."""
        newest = i - 1 if self.first else i
        kernel = self.kernels[newest % len(self.kernels)]
        n = rows.shape[1]
        out = self.bias.repeat(width * n, 1)
        for tap, weight in enumerate(kernel):
            out.addmm_(rows[tap : tap + width].view(width * n, -1), weight)
        return out


def pack_rows(prior: PriorNetwork, dtype: torch.dtype) -> RowWeights:
    """Copy the weights of the horizontal stack and the head, cut by colour group."""
    colours = prior.channels
    blocks = [cast(Block, block) for block in prior.blocks]
    rows = [_by_colour(_taps(block.horizontal), colours, dtype) for block in blocks]
    outs = [_by_colour(_points(block.horizontal_out), colours, dtype) for block in blocks]
    biases = [_bias(block.horizontal_out, colours, dtype) for block in blocks]
    last = cast(PointwiseConv, prior.head[-1])
    head = cast(PointwiseConv, prior.head[0])
    logits = _by_colour(_points(last), colours, dtype)
    logits_bias = _bias(last, colours, dtype)
    rest = torch.stack(rows[1:]) if len(rows) > 1 else rows[0].new_zeros(0, *outs[0].shape)
    packed = (
        rows[0],
        rest,
        torch.stack(outs),
        torch.stack(biases),
        _by_colour(_points(head), colours, dtype),
        _bias(head, colours, dtype),
        logits if colours > 1 else logits.new_zeros(0, 0, 0),
        logits_bias,
    )
    return RowWeights(*(tensor.contiguous().numpy() for tensor in packed))


def _taps(conv: HorizontalConv) -> Tensor:
    """Return the weight as [outputs, taps * inputs], leftmost column first."""
    return conv.masked_weight()[:, :, 0].transpose(1, 2).flatten(1)


def _points(conv: PointwiseConv) -> Tensor:
    return conv.masked_weight()[:, :, 0, 0]


def _by_colour(weight: Tensor, colours: int, dtype: torch.dtype) -> Tensor:
    """Cut [outputs, inputs] into [C, inputs, outputs / C]."""
    outputs, inputs = weight.shape
    cut = weight.detach().cpu().to(dtype).view(colours, outputs // colours, inputs)
    return cut.transpose(1, 2).contiguous()


def _bias(conv: nn.Conv2d, colours: int, dtype: torch.dtype) -> Tensor:
    if conv.bias is None:
        raise TypeError("every convolution of the prior network has a bias")
    return conv.bias.detach().cpu().to(dtype).view(colours, -1)
