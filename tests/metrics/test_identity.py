"""P-IDS and U-IDS: ties, pairs, solvers, refusals."""

import functools
import sys

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_cli.metrics.state import Refused
from sklearn import svm

from inpaint_cli.metrics import identity
from inpaint_cli.metrics.identity import Solver, fit, fit_by_newton, margins_of_sets, p_ids, u_ids

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(120, 4)), RNG.normal(size=(120, 4)) + 0.3
ORDER = RNG.permutation(120)
each_solver = pytest.mark.parametrize("solver", ["newton", "library"])
Rows = npt.NDArray[np.float64]


def scores(real: Rows, fake: Rows, solver: Solver = "newton") -> tuple[float, float]:
    margins = margins_of_sets(real, [fake], solver)
    return p_ids(margins).value, u_ids(margins).value


@each_solver
def test_originals_as_completions_tie_everywhere(solver: Solver) -> None:
    margins = margins_of_sets(REAL, [REAL.copy()], solver)
    paired = p_ids(margins)
    assert (paired.value, paired.extra["p_ids_ties_half"]) == (0.0, 0.5)
    assert u_ids(margins).value == 0.5
    assert any("100.0% of the pairs tie" in text for text in paired.warnings)


@each_solver
def test_the_order_of_images_does_not_matter_as_long_as_pairs_stay(solver: Solver) -> None:
    assert scores(REAL[ORDER], FAKE[ORDER], solver) == scores(REAL, FAKE, solver)


def test_breaking_pairs_leaves_u_ids_alone() -> None:
    assert scores(REAL, FAKE[ORDER])[1] == scores(REAL, FAKE)[1]
    assert scores(REAL, FAKE[ORDER])[0] != scores(REAL, FAKE)[0]


def test_how_rows_are_read_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_by_newton(REAL, FAKE)
    monkeypatch.setattr(identity, "row_blocks", lambda x: np.array_split(x, 11))
    found = fit_by_newton(REAL, FAKE)
    np.testing.assert_allclose(found.w, whole.w, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 0.1, 1.0, 10.0])
def test_newton_and_the_library_find_the_same_separator(scale: float) -> None:
    ours, theirs = fit_by_newton(REAL * scale, FAKE * scale), fit(REAL * scale, FAKE * scale)
    np.testing.assert_allclose(ours.margins(FAKE * scale), theirs.margins(FAKE * scale), atol=1e-2)


def test_newton_ends_where_the_gradient_vanishes() -> None:
    found = fit_by_newton(REAL, FAKE)
    x = np.hstack([np.vstack([REAL, -FAKE]), np.repeat([[1.0], [-1.0]], 120, axis=0)])
    point = np.append(found.w, found.b)
    gradient = point - 2 * x.T @ np.maximum(1 - x @ point, 0)
    assert np.abs(gradient).max() < 1e-8


def test_features_too_large_for_memory_are_left_to_newton(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fit(REAL, FAKE).solver == "scikit-learn"
    monkeypatch.setattr(identity, "FITS", 100)
    assert fit(REAL, FAKE).solver == "newton"


def test_a_library_that_does_not_load_is_replaced_by_newton(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    assert fit(REAL, FAKE).solver == "newton"


def test_a_library_that_does_not_converge_is_replaced_by_newton(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(svm, "LinearSVC", functools.partial(svm.LinearSVC, max_iter=1))
    assert fit(REAL, FAKE).solver == "newton"


def test_newton_that_does_not_converge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "STEPS", 1)
    with pytest.raises(Refused, match="did not converge"):
        fit_by_newton(REAL, FAKE)


@each_solver
def test_constant_features_tie(solver: Solver) -> None:
    constant = np.ones_like(REAL)
    assert scores(constant, constant, solver) == (0.0, 0.5)
    assert scores(constant, 2 * constant, solver) == (0.0, 0.0)


@each_solver
def test_features_that_repeat_each_other_do_no_harm(solver: Solver) -> None:
    found = scores(np.hstack([REAL, REAL]), np.hstack([FAKE, FAKE]), solver)
    assert all(0 <= value <= 1 for value in found)


@pytest.mark.parametrize(("n", "refused"), [(2, True), (3, False)])
def test_the_border_of_what_can_always_be_separated(n: int, refused: bool) -> None:
    if refused:
        with pytest.raises(Refused, match=r"needs more than 5 images .* got 4"):
            margins_of_sets(REAL[:n], [FAKE[:n]])
    else:
        margins_of_sets(REAL[:n], [FAKE[:n]])


def test_few_images_a_feature_are_only_comparable_among_themselves() -> None:
    few = p_ids(margins_of_sets(REAL[:39], [FAKE[:39]]))
    assert few.warnings == ("2n < 20 d: comparable at n=39 only",)
    assert p_ids(margins_of_sets(REAL[:40], [FAKE[:40]])).warnings == ()


def test_unequal_sides_have_no_p_ids_but_a_u_ids() -> None:
    margins = margins_of_sets(REAL, [FAKE[:100]])
    with pytest.raises(Refused, match="one completion for every original"):
        p_ids(margins)
    assert 0 < u_ids(margins).value < 1


def test_no_completions_and_no_numbers_are_refused() -> None:
    with pytest.raises(Refused, match="no completions"):
        margins_of_sets(REAL, [])
    with pytest.raises(Refused, match="not finite"):
        margins_of_sets(REAL, [np.full_like(REAL, np.nan)])


def test_one_set_has_no_error() -> None:
    found = p_ids(margins_of_sets(REAL, [FAKE]))
    assert (found.se, found.se_method, found.k) == (None, "", 1)
