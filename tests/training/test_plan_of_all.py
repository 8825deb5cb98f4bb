"""Every family plans its runs without memory for the network: on the device "meta"."""

import time
from typing import Any

import pytest
import torch

from inpaint_cli import models
from inpaint_cli.building import TooLarge
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.plan import plan
from inpaint_cli.training.recipe import RecipeChoices

CPU = torch.device("cpu")


def planned(
    model: str, *settings: str, preset: str = "digits", perceptual: str | None = None
) -> dict[str, Any]:
    choices = RecipeChoices(model, ["digits"], preset, settings=settings, perceptual=perceptual)
    report = plan(choices.recipe(), CPU, download=False, reporter=Reporter(quiet=True))
    return dict(report.facts)


@pytest.mark.parametrize("model", models.trainable())
def test_a_plan_says_what_the_network_itself_would_take(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_meta = planned(model)
    monkeypatch.setattr("inpaint_cli.training.plan.PLANNED_ON", "cpu")
    on_cpu = planned(model)
    for stage, facts in on_meta.pop("stages").items():
        expected = on_cpu["stages"][stage]["memory_bytes"]
        for sizes in (expected, facts["memory_bytes"]):
            sizes.pop("program", None)  # of this process, which has grown in between
        # Attention may keep other tensors on another device.
        assert facts["memory_bytes"] == pytest.approx(expected, rel=0.01)
    del on_cpu["stages"]
    assert on_meta == on_cpu


@pytest.mark.parametrize(
    ("model", "preset", "settings"),
    [
        ("pcnn", "digits", ("filters=16384",)),
        pytest.param("aipo", "xray", (), marks=pytest.mark.slow),
    ],
)
def test_the_largest_networks_are_planned_at_once(
    model: str, preset: str, settings: tuple[str, ...]
) -> None:
    planned(model)  # what torch loads at its first use of "meta"
    begun = time.process_time()
    assert planned(model, *settings, preset=preset)
    assert time.process_time() - begun < 20


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", ["latent-codes", "picme"])
def test_projected_discriminators_are_planned_with_their_trunk(model: str, precision: str) -> None:
    settings = ("adversary=projected", f"precision={precision}")
    assert planned(model, *settings, perceptual="classifier-mnist")["stages"]


def test_a_network_of_endless_layers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inpaint_cli.building.at_most.__wrapped__.__defaults__", (1000,))
    with pytest.raises(TooLarge, match="more than 1000 modules and parameters"):
        planned("pcnn", "depth=256")


@pytest.mark.slow
@pytest.mark.parametrize("model", models.trainable())
def test_every_preset_of_every_family_is_planned(model: str) -> None:
    for preset in models.get(model).presets:
        if model != "classifier":
            planned(model, preset=preset)
