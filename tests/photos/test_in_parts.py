"""Completions drawn part after part are those that are drawn at once."""

from collections.abc import Sequence

import numpy as np
import pytest

from inpaint_cli.photos.completing import complete_photo, completing
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.pictures.picture import of_array
from tests.pretend_model import PretendModel


@pytest.mark.parametrize(
    "parts",
    [[range(5)], [range(1), range(1, 2), range(2, 4), range(4, 5)], [range(3), range(3, 5)]],
)
@pytest.mark.parametrize("shape", ["one", "two", "wire"])
def test_parts_decide_nothing_but_when_each_is_seen(shape: str, parts: Sequence[range]) -> None:
    visible = np.ones((60, 200), np.bool_)
    visible[20:30, 10:30] = False
    if shape == "two":
        visible[40:55, 150:190] = False
    if shape == "wire":  # pieces of one hole, of which each sees what the one before became
        visible[24:27, 5:195] = False
    rng = np.random.default_rng(0)
    photo = of_array(rng.integers(0, 256, (60, 200, 3), np.uint8))
    request = CompletionRequest(n=5, seed=3, detail="none")
    whole = complete_photo(photo, visible, PretendModel(), request)
    assert (len(whole.windows) > 2) == (shape == "wire")
    seen = list(completing(photo, visible, PretendModel(), request, parts))
    assert [completed.drawn for completed in seen] == [part.stop for part in parts]
    assert whole.log_prob is not None
    for completed in seen:
        assert completed.log_prob is not None
        assert np.array_equal(completed.log_prob, whole.log_prob[: completed.drawn])
        for index in range(completed.drawn):
            assert np.array_equal(completed.samples(index), whole.samples(index))
