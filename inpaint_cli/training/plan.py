"""The plan of a run that is not started: its stages, parameters and an estimate of its memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from inpaint_cli import building, torch_compiler
from inpaint_cli.device import rank, world_size
from inpaint_cli.family import Model, Stage
from inpaint_cli.randomness import Noise
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.batches import (
    BatchDivision,
    MaskSource,
    MicroBatches,
    SampleOrder,
    as_batch,
)
from inpaint_cli.training.loop import steps_of, uses_bfloat16
from inpaint_cli.training.optimisation import freeze_others
from inpaint_cli.training.recipe import Recipe
from inpaint_cli.training.takeover import names_to_take
from inpaint_cli.weights import load_weights

if TYPE_CHECKING:
    from inpaint_cli.data import ImageSet

MEASURED_IMAGES = 2
"""Images of the forward pass that measures what is kept for the backward pass."""
MIB = 2**20
PLANNED_ON = "meta"
"""The device of the network and its forward pass: it knows shapes alone."""
MOST_MEASURED = 2**28
"""Bytes of weights and activations up to which a forward pass is made for real, if it has to be."""


@dataclass(frozen=True)
class RunReport:
    """What there is to tell of a run: for people as `text`, for programs as `facts`."""

    text: str
    facts: Mapping[str, Any]


class _Shapes(Noise):
    """Noise of which there are the shapes alone."""

    def uniform(self, *shape: int) -> Tensor:
        return torch.empty(len(self), *shape, dtype=torch.float64, device=PLANNED_ON)

    def normal(self, *shape: int) -> Tensor:
        return self.uniform(*shape)

    def __getitem__(self, part: slice) -> Noise:
        return _Shapes(self.seed, self.tag, self.keys[part])


class _Gelu(torch.autograd.Function):
    """The shapes of a GELU, and what it keeps for the backward pass: its input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.empty_like(x)


