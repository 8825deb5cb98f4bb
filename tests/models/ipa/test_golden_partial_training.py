"""Recorded training steps of the partial encoder, with the VAE frozen."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli.family import Batch
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.objective import PartialEncoderStage
from inpaint_cli.models.ipa.partial_encoder import is_partial
from tests.models.ipa.recorded import (
    FOLDER,
    MODELS,
    Replay,
    error,
    listed,
    meta,
    model,
    pictures,
    tensors,
    visible,
)

pytestmark = [pytest.mark.golden, pytest.mark.ipa]
RUNS = [
    (name, path.stem.removeprefix(f"{name}_"))
    for name in MODELS
    for path in sorted(FOLDER.glob(f"{name}_train_*.safetensors"))
]


STAGE = PartialEncoderStage()


def settings(hparams: dict[str, Any]) -> dict[str, Any]:
    if hparams["kl"] == "r1_q":
        return {}
    return {
        "objective": "reverse",
        "annealing": tuple(map(float, hparams["likelihood_temp_schedule"])),
    }


def psi(vae: CompletingVae) -> dict[str, Tensor]:
    return {n: p for n, p in vae.named_parameters() if is_partial(n)}


@dataclass
class Run:
    """A recorded run, repeated step by step."""

    vae: CompletingVae
    recorded: dict[str, Tensor]
    hparams: dict[str, Any]
    trained: list[nn.Parameter] = field(init=False)
    average: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.vae.requires_grad_(False)
        self.trained = list(STAGE.trainable(self.vae)[0].parameters)
        for parameter in self.trained:
            parameter.requires_grad_(True)
        self.average = {n: p.detach().clone() for n, p in psi(self.vae).items()}
        self.optimiser = torch.optim.AdamW(
            self.trained,
            betas=tuple(self.hparams["betas"]),
            eps=self.hparams["eps"],
            weight_decay=self.hparams["wd"],
        )

    def backward(self, number: int) -> float:
        """Add up the gradients of a step; gives the loss of its last part, which was recorded."""
        before, parts = f"step{number}.", self.hparams["grad_accumulations"]
        images = pictures(self.recorded[f"{before}x_uint8"])
        seen, eps = visible(self.recorded, before), listed(self.recorded, f"{before}eps")
        size, layers = len(images) // parts, len(eps) // parts
        self.optimiser.zero_grad()
        loss = torch.zeros(())
        for part in range(parts):
            rows = slice(part * size, (part + 1) * size)
            noise = Replay(*eps[part * layers : (part + 1) * layers]).as_noise()
            batch = Batch(images[rows], seen[rows])
            loss = STAGE.loss(self.vae, batch, number, noise).losses[STAGE.name]
            (loss / parts).backward()
        return loss.item()

    def step(self, rate: float) -> None:
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.step()
        for n, p in psi(self.vae).items():
            self.average[n].lerp_(p.detach(), 1 - self.hparams["ema_rate"])

    def check_weights(self, number: int) -> None:
        for kind, values in (("param", psi(self.vae)), ("ema", self.average)):
            known = [n for n in values if f"step{number}.{kind}.{n}" in self.recorded]
            assert known
            for n in known:
                assert error(values[n].detach(), self.recorded[f"step{number}.{kind}.{n}"]) < 1e-7


@pytest.mark.parametrize(("name", "run"), RUNS)
def test_steps_of_the_partial_encoder_are_recorded(name: str, run: str) -> None:
    recorded = meta()[name]["values"][run]
    vae = model(name, **settings(recorded["hparams"]))
    frozen = {n: t.clone() for n, t in vae.state_dict().items() if not is_partial(n)}
    repeated = Run(vae, tensors(f"{name}_{run}"), recorded["hparams"])
    for number, step in enumerate(recorded["steps"]):
        # Losses were rounded to float32 when they were recorded.
        assert repeated.backward(number) == pytest.approx(step["loss"], rel=1e-6)
        norm = nn.utils.clip_grad_norm_(repeated.trained, step["grad_clip"]).item()
        assert norm == pytest.approx(step["grad_norm"], rel=1e-7)
        assert bool(step["skipped"]) == (norm >= step["skip_threshold"])
        if not step["skipped"]:
            repeated.step(step["lr"])
        repeated.check_weights(number)
        total = sum(p.detach().abs().sum().item() for p in repeated.trained)
        assert total == pytest.approx(step["psi_abs_sum"], rel=1e-7)
    state = vae.state_dict()
    assert all(torch.equal(t, state[n]) for n, t in frozen.items())
