"""Who sees whom in the transformer, its dropout, and its independence of the batch."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.latent_codes.transformer import (
    BidirectionalTransformer,
    attention_in_steps,
    may_attend,
)

CODES, POSITIONS = 20, 9


def network(dropout: float = 0.0) -> BidirectionalTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BidirectionalTransformer(CODES, POSITIONS, 16, 2, 4, dropout)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def grid(n: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, CODES, (n, POSITIONS), generator=generator)
    known = torch.rand(n, POSITIONS, generator=generator) < 0.5
    known[:, 0], known[:, 1] = True, False
    return tokens, known


def test_a_hidden_position_changes_no_logits_but_its_own() -> None:
    model, (tokens, known) = network(), grid()
    before = model(tokens, known)
    with torch.no_grad():
        model.pos_emb[0, 1 + 1] += 1.0  # the hidden position 1, after the start token
    differs = (model(tokens, known) != before).any(-1)[0]
    assert differs.tolist() == [position == 1 for position in range(POSITIONS)]


def test_a_known_token_changes_logits_everywhere() -> None:
    model, (tokens, known) = network(), grid()
    other = tokens.clone()
    other[0, 0] = (tokens[0, 0] + 1) % CODES
    assert (model(tokens, known) != model(other, known)).any(-1).all()


def test_what_stands_at_an_unknown_position_does_not_matter() -> None:
    model, (tokens, known) = network(), grid()
    nonsense = torch.where(known, tokens, -1000)
    assert torch.equal(model(tokens, known), model(nonsense, known))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_known_and_everything_known_give_finite_logits(share: float) -> None:
    tokens, _ = grid()
    logits = network()(tokens, torch.full((1, POSITIONS), bool(share)))
    assert logits.shape == (1, POSITIONS, CODES)
    assert logits.isfinite().all()


def test_logits_of_an_item_do_not_depend_on_the_batch() -> None:
    model, (tokens, known) = network(), grid(8)
    together = model(tokens, known)
    alone = torch.cat([model(tokens[i : i + 1], known[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)  # float32 rounding


def test_dropout_is_drawn_in_training_only_and_repeats_with_the_generator() -> None:
    model, (tokens, known) = network(dropout=0.5), grid()
    assert torch.equal(model(tokens, known), model(tokens, known))
    model.train()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        one, two = model(tokens, known), model(tokens, known)
        torch.manual_seed(3)
        again = model(tokens, known)
    assert torch.equal(one, again)
    assert not torch.equal(one, two)


def test_bfloat16_autocast_gives_nearly_the_same_and_trains() -> None:
    model, (tokens, known) = network(), grid(2)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(tokens, known)
    exact = model(tokens, known)
    torch.testing.assert_close(logits.float(), exact, rtol=0, atol=0.05 * exact.abs().max().item())
    logits.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_attention_in_steps_is_the_fused_one_in_values_and_gradients() -> None:
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randn(3, 2, 4, POSITIONS, 8, generator=generator, requires_grad=True)
    _, known = grid(2)
    for allowed in (may_attend(known), None):
        q, k, v = drawn
        one = attention_in_steps(q, k, v, allowed, 0.0)
        other = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
        (mine,) = torch.autograd.grad(one.square().sum(), drawn)
        (theirs,) = torch.autograd.grad(other.square().sum(), drawn)
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_dropout_in_bfloat16_is_of_the_attention_as_well() -> None:
    ones = torch.ones(1, 1, 400, 2, dtype=torch.bfloat16, requires_grad=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mixed = attention_in_steps(ones, ones, ones, None, 0.5).float()
    assert mixed.std() > 0.01
    assert abs(mixed.mean() - 1) < 0.05


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide the width 16"):
        BidirectionalTransformer(CODES, POSITIONS, 16, 1, 3, 0.0)
