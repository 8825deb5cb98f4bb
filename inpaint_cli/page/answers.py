"""Bodies of requests in, and bodies of answers out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inpaint_cli.page.gate import Refusal
from inpaint_cli.page.opened import plain_text

SLOW_SECONDS = 60.0
"""A body whose next piece takes longer is given up."""


async def body_of(request: Request) -> bytes:
    """Return the body of a request; Refusal where it comes too slowly or not at all."""
    parts = list[bytes]()
    while True:
        try:
            message = await asyncio.wait_for(request.receive(), SLOW_SECONDS)
        except TimeoutError:
            raise Refusal(408, "what was sent came too slowly.") from None
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the connection was closed.")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


class Json(JSONResponse):
    """JSON in ASCII: names that are no UTF-8, and words of strangers, have what is no text."""

    def render(self, content: Any) -> bytes:
        """Return the document."""
        return json.dumps(content, separators=(",", ":")).encode()


def parsed(body: bytes) -> dict[str, Any]:
    """Return a JSON object; Refusal for all else."""
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "not JSON.") from None
    if not isinstance(document, dict):
        raise Refusal(400, "not a JSON object.")
    return document


def answer(result: Any) -> Response:
    """Return what a handler gave as a response."""
    if isinstance(result, Response):
        return result
    if isinstance(result, bytes):
        return Response(result, media_type="application/octet-stream")
    return Json(result)


def picture(content: bytes, media_type: str) -> Response:
    """Return a picture that was encoded here."""
    return Response(content, media_type=media_type)


def noted(content: bytes, notes: Sequence[str]) -> Response:
    """Return bytes with remarks on them."""
    headers = {"x-notes": quote("\n".join(notes))}
    return Response(content, media_type="application/octet-stream", headers=headers)


def download(content: bytes, name: str) -> Response:
    """Return a file for the user's folder of downloads."""
    quoted = quote(plain_text(name))
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quoted}", "x-name": quoted}
    return Response(content, media_type="application/octet-stream", headers=headers)
