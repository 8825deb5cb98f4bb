"""Recorded training steps of openai/vdvae: clipping, skipped steps, AdamW, averaged weights."""

import copy

import pytest
import torch
from torch import nn

from inpaint_cli.models.ipa.elbo import bound
from tests.golden_files import golden
from tests.models.ipa.vdvae_recordings import (
    assert_recorded,
    images,
    in_turn,
    meta,
    network,
    tensors,
)

pytestmark = [pytest.mark.golden, pytest.mark.vdvae]
RECORDED = sorted(p.name.partition("_")[0] for p in golden("vdvae").glob("*_train.safetensors"))
AFTER_STEPS = 1e-7


def vae_of(module: nn.Module) -> dict[str, nn.Parameter]:
    return {n: p for n, p in module.named_parameters() if "part_enc" not in n}


@pytest.mark.parametrize("name", RECORDED)
def test_training_steps_are_those_of_the_authors(name: str) -> None:
    recorded, known = tensors(f"{name}_train"), meta(name)["train"]
    settings = known["hparams"]
    model = network(name)
    averaged = copy.deepcopy(model)
    parameters, averages = vae_of(model), vae_of(averaged)
    optimiser = torch.optim.AdamW(
        parameters.values(),
        betas=tuple(settings["betas"]),
        eps=settings["eps"],
        weight_decay=settings["wd"],
    )
    for number, expected in enumerate(known["steps"]):
        start = f"step{number}."
        elbo = bound(model, images(recorded, f"{start}x_uint8"), in_turn(recorded, f"{start}eps."))
        optimiser.zero_grad()
        elbo.total.mean().backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(parameters.values(), expected["grad_clip"])
        # The scalars of the log were rounded to float32 by the authors' code.
        assert elbo.total.mean().item() == pytest.approx(expected["elbo"], rel=2e-7)
        assert norm.item() == pytest.approx(expected["grad_norm"], rel=1e-7)
        skipped = not norm.item() < expected["skip_threshold"]
        assert skipped == bool(expected["skipped"])
        if not skipped:
            factor = min(number / settings["warmup_iters"], 1)
            optimiser.param_groups[0]["lr"] = settings["lr"] * factor
            optimiser.step()
            with torch.no_grad():
                for key, average in averages.items():
                    average.lerp_(parameters[key], 1 - settings["ema_rate"])
        for key, value in recorded.items():
            if key.startswith(f"{start}param."):
                assert_recorded(parameters[key.split(".", 2)[2]], value, key, AFTER_STEPS)
            elif key.startswith(f"{start}ema."):
                assert_recorded(averages[key.split(".", 2)[2]], value, key, AFTER_STEPS)
        for key, values in (("param", parameters), ("ema", averages)):
            total = sum(p.sum().item() for p in values.values())
            absolute = sum(p.abs().sum().item() for p in values.values())
            assert absolute == pytest.approx(expected[f"{key}_abs_sum"], rel=1e-9)
            assert total == pytest.approx(expected[f"{key}_sum"], abs=1e-9 * absolute)
