"""A server of one file on this machine, for tests of downloads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTENT = bytes(range(256)) * 1000


class Server:
    """What the server holds and how it behaves; `asked` lists the Range of every request."""

    def __init__(self) -> None:
        self.content, self.mark = CONTENT, '"one"'
        self.ranges = True
        self.cut = 0
        """Bytes after which the connection ends; 0 = it does not."""
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
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if server.mark:
                self.send_header("ETag", server.mark)
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
