"""A loopback proxy that passes requests on, and fails where it is told to."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["cut before", "cut after", "cut within"] | int
"""Cut the connection before the request is passed on, after it was, within the answer; or answer with a status."""
_PASSED = ("content-type", "retry-after")


class FaultyProxy:
    """In front of a server.

    Args:
        target: Its address.

    Attributes:
        asked: Every request, as `METHOD PATH`.
        on_request: Called with each before it is passed on.
        retry_after: What statuses ask to wait.
    """

    def __init__(self, target: str) -> None:
        self.asked: list[str] = []
        self.retry_after = "0"
        self.on_request: Callable[[str], None] = lambda request: None
        self._faults: list[tuple[str, Fault, bytes]] = []
        self._target = urlsplit(target)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = f"{self.command} {urlsplit(self.path).path}"
                proxy.asked.append(request)
                proxy.on_request(request)
                fault, said = proxy._fault(request)
                if fault == "cut before":
                    return self._cut()
                if isinstance(fault, int):
                    return self._send(fault, said, {"Retry-After": proxy.retry_after})
                status, content, headers = proxy._passed(self, body)
                if fault == "cut after":
                    return self._cut()
                if fault == "cut within":
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content[: len(content) // 2])
                    return self._cut()
                self._send(status, content, headers)

            def _cut(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, pattern: str, *faults: Fault, said: bytes = b"") -> None:
        """Let the next requests of a pattern fail, each in its way."""
        self._faults += [(pattern, fault, said) for fault in faults]

    def _fault(self, request: str) -> tuple[Fault | None, bytes]:
        for place, (pattern, fault, said) in enumerate(self._faults):
            if re.search(pattern, request):
                del self._faults[place]
                return fault, said
        return None, b""

    def _passed(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=300)
        headers = {
            n: v for n, v in handler.headers.items() if n.lower() not in ("host", "connection", "accept-encoding")
        }
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        passed = {name: value for name, value in answer.getheaders() if name.lower() in _PASSED}
        connection.close()
        return answer.status, content, passed
