"""The errors that people see: cli.py alone turns them into one line and an exit code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy
from difflib import get_close_matches
from pathlib import Path
from typing import Self

SETTING_IN_TEXT = re.compile(r"\bthe setting ([a-z][a-z_]*)")
"""How a message names a setting that it advises: the command line spells that one as a flag too."""
TERMINATED = "terminated"
"""All that there is to say of a signal from nobody knows where."""
LONGEST_NAME = 200
"""Characters of an unknown name that a message repeats; finding the nearest takes their square."""


class PlainError(Exception):
    """An error that is one sentence, with what it is about kept apart from the text.

    setting: the option or argument at fault, as Python names it ("top_k"); "" where it is none.
    where: the file at fault; `within` puts the photo that was worked on in front of it.
    `str` is for Python programs; the command line spells `setting` as a flag. ends_batch: it would
    be the same for every photo of a batch, so the batch ends.

    >>> error = PlainError("must be at least 1, got 0.", setting="top_k")
    >>> str(error), error.on_command_line()
    ('top_k: must be at least 1, got 0.', '--top-k: must be at least 1, got 0.')
    """

    ends_batch = False

    def __init__(self, text: str, *, setting: str = "", where: str | Path = "") -> None:
        self.text, self.setting = text, setting
        self.places = (str(where),) if str(where) else ()
        super().__init__(text)

    def __str__(self) -> str:
        return self._line(self.places, self.setting, self.text)

    def on_command_line(self, beside: str | Path = "") -> str:
        """Return the message with its settings spelled as flags: `-n` or `--top-k`.

        beside: a place that stands beside the message already, and is left out.

        >>> UserError("a.png: is no picture.").on_command_line(beside="a.png")
        'is no picture.'
        """
        places = [place for place in self.places if place != str(beside)]
        text = with_flags(self.text.removeprefix(f"{beside}: "))
        return self._line(places, self.setting and _flag(self.setting), text)

    def within(self, place: str | Path) -> Self:
        """Return the same error with `place` in front, unless it stands there already."""
        if self.places[:1] == (str(place),) or self.text.startswith(f"{place}: "):
            return self
        error = copy(self)
        error.places = (str(place), *self.places)
        return error

    @staticmethod
    def _line(places: Iterable[str], setting: str, text: str) -> str:
        return ": ".join([*places, *filter(None, [setting]), text])


def with_flags(text: str) -> str:
    """Return a message or remark with the settings that it advises spelled as flags.

    >>> with_flags("leave out the setting mask_alpha.")
    'leave out --mask-alpha.'
    """
    return SETTING_IN_TEXT.sub(lambda match: _flag(match[1]), text)


def _flag(setting: str) -> str:
    return ("-" if len(setting) == 1 else "--") + setting.replace("_", "-")


class UserError(PlainError):
    """What the caller typed or gave cannot be used; the message says what to do. Exit code 2."""


class ResourceError(PlainError):
    """The machine could not do it: full disk, no permission, out of memory. Exit code 1."""


class PartialFailure(Exception):
    """Some items of a batch failed, and were reported; the others are done. Exit code 3."""


class Interrupted(KeyboardInterrupt):
    """A signal stopped the work. Exit code 128 + `signal_number`.

    Like its parent it is no Exception, so a handler of failed items never takes it for one.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class UnknownName(UserError):
    """A name that means nothing here; `advice` is the nearest known one, or all of them."""

    advice = ""


def unknown_name(
    subject: str, name: str, known: Iterable[str], where: str = "", *, setting: str = ""
) -> UnknownName:
    """Return the error for an unknown name, with the nearest known one.

    where: a last sentence, on where all names are listed.

    >>> unknown_name("no family", "pcn", ["pcnn", "ipa"], setting="model").on_command_line()
    "--model: no family called 'pcn'. Did you mean 'pcnn'?"
    >>> str(unknown_name("no data set", "x", ["digits", "mnist"], setting="data"))
    "data: no data set called 'x'. Known: digits, mnist."
    """
    names = sorted(known)
    quoted = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    near = get_close_matches(quoted.lower(), names, n=1)
    nearest = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(names)}."
    advice = " ".join(filter(None, [nearest, where]))
    error = UnknownName(f"{subject} called '{quoted}'. {advice}", setting=setting)
    error.advice = advice
    return error
