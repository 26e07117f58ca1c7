"""HTTP/1.1 on loopback, one thread for each connection.

A request is taken only when its whole body has arrived: one that was cut off on the way is never carried out
(https://docs.stripe.com/error-low-level, "the connection breaks before the request is complete").
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.stripe_sandbox.app import Application, Ending, Reply, Request
from connectors.stripe_sandbox.control import PREFIX, Control
from connectors.stripe_sandbox.webhooks import LOOPBACK
from engine.clock import Clock, SystemClock

HOST: Final = "127.0.0.1"
LARGEST_BODY: Final = 1 << 20
_CONNECTIONS_WAITING: Final = 512


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _CONNECTIONS_WAITING

    def __init__(self, port: int, application: Application) -> None:
        self.application = application
        self.control = Control(application)
        super().__init__((HOST, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no error; anything else is, and says so on standard error."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "StripeSandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # headers and body leave together: two writes would wait for each other on the wire
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing is logged: the control shows the requests."""

    def _serve(self) -> None:
        request = self._read()
        if request is None:
            return
        if request.path.startswith(PREFIX):
            status, body = self.server.control.answer(request)
            self._write(Reply(status, body))
        else:
            self._write(self.server.application.answer(request))

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the base class's names

    def _read(self) -> Request | None:
        """The request, or None when it is not whole or not meant for this machine (then the connection closes)."""
        length = self.headers.get("Content-Length", "0")
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        if not length.isdecimal() or "Transfer-Encoding" in self.headers or host not in LOOPBACK:
            self.close_connection = True
            self.send_error(400)
            return None
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            self.send_error(413)
            return None
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            self.close_connection = True
            return None
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, parts.path, parts.query, headers, body)

    def _write(self, reply: Reply) -> None:
        if reply.ending is Ending.SILENT:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        cut = reply.ending is Ending.TRUNCATED
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if cut else reply.body)
        if cut:
            self.close_connection = True


def serve(
    port: int = 0,
    latency_ms: int = 0,
    clock: Clock | None = None,
    on_ready: Callable[[str], None] | None = None,
    *,
    live_allowed: bool = False,
    rate_limit: int | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve until `stop` is set, or SIGTERM or an interrupt arrives (both only in the main thread); then end quietly.

    `port` 0 takes any free one. `on_ready` is told the address, `http://127.0.0.1:PORT`, once the sandbox listens.
    `live_allowed` also takes `sk_live_...` keys and answers with livemode true. `rate_limit` is how many requests it takes in any
    second, None any number. Nothing is written to standard output.
    """
    stop = stop or threading.Event()
    application = Application(clock or SystemClock(), latency_ms, live_allowed, rate_limit)
    with _Server(port, application) as server, _ends_on_signals(stop):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="accept", daemon=True).start()
        try:
            if on_ready is not None:
                on_ready(f"http://{HOST}:{server.server_port}")
            with contextlib.suppress(KeyboardInterrupt):
                stop.wait()
        finally:
            application.closing.set()
            server.shutdown()


@contextlib.contextmanager
def _ends_on_signals(stop: threading.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
