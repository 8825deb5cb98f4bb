"""A server of one file on this machine, for tests of downloads."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch


def weights(value: float = 0.0) -> bytes:
    """A file of PyTorch with one tensor."""
    stream = io.BytesIO()
    torch.save({"a": torch.full((64_000,), value)}, stream)
    return stream.getvalue()


CONTENT = weights()


class Server:
    """What the server holds and how it behaves; `asked` lists the Range of every request."""

    def __init__(self) -> None:
        self.content, self.mark = CONTENT, '"one"'
        self.ranges = True
        self.cut = 0
        """Bytes after which the connection ends; 0 = it does not."""
        self.headers: dict[str, str] = {}
        """Sent in addition; an empty one is left out where it would be sent."""
        self.status = 0
        """In place of 200 or 206."""
        self.asked: list[str | None] = []
        self.address = ""


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            if self.path == "/missing":
                self.send_error(404)
                return
            start = 0
            if wanted and server.ranges and self.headers.get("If-Range") == server.mark:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
            body = server.content[start:]
            self.send_response(server.status or (206 if start else 200))
            headers = {"Content-Length": str(len(body)), "ETag": server.mark}
            if start:
                whole = len(server.content)
                headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
            for name, value in {**headers, **server.headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: server.cut] if server.cut else body)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs; what a test sets on it holds from the next request on."""
    state = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(state)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.address = f"http://127.0.0.1:{http.server_address[1]}/model.th"
        yield state
        http.shutdown()
        thread.join()
