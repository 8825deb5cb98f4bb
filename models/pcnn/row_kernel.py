"""The compiled inner loop of the sampler: one image row of the horizontal stack, pixel by pixel.

Everything here is plain loops over arrays, which numba compiles on first use and keeps on disk. A
pixel costs (D-1) small matrix-vector products per colour; as separate calls of a tensor library
their overhead would be most of the time.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from inpaint_cli.machine_code import compiled

Array = np.ndarray[Any, np.dtype[Any]]

_compiled = compiled(fastmath={"contract"})


class RowWeights(NamedTuple):
    """Weights of the horizontal stack, cut by colour group c: a row holds one input's outputs."""

    first: Array
    """[C, (r + 1) * C, 2F/C]: layer 0, whose inputs are the image's channels."""
    rest: Array
    """[L - 1, C, (r + 1) * F, 2F/C]."""
    out: Array
    """[L, C, F, F/C]: the 1x1 convolution behind the gate."""
    out_bias: Array
    """[L, C, F/C]."""
    head: Array
    """[C, F, M] with M = head/C filters a colour; [1, F, K] for one channel."""
    head_bias: Array
    """[C, M]."""
    logits: Array
    """[C, head, K]; [0, 0, 0] for one channel, whose head is one layer."""
    logits_bias: Array
    """[C, K]."""


class RowState(NamedTuple):
    """What the row reads and writes; columns of `image` and `hidden` start r columns left of it."""

    image: Array
    """[n, W + r, C]: level / (K - 1); visible ones are there, hidden ones are written."""
    stack: Array
    """[L, n, W + r, F]: outputs of the layers."""
    levels: Array
    """int64 [n, C, W]: visible ones are there, hidden ones are written."""
    log_prob: Array
    """float64 [n]: that of the hidden values drawn is added."""


class RowInputs(NamedTuple):
    """What is known before the row is sampled."""

    vertical: Array
    """[L, W, n, 2F]: what the vertical stack adds to the horizontal one, all biases included."""
    cond: Array
    """[W, C, K]: the conditioning network's logits."""
    hidden: Array
    """bool [W]."""
    uniforms: Array
    """float64 [n, C, W]."""


@_compiled
def _accumulate(total: Array, x: Array, weight: Array, count: int) -> None:  # pragma: no cover
    """Add x[b, :count] @ weight[:count] to total[b]; four inputs at a time to spare loads."""
    n, outputs = total.shape
    whole = count - count % 4
    for i in range(0, whole, 4):
        for b in range(n):
            x0, x1, x2, x3 = x[b, i], x[b, i + 1], x[b, i + 2], x[b, i + 3]
            for o in range(outputs):
                total[b, o] += (
                    x0 * weight[i, o]
                    + x1 * weight[i + 1, o]
                    + x2 * weight[i + 2, o]
                    + x3 * weight[i + 3, o]
                )
    for i in range(whole, count):
        for b in range(n):
            x0 = x[b, i]
            for o in range(outputs):
                total[b, o] += x0 * weight[i, o]


@_compiled
def _gate(a: Array, out: Array) -> None:  # pragma: no cover
    """Write tanh(second half) * sigmoid(first half) of each row of a."""
    n, half = out.shape
    for b in range(n):
        for o in range(half):
            # tanh(y) = 2 sigmoid(2 y) - 1: absolute error 1e-16, and half the cost of math.tanh.
            second = 2.0 / (1.0 + math.exp(-2.0 * a[b, half + o])) - 1.0
            out[b, o] = second / (1.0 + math.exp(-a[b, o]))


@_compiled
def _draw(  # pragma: no cover
    logits: Array, temperature: float, uniform: float
) -> tuple[int, float]:
    """Return the level drawn from softmax(logits / temperature), and its log-probability at 1.

    level = number of k in 0..K-2 with cdf_k <= uniform, in float64; at temperature 0 the likeliest,
    the first of several.
    """
    levels = logits.shape[0]
    highest, likeliest = logits[0], 0
    for k in range(1, levels):
        if logits[k] > highest:
            highest, likeliest = logits[k], k
    plain = tempered = 0.0
    for k in range(levels):
        plain += math.exp(logits[k] - highest)
    if temperature == 0.0:
        return likeliest, -math.log(plain)
    for k in range(levels):
        tempered += math.exp((logits[k] - highest) / temperature)
    cdf, level = 0.0, 0
    for k in range(levels - 1):
        cdf += math.exp((logits[k] - highest) / temperature) / tempered
        level += cdf <= uniform
    return level, logits[level] - highest - math.log(plain)


