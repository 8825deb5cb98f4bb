"""The errors that people see: cli.py alone turns them into one line and an exit code."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """What the caller typed or gave cannot be used; the message says what to do. Exit code 2.

    setting: the option or argument at fault, as Python names it ("top_k"); "" where it is none.
    `str` is for Python programs; the command line writes its own name of the setting before `text`.

    >>> error = UserError("must be at least 1, got 0.", setting="top_k")
    >>> str(error), error.on_command_line()
    ('top_k: must be at least 1, got 0.', '--top-k: must be at least 1, got 0.')
    """

    def __init__(self, text: str, *, setting: str = "") -> None:
        self.text, self.setting = text, setting
        super().__init__(f"{setting}: {text}" if setting else text)

    def on_command_line(self) -> str:
        """Return the message with the setting spelled as a flag: `-n` or `--top-k`."""
        if not self.setting:
            return self.text
        dashes = "-" if len(self.setting) == 1 else "--"
        return f"{dashes}{self.setting.replace('_', '-')}: {self.text}"


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


def unknown_name(
    subject: str, name: str, known: Iterable[str], where: str = "", *, setting: str = ""
) -> UserError:
    """Return the error for an unknown name, with the nearest known one.

    >>> unknown_name("no family", "pcn", ["pcnn", "ipa"], setting="model").on_command_line()
    "--model: no family called 'pcn'. Did you mean 'pcnn'?"
    >>> str(unknown_name("no data set", "x", ["digits", "mnist"], setting="data"))
    "data: no data set called 'x'. Known: digits, mnist."
    """
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1)
    advice = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(names)}."
    text = " ".join(filter(None, [f"{subject} called '{name}'.", advice, where]))
    return UserError(text, setting=setting)
