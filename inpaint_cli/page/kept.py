"""The rounds that can be looked at again."""

from __future__ import annotations

from pathlib import Path

from inpaint_cli.errors import UserError
from inpaint_cli.files import resolved
from inpaint_cli.page.drawing import Round
from inpaint_cli.page.opened import OpenedPhoto

MOST_ROUNDS = 20
"""The oldest are forgotten, those that were saved first."""


class NoSuchRound(UserError):
    """A round, or a completion of it, is not there."""


class KeptRounds(dict[int, Round]):
    """Rounds by their number."""

    lost: int = 0
    """Rounds that were forgotten and had not been saved."""

    @property
    def all(self) -> list[Round]:
        """The rounds of this moment; others may start while one goes through them."""
        return list(self.values())

    @property
    def running(self) -> Round | None:
        """The round that is being drawn."""
        return next((one for one in self.all if one.state == "running"), None)

    @property
    def unsaved(self) -> int:
        """How many rounds were drawn and not saved."""
        return self.lost + sum(r.completed is not None and r.saved is None for r in self.all)

    @property
    def inputs(self) -> frozenset[Path]:
        """The photos that saved results were made of, but for those that are results themselves."""
        saved = [one.saved for one in self.all if one.saved and one.photo.origin is None]
        return frozenset(resolved(Path(one["photo"])) for one in saved)

    def find(self, number: int) -> Round:
        """Return a round; NoSuchRound where there is none."""
        if number not in self:
            raise NoSuchRound(f"there is no round {number}.")
        return self[number]

    def make_room(self, photo: OpenedPhoto) -> list[str]:
        """Forget rounds before the next one; return what is to be told of it.

        photo: the open one. What it, or the photo of another round, was continued from stays.
        """
        used = {one.origin[0] for one in (photo, *(r.photo for r in self.all)) if one.origin}
        empty = [number for number, drawn in self.items() if drawn.completed is None]
        free = [number for number in self if number not in used and number not in empty]
        free.sort(key=lambda number: self[number].saved is None)
        old = free[: max(0, len(free) - MOST_ROUNDS + 1)]
        unsaved = [number for number in old if self[number].saved is None]
        self.lost += len(unsaved)
        for number in empty + old:
            del self[number]
        return [
            f"round {number} was not saved and is forgotten: {MOST_ROUNDS} are kept"
            for number in unsaved
        ]
