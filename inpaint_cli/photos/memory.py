"""Drawing as many completions at a time as memory holds."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inpaint_cli.errors import ResourceError
from inpaint_cli.family import Completions, Model

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.randomness import Noise


LONGEST_CHAIN = 20
"""Of errors that were raised one over the other."""


@dataclass
class Batches:
    """Completions in batches of at most `size`, which is halved whenever memory runs out."""

    size: int

    def drawn(
        self, model: Model, image: Tensor, visible: Tensor, noise: Noise, **options: Any
    ) -> list[Completions]:
        """Return the completions of one image, as `Model.complete`, in their order, in batches.

        ResourceError where memory does not even hold one.
        """
        batches, done = list[Completions](), 0
        while done < len(noise):
            batch = noise[done : done + self.size]
            try:
                drawn = model.complete(image, visible, batch, **options)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise ResourceError(
                        "out of memory, even for one completion at a time. Free some memory, take "
                        "a smaller model, or compute on the CPU."
                    ) from error
                self.size = (len(batch) + 1) // 2
                continue
            if len(drawn.images) != len(batch):
                raise RuntimeError(f"asked for {len(batch)} completions, got {len(drawn.images)}")
            batches.append(drawn)
            done += len(batch)
        return batches


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether numpy, torch, the system or a device ran out of memory.

    There is no one error for it: libraries raise MemoryError, an error of their own, RuntimeError,
    or OSError and ImportError with what the system says. Classes of torch and safetensors are known
    by name: importing them to compare would cost seconds.
    """
    # llvmlite says of a library that no memory was left for that it cannot be found: what was
    # raised before tells why. Such chains may be rings.
    for _ in range(LONGEST_CHAIN):
        if _tells_of_memory(error):
            return True
        before = error.__cause__ or error.__context__
        if before is None or not isinstance(error, ImportError | OSError):
            return False
        error = before
    return False


def _tells_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    tells = isinstance(error, RuntimeError | ImportError | OSError)
    tells = tells or type(error).__name__ in _TELLERS
    return tells and any(words in str(error).lower() for words in _WORDS)


_TELLERS = ("SafetensorError",)
_WORDS = ("out of memory", "allocate mem", "failed to map segment", "bad_alloc")
