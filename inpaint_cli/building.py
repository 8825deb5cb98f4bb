"""Networks built only as far as a budget allows: a config may ask for any number of layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inpaint_cli.errors import UserError

MOST_PARTS = 50_000
"""Modules and parameters of a network; the largest preset has 6,000."""
PARTS_A_TENSOR, FEW_PARTS = 3, 100
"""A network of a file has no more modules and parameters than these, a tensor and in all."""


class TooLarge(UserError):
    """A config asks for more parts than its budget."""


@contextmanager
def at_most(parts: int = MOST_PARTS) -> Iterator[None]:
    """Raise TooLarge as soon as what is built inside the block has more modules and parameters."""
    from torch.nn.modules import module

    built = 0

    def count(*registered: object) -> None:
        nonlocal built
        built += 1
        if built > parts:
            raise TooLarge(f"asks for a network of more than {parts} modules and parameters.")

    hooks = (
        module.register_module_module_registration_hook(count),
        module.register_module_parameter_registration_hook(count),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def parts_for(tensors: int) -> int:
    """Return the budget of a network that so many tensors of a file shall fill.

    Every parameter is one of them, and most modules have some.
    """
    return PARTS_A_TENSOR * tensors + FEW_PARTS
