"""How networks run when they complete."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import inpaint_cli
from inpaint_cli.models import evaluation
from inpaint_cli.models.evaluation import filled_up, one_thread, side_by_side
from inpaint_cli.randomness import Noise

MODEL = nn.Linear(2, 2)


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def failing() -> None:
    with one_thread(MODEL):
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError


@pytest.mark.usefixtures("three_threads")
def test_a_small_model_computes_in_one_thread_and_others_come_back() -> None:
    with pytest.raises(ZeroDivisionError):
        failing()
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_a_large_model_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SMALL", 6)  # as many as it has
    with one_thread(MODEL):
        assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_blocks_that_overlap_leave_what_was_before_the_first() -> None:
    entered, leave, seen = threading.Event(), threading.Event(), list[int]()

    def other() -> None:
        with one_thread(MODEL):
            entered.set()
            leave.wait(30)
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    with one_thread(MODEL):
        thread.start()
        assert entered.wait(30)
    assert torch.get_num_threads() == 3
    leave.set()
    thread.join(30)
    assert seen == [1, 3]


@pytest.mark.usefixtures("three_threads")
def test_parts_are_drawn_side_by_side_in_their_order() -> None:
    meet = threading.Barrier(3, timeout=30)

    def work(part: Noise) -> tuple[tuple[int, ...], int, bool]:
        meet.wait()  # which only three at a time get past
        return part.keys[0], torch.get_num_threads(), torch.is_inference_mode_enabled()

    parts = list(Noise.of_completions(0, b"key", range(6)).split(1))
    with one_thread(MODEL):
        drawn = side_by_side(MODEL, work, parts)
    assert drawn == [(part.keys[0], 1, True) for part in parts]


@pytest.mark.usefixtures("three_threads")
def test_what_fails_in_a_part_is_raised() -> None:
    def work(part: Noise) -> None:
        raise ZeroDivisionError

    parts = list(Noise.of_completions(0, b"key", range(6)).split(1))
    with one_thread(MODEL), pytest.raises(ZeroDivisionError):
        side_by_side(MODEL, work, parts)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("name", ["latent-codes-photos64-f4", "picme-photos64"])
def test_no_number_of_threads_changes_a_byte(name: str) -> None:
    model = inpaint_cli.load_model(name)
    photo = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    visible = np.ones((64, 64), np.bool_)
    visible[10:50, 20:60] = False
    drawn = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        drawn.append(np.array(model.complete(photo, visible=visible, n=2, detail="none").images))
    np.testing.assert_array_equal(drawn[1], drawn[0])
    np.testing.assert_array_equal(drawn[2], drawn[0])


def test_a_network_sees_batches_of_one_size_only() -> None:
    sizes = []

    def network(x: Tensor, y: Tensor) -> Tensor:
        sizes.append((len(x), len(y)))
        return x + y

    for n in (1, 3, 4):
        values = torch.arange(2.0 * n).view(n, 2)
        assert torch.equal(filled_up(network, 4, values, values), 2 * values)
    assert sizes == [(4, 4)] * 3
