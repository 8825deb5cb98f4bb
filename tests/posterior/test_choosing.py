"""Choosing where to look: by an exact posterior, and what the choice may depend on."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import ResourceError
from inpaint_cli.family import Completions, Config
from inpaint_cli.models.completion_model import CompletionModel
from inpaint_cli.posterior import gains
from inpaint_cli.posterior.choosing import (
    ESTIMATORS,
    ChosenPlace,
    Estimator,
    Situation,
    Tools,
    chooser,
)
from inpaint_cli.posterior.classifying import Judge, load_judge
from inpaint_cli.posterior.looks import Looks
from inpaint_cli.randomness import Noise
from tests.masked_classifiers import Table, saved
from tests.pretend_model import PretendModel

CPU = torch.device("cpu")
NOTHING = np.zeros((2, 2), np.bool_)


class Enumerated(CompletionModel):
    """Completions are all binary pictures that agree with what is visible, one after another."""

    def __init__(self) -> None:
        super().__init__(Config(2, 1, 2))

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        every = torch.tensor(list(product((0, 255), repeat=4)), dtype=torch.uint8)
        every = every.reshape(-1, 1, 2, 2)
        fits = every[((every == image) | ~visible).flatten(1).all(1)]
        return Completions(torch.cat([fits[key[0] % len(fits)][None] for key in noise.keys]))


def joint(seed: int) -> np.ndarray:
    """Return p(class, picture) of two classes, every picture as likely: [2, 2, 2, 2, 2]."""
    given = np.random.default_rng(seed).beta(0.5, 0.5, size=(2, 2, 2, 2))
    return np.stack([given, 1 - given]) / 16


def tools(table: Table, **given: Any) -> Tools:
    judge = Judge("table", table, len(table.joint), CPU)
    looks, model = Looks(2, 1, 2), Enumerated()
    return Tools(model, CPU, judge, looks, **{"n": 16, "seed": 0, "steps": 3, **given})


def image(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.uint8).reshape(1, 1, 2, 2)


def chosen(
    estimator: Estimator, kit: Tools, picture: Tensor, visible: np.ndarray = NOTHING, row: int = 0
) -> ChosenPlace:
    start = np.zeros_like(visible)
    return chooser(estimator, kit).choose(Situation(picture, visible, start, 1, row))


def information(table: Table, picture: list[int], known: list[int], place: int) -> float:
    """Return I(class; pixel | what is visible) by summing p."""
    index = tuple(picture[i] if i in known else slice(None) for i in range(4))
    p = table.joint[(slice(None), *index)]
    left = [i for i in range(4) if i not in known]
    others = tuple(1 + n for n, i in enumerate(left) if i != place)
    p = p.sum(axis=others) / p.sum()
    outer = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    return float((p * np.log(p / outer)).sum())


@pytest.mark.parametrize("seed", range(5))
def test_with_all_completions_it_is_where_the_pixel_tells_most(seed: int) -> None:
    table = Table(joint(seed))
    visible = np.array([[True, False], [False, False]])
    choice = chosen("eig", tools(table), image(255, 0, 0, 0), visible)
    brute = [information(table, [1, 0, 0, 0], [0], place) for place in (1, 2, 3)]
    np.testing.assert_allclose(choice.gain[1:], brute, rtol=0, atol=1e-12)
    assert np.isnan(choice.gain[0])
    assert choice.place == 1 + int(np.argmax(brute))
    # The completions are exact, so what is expected now is their mean.
    other = chosen("epe", tools(table), image(255, 0, 0, 0), visible)
    np.testing.assert_allclose(other.gain[1:], brute, rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", ["eig", "epe"])
def test_the_gains_of_completions_have_the_gain_as_their_mean(estimator: Estimator) -> None:
    choice = chosen(estimator, tools(Table(joint(1)), n=7), image(0, 0, 0, 0))
    np.testing.assert_allclose(choice.each.mean(axis=0), choice.gain, rtol=0, atol=1e-12)


def test_of_equal_gains_the_first_place_is_taken() -> None:
    same = Table(np.full((2, 2, 2, 2, 2), 1 / 32))
    assert chosen("eig", tools(same), image(0, 0, 0, 0)).place == 0


class Random3:
    """A classifier whose answers are a hash of what it sees."""

    size, channels = 16, 3

    def probabilities(self, images: Tensor, visible: Tensor) -> Tensor:
        seen = (images * visible).double() + visible
        weight = torch.arange(1, seen[0].numel() + 1, dtype=torch.float64).reshape(seen[0].shape)
        raw = torch.stack([(seen * (weight * k).sin()).sum((1, 2, 3)) / 500 for k in (1, 2, 3)], 1)
        return raw.softmax(1)


def pretending(**given: Any) -> Tools:
    judge = Judge("hash", Random3(), 3, CPU)
    looks, options = Looks(16, 4, 4), {"n": 6, "seed": 0, "steps": 3, **given}
    return Tools(PretendModel(), CPU, judge, looks, **options)


def pictures(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)


def seen(*places: int) -> np.ndarray:
    return np.asarray(Looks(16, 4, 4).masks[list(places)].any(axis=0))


@pytest.mark.parametrize("estimator", ["eig", "epe"])
def test_completions_drawn_singly_or_in_one_batch_give_the_same(estimator: Estimator) -> None:
    whole = chosen(estimator, pretending(), pictures(1), seen(0, 6))
    singly = chosen(estimator, pretending(batch=1), pictures(1), seen(0, 6))
    assert whole.place == singly.place
    np.testing.assert_array_equal(whole.gain, singly.gain)


@pytest.mark.parametrize("estimator", ["eig", "epe", "uncond"])
def test_the_number_of_threads_does_not_matter(estimator: Estimator, tmp_path: Path) -> None:
    judge = load_judge(saved(tmp_path, 16, 3), "cpu")
    kit = replace(pretending(training=pictures(6, 9)), judge=judge)
    before, choices = torch.get_num_threads(), list[ChosenPlace]()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            choices.append(chosen(estimator, kit, pictures(1), seen(0, 6)))
    finally:
        torch.set_num_threads(before)
    one, two = choices
    assert one.place == two.place
    np.testing.assert_allclose(one.gain, two.gain, rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_choice_depends_on_nothing_that_is_hidden(estimator: Estimator) -> None:
    kit, visible = pretending(training=pictures(6, 9)), torch.from_numpy(seen(5))
    first, other = pictures(2)[:1], pictures(2)[1:]
    mixed = torch.where(visible, first, other)
    places = [chosen(estimator, kit, picture, seen(5)).place for picture in (first, mixed)]
    assert places[0] == places[1]


def test_completions_of_nothing_are_replaced_by_training_images() -> None:
    training = pictures(9, 4)
    choice = chosen("eig", pretending(training=training), pictures(1), seen())
    assert choice.pictures is training
    later = chosen("eig", pretending(training=training), pictures(1), seen(3))
    assert len(later.pictures) == 6


@pytest.mark.parametrize("estimator", ["uncond", "uncond-sequence"])
def test_without_completions_every_picture_is_looked_at_in_the_same_places(
    estimator: Estimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = pretending(training=pictures(6, 9))
    calls = list[int]()
    answer = Judge.of

    def counted(self: Judge, images: Tensor, visible: np.ndarray, when: str = "") -> np.ndarray:
        calls.append(len(visible))
        return answer(self, images, visible, when)

    monkeypatch.setattr(Judge, "of", counted)
    choosing, sequences = chooser(estimator, kit), list[list[int]]()
    for picture in pictures(3):
        visible, places = seen(), list[int]()
        for step in (1, 2, 3):
            now = Situation(picture[None], visible, seen(), step)
            places.append(choosing.choose(now).place)
            visible = visible | kit.looks.masks[places[-1]]
        sequences.append(places)
        if len(sequences) == 1:
            once = len(calls)
    assert sequences[0] == sequences[1] == sequences[2]
    assert len(set(sequences[0])) == 3
    assert len(calls) == once > 0


def test_random_looks_differ_between_pictures_of_a_set_and_are_the_same_again() -> None:
    kit = pretending()
    places = [chosen("random", kit, pictures(1), seen(2), row).place for row in range(40)]
    again = [chosen("random", kit, pictures(1), seen(2), row).place for row in range(40)]
    assert places == again
    assert 2 not in places
    assert len(set(places)) > 8


def test_probabilities_that_are_no_numbers_are_an_error_that_names_the_look() -> None:
    table = Table(joint(0))
    table.joint = table.joint * np.nan
    with pytest.raises(ResourceError, match=r"table: .*no numbers.*at look 1"):
        chosen("eig", tools(table), image(0, 0, 0, 0))


def test_a_best_sequence_leaves_less_entropy_than_other_sequences() -> None:
    kit = pretending(training=pictures(6, 9))
    choosing, visible = chooser("uncond-sequence", kit), seen()
    for step in (1, 2, 3):
        now = Situation(pictures(1), visible, seen(), step)
        visible = visible | kit.looks.masks[choosing.choose(now).place]
    rng = np.random.default_rng(0)
    others = [seen(*rng.permutation(16)[:3]) for _ in range(50)]
    left = gains.entropy(kit.judge.each(pictures(6, 9), np.stack([visible, *others]))).mean(axis=0)
    assert left[0] < np.quantile(left[1:], 0.2)
