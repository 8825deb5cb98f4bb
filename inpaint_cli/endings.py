"""Work beside the main thread, and the end of a process that does not wait for it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_NAME = "inpaint-background"


def in_background(work: Callable[..., Any], *arguments: Any) -> None:
    """Begin work that the end of the process does not wait for."""
    threading.Thread(target=work, args=arguments, name=_NAME, daemon=True).start()


def end_beside_background(code: int) -> None:
    """End the process at once with an exit code, if work goes on in the background.

    Python would stop those threads in the middle of compiled code, and C++ aborts then. All other
    threads come to their own end first.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if not any(thread.name == _NAME for thread in others):
        return
    for thread in others:
        if not thread.daemon:
            thread.join()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
