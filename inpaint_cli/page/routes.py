"""What can be asked of the server: a method for each route; `session.py` does the work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from inpaint_cli.page.answers import download, noted, parsed, picture
from inpaint_cli.page.drawing import NoSuchRound, Round
from inpaint_cli.page.session import Session
from inpaint_cli.photos.arguments import whole

TICK_SECONDS = 0.05
SILENT_SECONDS = 10.0
"""A stream of events without news gets an empty line this often, so that nobody gives it up."""
Work = Callable[[Request, bytes], Any]
Endpoint = Callable[[Request], Awaitable[Response]]
ROUND = "/api/rounds/{round:int}"
COMPLETION = ROUND + "/{index:int}"


@dataclass
class PhotoRoutes:
    """The photo and its mask."""

    session: Session
    work: Callable[[Work], Endpoint]
    """Makes an endpoint of a method that works in a thread."""

    def all(self) -> list[Route]:
        """Return the routes."""
        table: list[tuple[str, str, Work]] = [
            ("GET", "/api/state", lambda *_: self.session.state()),
            ("POST", "/api/photo", self.upload),
            ("GET", "/api/photo", lambda *_: picture(*self.session.shown())),
            ("GET", "/api/mask", lambda *_: self.session.packed()),
            ("PUT", "/api/mask", self.put),
            ("POST", "/api/mask/file", self.mask_file),
            ("POST", "/api/mask/grow", self.grow),
            ("POST", "/api/mask/draw", self.draw),
            ("GET", "/api/mask.png", lambda *_: download(*self.session.mask_png())),
        ]
        return [Route(path, self.work(work), methods=[method]) for method, path, work in table]

    def upload(self, request: Request, body: bytes) -> Any:
        """Open a photo that was sent."""
        self.session.upload(body, unquote(request.headers.get("x-name", "photo")))
        return self.session.state()

    def put(self, request: Request, body: bytes) -> Any:
        """Take the mask of the page."""
        self.session.put_mask(body, _seen(request))
        return {}

    def mask_file(self, request: Request, body: bytes) -> Any:
        """Take a mask file and return it packed."""
        flags = {name: request.query_params.get(name) == "1" for name in ("invert", "alpha")}
        name = unquote(request.headers.get("x-name", "mask"))
        resize = request.query_params.get("resize") == "1" or None
        notes = self.session.read_mask_file(body, name, _seen(request), resize=resize, **flags)
        return noted(self.session.packed(), notes)

    def grow(self, request: Request, body: bytes) -> Any:
        """Enlarge the hole and return the mask packed."""
        self.session.grow(parsed(body).get("px"), _seen(request))
        return self.session.packed()

    def draw(self, request: Request, body: bytes) -> Any:
        """Draw a mask and return it packed."""
        given = parsed(body)
        wanted = given.get("kind"), given.get("seed", 0), given.get("model")
        self.session.draw_mask(*wanted, _seen(request))
        return self.session.packed()


@dataclass
class RoundRoutes:
    """Rounds: their start, their news, their pictures, and saving them."""

    session: Session
    work: Callable[[Work], Endpoint]
    closing: Callable[[], bool]

    def all(self) -> list[Route]:
        """Return the routes."""
        table: list[tuple[str, str, Work]] = [
            ("POST", "/api/rounds", self.start),
            ("DELETE", ROUND, self.stop),
            ("GET", COMPLETION + "/preview.png", self.preview),
            ("GET", COMPLETION + "/patch.png", self.patch),
            ("GET", COMPLETION + "/file", self.file),
            ("GET", ROUND + "/uncertainty.png", self.uncertainty),
            ("POST", ROUND + "/save", self.save),
            ("POST", ROUND + "/continue", self.go_on),
        ]
        routes = [Route(path, self.work(work), methods=[method]) for method, path, work in table]
        return [*routes, Route(ROUND + "/events", self.events, methods=["GET"])]

    def start(self, request: Request, body: bytes) -> Any:
        """Start a round."""
        return {"round": self.session.start(parsed(body), _seen(request)).number}

    def stop(self, request: Request, body: bytes) -> Any:
        """Stop a round."""
        self.session.stop(_number(request))
        return {}

    def preview(self, request: Request, body: bytes) -> Any:
        """Return the surroundings of the hole as they became, reduced."""
        previews, index = self.session.rounds.find(_number(request)).previews, _index(request)
        if index >= len(previews):
            raise NoSuchRound("not drawn yet.")
        return picture(previews[index], "image/png")

    def patch(self, request: Request, body: bytes) -> Any:
        """Return the pixels of the hole as they became."""
        index = _index(request)
        return picture(self.session.done(_number(request), index).patch(index), "image/png")

    def file(self, request: Request, body: bytes) -> Any:
        """Return one completion as the file that a save writes."""
        return download(*self.session.one(_number(request), _index(request)))

    def uncertainty(self, request: Request, body: bytes) -> Any:
        """Return where completions differ."""
        return picture(self.session.done(_number(request), 1).uncertainty(), "image/png")

    def save(self, request: Request, body: bytes) -> Any:
        """Save a round."""
        return self.session.save(_number(request), parsed(body))

    def go_on(self, request: Request, body: bytes) -> Any:
        """Open a completion as the next photo."""
        self.session.continue_from(_number(request), whole(parsed(body).get("index"), "index", 0))
        return self.session.state()

    async def events(self, request: Request) -> Response:
        """Return the news of a round, to its end."""

        def find(request: Request, body: bytes) -> Any:
            drawn = self.session.rounds.find(_number(request))
            first = request.query_params.get("from", "0")
            sent = int(first) if first.isascii() and first.isdigit() and len(first) < 10 else 0
            return StreamingResponse(
                news(drawn, sent, self.closing), media_type="application/x-ndjson"
            )

        return await self.work(find)(request)


def _seen(request: Request) -> int | None:
    """Return the version of the photo that the page shows; None where it does not say."""
    told = request.headers.get("x-inpaint-photo", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else None


def _number(request: Request) -> int:
    return int(request.path_params["round"])


def _index(request: Request) -> int:
    return int(request.path_params["index"])


async def news(drawn: Round, sent: int, closing: Callable[[], bool]) -> AsyncIterator[str]:
    """Yield the events of a round from number `sent` on, a JSON document a line, to its end."""
    silent = 0.0
    while not closing():
        over = drawn.state != "running"
        while sent < len(drawn.events):
            yield json.dumps(drawn.events[sent]) + "\n"
            sent, silent = sent + 1, 0.0
        if over:
            return
        await asyncio.sleep(TICK_SECONDS)
        silent += TICK_SECONDS
        if silent >= SILENT_SECONDS:
            yield "\n"
            silent = 0.0
