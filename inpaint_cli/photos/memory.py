"""Drawing as many completions at a time as memory holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inpaint_cli.errors import ResourceError
from inpaint_cli.family import Completions, Model

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.randomness import Noise


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


def is_out_of_memory(error: Exception) -> bool:
    """Return whether numpy, torch or a device ran out of memory; torch has no one error for it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "allocate mem" in text)
