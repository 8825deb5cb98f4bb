"""The papers' own forms: convolutions against equations 1 to 4 as printed, position by position."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.latent_codes import starts
from inpaint_cli.models.latent_codes.config import PRESETS
from inpaint_cli.models.latent_codes.masked_convolutions import LiteralConv, Seen
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.restrictive import token_mask
from inpaint_cli.randomness import stream

SIDE = 8


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def half_mask(seed: int = 1) -> Tensor:
    return (drawn(2, 1, SIDE, SIDE, seed=seed) > 0).double()


def layer_of(size: int, stride: int, alpha: float | None) -> LiteralConv:
    layer = LiteralConv((3, 4), size, stride, alpha).double().requires_grad_(False)
    for parameter in layer.parameters():
        parameter.copy_(drawn(*parameter.shape, seed=parameter.dim()))
    return layer


def printed(layer: LiteralConv, x: Tensor, mask: Tensor, alpha: float | None) -> Tensor:
    """Return x' of equation 3 (1 without alpha), one window after the other, W as printed."""
    size, stride, (before, *_) = layer.size, layer.stride, layer.margin
    weight, bias = layer.conv.weight * size**2, layer.conv.bias
    assert bias is not None
    result = torch.zeros(len(x), len(bias), SIDE // stride, SIDE // stride, dtype=x.dtype)
    for item, _, row, column in torch.ones_like(result[:, :1]).nonzero().tolist():
        top, left = row * stride - before, column * stride - before
        rows = [i for i in range(top, top + size) if 0 <= i < SIDE]
        columns = [j for j in range(left, left + size) if 0 <= j < SIDE]
        window = torch.zeros_like(bias)
        seen = 0.0
        for i in rows:
            for j in columns:
                window += weight[:, :, i - top, j - left] @ (x[item, :, i, j] * mask[item, 0, i, j])
                seen += mask[item, 0, i, j].item()
        share = seen / (len(rows) * len(columns))
        if seen > 0 and (alpha is None or share >= alpha):
            result[item, :, row, column] = window / seen + bias
    return result


each_window = pytest.mark.parametrize(("size", "stride"), [(3, 1), (1, 1), (3, 2)])


@each_window
@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75, 1.0])
def test_the_restrictive_convolution_is_equation_3(size: int, stride: int, alpha: float) -> None:
    layer, x, mask = layer_of(size, stride, alpha), drawn(2, 3, SIDE, SIDE), half_mask()
    expected = printed(layer, x, mask, alpha)
    values, _ = layer.printed(x, Seen(mask))
    torch.testing.assert_close(values, expected)
    result, after = layer(x, Seen(mask))
    torch.testing.assert_close(result, expected * after.mask)
    # Equation 4: of a stride, the share of the block that becomes one position; else unchanged.
    blocks = mask.unfold(2, stride, stride).unfold(3, stride, stride).mean((4, 5))
    assert torch.equal(after.mask, mask if stride == 1 else (blocks >= alpha).double())


@each_window
def test_the_partial_convolution_is_equations_1_and_2(size: int, stride: int) -> None:
    layer, x, mask = layer_of(size, stride, None), drawn(2, 3, SIDE, SIDE), half_mask()
    mask[1, 0, :5] = 0  # so that some windows see nothing
    result, after = layer(x, Seen(mask))
    torch.testing.assert_close(result, printed(layer, x, mask, None))
    counting = layer_of(size, stride, None)
    counting.conv.weight.fill_(1)
    assert torch.equal(
        after.mask > 0, printed(counting, torch.ones_like(x), mask, None)[:, :1] != 0
    )
    assert not after.mask.all()


def test_a_window_that_is_all_visible_is_an_ordinary_convolution() -> None:
    layer, x = layer_of(3, 1, 0.5), drawn(2, 3, SIDE, SIDE)
    result, _ = layer(x, Seen(torch.ones(2, 1, SIDE, SIDE, dtype=torch.float64)))
    torch.testing.assert_close(result[..., 1:-1, 1:-1], layer.conv(x))


def model_of(**settings: object) -> LatentCodes:
    config = replace(PRESETS["digits"], **settings)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LatentCodes(config).eval().requires_grad_(False)


def photo_and_mask() -> tuple[Tensor, Tensor]:
    numbers = torch.from_numpy(stream(0, "literal").random((2, 8, 8))).float()
    return 2 * numbers[:1, None] - 1, numbers[1:, None] > 0.4


@pytest.mark.parametrize("alpha", [0.25, 1.0])
def test_the_literal_encoder_knows_the_tokens_of_the_mask_rule_and_sees_nothing_hidden(
    alpha: float,
) -> None:
    model = model_of(restrictive="literal", alpha=alpha)
    x, visible = photo_and_mask()
    logits, known = model.encoder(x, visible)
    assert torch.equal(known, token_mask(visible, model.config.factor, alpha))
    others = torch.where(visible, x, torch.nan)
    assert torch.equal(model.encoder(others, visible)[0], logits)
    assert logits.isfinite().all()


def test_literal_and_strict_encoders_of_the_same_weights_differ() -> None:
    x, visible = photo_and_mask()
    literal, strict = model_of(restrictive="literal"), model_of(restrictive="strict")
    strict.load_state_dict(literal.state_dict())
    known = literal.encoder(x, visible)[1]
    assert known.any()
    ours, theirs = (model.encoder(x, visible)[0] * known for model in (strict, literal))
    assert not torch.allclose(ours, theirs)


def test_the_literal_partial_encoder_sees_nothing_hidden_and_starts_as_the_vqgans() -> None:
    model = model_of(partial=True, partial_form="literal")
    x, visible = photo_and_mask()
    features = model.decoder.encode(x, visible)
    assert torch.equal(model.decoder.encode(torch.where(visible, x, torch.nan), visible), features)
    starts.decoder_from_vqgan(model)
    wanted = model.vqgan.encoder.state_dict()
    ours = model.decoder.encoder.state_dict()
    assert torch.equal(ours["mid.block_1.conv1.conv.weight"], wanted["mid.block_1.conv1.weight"])
    assert torch.equal(ours["conv_in.conv.weight"][:, 1:], wanted["conv_in.weight"])


def test_the_forms_of_the_partial_encoder_differ() -> None:
    x, visible = photo_and_mask()
    literal = model_of(partial=True, partial_form="literal")
    released = model_of(partial=True)
    released.load_state_dict(literal.state_dict())
    a, b = (model.decoder.encode(x, visible) for model in (literal, released))
    assert not torch.allclose(a, b, atol=1e-3)
