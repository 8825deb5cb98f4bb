"""The kernel distance: what leaves it alone, its pairs, its error and its refusals."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.intervals import jackknife_se
from inpaint_cli.metrics.kid import kid, kid_of_subsets, kid_unpaired, mmd2

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(90, 6)), RNG.normal(size=(90, 6)) + 0.4
ORDER = RNG.permutation(90)
Rows = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


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


def by_pairs(real: Rows, fake: Rows) -> float:
    """Return the paired figure by its definition, pair by pair."""
    n, h = len(real), 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                x, y, u, v = real[i], fake[i], real[j], fake[j]
                h += k(x, u) + k(y, v) - k(x, v) - k(u, y)
    return h / (n * (n - 1))


def k(a: Rows, b: Rows) -> float:
    return float((a @ b / len(a) + 1) ** 3)


def test_the_paired_form_is_its_definition() -> None:
    assert kid(REAL[:9], FAKE[:9]).value == pytest.approx(by_pairs(REAL[:9], FAKE[:9]), rel=1e-12)


def test_identical_sets_are_at_no_distance() -> None:
    estimate = kid(REAL, REAL)
    assert estimate.value == pytest.approx(0.0, abs=1e-12)
    assert estimate.se == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("ranges", [None, np.arange(90) % 3])
def test_the_paired_form_depends_on_neither_order_nor_blocks(
    ranges: Indices | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = kid(REAL, FAKE, ranges)
    moved = kid(REAL[ORDER], FAKE[ORDER], None if ranges is None else ranges[ORDER])
    monkeypatch.setattr("inpaint_cli.metrics.kid.BLOCK", 7)
    for estimate in (moved, kid(REAL, FAKE, ranges)):
        assert estimate.value == pytest.approx(whole.value, rel=1e-9)
        assert estimate.se == pytest.approx(whole.se, rel=1e-9)


def test_breaking_the_pairs_changes_the_paired_form_alone() -> None:
    near = REAL + 0.1 * FAKE
    assert kid(REAL, near[ORDER]).value < -0.1 < 0 < kid(REAL, near).value
    assert mmd2(REAL, near[ORDER]) == pytest.approx(mmd2(REAL, near), rel=1e-9)


def test_the_error_is_that_of_leaving_out_each_image() -> None:
    left_out = [kid(np.delete(REAL, i, 0), np.delete(FAKE, i, 0)).value for i in range(90)]
    assert kid(REAL, FAKE).se == pytest.approx(jackknife_se(left_out), rel=1e-9)


def test_the_mean_over_random_subsets_is_the_value_of_all() -> None:
    population = rng_pairs(2000)
    whole = kid(*population).value
    rng, values, plain = np.random.default_rng(5), list[float](), list[float]()
    for _ in range(200):
        chosen = rng.choice(2000, 40, replace=False)
        real, fake = (side[chosen] for side in population)
        values.append(kid(real, fake).value)
        plain.append(mmd2(real, fake))
    se = np.std(values, ddof=1) / 200**0.5
    assert abs(np.mean(values) - whole) < 3 * se
    assert np.mean(plain) < whole - 20 * se  # what leaves the pairs in is far too low


def test_ranges_of_fixed_numbers_leave_it_unbiased_for_their_mixture() -> None:
    real, fake = rng_pairs(2000)
    ranges = np.arange(2000) % 2
    fake[ranges == 1] += 1.0
    whole, rng, values, errors = kid(real, fake, ranges).value, np.random.default_rng(6), [], []
    for _ in range(200):
        chosen = np.concatenate([2 * rng.choice(1000, 10, replace=False) + r for r in (0, 1)])
        estimate = kid(real[chosen], fake[chosen], ranges[chosen])
        values.append(estimate.value)
        errors.append(estimate.se or 0.0)
    spread = np.std(values, ddof=1)
    assert abs(np.mean(values) - whole) < 3 * spread / 200**0.5
    assert 0.8 < np.mean(errors) / spread < 1.25


def rng_pairs(n: int, d: int = 16) -> tuple[Rows, Rows]:
    """Return features of originals, and of completions that are near their own originals."""
    rng = np.random.default_rng(4)
    real = rng.normal(size=(n, d))
    return np.maximum(real, 0), np.maximum(real + 0.5 * rng.normal(size=(n, d)) + 0.2, 0)


def test_images_of_one_picture_are_not_compared_and_the_error_is_of_pictures() -> None:
    """As of a folder with every picture under five masks; five ranges hold one of each, or none."""
    (x, y), rng = rng_pairs(4000), np.random.default_rng(3)
    true, of = kid(x, y).value, np.repeat(np.arange(20), 5)
    held, values = 0, []
    for trial in range(200):
        chosen = rng.choice(4000, 20)[of]
        ranges = np.arange(100) % 5 if trial % 2 else None
        blurred = y[chosen] + 0.2 * rng.normal(size=(100, y.shape[1]))
        estimate = kid(x[chosen], blurred, ranges, of)
        assert (estimate.n, estimate.sides) == (20, (100, 100))
        held += abs(estimate.value - true) <= 1.645 * (estimate.se or 0)
        values.append(estimate.value)
    assert np.mean(values) == pytest.approx(true, abs=3 * np.std(values) / 200**0.5)
    assert 84 <= held / 2 <= 95
    with pytest.raises(Refused, match="all images are of one"):
        kid(x[:5], y[:5], None, of[:5])
    assert kid(x, y, None, np.arange(4000)).value == pytest.approx(true, rel=1e-9)


def test_the_form_of_subsets_says_that_it_is_too_low_for_pairs() -> None:
    estimate = kid_of_subsets(REAL, FAKE, 2, 1000, paired=True)
    assert any("subsets of 90 instead of 1000" in text for text in estimate.warnings)
    assert any("too low" in text for text in estimate.warnings)
    assert estimate.se is None


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_and_tiny_sets_give_numbers(n: int, value: float) -> None:
    constant = np.full((n, 6), value)
    assert kid(constant, constant).value == pytest.approx(0.0, abs=1e-9)
    assert math.isfinite(kid(REAL[:n], constant).value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(np.nan, "not finite"), (np.inf, "not finite"), (1e150, "too large"), (1e55, "too large")],
)
def test_what_has_no_finite_cube_is_refused(value: float, reason: str) -> None:
    spoilt = FAKE.copy()
    spoilt[3, 3] = value
    with pytest.raises(Refused, match=reason):
        kid(REAL, spoilt)


def test_one_image_is_refused() -> None:
    with pytest.raises(Refused, match="at least 2 images"):
        kid(REAL[:1], FAKE[:1])


FEWER = FAKE[:40]


def test_sets_that_do_not_pair_have_the_ordinary_form_whatever_their_numbers() -> None:
    for sides in ((REAL, FAKE), (REAL, FEWER), (FEWER, REAL)):
        assert kid_unpaired(*sides).value == pytest.approx(mmd2(*sides), rel=1e-9)
    estimate = kid_unpaired(REAL, FEWER)
    assert (estimate.n, estimate.sides, estimate.warnings) == (40, (90, 40), ())
    assert kid_unpaired(REAL[:2], FEWER[:2]).se is None


def test_the_error_of_unpaired_sets_is_that_of_leaving_out_each_picture() -> None:
    estimate, variance = kid_unpaired(REAL, FEWER), 0.0
    for place, side in enumerate((REAL, FEWER)):
        left_out = []
        for row in range(len(side)):
            sides = [REAL, FEWER]
            sides[place] = np.delete(side, row, 0)
            left_out.append(mmd2(*sides))
        variance += jackknife_se(left_out) ** 2
    assert estimate.se == pytest.approx(math.sqrt(variance), rel=1e-6)


def test_unpaired_rows_may_be_read_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kid_unpaired(REAL, FEWER)
    monkeypatch.setattr("inpaint_cli.metrics.kid.BLOCK", 7)
    parted = kid_unpaired(REAL, FEWER)
    assert parted.value == pytest.approx(whole.value, rel=1e-9)
    assert parted.se == pytest.approx(whole.se, rel=1e-9)


def test_intervals_of_unpaired_sets_hold_the_true_distance_as_often_as_they_say() -> None:
    rng, shift = np.random.default_rng(5), 0.5
    many = rng.normal(size=(2, 4000, 4))
    truth = mmd2(many[0], many[1] + shift)  # of 4000 a side: its own error hardly counts
    inside, values = 0, []
    for _ in range(300):
        estimate = kid_unpaired(rng.normal(size=(60, 4)), rng.normal(size=(90, 4)) + shift)
        assert estimate.se is not None
        values.append(estimate.value)
        inside += abs(estimate.value - truth) < 1.645 * estimate.se
    assert 0.84 <= inside / 300 <= 0.95
    assert abs(np.mean(values) - truth) < 3 * np.std(values) / math.sqrt(300)


def test_subsets_of_sets_that_do_not_pair_have_no_pairs_to_warn_of() -> None:
    paired, unpaired = (kid_of_subsets(REAL, FAKE, 5, 20, paired=how) for how in (True, False))
    assert paired.value == unpaired.value
    assert len(paired.warnings) == 1 + len(unpaired.warnings)
