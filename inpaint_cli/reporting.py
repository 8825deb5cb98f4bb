"""What a command says besides its result: notes and progress, on stderr only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from inpaint_cli.errors import with_flags
from inpaint_cli.streams import shown


class Advance(Protocol):
    """Reports that some units of work are done, with a short text beside the bar."""

    def __call__(self, units: int = 1, text: str = "") -> None: ...


def at_terminal() -> bool:
    """Return whether stderr is a terminal; a program may have none at all."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except (OSError, ValueError):  # ValueError: closed
        return False


def _say(text: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(shown(with_flags(text)), file=sys.stderr, flush=True)


@dataclass
class Reporter:
    """Writes remarks to stderr. `quiet` silences all but warnings, `verbose` adds explanations.

    It never raises: where stderr cannot be written, the work goes on in silence.
    """

    quiet: bool = False
    verbose: bool = False
    line_seconds: float = 60.0
    """Where stderr is no terminal, progress is one plain line at this interval."""

    def note(self, text: str) -> None:
        """Tell what a user may want to know."""
        if not self.quiet:
            _say(text)

    def loading(self, *names: str) -> None:
        """Tell at once what is loaded, before that takes its seconds; of torchrun's processes once.

        Called before torch is imported, so the number of this process is that of its surroundings.
        """
        if names and os.environ.get("RANK", "0") == "0":
            self.note(f"loading {', '.join(names)} ...")

    def detail(self, text: str) -> None:
        """Tell what only a verbose reporter shows."""
        if self.verbose and not self.quiet:
            _say(text)

    def warn(self, text: str) -> None:
        """Warn that the result may differ from what was asked for; never silenced."""
        _say(f"warning: {text}")

    @contextmanager
    def progress(self, title: str, total: int, done: int = 0) -> Iterator[Advance]:
        """Show rate and time left of `total` units; a bar on a terminal, else a line a minute."""
        if self.quiet:
            yield lambda units=1, text="": None
        elif at_terminal():
            yield from self._bar(title, total, done)
        else:
            yield self._lines(title, total, done)

    def _bar(self, title: str, total: int, done: int) -> Iterator[Advance]:
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[text]}", markup=False),
        )
        with progress.Progress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(title, total=total, completed=done, text="")

            def advance(units: int = 1, text: str = "") -> None:
                with suppress(OSError):
                    bars.advance(task, units)
                    if text:
                        bars.update(task, text=shown(text))

            yield advance

    def _lines(self, title: str, total: int, done: int) -> Advance:
        start = last = time.monotonic()
        first, state = done, {"done": done}

        def advance(units: int = 1, text: str = "") -> None:
            nonlocal last
            state["done"] += units
            now = time.monotonic()
            if now - last < self.line_seconds:
                return
            last = now
            seconds = (now - start) * (total - state["done"]) / max(state["done"] - first, 1)
            left = f"{seconds / 60:.0f} min left"
            self.note(f"{title}: {state['done']}/{total}, {left} {text}".rstrip())

        return advance


@dataclass
class Told(Reporter):
    """A reporter that also keeps its remarks, for the page and for Python."""

    lines: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Tell what a user may want to know, and keep it."""
        self.lines.append(text)
        super().note(text)

    def warn(self, text: str) -> None:
        """Warn, and keep the warning."""
        self.lines.append(f"warning: {text}")
        super().warn(text)


def percent(share: float) -> str:
    """Return a share in words, where little is not nothing, nor much everything.

    >>> percent(0.0221), percent(0.0002), percent(0.99999), percent(1)
    ('2.2 %', 'below 0.1 %', 'above 99.9 %', '100.0 %')
    """
    if 0 < share < 0.001:
        return "below 0.1 %"
    if 0.999 < share < 1:
        return "above 99.9 %"
    return f"{100 * share:.1f} %"
