"""From one partly visible image to n completions, with bounds of their likelihoods."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from inpaint_cli.bounds import NOT_NEGATIVE
from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions
from inpaint_cli.models.evaluation import one_thread, padded
from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.bounds import log_prob_hidden
from inpaint_cli.models.ipa.elbo import like
from inpaint_cli.parsing import brief
from inpaint_cli.randomness import Noise

if TYPE_CHECKING:
    from inpaint_cli.models.ipa.networks import CompletingVae
    from inpaint_cli.models.ipa.vdvae import DecBlock

BATCH = 8
"""Completions that go through the decoder together, at most."""
DOUBLE_BELOW = 16_000_000
"""Networks with fewer parameters complete in float64 on a CPU. How a sum is rounded depends on the
size of the batch and on the place in it; in float64 that changes no pixel, so completion i is the
same whatever n is. Larger networks take one completion at a time there, in float32."""


LayerNoise = Callable[[int, tuple[int, ...]], Tensor]
"""Standard normals [batch, *shape] for (layer, shape)."""

LARGEST_LOG_STD = 4.0
"""Deviations of latents are cut here when completing. Those of `ipa-cifar32` stay below e^2 but
for a few far draws, after which the next layers ask for e^100 and the completion runs away."""

TEMPERATURES = re.compile(r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e-?[0-9]{1,3})?)(?:x([0-9]{1,5}))?")
"""A temperature, and how many layers have it."""


@dataclass(frozen=True)
class CompletionTask:
    """What is to be completed, and how."""

    image: Tensor
    visible: Tensor
    noise: Noise
    plan: CompletionPlan
    quantise: Literal["round", "trunc"]
    bound: int | None


@dataclass(frozen=True)
class CompletionPlan:
    """How completions are drawn."""

    heats: list[float]
    """Factor on the standard deviations of each layer."""
    fixed: int
    """Layers, from the coarsest, that all completions share with completion 0."""
    prior_from: int
    """Layers from this one on are drawn from the prior."""
    pixel_noise: float = 1.0
    """Factor on the deviation of pixels given the latents."""
    likeliest: bool = False
    """Nothing is drawn of the pixels either: each is the mean of its likeliest logistic."""


def complete(
    model: CompletingVae,
    image: Tensor,
    visible: Tensor,
    noise: Noise,
    *,
    temperature: float | None = None,
    temperatures: str | None = None,
    fix_top: int = 0,
    prior_after: int | None = None,
    pixel_noise: float = 1.0,
    bound: int | None = None,
    condition: str | None = None,
    quantise: Literal["round", "trunc"] = "round",
) -> Completions:
    """Complete one image len(noise) times; `details["raw"]` holds what was drawn, uint8.

    The model is in eval mode and gradients are off. temperatures: one per layer, see
    `layer_temperatures`; a temperature of 0 takes the mean of every layer and of each pixel's
    likeliest logistic; prior_after: layers after these are the prior's; pixel_noise: 1 draws
    pixels from their mixtures, 0 takes the mean of the drawn component; bound: importance samples
    for `log_prob`, of the completion as it is. A model of edges takes the drawing as `image` and
    fills everything in.
    """
    config = model.config
    if condition is not None and condition != config.condition:
        raise UserError(
            f"'{condition}', but this model was trained on '{config.condition}'.",
            setting="condition",
        )
    layers = len(model.decoder.blocks())
    heats = layer_temperatures(temperatures, temperature, layers)
    prior_from = layers if prior_after is None else prior_after
    plan = CompletionPlan(heats, fix_top, prior_from, pixel_noise, likeliest=temperature == 0)
    for setting, number in (("fix_top", plan.fixed), ("prior_after", plan.prior_from)):
        if not 0 <= number <= layers:
            raise UserError(f"this model has {layers} layers, got {number}.", setting=setting)
    task = CompletionTask(image, visible, noise, plan, quantise, bound)
    weight = model.decoder.gain
    if weight.device.type != "cpu":
        return sample_completions(model, task, BATCH)
    if weight.dtype == torch.float64 or sum(p.numel() for p in model.parameters()) >= DOUBLE_BELOW:
        with one_thread(model):
            return sample_completions(model, task, 0 if weight.dtype == torch.float64 else 1)
    doubled = {n: t.double() for n, t in model.state_dict().items()}
    completions: Completions = functional_call(
        model, doubled, (lambda: sample_completions(model, task, 0),)
    )
    return completions


def sample_completions(model: CompletingVae, task: CompletionTask, size: int) -> Completions:
    """Complete by networks of any type, `size` at once (0 = any number up to BATCH)."""
    decoder = CompletionDecoder(model, task.image, task.visible, task.plan)
    parts = [decoder.pixels(part, size) for part in task.noise.split(size or BATCH)]
    raw = dmol.to_bytes(torch.cat(parts), task.quantise)
    edges = model.config.condition == "edges"
    shown = torch.zeros_like(task.visible) if edges else task.visible
    images = torch.where(shown, task.image, raw)
    details: dict[str, Any] = {"raw": raw}
    log_prob = None
    if task.bound:
        log_prob, details["effective_samples"] = _bounds(model, task, images)
    return Completions(images, log_prob, details, lower_bound=True)


def layer_temperatures(text: str | None, all_layers: float | None, layers: int) -> list[float]:
    """Return the temperature of each layer, coarse to fine, from "T" or "TxN" items.

    >>> layer_temperatures("0.5x2,1", None, 3)
    [0.5, 0.5, 1.0]
    """
    NOT_NEGATIVE.require(all_layers, "temperature")
    if text is None:
        return [1.0 if all_layers is None else all_layers] * layers
    if all_layers is not None:
        raise UserError("give either these or one temperature.", setting="temperatures")
    temperatures: list[float] = []
    for item in text.split(","):
        match = TEMPERATURES.fullmatch(item.strip())
        if match is None or float(match[1]) == float("inf"):
            raise UserError(
                f"'{brief(item)}' is neither T nor TxN, with T from 0 up.", setting="temperatures"
            )
        temperatures += [float(match[1])] * int(match[2] or 1)
    if len(temperatures) != layers:
        raise UserError(
            f"this model has {layers} layers, so {layers} numbers are needed, got "
            f"{len(temperatures)}, such as 1x{layers - 1},0.8.",
            setting="temperatures",
        )
    return temperatures


class CompletionDecoder:
    """The walk down z ~ c(z|y) for one y; what depends on y alone is computed once."""

    def __init__(
        self, model: CompletingVae, image: Tensor, visible: Tensor, plan: CompletionPlan
    ) -> None:
        self.model, self.plan = model, plan
        self.blocks = model.decoder.blocks()
        sides = model.partial_sides(image, visible)
        guided = self.blocks[: plan.prior_from]
        self.sides = [block.part_enc.side(sides[block.res]) for block in guided]

    def pixels(self, noise: Noise, size: int) -> Tensor:
        """Return pixels in -1..1, [n, H, W, C], of n streams run as a batch of `size` (0 = n)."""
        n = len(noise)
        first = Noise(noise.seed, noise.tag, [(0,)])

        def normal(index: int, shape: tuple[int, ...]) -> Tensor:
            drawn = padded(noise.normal(*shape), size)
            return first.normal(*shape).expand_as(drawn) if index < self.plan.fixed else drawn

        px_z, _ = self.walk(max(n, size), normal)
        config = self.model.config
        square = (config.size, config.size)
        if self.plan.likeliest:
            return dmol.likeliest(self.model.decoder.read(px_z), config.channels)[:n]
        u_mixture = padded(noise.uniform(*square, config.mixtures), size)
        u_logistic = padded(noise.uniform(*square, config.channels), size)
        return self.read(px_z, u_mixture, u_logistic)[:n]

    def walk(self, batch: int, normal: LayerNoise) -> tuple[Tensor, list[Tensor]]:
        """Return the decoder's last state and the latents; normal(layer, shape) gives the noise."""
        states, latents = dict(self.model.decoder.start(batch)), []
        for index, block in enumerate(self.blocks):
            x = block.enter(states)
            z, skip = self._drawn(index, block, F.gelu(x), normal)
            states[block.res] = block.leave(x, skip, z)
            latents.append(z)
        return self.model.decoder.finish(states), latents

    def _drawn(
        self,
        index: int,
        block: DecBlock,
        seen: Tensor,
        normal: LayerNoise,
    ) -> tuple[Tensor, Tensor]:
        if index >= self.plan.prior_from:
            source, skip = block.describe(seen)
        else:
            source, skip = block.part_enc(seen, self.sides[index]), block.skip(seen)
        eps = like(normal(index, tuple(source.mean.shape[1:])), source.mean)
        source = source._replace(log_std=source.log_std.clamp(max=LARGEST_LOG_STD))
        return source.sample(eps, self.plan.heats[index]), skip

    def read(self, px_z: Tensor, u_mixture: Tensor, u_logistic: Tensor) -> Tensor:
        """Draw pixels in -1..1 from uniform numbers in [0, 1)."""
        params = self.model.decoder.read(px_z)
        uniform = (like(dmol.bounded(u), params) for u in (u_mixture, u_logistic))
        return dmol.sample(params, *uniform, noise=self.plan.pixel_noise)


def _bounds(model: CompletingVae, task: CompletionTask, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the bound of each completion, and its effective samples, float64 [n]."""
    if model.config.condition == "edges":
        images = torch.cat([task.image.expand_as(images), images], -1)
    bounds = [log_prob_hidden(model, x[None], task.visible, task.bound or 1) for x in images]
    return torch.cat([b.nats for b in bounds]), torch.cat([b.effective for b in bounds])
