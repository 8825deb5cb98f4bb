"""Recorded runs of the authors' sampling loop, corrected so that known tokens never change."""

import json
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.latent_codes.token_sampling import (
    Drawing,
    Gumbel,
    draw_tokens,
    drawing,
    tokens_per_step,
)
from tests.models.latent_codes.golden_parts import FOLDER, close, recorded
from tests.models.latent_codes.test_golden_transformer import network

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]
RUNS: dict[str, dict[str, Any]] = json.loads((FOLDER / "sampling.runs.json").read_text())
each_run = pytest.mark.parametrize("run", RUNS)


@cache
def everything() -> dict[str, Tensor]:
    return recorded("sampling")


def of(run: str, name: str) -> Tensor:
    return everything()[f"{run}.{name}"]


def start(run: str) -> tuple[Tensor, Tensor]:
    tokens = of(run, "start").long()
    return tokens, tokens >= 0


def how(run: str) -> Drawing:
    settings = RUNS[run]
    return Drawing(
        steps=settings["steps"],
        temperature=settings["temperature"] if settings["sample"] else 0.0,
        annealing=settings["annealing"],
        top_k=settings["top_k"],
    )


def gumbel(run: str) -> Gumbel:
    steps = iter(of(run, "gumbel").float())
    return lambda *shape: next(steps)


@each_run
def test_each_step_draws_the_recorded_number_at_the_recorded_positions(run: str) -> None:
    counts, positions = of(run, "counts"), of(run, "positions")
    before = start(run)[1]
    states = list(drawing(network(), *start(run), gumbel(run), how(run)))
    assert len(states) == len(counts)
    for step, (tokens, known) in enumerate(states):
        assert (known & ~before).sum(1).tolist() == counts[step].tolist()
        for item, drawn in enumerate(known & ~before):
            theirs = positions[step, item]
            assert drawn.nonzero().flatten().tolist() == sorted(theirs[theirs >= 0].tolist())
        at = of(run, "tokens_after")[step].long()
        assert torch.equal(torch.where(known, tokens, -1), at)
        before = known


@each_run
def test_tokens_are_those_of_the_corrected_loop(run: str) -> None:
    ours = draw_tokens(network(), *start(run), gumbel(run), how(run))
    assert torch.equal(ours, of(run, "result").long())


@each_run
def test_a_first_step_that_is_given_changes_nothing(run: str) -> None:
    with torch.no_grad():
        first = network()(*start(run))
    close(first, of(run, "logits_step0"))
    ours = draw_tokens(network(), *start(run), gumbel(run), how(run), first)
    assert torch.equal(ours, of(run, "result").long())


@each_run
def test_logits_of_the_last_step_are_those_of_the_authors(run: str) -> None:
    *_, before, _ = drawing(network(), *start(run), gumbel(run), how(run))
    with torch.no_grad():
        close(network()(*before), of(run, "logits_last"))


@each_run
def test_the_schedule_of_each_item_is_the_recorded_one(run: str) -> None:
    for item, known in enumerate(start(run)[1]):
        counts = [count for count in of(run, "counts")[:, item].tolist() if count]
        assert tokens_per_step(int((~known).sum()), RUNS[run]["steps"]) == counts


@each_run
def test_known_tokens_stay_where_the_loop_of_the_authors_may_overwrite_them(run: str) -> None:
    tokens, known = start(run)
    ours = draw_tokens(network(), tokens, known, gumbel(run), how(run))
    assert torch.equal(ours[known], tokens[known])
    # Wherever the authors' own loop keeps to that, it gives the same.
    theirs = of(run, "authors_result").long()
    if torch.equal(theirs[known], tokens[known]):
        assert torch.equal(ours, theirs)
