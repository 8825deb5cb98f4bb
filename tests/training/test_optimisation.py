"""Schedules, clipping, averages, accumulation."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from inpaint_cli.family import ParameterGroup, Training
from inpaint_cli.training.loop import Trainer
from inpaint_cli.training.optimisation import Average, Optimiser, freeze_others, rate_factor
from tests.training.fake_runs import session


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_the_rate_rises_to_its_full_value_and_ends_as_the_schedule_says(schedule: str) -> None:
    training = Training(schedule=schedule, warmup_steps=10)  # type: ignore[arg-type]
    course = [rate_factor(training, step, 100) for step in range(101)]
    assert course[:10] == [pytest.approx((step + 1) / 10) for step in range(10)]
    assert course[10] == 1
    assert course[100] == pytest.approx(1 if schedule == "constant" else 0, abs=1e-12)
    assert all(a >= b for a, b in pairwise(course[10:]))


def optimiser(kind: str, parameter: nn.Parameter) -> Optimiser:
    training = Training(optimiser=kind, lr=0.1, weight_decay=0.01)  # type: ignore[arg-type]
    return Optimiser(ParameterGroup("all", [parameter], lr_scale=0.5), training)


@pytest.mark.parametrize("kind", ["adam", "adamw", "adamax"])
def test_an_optimiser_goes_on_from_its_saved_state_bit_for_bit(kind: str) -> None:
    def steps(trained: Optimiser, start: int, stop: int) -> None:
        for step in range(start, stop):
            trained.parameters[0].grad = torch.full((3, 2, 5, 5), 0.1 * step)
            trained.step(1.0)

    layout = torch.channels_last
    weights = torch.linspace(0, 1, 150).reshape(3, 2, 5, 5).to(memory_format=layout)
    whole = optimiser(kind, nn.Parameter(weights.clone()))
    steps(whole, 0, 6)
    first = optimiser(kind, nn.Parameter(weights.clone()))
    steps(first, 0, 3)
    second = optimiser(kind, nn.Parameter(first.parameters[0].detach().clone()))
    second.load({name: t.contiguous() for name, t in first.state().items()})
    steps(second, 3, 6)
    assert second.parameters[0].equal(whole.parameters[0])
    moments = second.torch.state[second.parameters[0]]
    assert any(
        isinstance(m, torch.Tensor) and m.is_contiguous(memory_format=layout) and m.dim() == 4
        for m in moments.values()
    )


def test_what_a_group_spares_does_not_decay_and_keeps_its_place_in_saved_states() -> None:
    def trained() -> Optimiser:
        parameters = [nn.Parameter(torch.ones(side)) for side in (1, 2, 3)]
        group = ParameterGroup("all", parameters, undecayed=parameters[:1])
        return Optimiser(group, Training(optimiser="adamw", lr=0.1, weight_decay=0.5))

    first = trained()
    for parameter in first.parameters:
        parameter.grad = torch.zeros_like(parameter)
    first.step(1.0)
    assert [p[0].item() for p in first.parameters] == pytest.approx([1.0, 0.95, 0.95])
    state = first.state()
    for place, parameter in enumerate(first.parameters):
        assert state[f"{place}/exp_avg"].shape == parameter.shape
    second = trained()
    assert second.misfit(state) == ""
    second.load(state)
    assert all(torch.equal(second.state()[name], tensor) for name, tensor in state.items())


def test_the_rate_of_a_group_is_scaled() -> None:
    trained = optimiser("adam", nn.Parameter(torch.zeros(1)))
    trained.parameters[0].grad = torch.ones(1)
    trained.step(0.5)
    assert trained.torch.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5 * 0.5)


def test_clipping_scales_gradients_down_to_the_limit() -> None:
    trained = optimiser("adam", nn.Parameter(torch.zeros(4)))
    trained.parameters[0].grad = torch.full((4,), 3.0)
    norm = trained.gradient_norm()
    assert norm.item() == pytest.approx(6)
    trained.clip(norm, 1.5)
    assert trained.gradient_norm().item() == pytest.approx(1.5, rel=1e-5)


def test_an_average_forgets_its_start_and_follows_constant_weights() -> None:
    model = nn.BatchNorm2d(2)
    average = Average(model, 0.99)
    with torch.no_grad():
        model.weight.fill_(5.0)
        model.running_mean.fill_(2.0)  # type: ignore[union-attr]
        model.num_batches_tracked.fill_(7)  # type: ignore[union-attr]
    for count in range(60):
        average.update(model, count)
    # The product of the first (1 + t) / (10 + t) is what is left of the start, here below 1e-6.
    assert torch.allclose(average.model.weight, model.weight, rtol=1e-5)  # type: ignore[arg-type]
    assert torch.allclose(
        average.model.running_mean,  # type: ignore[arg-type]
        model.running_mean,  # type: ignore[arg-type]
        rtol=1e-5,
    )
    assert average.model.num_batches_tracked == 7


def test_parameters_of_no_group_are_frozen() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    freeze_others(model, [ParameterGroup("last", list(model[1].parameters()))])
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]


def trainer(tmp_path: Path, *settings: str) -> Trainer:
    from inpaint_cli import data

    run = session(tmp_path, "dropout=0", *settings)
    train = data.load_images(["noise"], size=8, channels=1, split="train")
    (stage,) = run.stages()
    prepared = run.trainer(stage, train)
    prepared.model.train()
    for module in prepared.model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # its statistics are those of a part
    return prepared


def test_accumulated_parts_give_the_gradients_of_the_whole_batch(tmp_path: Path) -> None:
    gradients = []
    for parts in (1, 4):
        prepared = trainer(tmp_path, "batch_size=8", f"accumulate={parts}")
        prepared.gradients(map(prepared.batches.__getitem__, range(parts)))
        gradients.append([p.grad for p in prepared.model.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        # Sums in another order: float32 rounding only.
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-7)


def test_a_loss_reaches_its_own_group_alone(tmp_path: Path) -> None:
    prepared = trainer(tmp_path)
    item = prepared.batches[0]
    from inpaint_cli.training.batches import as_batch

    batch, noise = as_batch(item, prepared.device, 0, "x")
    losses, _ = prepared.losses(batch, 0, noise)
    losses["painter"].backward()
    assert all(p.grad is None for p in prepared.optimisers[1].parameters)
    assert any(p.grad is not None for p in prepared.optimisers[0].parameters)