class _FewerSteps(TorchFunctionMode):
    """Takes GELU in one step: "meta" takes a dozen in Python, half of the time of a large plan."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        if function is functional.gelu and arguments[0].is_meta:
            return _Gelu.apply(arguments[0])  # type: ignore[no-untyped-call]
        return function(*arguments, **(options or {}))


def plan(
    recipe: Recipe,
    device: torch.device,
    download: bool,
    reporter: Reporter,
    *,
    weights: Path | None = None,
    admitted: Callable[[Sequence[ImageSet]], None] = lambda images: None,
) -> RunReport:
    """Plan a run. It loads the data, but trains and writes nothing.

    The network stands on the device "meta", which knows shapes alone, so that planning the largest
    one takes next to no memory. weights: the file whose finished stages the run stands on.
    admitted: raises UserError where the run would not go on with these images.
    """
    with torch_compiler.left_out():
        train, validation = recipe.load_images(download, reporter, for_plan=True)
        admitted((train, validation))
        return _plan(recipe, device, train, validation, weights)


def _plan(
    recipe: Recipe,
    device: torch.device,
    train: ImageSet,
    validation: ImageSet,
    weights: Path | None,
) -> RunReport:
    program = _program() if device.type == "cpu" else 0
    with torch.device(PLANNED_ON), building.at_most():
        model = cast(nn.Module, recipe.family.build(recipe.config))
    # A run would be refused without a distance that it names, or that its settings need.
    if recipe.config.takes_perceptual and recipe.load_distance() is None:
        cast(Any, model).use_perceptual(None)
    if weights:
        held = cast(nn.Module, load_weights(weights)).state_dict()
        names_to_take(model, recipe.family.stages(), weights, held)
        del held
    stages = {stage.name: stage for stage in recipe.family.stages()}
    parts = {name: count(part) for name, part in model.named_children()}
    facts = {
        "model": recipe.model,
        "preset": recipe.preset,
        "data": train.describe(),
        "validation_images": len(validation.images),
        "seed": recipe.seed,
        "device": str(device),
        "processes": world_size(),
        "parameters": {"total": count(model), **parts},
        "stages": {
            name: _stage_facts(recipe, stages[name], model, train, device, program)
            for name in recipe.stages
        },
    }
    return RunReport(_text(facts), facts)


def _program() -> int:
    """Return the bytes of Python, torch, what a first step makes torch load, and the data."""
    nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 8, 8)).sum().backward()
    return peak_of_process() + torch_compiler.bytes_to_come()


def peak_of_process() -> int:
    """Return the most bytes that this process has held so far; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def count(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _stage_facts(
    recipe: Recipe,
    stage: Stage[Any],
    model: nn.Module,
    train: Any,
    device: torch.device,
    program: int,
) -> dict[str, Any]:
    training = recipe.training(stage.name)
    division = BatchDivision(training.batch_size, training.accumulate, world_size(), rank())
    return {
        "steps": steps_of(training, len(train.images)),
        "batch": str(division),
        "precision": "bfloat16" if uses_bfloat16(training, device) else "float32",
        "optimiser": training.optimiser,
        "lr": training.lr,
        "masks": training.masks,
        "needs": list(stage.needs),
        "memory_bytes": {
            **({"program": program} if program else {}),
            **memory(recipe, stage, model, train, division, uses_bfloat16(training, device)),
        },
    }


def memory(
    recipe: Recipe,
    stage: Stage[Any],
    model: nn.Module,
    train: Any,
    division: BatchDivision,
    bfloat16: bool,
) -> dict[str, int]:
    """Estimate the memory of a stage in bytes: what is kept, not what passes through.

    The activations are those of a float32 forward pass of two images, times the images at once.
    """
    groups = stage.trainable(cast(Model, model))
    freeze_others(model, groups)
    state = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    trained = sum(4 * p.numel() for group in groups for p in group.parameters)
    return {
        "weights": state,
        "gradients": trained,
        "optimiser": 2 * trained,
        "average": state if recipe.training(stage.name).ema_decay else 0,
        "activations": _activations(recipe, stage, model, train, bfloat16)
        * division.size
        // MEASURED_IMAGES,
    }


def _activations(
    recipe: Recipe, stage: Stage[Any], model: nn.Module, train: Any, bfloat16: bool
) -> int:
    """Return the bytes that autograd keeps for the backward pass of two images.

    Of what "meta" cannot tell, mixed precision, a network small enough is asked for real.
    """
    size = _kept(recipe, stage, model, train, bfloat16=False)
    state = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    if not bfloat16 or size + state > MOST_MEASURED:
        return size
    real = recipe.build()
    if recipe.config.takes_perceptual:
        cast(Any, real).use_perceptual(recipe.load_distance())
    return _kept(recipe, stage, real, train, bfloat16=True)


def _kept(recipe: Recipe, stage: Stage[Any], model: nn.Module, train: Any, bfloat16: bool) -> int:
    order = SampleOrder(len(train.images), recipe.seed)
    training = recipe.training(stage.name)
    masks = MaskSource.of(training, recipe.seed, train.images.shape[2:], None)
    sample = MicroBatches(train, order, BatchDivision(MEASURED_IMAGES, 1), masks, "none")[0]
    place = next(model.parameters()).device
    batch, noise = as_batch(sample, place, recipe.seed, f"train {stage.name}")
    if batch.image.is_meta:
        noise = _Shapes(noise.seed, noise.tag, noise.keys)
    # By identity: no storage of "meta" has an address.
    weights = {t.untyped_storage()._cdata for t in model.state_dict().values()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    model.train()
    with (
        _FewerSteps(),
        torch.random.fork_rng(),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=bfloat16),
    ):
        result = stage.loss(cast(Model, model), batch, 0, noise)
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del result
    return size


def _text(facts: Mapping[str, Any]) -> str:
    lines = [
        f"{facts['model']}, preset '{facts['preset']}', seed {facts['seed']}, "
        f"on {facts['device']}" + (f" x {facts['processes']}" if facts["processes"] > 1 else ""),
        *facts["data"],
        "parameters: "
        + ", ".join(f"{name} {number:,}" for name, number in facts["parameters"].items()),
    ]
    for name, stage in facts["stages"].items():
        sizes = stage["memory_bytes"]
        lines += [
            f"stage '{name}': {stage['steps']} steps, batches of {stage['batch']}, "
            f"{stage['optimiser']} at {stage['lr']:g}, {stage['precision']}, "
            f"masks {stage['masks']}",
            f"  memory: about {sum(sizes.values()) / MIB:,.0f} MiB ("
            + ", ".join(f"{part} {size / MIB:,.1f}" for part, size in sizes.items())
            + ")",
        ]
    return "\n".join(lines)
