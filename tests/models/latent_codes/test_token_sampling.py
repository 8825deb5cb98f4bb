"""Drawing tokens: the schedule, what is never touched, and the order."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.latent_codes.config import TokenOrder
from inpaint_cli.models.latent_codes.token_sampling import (
    Drawing,
    Gumbel,
    draw_tokens,
    drawing,
    evenly,
    gumbel_of,
    spread_ranks,
    tokens_per_step,
)
from inpaint_cli.randomness import Noise

CODES, POSITIONS = 6, 12


class Table:
    """A network that gives fixed logits plus a little that depends on what is known."""

    def __init__(self, seed: int = 0, scale: float = 1.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.logits = scale * torch.randn(POSITIONS, CODES, generator=generator)
        self.calls = 0

    def __call__(self, tokens: Tensor, known: Tensor) -> Tensor:
        self.calls += 1
        seen = torch.where(known, tokens + 1, 0).sum(1)
        return self.logits + torch.sin(seen[:, None, None] * (1.0 + self.logits))


def gumbel(n: int, seed: int = 0) -> Gumbel:
    return gumbel_of(Noise.of_completions(seed, b"tokens", range(n)), torch.device("cpu"))


def grids(known: list[list[bool]]) -> tuple[Tensor, Tensor]:
    mask = torch.tensor(known)
    tokens = torch.arange(POSITIONS).remainder(CODES).expand(len(known), -1)
    return torch.where(mask, tokens, -7), mask


masks = st.lists(
    st.lists(st.booleans(), min_size=POSITIONS, max_size=POSITIONS), min_size=1, max_size=3
)


@pytest.mark.parametrize("schedule", [tokens_per_step, evenly])
@given(unknown=st.integers(0, 2000), steps=st.integers(1, 40))
def test_a_schedule_draws_every_token_once_in_at_most_all_steps(
    schedule: Callable[[int, int], list[int]], unknown: int, steps: int
) -> None:
    counts = schedule(unknown, steps)
    assert sum(counts) == unknown
    assert len(counts) <= steps
    assert min(counts, default=1) >= 1


@given(
    known=masks,
    steps=st.integers(1, 15),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 5.0]),
    top_k=st.sampled_from([None, 1, 3, CODES, 100]),
    order=st.sampled_from(get_args(TokenOrder)),
)
def test_known_tokens_stay_and_all_others_become_codes_within_the_steps(
    known: list[list[bool]], steps: int, temperature: float, top_k: int | None, order: TokenOrder
) -> None:
    tokens, mask = grids(known)
    network = Table()
    how = Drawing(steps, temperature, 0.9, top_k, order)
    filled = draw_tokens(network, tokens, mask, gumbel(len(mask)), how)
    assert torch.equal(filled[mask], tokens[mask])
    assert filled.min() >= 0
    assert filled.max() < CODES
    schedule = evenly if how.spreads else tokens_per_step
    longest = max(len(schedule(int(n), steps)) for n in (~mask).sum(1))
    assert network.calls == longest <= steps


def test_a_token_once_drawn_is_never_changed() -> None:
    tokens, known = grids([[False] * POSITIONS, [True] * 9 + [False] * 3])
    before = (tokens, known)
    for state in drawing(Table(), tokens, known, gumbel(2), Drawing(steps=6)):
        assert torch.equal(state[0][before[1]], before[0][before[1]])
        assert (state[1] >= before[1]).all()
        before = state
    assert before[1].all()


def test_without_unknown_tokens_the_network_is_not_called() -> None:
    tokens, known = grids([[True] * POSITIONS])
    network = Table()
    assert torch.equal(draw_tokens(network, tokens, known, gumbel(1), Drawing()), tokens)
    assert network.calls == 0


@pytest.mark.parametrize("order", get_args(TokenOrder))
def test_an_item_is_drawn_as_it_would_be_alone(order: TokenOrder) -> None:
    tokens, known = grids([[False] * POSITIONS, [True, False] * 6, [True] * 11 + [False]])
    how = Drawing(steps=4, order=order)
    together = draw_tokens(Table(), tokens, known, gumbel(3), how)
    for item in range(3):
        noise = Noise.of_completions(0, b"tokens", [item])
        row = slice(item, item + 1)
        alone = draw_tokens(
            Table(), tokens[row], known[row], gumbel_of(noise, torch.device("cpu")), how
        )
        assert torch.equal(alone, together[row])


def test_a_first_step_shared_by_all_items_changes_nothing() -> None:
    tokens, known = grids([[True, False] * 6] * 4)
    network, how = Table(), Drawing(steps=4)
    first = network(tokens[:1], known[:1])
    shared = draw_tokens(network, tokens, known, gumbel(4), how, first)
    assert torch.equal(shared, draw_tokens(network, tokens, known, gumbel(4), how))


def test_positions_that_are_equally_sure_are_filled_from_the_first_on() -> None:
    tokens, known = grids([[False] * POSITIONS])
    flat = torch.zeros(1, POSITIONS, CODES)
    states = drawing(lambda tokens, known: flat, tokens, known, gumbel(1), Drawing(steps=3))
    count = tokens_per_step(POSITIONS, 3)[0]
    assert next(states)[1][0].tolist() == [position < count for position in range(POSITIONS)]


def test_the_surest_positions_come_first_whatever_is_drawn_there() -> None:
    tokens, known = grids([[False] * POSITIONS])
    logits = torch.zeros(1, POSITIONS, CODES)
    logits[0, :, 2] = torch.linspace(0, 3, POSITIONS)
    states = drawing(lambda tokens, known: logits, tokens, known, gumbel(1), Drawing(steps=3))
    count = tokens_per_step(POSITIONS, 3)[0]
    assert next(states)[1][0].tolist() == [p >= POSITIONS - count for p in range(POSITIONS)]


def test_completions_differ_in_their_order_unless_it_is_confidence() -> None:
    tokens, known = grids([[False] * POSITIONS] * 8)
    orders = {}
    for order in get_args(TokenOrder):
        states = drawing(Table(), tokens, known, gumbel(8), Drawing(steps=3, order=order))
        orders[order] = len({tuple(row.tolist()) for row in next(states)[1]})
    assert orders["confidence"] == 1
    assert orders["sampled"] > 1
    assert orders["spread"] > 1


def test_positions_that_are_drawn_together_lie_apart_in_the_order_spread() -> None:
    n, side = 8, 8
    logits = torch.zeros(1, side * side, CODES)
    logits[0, : side * 4, 2] = 9.0  # how sure it is of one half is no matter
    tokens = torch.zeros(n, side * side, dtype=torch.int64)
    known = torch.zeros(n, side * side, dtype=torch.bool)
    how = Drawing(steps=8, order="spread")
    beside = 0
    for _, drawn in drawing(
        lambda tokens, known: logits.expand(len(tokens), -1, -1), tokens, known, gumbel(n), how
    ):
        picture = (drawn & ~known).view(n, side, side)
        beside += int((picture[:, 1:] & picture[:, :-1]).sum())
        beside += int((picture[:, :, 1:] & picture[:, :, :-1]).sum())
        known = drawn
    assert known.all()
    assert beside == 0  # where a random order draws 14 of the 112 pairs of neighbours together


@given(width=st.integers(1, 40))
def test_the_spread_order_visits_every_cell_once_and_all_parts_alike(width: int) -> None:
    ranks = spread_ranks(width)
    side = len(ranks)
    assert width <= side < 2 * width
    assert ranks.flatten().sort().values.tolist() == list(range(side * side))
    if side >= 4:
        blocks = ranks.view(side // 4, 4, side // 4, 4).permute(0, 2, 1, 3).flatten(2)
        quarter = (blocks * 4 // (side * side)).flatten(0, 1)
        assert all(row.bincount().tolist() == [4] * 4 for row in quarter)


def test_in_the_order_spread_any_two_tokens_are_drawn_as_the_network_says() -> None:
    """Two positions that copy each other: only those that are drawn together disagree."""

    def network(tokens: Tensor, known: Tensor) -> Tensor:
        logits = torch.zeros(*tokens.shape, CODES)
        for at, other in ((0, 1), (1, 0)):
            agreed = torch.nn.functional.one_hot(tokens[:, other].clamp_min(0), CODES) * 50.0
            logits[:, at] = torch.where(known[:, other, None], agreed, logits[:, at])
        return logits

    n = 400
    tokens, known = grids([[False, False] + [True] * (POSITIONS - 2)])
    filled = draw_tokens(
        network,
        tokens.expand(n, -1),
        known.expand(n, -1),
        gumbel(n),
        Drawing(steps=2, annealing=1.0, order="spread"),
    )
    assert torch.equal(filled[:, 0], filled[:, 1])
    share = torch.bincount(filled[:, 0], minlength=CODES) / n
    # Four standard deviations of 400 draws.
    torch.testing.assert_close(share, torch.full((CODES,), 1 / CODES), rtol=0, atol=0.075)


def test_draws_follow_the_probabilities_and_their_temperature() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0, 0.0])).expand(1, POSITIONS, -1)
    tokens, known = grids([[False] * POSITIONS])
    n = 600
    for temperature in (1.0, 2.0):
        drawn = draw_tokens(
            lambda tokens, known: logits.expand(len(tokens), -1, -1),
            tokens.expand(n, -1),
            known.expand(n, -1),
            gumbel(n),
            Drawing(steps=1, temperature=temperature),
        )
        share = torch.bincount(drawn.flatten(), minlength=CODES) / drawn.numel()
        expected = torch.softmax(logits[0, 0] / temperature, 0)
        # Four standard deviations of 7200 draws are at most 0.024.
        torch.testing.assert_close(share, expected, rtol=0, atol=0.024)


def test_a_low_temperature_draws_what_the_deterministic_mode_takes() -> None:
    tokens, known = grids([[False] * POSITIONS] * 2)
    cold = draw_tokens(Table(), tokens, known, gumbel(2), Drawing(1, 1e-4))
    taken = draw_tokens(Table(), tokens, known, gumbel(2), Drawing(1, 0.0))
    assert torch.equal(cold, taken)
    assert torch.equal(taken, Table()(tokens, known).argmax(-1))


@pytest.mark.parametrize(
    "how", [Drawing(1, 1e-38), Drawing(1, 1e-300), Drawing(POSITIONS, 1.0, 1e-9)], ids=str
)
def test_a_temperature_that_has_no_place_in_single_precision_draws_the_likeliest(
    how: Drawing,
) -> None:
    tokens, known = grids([[False] * POSITIONS])
    logits = Table(scale=5.0).logits[None]
    states = list(drawing(lambda tokens, known: logits, tokens, known, gumbel(1), how))
    # Before the last step the temperature of annealing is not yet low.
    late = states[-1][1] & ~(states[-2][1] if len(states) > 1 else known)
    assert torch.equal(states[-1][0][late], logits.argmax(-1)[late])


@pytest.mark.parametrize("temperature", [1.0, 0.1, 1e-3, 1e-30])
def test_the_surest_position_comes_first_at_any_temperature(temperature: float) -> None:
    tokens, known = grids([[False] * POSITIONS])
    logits = torch.zeros(1, POSITIONS, CODES)
    # Later positions are surer, but at a low temperature all round to a probability of 1.
    logits[0, :, 0] = torch.linspace(0.5, 4, POSITIONS)
    how = Drawing(POSITIONS, temperature, annealing=1.0)
    states = drawing(lambda tokens, known: logits, tokens, known, gumbel(1), how)
    assert all(now[0].tolist() == sorted(now[0].tolist()) for _, now in states)


def test_annealing_multiplies_the_temperature_after_each_step() -> None:
    tokens, known = grids([[False] * POSITIONS])
    network, draw = Table(scale=3.0), gumbel(1)
    states = list(drawing(network, tokens, known, gumbel(1), Drawing(3, 2.0, 0.5)))
    for state, temperature in zip(states, (2.0, 1.0, 0.5), strict=True):
        log_probs = torch.log_softmax(network(tokens, known) / temperature, -1)
        expected = (log_probs + draw(POSITIONS, CODES)).argmax(-1)
        fresh = state[1] & ~known
        assert torch.equal(state[0][fresh], expected[fresh])
        tokens, known = state


def test_the_surest_position_is_told_apart_by_what_half_precision_would_round_off() -> None:
    tokens, known = grids([[False] * POSITIONS])
    logits = torch.tensor([2.0, 0.0, 0.0, 0.0, 0.0, -5.0]).repeat(1, POSITIONS, 1)
    logits[0, 7, 5] = -6.0
    how = Drawing(steps=POSITIONS)
    states = drawing(lambda tokens, known: logits.bfloat16(), tokens, known, gumbel(1), how)
    assert next(states)[1][0].nonzero().flatten().tolist() == [7]


def test_the_noise_of_the_sampled_order_fades_from_step_to_step() -> None:
    n, steps = 8, 3
    tokens, known = grids([[False] * POSITIONS] * n)
    network, draw, counts = Table(), gumbel(n), tokens_per_step(POSITIONS, steps)
    how = Drawing(steps, annealing=1.0, order="sampled")
    states = list(drawing(network, tokens, known, gumbel(n), how))
    for state, weight, count in zip(states, (3.0, 1.5, 0.0), counts, strict=True):
        log_probs = torch.log_softmax(network(tokens, known), -1)
        drawn = (log_probs + draw(POSITIONS, CODES)).argmax(-1, keepdim=True)
        scores = log_probs.gather(-1, drawn).squeeze(-1) + weight * draw(POSITIONS)
        luckiest = scores.masked_fill(known, -torch.inf).topk(count).indices
        assert torch.equal(state[1], known.scatter(1, luckiest, True))
        tokens, known = state


def test_the_noise_of_a_completion_does_not_depend_on_the_others() -> None:
    together, alone = (
        gumbel(3),
        gumbel_of(Noise.of_completions(0, b"tokens", [2]), torch.device("cpu")),
    )
    for shape in ((POSITIONS, CODES), (POSITIONS,), (POSITIONS, CODES)):
        values = together(*shape)
        assert values.dtype == torch.float32
        assert torch.equal(values[2:], alone(*shape))


def test_the_least_and_the_largest_uniform_give_finite_noise() -> None:
    class Extremes(Noise):
        def uniform(self, *shape: int) -> Tensor:
            largest = torch.tensor(1 - 2.0**-53, dtype=torch.float64)
            return torch.stack([torch.zeros(shape, dtype=torch.float64), largest.expand(shape)])

    extremes = Extremes(0, "extremes", [(0,), (1,)])
    assert gumbel_of(extremes, torch.device("cpu"))(3).isfinite().all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "^steps: must be at least 1, got 0"),
        ({"temperature": -1.0}, "^temperature: must lie in "),
        ({"top_k": 0}, "^top_k: must be at least 1"),
        ({"annealing": 0.0}, r"^annealing: must lie in \(0, 1\]"),
        ({"annealing": 1.01}, r"^annealing: must lie in \(0, 1\]"),
        ({"order": "sample"}, "^order: no order called 'sample'. Did you mean 'sampled'"),
    ],
)
def test_settings_without_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Drawing(**settings)  # type: ignore[arg-type]
