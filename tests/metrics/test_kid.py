"""The kernel distance: what leaves it alone, its blocks, and its refusals."""

import math

import numpy as np
import pytest

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.kid import kid, kid_of_subsets, mmd2

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(90, 6)), RNG.normal(size=(90, 6)) + 0.4
ORDER = RNG.permutation(90)


def test_the_whole_figure_does_not_depend_on_order() -> None:
    np.testing.assert_allclose(mmd2(REAL[ORDER], FAKE), mmd2(REAL, FAKE), rtol=1e-9)
    np.testing.assert_allclose(mmd2(REAL, FAKE[ORDER]), mmd2(REAL, FAKE), rtol=1e-9)


def test_the_whole_figure_does_not_depend_on_how_rows_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = mmd2(REAL, FAKE)
    monkeypatch.setattr("inpaint_cli.metrics.kid.BLOCK", 7)
    np.testing.assert_allclose(mmd2(REAL, FAKE), whole, rtol=1e-9)


def test_two_rows_a_side_have_the_figure_worked_out_by_hand() -> None:
    real, fake = np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]])
    # k = (ab + 1)^3: within real 27, within fake 1, across 1, 8, 1, 27.
    assert mmd2(real, fake) == 27 + 1 - 2 * (1 + 8 + 1 + 27) / 4


@pytest.fixture
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let blocks have as many images as the test says."""
    monkeypatch.setattr("inpaint_cli.metrics.kid.BLOCK", request.param)


def of_size(size: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [size], indirect=True)


@of_size(30)
@pytest.mark.usefixtures("block")
def test_equal_distributions_give_zero_within_four_errors() -> None:
    one, other = RNG.normal(size=(600, 4)), RNG.normal(size=(600, 4))
    found = kid(one, other)
    assert found.se is not None
    assert found.parameters["blocks"] == 20
    assert abs(found.value) < 4 * found.se


def test_identical_sets_stay_below_zero() -> None:
    assert kid(REAL, REAL).value < 0


@of_size(40)
@pytest.mark.usefixtures("block")
def test_rows_that_fill_no_block_are_left_out_and_counted() -> None:
    found = kid(REAL, FAKE)
    assert found.parameters["images_used"] == 80
    assert (found.parameters["blocks"], found.se) == (2, None)
    assert any("5 are needed for an error" in text for text in found.warnings)


@of_size(15)
@pytest.mark.usefixtures("block")
def test_a_pair_never_falls_into_two_blocks() -> None:
    # Where pairs are equal, each block's figure is that of identical sets.
    found = kid(REAL, REAL)
    assert all(value < 0 for value in found.extra["values"])


def test_blocks_larger_than_the_sets_are_reduced_with_a_warning() -> None:
    for found in (kid(REAL, FAKE), kid_of_subsets(REAL, FAKE, subsets=2)):
        assert any("blocks of 90 instead of 1000" in text for text in found.warnings)


@of_size(20)
@pytest.mark.usefixtures("block")
def test_the_seed_decides_the_blocks() -> None:
    assert kid(REAL, FAKE, seed=1) == kid(REAL, FAKE, seed=1)
    assert kid(REAL, FAKE, seed=1).value != kid(REAL, FAKE, seed=2).value


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_and_tiny_sets_give_numbers(n: int, value: float) -> None:
    constant = np.full((n, 6), value)
    assert kid(constant, constant).value == pytest.approx(0.0, abs=1e-9)
    assert math.isfinite(kid(REAL[:n], constant).value)


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "not finite"), (np.inf, "not finite"), (1e150, "too large")]
)
def test_what_has_no_finite_cube_is_refused(value: float, reason: str) -> None:
    spoilt = FAKE.copy()
    spoilt[3, 3] = value
    with pytest.raises(Refused, match=reason):
        kid(REAL, spoilt)


def test_one_image_or_blocks_of_one_are_refused() -> None:
    with pytest.raises(Refused, match="at least 2 images"):
        kid(REAL[:1], FAKE[:1])
    with pytest.raises(Refused, match="blocks of at least 2"):
        kid_of_subsets(REAL, FAKE, size=1)
