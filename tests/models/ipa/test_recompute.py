"""Computing blocks again in the backward pass: nothing changes but the memory."""

from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.objective import VaeStage
from inpaint_cli.randomness import Noise
from tests.models.ipa.small_vaes import random_vae
from tests.models.ipa.training_steps import (
    STAGE,
    batch,
    freeze,
    gradients,
    kept_by,
    loss_of,
    noise,
)

FLOAT32 = 4
KINDS: list[dict[str, Any]] = [
    {"objective": "reverse"},
    {"objective": "reverse", "trained": "all"},
    {"objective": "reverse", "noisy_kl": True},
    {"trained": "all"},
    {"trained": "all", "share_encoders": True},
    {"masks_per_image": 2},
]


@pytest.mark.parametrize("changes", KINDS)
def test_loss_and_gradients_stay_what_they_are(changes: dict[str, Any]) -> None:
    plain, again = (freeze(random_vae(recompute=r, **changes).double()) for r in (False, True))
    given = batch()
    torch.testing.assert_close(loss_of(again, given), loss_of(plain, given), rtol=1e-13, atol=0)
    expected, recomputed = gradients(plain, given), gradients(again, given)
    assert recomputed.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(recomputed[name], gradient, rtol=1e-10, atol=1e-13, msg=name)


def test_so_do_those_of_the_vae_by_itself() -> None:
    stage, given = VaeStage(), batch()
    plain, again = (freeze(random_vae(recompute=r).double(), stage) for r in (False, True))
    expected, recomputed = (gradients(model, given, stage) for model in (plain, again))
    for name, gradient in expected.items():
        torch.testing.assert_close(recomputed[name], gradient, rtol=1e-10, atol=1e-13, msg=name)


def test_under_bfloat16_blocks_are_computed_again_in_it() -> None:
    both = []
    for recompute in (False, True):
        model = freeze(random_vae(objective="reverse", recompute=recompute))
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, batch())
        loss.backward()  # type: ignore[no-untyped-call]
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        both.append(torch.cat(grads))
    torch.testing.assert_close(*both)


def test_the_noise_of_a_layer_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, ...]] = []
    normal = Noise.normal

    def counted(self: Noise, *shape: int) -> Tensor:
        drawn.append(shape)
        return normal(self, *shape)

    monkeypatch.setattr(Noise, "normal", counted)
    model = freeze(random_vae(objective="reverse", recompute=True))
    gradients(model, batch())
    assert drawn == model.config.latent_shapes


def kept(stage: Any = STAGE, **changes: Any) -> int:
    model: CompletingVae = freeze(random_vae(**changes), stage)
    return kept_by(model, lambda: loss_of(model, batch(), stage))


@pytest.mark.parametrize("changes", [c for c in KINDS if c != {"masks_per_image": 2}])
def test_less_than_half_is_kept(changes: dict[str, Any]) -> None:
    deep = {"enc_blocks": "8x3,8d2,4x1,4d4,1x1", "dec_blocks": "1x1,4m1,4x1,8m4,8x3", **changes}
    assert kept(recompute=True, **deep) < 0.5 * kept(**deep)
    if "objective" not in changes:
        vae = {"stage": VaeStage(), **deep}
        assert kept(recompute=True, **vae) < 0.5 * kept(**vae)


def test_of_a_layer_of_the_decoder_its_state_and_its_noise_are_kept() -> None:
    settings: dict[str, Any] = {"objective": "reverse", "recompute": True}
    more = kept(dec_blocks="1x1,4m1,4x1,8m4,8x1", **settings) - kept(**settings)
    state, eps = 3 * 8 * 8 * 8, 3 * 2 * 8 * 8
    assert more == (state + eps) * FLOAT32


def test_of_a_block_of_the_partial_encoder_its_input_is_kept() -> None:
    settings: dict[str, Any] = {"recompute": True}
    more = kept(enc_blocks="8x2,8d2,4x1,4d4,1x1", **settings) - kept(**settings)
    assert more == 3 * 8 * 8 * 8 * FLOAT32


@torch.no_grad()
def test_without_gradients_nothing_is_computed_again() -> None:
    model = random_vae(recompute=True)
    figures = STAGE.validate(model, batch(), noise())
    expected = STAGE.validate(random_vae(), batch(), noise())
    assert all(torch.equal(figures[name], value) for name, value in expected.items())
