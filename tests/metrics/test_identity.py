"""P-IDS and U-IDS: ties, pairs, solvers, refusals."""

import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli.metrics import identity
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.identity import fit, margins_of_sets, p_ids, u_ids

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(120, 4)), RNG.normal(size=(120, 4)) + 0.3
ORDER = RNG.permutation(120)
Rows = npt.NDArray[np.float64]


def scores(real: Rows, fake: Rows) -> tuple[float, float]:
    margins = margins_of_sets(real, [fake])
    return p_ids(margins).value, u_ids(margins).value


def test_originals_as_completions_tie_everywhere() -> None:
    margins = margins_of_sets(REAL, [REAL.copy()])
    paired = p_ids(margins)
    assert (paired.value, paired.extra["p_ids_ties_half"]) == (0.0, 0.5)
    assert u_ids(margins).value == 0.5
    assert any("100.0% of the pairs tie" in text for text in paired.warnings)


def test_the_order_of_images_does_not_matter_as_long_as_pairs_stay() -> None:
    assert scores(REAL[ORDER], FAKE[ORDER]) == scores(REAL, FAKE)


def test_breaking_pairs_leaves_u_ids_alone() -> None:
    assert scores(REAL, FAKE[ORDER])[1] == scores(REAL, FAKE)[1]
    assert scores(REAL, FAKE[ORDER])[0] != scores(REAL, FAKE)[0]


def test_the_separator_ends_where_the_gradient_vanishes() -> None:
    separator = fit(REAL, FAKE)
    x = np.hstack([np.vstack([REAL, -FAKE]), np.repeat([[1.0], [-1.0]], 120, axis=0)])
    point = np.append(separator.w, separator.b)
    gradient = point - 2 * x.T @ np.maximum(1 - x @ point, 0)
    assert np.abs(gradient).max() < 0.5  # of 240 rows


def test_features_too_large_for_memory_are_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = np.lib.stride_tricks.as_strided(np.zeros(1), (70_000, 2048), (0, 0))
    with pytest.raises(Refused, match=r"140000 images of 2048 features take more than 2 GiB; "):
        fit(features, features)


def test_a_library_that_does_not_converge_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "STEPS", 1)
    with pytest.raises(Refused, match="did not converge"):
        fit(REAL, FAKE)


def test_constant_features_tie() -> None:
    constant = np.ones_like(REAL)
    assert scores(constant, constant) == (0.0, 0.5)
    assert scores(constant, 2 * constant) == (0.0, 0.0)


def test_features_that_repeat_each_other_do_no_harm() -> None:
    both = scores(np.hstack([REAL, REAL]), np.hstack([FAKE, FAKE]))
    assert all(0 <= value <= 1 for value in both)


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


def test_one_set_has_an_error_over_images_and_no_spread_over_sets() -> None:
    estimate = p_ids(margins_of_sets(REAL, [FAKE]))
    binomial = (estimate.value * (1 - estimate.value) / (len(REAL) - 1)) ** 0.5
    assert (estimate.se_method, estimate.k, estimate.extra["std_over_sets"]) == ("images", 1, None)
    assert estimate.se == pytest.approx(binomial)
    ranged = u_ids(margins_of_sets(REAL, [FAKE]), np.arange(120) % 5)
    assert ranged.se_method == "strata"


def test_equal_sets_are_fitted_once_and_have_the_error_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, fits = u_ids(margins_of_sets(REAL, [FAKE])), list[int]()

    def counted(real: Rows, fake: Rows) -> identity.Separator:
        fits.append(1)
        return fit(real, fake)

    monkeypatch.setattr(identity, "fit", counted)
    five = u_ids(margins_of_sets(REAL, [FAKE] * 5))
    assert five.value == pytest.approx(one.value)
    assert five.se == pytest.approx(one.se)
    assert len(fits) == 1
    assert five.extra["std_over_sets"] == pytest.approx(0.0, abs=1e-12)


def test_a_figure_that_all_images_share_has_no_error_and_says_so() -> None:
    estimate = p_ids(margins_of_sets(REAL, [REAL.copy()]))
    assert (estimate.value, estimate.se) == (0.0, None)
    assert any(text.startswith("no error") for text in estimate.warnings)


def test_unequal_sides_have_no_error() -> None:
    assert u_ids(margins_of_sets(REAL, [FAKE[:100]])).se is None
