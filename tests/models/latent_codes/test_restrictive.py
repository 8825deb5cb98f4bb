"""The restrictive encoder: what it must not depend on, and the rule of its token mask."""

from functools import cache
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inpaint_cli.models.latent_codes.blocks import Encoder, Shape
from inpaint_cli.models.latent_codes.restrictive import RestrictiveEncoder, token_mask

SIDE, CODES = 16, 20
SHAPE = Shape(32, (1, 1, 2), 1, (4,), 32, SIDE)
ALPHAS = (0.25, 0.5, 0.75, 1.0)
Form = Literal["strict", "released"]
each_form = pytest.mark.parametrize("form", ["strict", "released"])


@cache
def network(form: Form) -> RestrictiveEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return RestrictiveEncoder(3, SHAPE, CODES, 0.5, form)


def drawn(seed: int, *size: int) -> Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def image(seed: int, number: int = 2) -> Tensor:
    return 2 * drawn(seed, number, 3, SIDE, SIDE) - 1


def half_visible(number: int = 2) -> Tensor:
    visible = drawn(5, number, 1, SIDE, SIDE) < 0.7
    visible[..., : SIDE // 2] = False
    visible[..., 4:7, 1:6] = True
    return visible


@st.composite
def masks(draw: st.DrawFn) -> Tensor:
    seed, share = draw(st.integers(0, 2**32)), draw(st.floats(0, 1))
    return drawn(seed, 1, 1, SIDE, SIDE) < share


@each_form
@pytest.mark.parametrize("filling", [0.0, 1.0, -1e30, float("inf"), float("nan")])
def test_hidden_pixels_leave_the_logits_bit_for_bit_the_same(form: Form, filling: float) -> None:
    visible = half_visible()
    with torch.no_grad():
        logits, known = network(form)(image(1), visible)
        other, other_known = network(form)(torch.where(visible, image(1), filling), visible)
    assert torch.equal(logits, other)
    assert torch.equal(known, other_known)
    assert logits.isfinite().all()
    assert known.any()
    assert not known.all()


@each_form
def test_visible_pixels_have_a_gradient_and_hidden_ones_none(form: Form) -> None:
    x, visible = image(1).requires_grad_(), half_visible()
    logits, known = network(form)(x, visible)
    (gradient,) = torch.autograd.grad((logits * known).square().sum(), x)
    assert (torch.where(visible, 0, gradient) == 0).all()
    assert (torch.where(visible, gradient, 0) != 0).any()


@each_form
@given(mask=masks())
def test_known_tokens_are_those_of_the_token_mask(form: Form, mask: Tensor) -> None:
    with torch.no_grad():
        _, known = network(form)(image(2, 1), mask)
    assert torch.equal(known, token_mask(mask, SHAPE.factor, 0.5))


def test_strict_logits_of_unknown_tokens_are_zero() -> None:
    with torch.no_grad():
        logits, known = network("strict")(image(1), half_visible())
    assert torch.where(known, 0, logits).abs().max().item() == 0


def test_with_everything_visible_the_strict_form_is_an_ordinary_network() -> None:
    model, plain = network("strict"), Encoder(4, SHAPE)
    weights = {name.replace(".conv.", "."): value for name, value in model.state_dict().items()}
    weights = {k.replace("downsample.", "downsample.conv."): v for k, v in weights.items()}
    ours = {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
    plain.load_state_dict(ours)
    x, visible = image(3), torch.ones(2, 1, SIDE, SIDE, dtype=torch.bool)
    with torch.no_grad():
        logits, known = model(x, visible)
        features = plain(torch.cat([visible.float() - 0.5, x], 1))
        head = F.conv2d(features, weights["cls_head.weight"], weights["cls_head.bias"])
    torch.testing.assert_close(logits, head, rtol=1e-4, atol=1e-5)
    assert known.all()


@each_form
@pytest.mark.parametrize("hidden_items", [[1], [0, 1]])
def test_gradients_are_finite_where_no_token_is_known(form: Form, hidden_items: list[int]) -> None:
    model, visible = network(form), half_visible()
    visible[hidden_items] = False
    logits, known = model(image(1), visible)
    assert not known[hidden_items].any()
    loss = (logits.logsumexp(1, keepdim=True) * known).sum()
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_strict_form_stays_finite_with_a_single_visible_token() -> None:
    visible = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
    visible[..., 4:8, 8:12] = True
    x = image(4, 1).requires_grad_()
    logits, known = network("strict")(x, visible)
    (gradient,) = torch.autograd.grad(logits.sum(), x)
    assert known.sum().item() == 1
    assert logits.isfinite().all()
    assert gradient.isfinite().all()


@each_form
def test_an_item_does_not_depend_on_the_rest_of_the_batch(form: Form) -> None:
    with torch.no_grad():
        both, _ = network(form)(image(1), half_visible())
        alone, _ = network(form)(image(1)[1:], half_visible()[1:])
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-5)


@each_form
def test_logits_stay_float32_under_bfloat16(form: Form) -> None:
    with torch.no_grad():
        exact, known = network(form)(image(1), half_visible())
        with torch.autocast("cpu", torch.bfloat16):
            logits, same = network(form)(image(1), half_visible())
    assert logits.dtype == torch.float32
    assert torch.equal(known, same)
    # bfloat16 has 8 bits of mantissa; some thirty layers lie in between.
    error = (logits - exact).square().mean() / exact.square().mean()
    assert error.sqrt().item() < 0.05


@each_form
def test_the_order_of_the_memory_changes_nothing(form: Form) -> None:
    with torch.no_grad():
        logits, _ = network(form)(image(1), half_visible())
        x = image(1).contiguous(memory_format=torch.channels_last)
        other, _ = network(form)(x, half_visible())
    torch.testing.assert_close(logits, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, -0.5, 1.25])
