"""Who may ask the server for something, and the headers of every answer.

Any web page that is open in the browser can send requests to 127.0.0.1, and so can every user of
the machine. So a request has to name this machine (a foreign name may point at 127.0.0.1), come
from this page if it comes from a page, and show a token.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_BYTES = 24
TOKEN_HEADER = b"x-inpaint-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HOST = re.compile(rb"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
"""The port is not compared, since `ssh -L` may change it."""
MIB = 1 << 20
LONGEST_PATH = 200
"""No address here is longer; Python makes no number of thousands of digits."""
JSON_BYTES = 64 << 10
LIMITS = {"/api/photo": 256 * MIB, "/api/mask/file": 64 * MIB, "/api/mask": 64 * MIB}
"""Bytes that may be sent, by path; elsewhere `JSON_BYTES`."""
OPEN = ("/api/enter",)
"""What needs no token, since it gives one."""


class Refusal(Exception):
    """Why a request is not answered."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def refused(refusal: Refusal) -> JSONResponse:
    """Return the answer to a request that is not let through; it ends the connection.

    What was not read of it would stand in the way of a next request.
    """
    headers = {**HEADERS, "connection": "close"}
    return JSONResponse({"error": str(refusal)}, refusal.status, headers=headers)


class Gate:
    """ASGI middleware: lets requests through to `app`, or refuses them in one sentence."""

    def __init__(self, app: App, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *ours]
            await send(message)

        try:
            self.check(scope)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, send)
            return
        await self.app(scope, receive, send_with_headers)

    def check(self, scope: Scope) -> None:
        """Raise Refusal where a request may not be answered."""
        fields: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            fields.setdefault(name.lower(), []).append(value)
        host = check_host(fields)
        check_origin(fields, host)
        if len(scope["path"]) > LONGEST_PATH:
            raise Refusal(414, "there is nothing here.")
        if scope["method"] == "OPTIONS":
            raise Refusal(403, "no other page may use this server.")
        if scope["path"].startswith("/api/") and scope["path"] not in OPEN:
            self.check_token(fields)
        sent = b"content-length" in fields or b"transfer-encoding" in fields
        if sent or scope["method"] in ("POST", "PUT", "PATCH"):
            check_length(fields, LIMITS.get(scope["path"], JSON_BYTES))

    def check_token(self, fields: Mapping[bytes, list[bytes]]) -> None:
        """Refuse a request without the token; the time that takes does not depend on it."""
        given = fields.get(TOKEN_HEADER, [b""])
        if len(given) != 1 or not secrets.compare_digest(given[0], self.token.encode()):
            raise Refusal(401, "open the address that 'inpaint paint' printed: it has a key.")


def new_token() -> str:
    """Return a secret that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def check_host(fields: Mapping[bytes, list[bytes]]) -> bytes:
    """Return the host that a request names; Refusal where it is not this machine."""
    hosts = fields.get(b"host", [])
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0].lower()):
        raise Refusal(403, "this server answers to 127.0.0.1 and localhost only.")
    return hosts[0].lower()


def check_origin(fields: Mapping[bytes, list[bytes]], host: bytes) -> None:
    """Refuse a request that another page sent."""
    origins = fields.get(b"origin", [])
    sites = fields.get(b"sec-fetch-site", [])
    if any(origin.lower() != b"http://" + host for origin in origins):
        raise Refusal(403, "no other page may use this server.")
    if any(site not in (b"none", b"same-origin") for site in sites):
        raise Refusal(403, "no other page may use this server.")


def check_length(fields: Mapping[bytes, list[bytes]], most: int) -> None:
    """Refuse what does not say its length, or is too long, before any of it is read."""
    lengths = fields.get(b"content-length", [])
    if len(lengths) != 1 or not lengths[0].isdigit() or b"transfer-encoding" in fields:
        raise Refusal(411, "the length of what is sent has to be told.")
    if len(lengths[0]) > 12 or int(lengths[0]) > most:
        raise Refusal(413, f"too large: at most {most >> 20 or most / MIB:.3g} MiB.")
