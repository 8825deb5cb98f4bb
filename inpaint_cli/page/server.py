"""The application: its secrets, its static files, and what becomes of errors."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inpaint_cli.errors import UserError, with_flags
from inpaint_cli.page.answers import Json, answer, body_of, parsed
from inpaint_cli.page.drawing import NoSuchRound, in_words
from inpaint_cli.page.gate import Gate, Refusal, new_token
from inpaint_cli.page.routes import Endpoint, PhotoRoutes, RoundRoutes, Work
from inpaint_cli.page.saving import InTheWay
from inpaint_cli.page.session import Busy, Session

SCRIPTS = (
    *("mask.js", "view.js", "hud.js", "input.js", "editor.js"),
    *("server.js", "said.js", "settings.js", "rounds.js", "keys.js", "page.js"),
)
STATIC = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    **{name: (name, "text/javascript; charset=utf-8") for name in SCRIPTS},
    "favicon.svg": ("favicon.svg", "image/svg+xml"),
}
"""Name in the address -> file of this package and its media type; nothing else is served."""
ONCE_SECONDS = 60.0
"""How long the code that the browser is started with can be changed into the token."""


@dataclass
class PageServer:
    """The application, its secrets, and the way to end it."""

    session: Session
    debug: bool = False
    token: str = field(default_factory=new_token)
    once: str = field(default_factory=new_token)
    """A code for the browser's command line, which other users can see: of use once, and soon."""
    closing: bool = False
    stop: Callable[[], None] = lambda: None
    _born: float = field(default_factory=time.monotonic)

    def app(self) -> Gate:
        """Return the application behind its gate."""
        routes = [
            Route("/api/enter", self.work(self._enter), methods=["POST"]),
            Route("/api/page", self.work(self._page), methods=["POST"]),
            *PhotoRoutes(self.session, self.work).all(),
            *RoundRoutes(self.session, self.work, lambda: self.closing).all(),
            Route("/api/quit", self.work(self._quit), methods=["POST"]),
            Route("/{name:path}", static, methods=["GET"]),
        ]
        return Gate(Starlette(routes=routes, exception_handlers={HTTPException: plain}), self.token)

    def work(self, work: Work) -> Endpoint:
        """Return an endpoint that reads the body and works in a thread; errors are one sentence."""

        async def endpoint(request: Request) -> Response:
            try:
                self._check_page(request)
                body = await body_of(request)
                return answer(await run_in_threadpool(work, request, body))
            except Exception as error:
                return self.failure(error)

        return endpoint

    def failure(self, error: Exception) -> Response:
        """Return the answer to a request that failed."""
        if self.debug:
            traceback.print_exception(error)
        if isinstance(error, Refusal):
            return Json({"error": str(error)}, error.status)
        if isinstance(error, InTheWay):
            more = {"elsewhere": error.elsewhere, "replaceable": error.replaceable}
            return Json({"error": with_flags(str(error)), **more}, 409)
        if isinstance(error, UserError):
            status = {Busy: 409, NoSuchRound: 404}.get(type(error), 422)
            return Json({"error": with_flags(str(error))}, status)
        return Json({"error": in_words(error)}, 500)

    def _check_page(self, request: Request) -> None:
        page = request.headers.get("x-inpaint-page")
        if page is not None and page != str(self.session.page):
            raise Refusal(409, "opened in another tab.")

    def _enter(self, request: Request, body: bytes) -> Any:
        given = parsed(body).get("once")
        fresh = time.monotonic() - self._born < ONCE_SECONDS
        known = isinstance(given, str) and secrets.compare_digest(
            given.encode("utf-8", "replace"), self.once.encode()
        )
        if not (self.once and fresh and known):
            raise Refusal(401, "this address was used already. Take the one that was printed.")
        self.once = ""
        return {"token": self.token}

    def _page(self, request: Request, body: bytes) -> Any:
        self.session.page += 1
        return self.session.state()

    def _quit(self, request: Request, body: bytes) -> Any:
        self.closing = True
        self.stop()
        return {}


async def static(request: Request) -> Response:
    """Return a file of the page."""
    name = request.path_params["name"]
    if name not in STATIC:
        return Json({"error": "there is nothing here."}, 404)
    file, media_type = STATIC[name]
    content = resources.files("inpaint_cli.page").joinpath("static", file).read_bytes()
    return Response(content, media_type=media_type)


async def plain(request: Request, error: Exception) -> Response:
    """Return what Starlette answers by itself (404, 405) as one sentence."""
    assert isinstance(error, HTTPException)
    return Json({"error": error.detail}, error.status_code, headers=error.headers)