@_compiled
def _layers(  # pragma: no cover
    weights: RowWeights, state: RowState, inputs: RowInputs, gates: Array, j: int, c: int
) -> None:
    """Compute colour group c of every layer at column j."""
    layers, n, _, filters = state.stack.shape
    colours, reach_inputs, piece = weights.first.shape
    reach = reach_inputs // colours - 1
    width = filters // colours
    a = np.empty((n, piece), state.stack.dtype)
    h = np.empty((n, width), state.stack.dtype)
    for layer in range(layers):
        for b in range(n):
            for o in range(piece):
                a[b, o] = inputs.vertical[layer, j, b, c * piece + o]
        # The columns j-r..j of one item lie together, so all taps are one product. At the centre
        # (the last of them) only the earlier groups count; in the first layer not even the own one.
        if layer == 0:
            x = state.image.reshape(n, -1)[:, j * colours :]
            _accumulate(a, x, weights.first[c], reach * colours + c)
        else:
            x = state.stack[layer - 1].reshape(n, -1)[:, j * filters :]
            _accumulate(a, x, weights.rest[layer - 1, c], reach * filters + (c + 1) * width)
        _gate(a, gates[layer, :, c * width : (c + 1) * width])
        for b in range(n):
            for o in range(width):
                h[b, o] = weights.out_bias[layer, c, o]
                if layer > 0:
                    h[b, o] += state.stack[layer - 1, b, j + reach, c * width + o]
        _accumulate(h, gates[layer], weights.out[layer, c], (c + 1) * width)
        state.stack[layer, :, j + reach, c * width : (c + 1) * width] = h


@_compiled
def _head(  # pragma: no cover
    weights: RowWeights, h: Array, middle: Array, logits: Array, c: int
) -> None:
    """Add the prior network's logits [n, K] of colour c from the last layer's h [n, F].

    middle: [n, head], kept between the colours of a pixel.
    """
    n, filters = h.shape
    colours, _, hidden = weights.head.shape
    if colours == 1:
        for b in range(n):
            logits[b] += weights.head_bias[0]
        _accumulate(logits, h, weights.head[0], filters)
        return
    total = np.empty((n, hidden), h.dtype)
    for b in range(n):
        total[b] = weights.head_bias[c]
        logits[b] += weights.logits_bias[c]
    _accumulate(total, h, weights.head[c], (c + 1) * (filters // colours))
    middle[:, c * hidden : (c + 1) * hidden] = np.maximum(total, 0)
    _accumulate(logits, middle, weights.logits[c], (c + 1) * hidden)


@_compiled
def sample_row(  # pragma: no cover
    weights: RowWeights, state: RowState, inputs: RowInputs, temperature: float
) -> None:
    """Sample the hidden pixels of one row, up to the last of them, for all n completions."""
    layers, n, _, filters = state.stack.shape
    colours, reach_inputs, _ = weights.first.shape
    reach = reach_inputs // colours - 1
    levels = inputs.cond.shape[2]
    gates = np.empty((layers, n, filters), state.stack.dtype)
    middle = np.empty((n, weights.logits.shape[1]), state.stack.dtype)
    logits = np.empty((n, levels), state.stack.dtype)
    last = 0
    for j in range(inputs.hidden.shape[0]):
        if inputs.hidden[j]:
            last = j
    for j in range(last + 1):
        for c in range(colours):
            _layers(weights, state, inputs, gates, j, c)
            if not inputs.hidden[j]:
                continue
            for b in range(n):
                logits[b] = inputs.cond[j, c]
            h = np.ascontiguousarray(state.stack[layers - 1, :, j + reach])
            _head(weights, h, middle, logits, c)
            for b in range(n):
                level, log_prob = _draw(logits[b], temperature, inputs.uniforms[b, c, j])
                state.levels[b, c, j] = level
                state.image[b, j + reach, c] = level / (levels - 1)
                state.log_prob[b] += log_prob
