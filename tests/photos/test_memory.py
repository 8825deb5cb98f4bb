"""Completions in batches that memory holds."""

import pytest
import torch

from inpaint_cli.errors import ResourceError
from inpaint_cli.photos.memory import Batches
from inpaint_cli.randomness import Noise
from tests.pretend_model import PretendModel

IMAGE = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
HIDDEN = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
NOISE = Noise.of_completions(0, b"memory", range(5))


def test_what_did_not_fit_once_is_not_tried_again() -> None:
    model, batches = PretendModel(), Batches(8)
    model.largest_batch = 2
    for _ in range(2):
        batches.drawn(model, IMAGE, HIDDEN, NOISE)
    assert (batches.size, model.batches) == (2, [2, 2, 1, 2, 2, 1])


def test_a_memory_that_does_not_hold_one_ends_in_advice() -> None:
    model = PretendModel()
    model.largest_batch = 0
    with pytest.raises(ResourceError, match="even for one completion at a time"):
        Batches(8).drawn(model, IMAGE, HIDDEN, NOISE)
