"""Completions in batches that memory holds."""

import errno

import pytest
import torch

from inpaint_cli.errors import ResourceError
from inpaint_cli.photos.memory import Batches, is_out_of_memory
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


class SafetensorError(Exception):
    """Called like the error of safetensors, which is known by its name."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("unable to mmap 9 bytes: Cannot allocate memory (12)"), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (SafetensorError("Cannot allocate memory (os error 12)"), True),
        (RuntimeError("shapes do not fit"), False),
        (ImportError("no module named lpips"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (KeyError("out of memory"), False),
    ],
)
def test_a_full_memory_is_known_whoever_tells_it(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
