"""When a run ends before its last step: Ctrl-C, SIGTERM, a closed terminal, or its time is up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""A closed terminal; Windows has none."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if HANGUP else ()))
TIME_IS_UP = 1
"""Beside the signals 2 and 15, so that ranks agree on the largest."""


class Stop:
    """Remembers the first signal; a second one ends the process at once, as usual.

    That is safe: files are replaced in one piece.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.signal_number = 0
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def reason(self) -> int:
        """The signal's number, TIME_IS_UP, or 0: go on."""
        if self.signal_number:
            return self.signal_number
        return TIME_IS_UP if self._end is not None and time.monotonic() >= self._end else 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch signals inside the block."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python allows handlers in the main thread only
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        if HANGUP and before[HANGUP] is signal.SIG_IGN:  # nohup: the terminal may go
            del before[HANGUP]

        def remember(number: int, frame: FrameType | None) -> None:
            self.signal_number = signal.SIGTERM if number == HANGUP else number
            for each, handler in before.items():
                # A terminal that closes tells twice, by the shell and by the system.
                signal.signal(each, signal.SIG_IGN if each == number == HANGUP else handler)

        try:
            for number in before:
                signal.signal(number, remember)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
