"""Streams: the same everywhere, independent of one another, and of the right distribution."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli.randomness import Noise, content_key, standard_normal, stream, tag_of

SEEDS = st.integers(0, 2**70)


def test_a_stream_never_changes_between_versions() -> None:
    # Recorded once; if this fails, every result that anybody keeps a seed of has changed.
    assert stream(0, "test", 1).random(2).tolist() == RECORDED


RECORDED = [0.6250156720704171, 0.6788321434464162]


def test_a_tag_is_the_start_of_its_sha256() -> None:
    # The first test vector of FIPS 180-4.
    assert tag_of("abc") == 0xBA7816BF8F01CFEA


@given(seed=SEEDS, n=st.integers(1, 5), more=st.integers(0, 4))
def test_stream_i_does_not_depend_on_n(seed: int, n: int, more: int) -> None:
    few = Noise.of_completions(seed, b"key", range(n))
    many = Noise.of_completions(seed, b"key", range(n + more))
    assert torch.equal(few.uniform(3), many.uniform(3)[:n])
    assert torch.equal(few.normal(2, 2), many.normal(2, 2)[:n])


@given(seed=SEEDS, size=st.integers(1, 7))
def test_parts_draw_what_the_whole_draws(seed: int, size: int) -> None:
    whole = Noise.of_completions(seed, b"key", range(6))
    parts = [part.uniform(4) for part in whole.split(size)]
    assert torch.equal(torch.cat(parts), whole.uniform(4))


def test_successive_draws_differ() -> None:
    noise = Noise.of_completions(0, b"key", [0])
    assert not torch.equal(noise.uniform(4), noise.uniform(4))


@pytest.mark.parametrize(
    "other",
    [
        Noise.of_completions(1, b"key", [0]),
        Noise.of_completions(0, b"other", [0]),
        Noise.of_completions(0, b"key", [1]),
        Noise.of_samples(0, "key", 0, [0]),
    ],
    ids=["seed", "input", "index", "training"],
)
def test_seed_input_index_and_purpose_each_give_another_stream(other: Noise) -> None:
    noise = Noise.of_completions(0, b"key", [0])
    assert not (noise.uniform(64) == other.uniform(64)).any()


def test_training_samples_have_streams_of_their_own() -> None:
    draws = torch.cat([Noise.of_samples(0, "x", epoch, range(3)).uniform(1) for epoch in range(3)])
    assert len(set(draws.flatten().tolist())) == 9


def test_uniform_numbers_are_uniform() -> None:
    draws = Noise(0, "uniform", [(i,) for i in range(100)]).uniform(1000).flatten()
    assert draws.min() >= 0
    assert draws.max() < 1
    # Six standard errors of 10^5 draws: sqrt(1/12/1e5) and, for tenths, sqrt(0.09/1e5).
    assert abs(draws.mean() - 0.5) < 6 * 9.2e-4
    shares = torch.histc(draws, bins=10, min=0, max=1) / 1e5
    assert (shares - 0.1).abs().max() < 6 * 9.5e-4


def test_normal_numbers_are_normal() -> None:
    draws = Noise(0, "normal", [(i,) for i in range(100)]).normal(1000).flatten()
    assert draws.isfinite().all()
    # Six standard errors of 10^5 draws: of the mean 1/sqrt(n), of the variance sqrt(2/n).
    assert abs(draws.mean()) < 6 * 3.2e-3
    assert abs(draws.var() - 1) < 6 * 4.5e-3
    assert abs((draws.abs() < 1).double().mean() - 0.6827) < 6 * 1.5e-3


def test_the_largest_uniform_number_gives_a_finite_normal_one() -> None:
    class Extreme(np.random.Generator):
        def random(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
            return np.full((2,), np.nextafter(1.0, 0.0))

    assert np.isfinite(standard_normal(Extreme(np.random.Philox(0)), (2,))).all()


@given(st.data())
def test_the_key_of_an_input_ignores_what_lies_under_the_hole(data: st.DataObject) -> None:
    visible = torch.tensor(data.draw(st.lists(st.booleans(), min_size=6, max_size=6)))
    visible = visible.view(1, 1, 2, 3)
    image = torch.from_numpy(stream(0, "image").random((1, 3, 2, 3)) * 255).to(torch.uint8)
    other = torch.where(visible, image, 255 - image)
    assert content_key(image, visible) == content_key(other, visible)
    if visible.any():
        assert content_key(image, visible) != content_key(255 - image, visible)


def test_the_key_of_an_input_tells_masks_and_shapes_apart() -> None:
    image = torch.zeros(1, 1, 2, 8, dtype=torch.uint8)
    masks = [torch.zeros(1, 1, 2, 8, dtype=torch.bool) for _ in range(3)]
    masks[1][0, 0, 0, 0] = True
    masks[2][0, 0, 1, 7] = True
    keys = {content_key(image, mask) for mask in masks}
    keys.add(content_key(image.view(1, 1, 4, 4), masks[0].view(1, 1, 4, 4)))
    assert len(keys) == 4


def test_no_draw_touches_the_global_generators() -> None:
    torch_state, numpy_state = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    noise = Noise.of_completions(0, b"key", [0, 1])
    noise.uniform(3)
    noise.normal(3)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert repr(np.random.get_state()) == numpy_state  # noqa: NPY002
