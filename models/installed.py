"""Families of other packages, which announce them under the entry points `inpaint.families`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.family import Completions, Family

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from inpaint_cli.randomness import Noise

GROUP = "inpaint.families"
METHODS = ("stages", "build", "convert")
DRAWING = ("complete", "drawn")
LATER = {"reconstructs": False}
"""Facts that came later, and what they are of a family that does not state them."""


@cache
def announced() -> dict[str, EntryPoint]:
    """Return name -> entry point of every installed family; nothing of them is imported."""
    if not _any_announced():
        return {}
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def _any_announced() -> bool:
    """Return whether an installed package names the group.

    `importlib.metadata` takes 80 ms to answer that, most of it to import it; this takes 2.
    """
    wanted = GROUP.encode()
    for folder in dict.fromkeys(sys.path):
        try:
            with os.scandir(folder or ".") as entries:
                kept = [e.path for e in entries if e.name.endswith((".dist-info", ".egg-info"))]
        except OSError:  # an archive, or a folder that is gone
            continue
        if any(wanted in _entry_points_in(path) for path in kept):
            return True
    return False


def _entry_points_in(folder: str) -> bytes:
    try:
        with open(os.path.join(folder, "entry_points.txt"), "rb") as file:
            return file.read()
    except OSError:
        return b""


@cache
def load(name: str) -> Family:
    """Return an installed family; UserError in one sentence for whatever is wrong with it."""
    point = announced()[name]
    package = point.dist.name if point.dist else point.value
    try:
        family: Any = point.load()
        if isinstance(family, type):
            family = family()
    except (Exception, SystemExit) as error:
        raise UserError(
            f"the family '{name}' of the package {package} cannot be loaded: "
            f"{type(error).__name__}: {error}",
            setting="model",
        ) from error
    needed = [part for part in (*Family.__annotations__, *METHODS) if part not in LATER]
    lacking = [part for part in needed if not hasattr(family, part)]
    if lacking:
        raise UserError(
            f"the family '{name}' of the package {package} lacks {', '.join(lacking)}; "
            "docs/comparing.md says what a family has.",
            setting="model",
        )
    for part, value in LATER.items():
        if not hasattr(family, part):
            setattr(family, part, value)
    return family  # type: ignore[no-any-return]


def guarded(model: Any, family: str) -> Any:
    """Return a model of an installed family whose own mistakes become one sentence; ours as it is.

    Errors that are one already, and a lack of memory, pass as they are. What it completes is
    checked.
    """
    if family not in announced():
        return model
    for part in (*DRAWING, "log_prob", "reconstruct"):
        method = getattr(model, part, None)
        if callable(method):
            object.__setattr__(model, part, _guard(method, family, part))
    return model


def _guard(method: Callable[..., Any], family: str, part: str) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        try:
            given = method(*args, **options)
        except (PlainError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if "out of memory" in str(error):
                raise
            raise UserError(
                f"the family '{family}' failed: {type(error).__name__}: {error}", setting="model"
            ) from error
        return _checked(given, family, part, *args, **options) if part in DRAWING else given

    return call


def _checked(
    given: Any, family: str, part: str, /, image: Any, visible: Any, noise: Noise, **_: Any
) -> Any:
    """Return completions; UserError for other numbers, sizes or types than they must have.

    What is visible of tensors is put back, as `Method` does with arrays.
    """
    from inpaint_cli.models.method import check_drawn  # with numpy, which lists do without

    whose, shape = f"the family '{family}'", tuple(image.shape)
    if part == "drawn":
        check_drawn(given, (len(noise), *shape), whose)
        return given
    if not isinstance(given, Completions):
        raise UserError(f"{whose} gave {type(given).__name__}; Completions are needed.")
    check_drawn(given.images, (len(noise), *shape[1:]), whose)
    return replace(given, images=given.images.where(~visible, image))
