"""Optimisers, learning rates, clipping and averaged weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from inpaint_cli.family import ParameterGroup, Training


def rate_factor(training: Training, step: int, steps: int) -> float:
    """Return the share of the full learning rate at `step` (from 0) of `steps`.

    >>> [rate_factor(Training(warmup_steps=4), step, 9) for step in (0, 3, 8)]
    [0.25, 1.0, 1.0]
    >>> round(rate_factor(Training(schedule="cosine"), 5, 10), 9)
    0.5
    """
    warmup = training.warmup_steps
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(steps - warmup, 1)
    if training.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if training.schedule == "linear" else 1.0


class Optimiser:
    """The torch optimiser of one parameter group."""

    def __init__(self, group: ParameterGroup, training: Training) -> None:
        self.name, self.lr = group.name, training.lr * group.lr_scale
        self.parameters = list(group.parameters)
        left_alone = {id(parameter) for parameter in group.undecayed}
        parts: list[list[nn.Parameter]] = [[], []]
        for parameter in self.parameters:
            parts[id(parameter) in left_alone].append(parameter)
        place_of = {id(parameter): place for place, parameter in enumerate(self.parameters)}
        self._places = [place_of[id(parameter)] for part in parts for parameter in part]
        """Where in `parameters` those lie that torch numbers 0, 1, ...: decayed ones come first."""
        kind = {
            "adam": torch.optim.Adam,
            "adamw": torch.optim.AdamW,
            "adamax": torch.optim.Adamax,
        }[training.optimiser]
        self.torch: torch.optim.Optimizer = kind(
            [
                {"params": part, "weight_decay": decay}
                for part, decay in zip(parts, (training.weight_decay, 0.0), strict=True)
                if part
            ],
            lr=self.lr,
            betas=group.betas or training.betas,
            eps=training.eps,
        )

    def step(self, factor: float) -> None:
        """Change the parameters, at `factor` times the full learning rate."""
        for group in self.torch.param_groups:
            group["lr"] = self.lr * factor
        self.torch.step()

    def gradient_norm(self) -> Tensor:
        """Return the L2 norm of the gradients, a scalar on their device."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if not gradients:
            return torch.zeros(())
        return nn.utils.get_total_norm(gradients)

    def clip(self, norm: Tensor, limit: float) -> None:
        """Scale the gradients, of norm `norm`, down to `limit`."""
        nn.utils.clip_grads_with_norm_(self.parameters, limit, norm)

    def state(self) -> dict[str, Tensor]:
        """Return the moments and counters as named tensors."""
        return {
            f"{self._places[index]}/{name}": torch.as_tensor(value)
            for index, entries in self.torch.state_dict()["state"].items()
            for name, value in entries.items()
        }

    def misfit(self, tensors: Mapping[str, Tensor]) -> str:
        """Return what is wrong with a state that `load` shall take over, "" if nothing is."""
        second = "exp_inf" if isinstance(self.torch, torch.optim.Adamax) else "exp_avg_sq"
        by_index: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            index, _, name = key.partition("/")
            by_index.setdefault(index, {})[name] = tensor
        for index, entries in by_index.items():
            subject = f"the state {index} of the optimiser '{self.name}'"
            if not index.isdecimal() or int(index) >= len(self.parameters):
                return f"{subject} belongs to no parameter"
            if entries.keys() != {"step", "exp_avg", second}:
                return f"{subject} holds {', '.join(sorted(entries))}"
            shape = self.parameters[int(index)].shape
            for name, tensor in entries.items():
                if tensor.shape != (torch.Size() if name == "step" else shape):
                    return f"{subject}: {name} has the shape {list(tensor.shape)}"
        return ""

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            index, _, name = key.partition("/")
            state.setdefault(self._places.index(int(index)), {})[name] = tensor
        groups = self.torch.state_dict()["param_groups"]
        self.torch.load_state_dict({"state": state, "param_groups": groups})
        for parameter, entries in self.torch.state.items():
            for name, value in entries.items():
                if value.shape == parameter.shape and value.dim() > 0:
                    # In the parameter's memory layout, as a fresh optimiser makes it: other kernels
                    # may round differently, and a resumed run has to be the same bit for bit.
                    entries[name] = torch.empty_like(parameter).copy_(value)


class Average:
    """A copy of a model whose weights are a moving average of the model's.

    Update t averages with min(decay, (1 + t) / (10 + t)), so that the first weights, which are
    random, are soon forgotten. Floating buffers are averaged as well: statistics of a batch
    normalisation must belong to the averaged weights, not to the latest. Whole numbers are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, count: int) -> None:
        """Take in the weights of `model` after `count` earlier updates."""
        averaged, new = self.model.state_dict(), model.state_dict()
        floating = [name for name, tensor in new.items() if tensor.is_floating_point()]
        decay = min(self.decay, (1 + count) / (10 + count))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average([averaged[n] for n in floating], [new[n] for n in floating], count)
        for name in new.keys() - set(floating):
            averaged[name].copy_(new[name])


def freeze_others(model: nn.Module, groups: Sequence[ParameterGroup]) -> None:
    """Let the parameters of `groups` be trained and no others."""
    trained = {id(parameter) for group in groups for parameter in group.parameters}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in trained)


def to_device(model: nn.Module, device: torch.device) -> nn.Module:
    """Move a model to `device`, convolutional ones with channels last in memory: faster there."""
    model = model.to(device)
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if convolves and all(parameter.dim() != 5 for parameter in model.parameters()):
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
