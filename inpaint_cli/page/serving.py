"""Running the page's server on this machine alone, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from inpaint_cli.errors import ResourceError
from inpaint_cli.page.gate import Refusal, refused
from inpaint_cli.page.server import PageServer

HERE = "127.0.0.1"
MOST_CONNECTIONS = 32
IDLE_SECONDS = 60
CLOSING_SECONDS = 1


def listening(port: int) -> socket.socket:
    """Return a socket at 127.0.0.1; port 0 = a free one. ResourceError where it cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HERE, port))
        listener.listen(MOST_CONNECTIONS)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            text = f"{port} is already in use. Leave it out, or take another."
            raise ResourceError(text, setting="port") from error
        text = f"{port} cannot be used ({error.strerror}). Leave it out, or take another."
        raise ResourceError(text, setting="port") from error
    return listener


class Patient(H11Protocol):
    """HTTP/1.1 that also gives up a connection on which no request was ever finished.

    What it answers by itself looks like all other answers.
    """

    def connection_made(self, transport: Any) -> None:
        """Take a connection; of too many, only to say so."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self.app = refused(Refusal(503, "too many connections at once."))
        self.loop.call_later(IDLE_SECONDS, self._give_up, transport)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        answer = refused(Refusal(400, "no request that can be understood."))
        fields = b"".join(b"%b: %b\r\n" % field for field in answer.raw_headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n%b\r\n%b" % (fields, bytes(answer.body)))
        self.transport.close()

    def _give_up(self, transport: Any) -> None:
        cycle: Any = self.cycle  # None as long as no request came, whatever its type says
        if cycle is None and not transport.is_closing():
            transport.close()


class Serving(uvicorn.Server):
    """A server that ends well on Ctrl-C, SIGTERM, a closed terminal, and when the page says so."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on signals, which are then done with: the program goes on to its own end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGINT, signal.SIGTERM]
        hangup = getattr(signal, "SIGHUP", None)  # which Windows has not, and which nohup ignores
        if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
            numbers.append(hangup)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second time, at once."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def serve(page: PageServer, at: socket.socket) -> None:
    """Serve the page until it is told to stop; nothing is printed."""
    config = uvicorn.Config(
        page.app(),
        http=Patient,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=CLOSING_SECONDS,
        proxy_headers=False,
    )
    server = Serving(config)

    def stop() -> None:
        page.closing = True
        server.should_exit = True

    page.stop = stop
    asyncio.run(_serve(server, page, at))


async def _serve(server: Serving, page: PageServer, at: socket.socket) -> None:
    watching = asyncio.create_task(_close_streams(server, page))
    try:
        await server.serve(sockets=[at])
    finally:
        watching.cancel()


async def _close_streams(server: Serving, page: PageServer) -> None:
    """End streams of events once the server is to stop, whoever said so."""
    while not server.should_exit:
        await asyncio.sleep(0.1)
    page.closing = True
