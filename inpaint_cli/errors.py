"""The errors that people see: cli.py alone turns them into one line and an exit code."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """What the caller typed or gave cannot be used; the message says what to do. Exit code 2."""


class ResourceError(Exception):
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


def unknown_name(subject: str, name: str, known: Iterable[str], where: str = "") -> UserError:
    """Gives the error for an unknown name, with the nearest known one.

    >>> str(unknown_name("--model: no family", "pcn", ["pcnn", "ipa"]))
    "--model: no family called 'pcn'. Did you mean 'pcnn'?"
    >>> str(unknown_name("--data: no data set", "x", ["digits", "mnist"]))
    "--data: no data set called 'x'. Known: digits, mnist."
    """
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1)
    advice = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(names)}."
    return UserError(" ".join(filter(None, [f"{subject} called '{name}'.", advice, where])))
