"""How typical a partly visible image is: the gradient of its bound by the heat of each prior.

IPA, appendix J: scale the standard deviations of the prior of layer l by t. At z ~ c(z|y) nothing
in the bound of log p(y) but log p(z; t) depends on t, so the gradient at t = 1 is a sum over the
latents of the layer, and no back-propagation is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor
from torch.func import functional_call

from inpaint_cli.family import Typicality
from inpaint_cli.models.ipa.posterior import LayerStep, Name, walk
from inpaint_cli.models.ipa.sampling import LARGEST_LOG_STD
from inpaint_cli.randomness import Noise

if TYPE_CHECKING:
    from inpaint_cli.models.ipa.networks import CompletingVae


def typicality(
    model: CompletingVae,
    image: Tensor,
    visible: Tensor,
    noises: Sequence[Noise],
    *,
    sampled: bool = False,
) -> Typicality:
    """Return gradients and log weights of images, in the passes of their noises.

    In float64 on a CPU: what else is in the batch shows in the last digits alone. The model is in
    eval mode and gradients are off. Deviations of c are cut as in completing.
    """
    weight = model.decoder.gain
    if weight.device.type != "cpu" or weight.dtype == torch.float64:
        return _passes(model, image, visible, noises, sampled)
    doubled = {name: tensor.double() for name, tensor in model.state_dict().items()}
    return cast(
        Typicality,
        functional_call(model, doubled, (lambda: _passes(model, image, visible, noises, sampled),)),
    )


def _passes(
    model: CompletingVae, image: Tensor, visible: Tensor, noises: Sequence[Noise], sampled: bool
) -> Typicality:
    # Of an image with nothing hidden, the full encoder's posterior is the better one.
    whole, passes = bool(visible.all()), len(noises[0])
    source: Name = "q" if whole else "c"
    sides = model.full_sides(image) if whole else model.partial_sides(image, visible)

    def draw(*shape: int) -> Tensor:
        return torch.cat([noise.normal(*shape) for noise in noises])

    walked = walk(
        model,
        len(image) * passes,
        {source: {res: side.repeat_interleave(passes, 0) for res, side in sides.items()}},
        draw,
        (source, "p"),
        sampled=True,
        keep=True,
        ceiling=LARGEST_LOG_STD,
    )
    pixels = model.log_pixels(
        model.decoder.finish(walked.states), image.repeat_interleave(passes, 0)
    )
    counted = visible[:, 0].repeat_interleave(passes, 0)
    seen = torch.where(counted, pixels, 0.0).cpu().double().flatten(1).sum(1)
    weights = seen - walked.nats.cpu().double().sum(1)
    gradients = temperature_gradients(walked.steps, sampled=sampled)
    return Typicality(
        gradients.view(len(image), passes, -1),
        weights.view(len(image), passes),
    )


def temperature_gradients(steps: list[LayerStep], *, sampled: bool = False) -> Tensor:
    """Return the gradients float64 [N, L] along a walk that kept its steps.

    With z ~ N(m, s) and the prior N(m', s'): the sum of (s^2 + (m - m')^2) / s'^2 - 1, or, sampled,
    of ((z - m') / s')^2 - 1.
    """
    return torch.stack([_gradient(step, sampled) for step in steps], 1)


def _gradient(step: LayerStep, sampled: bool) -> Tensor:
    mean, log_std = (part.cpu().double() for part in step.first)
    prior_mean, prior_log_std = (part.cpu().double() for part in step.second)
    if sampled:
        ratio = ((step.z.cpu().double() - prior_mean) * torch.exp(-prior_log_std)).square()
    else:
        distance = ((mean - prior_mean) * torch.exp(-prior_log_std)).square()
        # One exponential of the difference: equal deviations then give 1 exactly.
        ratio = torch.exp(2 * (log_std - prior_log_std)) + distance
    return (ratio - 1).flatten(1).sum(1)
