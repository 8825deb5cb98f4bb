"""A page that is served to a test, and the requests that a test sends to it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inpaint_cli.page.choices import choices
from inpaint_cli.page.server import PageServer
from inpaint_cli.page.serving import listening, serve
from inpaint_cli.page.session import Session, SessionSettings
from inpaint_cli.photos.windows import Mask
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import DEFAULT


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass
class Served:
    """A server in a thread of this process."""

    page: PageServer
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Any = None,
        headers: Mapping[str, str] | None = None,
        token: bool = True,
    ) -> Answer:
        """Sends one request; a body that is not bytes goes as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if content is None and method in ("POST", "PUT"):
            content = b""
        given = {"X-Inpaint-Token": self.page.token} if token else {}
        connection.request(method, path, content, {**given, **(headers or {})})
        response = connection.getresponse()
        answer = Answer(
            response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        )
        connection.close()
        return answer

    def round(self, **order: Any) -> tuple[int, list[dict[str, Any]]]:
        """Draws a round to its end; its number and its events."""
        started = self.ask("POST", "/api/rounds", {"model": DEFAULT, "detail": "none", **order})
        assert started.status == 200, started.body
        number = int(started.json["round"])
        lines = self.ask("GET", f"/api/rounds/{number}/events").body.decode().splitlines()
        return number, [json.loads(line) for line in lines if line]


def session_in(folder: Path, **settings: Any) -> Session:
    """Return a session that would save into folder/out."""
    given = {"folder": folder / "out", "model": DEFAULT, **settings}
    return Session(SessionSettings(**given), choices(given["model"]), Reporter(quiet=True))


@contextmanager
def serving(session: Session) -> Iterator[Served]:
    """Serves a session to the end of the block."""
    at = listening(0)
    page = PageServer(session)
    thread = threading.Thread(target=serve, args=(page, at), daemon=True)
    thread.start()
    served = Served(page, at.getsockname()[1])
    try:
        yield served
    finally:
        page.stop()
        thread.join(20)
        session.close()


def wait_for(what: Any, seconds: float = 20) -> None:
    """Waits until `what()` is true; fails if it never is."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)


def photo_at(path: Path, height: int = 40, width: int = 60, **save: Any) -> Path:
    """Writes a photo of smooth colours."""
    rows, columns = np.mgrid[:height, :width]
    colours = [rows * 255 // height, columns * 255 // width, (rows + columns) % 256]
    Image.fromarray(np.dstack(colours).astype(np.uint8)).save(path, **save)
    return path


def hole_in(height: int = 40, width: int = 60) -> Mask:
    """Return what is visible around a hole of two pieces."""
    visible = np.ones((height, width), np.bool_)
    visible[height // 4 : height // 2, width // 4 : width // 2] = False
    visible[-3:, -2:] = False
    return visible


def packed(visible: Mask) -> bytes:
    """Return a mask as the page sends it."""
    return np.packbits(~visible).tobytes()