def test_a_share_outside_0_to_1_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        RestrictiveEncoder(3, SHAPE, CODES, alpha, "strict")


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("value", [True, False])
def test_one_mask_everywhere_gives_the_same_everywhere(alpha: float, value: bool) -> None:
    mask = torch.full((1, 1, SIDE, SIDE), value)
    assert torch.equal(token_mask(mask, 8, alpha), torch.full((1, 1, 2, 2), value))


@given(mask=masks(), other=masks(), alpha=st.sampled_from(ALPHAS))
def test_more_visible_pixels_never_hide_a_token(mask: Tensor, other: Tensor, alpha: float) -> None:
    fewer, more = token_mask(mask, 4, alpha), token_mask(mask | other, 4, alpha)
    assert (more | ~fewer).all()


@given(mask=masks(), alphas=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)))
def test_a_smaller_share_never_hides_a_token(mask: Tensor, alphas: tuple[float, float]) -> None:
    low, high = (token_mask(mask, 4, alpha) for alpha in sorted(alphas))
    assert (low | ~high).all()


@given(
    mask=masks(),
    alpha=st.sampled_from(ALPHAS),
    factor=st.sampled_from([1, 2, 4, 8]),
    steps=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
)
def test_a_shift_by_whole_tokens_shifts_the_token_mask(
    mask: Tensor, alpha: float, factor: int, steps: tuple[int, int]
) -> None:
    shifted = mask.roll([factor * step for step in steps], (2, 3))
    expected = token_mask(mask, factor, alpha).roll(steps, (2, 3))
    assert torch.equal(token_mask(shifted, factor, alpha), expected)


def test_the_token_mask_is_a_majority_of_majorities() -> None:
    visible = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    visible[..., 0, :] = True  # 4 of 16 pixels, but half of either upper block
    assert token_mask(visible, 4, 0.5).item()
    assert not token_mask(visible, 4, 0.75).item()
