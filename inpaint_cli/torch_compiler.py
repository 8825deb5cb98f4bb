"""torch without its compiler, which took a second and 70 MiB of every plan, and which nothing uses.

The first function that is not to be compiled, such as one of the device "meta", imports
torch._dynamo to be marked so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
NAME = "torch._dynamo"
BYTES = 70 << 20
"""What the compiler takes (torch 2.13), which the first step of an optimiser imports."""


class _StandIn(ModuleType):
    """Stands for the compiler until more of it is asked for than to leave a function alone."""

    @staticmethod
    def disable(function: F, *arguments: object, **options: object) -> F:
        return function

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(import_module(NAME), name)


def bytes_to_come() -> int:
    """Return what the compiler will take in a run that is planned; 0 where it is here already."""
    module = sys.modules.get(NAME)
    return BYTES if module is None or isinstance(module, _StandIn) else 0


@contextmanager
def left_out() -> Iterator[None]:
    """Keep torch from importing its compiler inside the block, unless something does need it."""
    if NAME in sys.modules:
        yield
        return
    stand_in = sys.modules[NAME] = _StandIn(NAME)
    try:
        yield
    finally:
        if sys.modules.get(NAME) is stand_in:
            del sys.modules[NAME]
