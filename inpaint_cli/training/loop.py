"""The training loop of one stage: batch, masks, loss, step, average."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from inpaint_cli import ranks
from inpaint_cli.device import has_fast_bf16, rank, world_size
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.family import Batch, Model, Stage, Training
from inpaint_cli.randomness import Noise, tag_of
from inpaint_cli.training.batches import MicroBatch, MicroBatches, as_batch
from inpaint_cli.training.checkpoints import Checkpoint, Progress
from inpaint_cli.training.loading import loading
from inpaint_cli.training.optimisation import Average, Optimiser, freeze_others, rate_factor

MOST_SKIPPED = 100
"""Steps left out in a row (`skip_norm`) after which a run gives up; all of a shorter stage."""


@dataclass
class StepReport:
    """What one optimiser step gave, as plain numbers; means over ranks and parts."""

    losses: Mapping[str, float]
    scalars: Mapping[str, float]
    norms: Mapping[str, float]
    stop: int
    """Why a process wants to stop (see `stopping.Stop.reason`), 0 = it does not."""
    waited: float
    """Seconds until the batch was there."""
    skipped: bool = False

    def faults(self) -> list[str]:
        """Return which losses and gradient norms are not finite."""
        named = [(f"the loss '{name}'", value) for name, value in self.losses.items()]
        named += [(f"the gradient norm of '{name}'", value) for name, value in self.norms.items()]
        return [f"{name} is {value}" for name, value in named if not math.isfinite(value)]


class BrokenStep(ResourceError):
    """NaN or infinity turned up; the weights are those before the step."""


@dataclass
class Trainer:
    """One stage in training: the model, its optimisers, its average, and how far it is."""

    stage: Stage[Any]
    training: Training
    model: nn.Module
    batches: MicroBatches
    steps: int
    seed: int
    device: torch.device
    workers: int = 0
    progress: Progress = field(init=False)
    average: Average | None = field(init=False)
    _skipped: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        groups = self.stage.trainable(cast(Any, self.model))
        freeze_others(self.model, groups)
        self.optimisers = [Optimiser(group, self.training) for group in groups]
        decay = self.training.ema_decay
        self.average = Average(self.model, decay) if decay else None
        self.progress = Progress(self.stage.name)
        self.autocast = uses_bfloat16(self.training, self.device)
        self.losses = parallel(StageLosses(self.stage, self.model))

    @property
    def best_model(self) -> nn.Module:
        """The model that is validated and saved: the averaged one, if there is one."""
        return self.average.model if self.average else self.model

    def run(self, after_step: Callable[[StepReport], bool], stop: Callable[[], int]) -> None:
        """Train until the last step, or until `after_step` says that it is enough."""
        parts = self.batches.division.parts
        numbers = range(self.progress.step * parts, self.steps * parts)
        pin = self.device.type == "cuda"
        self.model.train()
        with (
            torch.random.fork_rng(),
            loading(self.batches, numbers, self.workers, pin) as items,
        ):
            while self.progress.step < self.steps:
                start = time.monotonic()
                report = self.step(items, stop)
                self.progress.seconds += time.monotonic() - start
                if not after_step(report):
                    break

    def step(self, items: Iterator[MicroBatch], stop: Callable[[], int] = lambda: 0) -> StepReport:
        """Take one optimiser step. BrokenStep if anything is not finite."""
        # For layers that draw by themselves (dropout); keyed by the step: resuming is exact.
        torch.manual_seed(tag_of(f"layers {self.seed} {self.progress.step} {rank()}") >> 1)
        for optimiser in self.optimisers:
            optimiser.torch.zero_grad(set_to_none=True)
        sums, waited = self.gradients(items)
        norms = {optimiser.name: optimiser.gradient_norm() for optimiser in self.optimisers}
        report = self._report(sums, norms, stop(), waited)
        self._apply(report, norms)
        self.progress.step += 1
        return report

    def gradients(self, items: Iterator[MicroBatch]) -> tuple[dict[tuple[str, str], Tensor], float]:
        """Add up the gradients of all parts; return mean losses and scalars, and the wait."""
        parts = self.batches.division.parts
        sums: dict[tuple[str, str], Tensor] = {}
        waited = 0.0
        for part in range(parts):
            start = time.monotonic()
            batch, noise = as_batch(next(items), self.device, self.seed, f"train {self.stage.name}")
            waited += time.monotonic() - start
            batch = replace(batch, progress=self.progress.step / self.steps)
            with exchange_gradients(self.losses, part == parts - 1):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                    losses, scalars = self.losses(batch, self.progress.step, noise)
                (torch.stack(list(losses.values())).sum() / parts).backward()  # type: ignore[no-untyped-call]
            for kind, values in (("loss", losses), ("scalar", scalars)):
                for name, value in values.items():
                    share = value.detach().float() / parts
                    sums[kind, name] = sums[kind, name] + share if (kind, name) in sums else share
        return sums, waited

    def _report(
        self,
        sums: Mapping[tuple[str, str], Tensor],
        norms: Mapping[str, Tensor],
        stop: int,
        waited: float,
    ) -> StepReport:
        """Fetch all figures of a step at once, averaged over ranks: one wait for the device."""
        flat = [norm.float().reshape(()).to(self.device) for norm in norms.values()]
        values = ranks.mean_over_ranks(torch.stack([*sums.values(), *flat])).tolist()
        named = dict(zip(sums, values, strict=False))
        return StepReport(
            losses={name: v for (kind, name), v in named.items() if kind == "loss"},
            scalars={name: v for (kind, name), v in named.items() if kind == "scalar"},
            norms=dict(zip(norms, values[len(sums) :], strict=False)),
            stop=ranks.largest(stop, self.device),
            waited=waited,
        )

    def _apply(self, report: StepReport, norms: Mapping[str, Tensor]) -> None:
        """Change the weights by what the gradients say, unless they say nonsense."""
        self._check(report)
        if report.skipped:
            return
        factor = rate_factor(self.training, self.progress.step, self.steps)
        for optimiser in self.optimisers:
            if self.training.clip_norm:
                optimiser.clip(norms[optimiser.name], self.training.clip_norm)
            optimiser.step(factor)
        if self.average:
            self.average.update(self.model, self.progress.updates)
        self.progress.updates += 1

    def _check(self, report: StepReport) -> None:
        limit = self.training.skip_norm
        faults = report.faults()
        # What is not finite is skipped as well, as in the VD-VAE's training.
        report.skipped = bool(limit) and (bool(faults) or max(report.norms.values()) > limit)
        self._skipped = self._skipped + 1 if report.skipped else 0
        if self._skipped >= min(MOST_SKIPPED, self.steps):
            raise BrokenStep(
                f"{self._skipped} steps in a row had a gradient norm above skip_norm = {limit:g}, "
                "or one that is not finite"
            )
        if faults and not report.skipped:
            raise BrokenStep(faults[0])

    def rate(self, step: int) -> float:
        """Return the learning rate of a step (from 0)."""
        return self.training.lr * rate_factor(self.training, step, self.steps)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors of a checkpoint."""
        tensors = {f"model/{n}": t for n, t in self.model.state_dict().items()}
        if self.average:
            tensors |= {f"average/{n}": t for n, t in self.average.model.state_dict().items()}
        for optimiser in self.optimisers:
            state = optimiser.state()
            tensors |= {f"optimiser/{optimiser.name}/{n}": t for n, t in state.items()}
        return tensors

    def load(self, checkpoint: Checkpoint, kept: Collection[str] = ()) -> None:
        """Go back to where a checkpoint was written, but for the tensors `kept` of the model."""
        states = [("model", self.model)]
        if self.average:
            states.append(("average", self.average.model))
        for part, model in states:
            ours = {name: model.state_dict()[name] for name in kept}
            model.load_state_dict({**checkpoint.part(part), **ours})
        for optimiser in self.optimisers:
            optimiser.load(checkpoint.part(f"optimiser/{optimiser.name}"))
        self.progress = checkpoint.progress


