"""What a piece of code takes, for tests that it takes little."""

import tracemalloc
from typing import Self


class PeakMemory:
    """The most bytes that Python objects took inside the block."""

    bytes = 0

    def __enter__(self) -> Self:
        tracemalloc.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
