"""The Inception score: its bounds and its bias."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inpaint_cli.metrics.classes import inception_score, observation_score

LOGITS = np.random.default_rng(0).normal(size=(12, 5)) * 3


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(2, 6), st.integers(1, 5)),
        elements=st.floats(-1e300, 1e300),
    )
)
def test_the_score_lies_between_one_and_completions_or_classes(logits: np.ndarray) -> None:
    score = observation_score(logits)
    assert 1 <= score <= min(logits.shape) * (1 + 1e-12)


def test_a_deterministic_model_scores_exactly_one() -> None:
    for row in LOGITS:
        assert observation_score(np.repeat(row[None], 7, axis=0)) == 1.0
    assert inception_score([1.0] * 5, 7, 5).value == 1.0


def test_the_order_of_completions_does_not_matter() -> None:
    np.testing.assert_allclose(
        observation_score(LOGITS[::-1]), observation_score(LOGITS), rtol=1e-12
    )


def test_only_differences_of_logits_matter() -> None:
    np.testing.assert_allclose(
        observation_score(LOGITS + np.arange(12)[:, None]), observation_score(LOGITS), rtol=1e-9
    )


def test_warnings_say_what_is_not_known() -> None:
    assert inception_score([1.5, 2.0], 50, 5, accuracy=0.95).warnings == ()
    few = inception_score([1.5, 2.0], 49, 5)
    assert any("biased low below 50" in text for text in few.warnings)
    assert any("accuracy is unknown" in text for text in few.warnings)


def test_one_image_has_no_error() -> None:
    assert inception_score([2.0], 50, 5).se is None