class StageLosses(nn.Module):
    """Calls `stage.loss` in `forward`, where DistributedDataParallel looks for the model's use."""

    def __init__(self, stage: Stage[Any], model: nn.Module) -> None:
        super().__init__()
        self.stage, self.model = stage, model

    def forward(
        self, batch: Batch, step: int, noise: Noise
    ) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
        result = self.stage.loss(cast(Model, self.model), batch, step, noise)
        return dict(result.losses), dict(result.scalars)


def parallel(losses: StageLosses) -> nn.Module:
    """Return `losses` so that its gradients are the means over all processes."""
    if world_size() == 1:
        return losses
    losses = _with_joined_batches(losses)
    # Buffers are not copied from the first process: those of our layers are the same everywhere,
    # because they are computed from the joined batch.
    with warnings.catch_warnings():
        # The successor of `broadcast_buffers` is not in every torch that we support.
        warnings.simplefilter("ignore", FutureWarning)
        return nn.parallel.DistributedDataParallel(
            losses, broadcast_buffers=False, find_unused_parameters=True
        )


def _with_joined_batches(losses: StageLosses) -> StageLosses:
    """Return `losses` with batch normalisations that take the batch of all processes together.

    Their parameters, buffers and names stay. UserError where torch has none: anywhere but on CUDA.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in losses.modules()):
        return losses
    if any(parameter.device.type != "cuda" for parameter in losses.parameters()):
        raise UserError(
            "several processes train a model with batch normalisation on CUDA devices only. Use "
            "one process here."
        )
    joined: StageLosses = nn.SyncBatchNorm.convert_sync_batchnorm(losses)  # type: ignore[no-untyped-call]
    return joined


def exchange_gradients(losses: nn.Module, last: bool) -> AbstractContextManager[Any]:
    """Exchange gradients between processes in the last accumulated part only."""
    if isinstance(losses, nn.parallel.DistributedDataParallel) and not last:
        return losses.no_sync()
    return nullcontext()


def uses_bfloat16(training: Training, device: torch.device) -> bool:
    """Return whether a stage is trained under bfloat16 autocast on `device`."""
    if training.precision == "auto":
        return has_fast_bf16(device)
    return training.precision == "bfloat16"


def steps_of(training: Training, images: int) -> int:
    """Return the optimiser steps of a stage on `images` training images.

    >>> steps_of(Training(batch_size=64, epochs=2), 1000), steps_of(Training(steps=7), 1000)
    (32, 7)
    """
    return training.steps or max(1, math.ceil(training.epochs * images / training.batch_size))
