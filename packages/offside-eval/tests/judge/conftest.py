"""A judge on the loopback that does what it is told, the odd things included."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from offside_eval.judge.config import JudgeConfig

KEY = "sk-secret-0123456789abcdef"


def completion(content: Any, *, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A chat completion as servers write it."""
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "served-model",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    } | more


class FakeJudge:
    """An endpoint; `act(handler, told)` answers each request, where `told` is what was asked, parsed."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.act: Callable[[Handler, dict[str, str]], None] = lambda handler, told: handler.verdict(7)
        self.delay = 0.0
        self._lock = threading.Lock()
        judge = self

        class Bound(Handler):
            fake = judge

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def note(self, handler: Handler, body: dict[str, Any]) -> int:
        with self._lock:
            self.requests.append(body)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self.paths.append(handler.path)
            return len(self.requests)

    @property
    def told(self) -> list[dict[str, str]]:
        """What was to be judged, request by request."""
        return [told_in(body) for body in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def told_in(body: dict[str, Any]) -> dict[str, str]:
    content = body["messages"][1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    told: dict[str, str] = json.loads(text)
    return told


class Handler(BaseHTTPRequestHandler):
    """One request."""

    fake: FakeJudge
    protocol_version = "HTTP/1.1"
    number = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.number = self.fake.note(self, body)
        time.sleep(self.fake.delay)
        self.fake.act(self, told_in(body))

    def verdict(self, score: Any, reason: str = "because") -> None:
        self.says(json.dumps({"factuality": score, "reason": reason}))

    def says(self, content: Any, **more: Any) -> None:
        self.sends(json.dumps(completion(content, **more)).encode())

    def sends(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def cuts(self, begun: bytes = b"") -> None:
        """End the connection with a reset after part of an answer."""
        if begun:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(begun)
            self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def drips(self, status: int = 200) -> None:
        """Send a byte every now and then, without end."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def fake() -> Iterator[FakeJudge]:
    server = FakeJudge()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offside_eval.judge.asking._WAIT", 0.01)
    for name in ("OFFSIDE_JUDGE_API_KEY", "OPENAI_API_KEY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config(fake: FakeJudge) -> Callable[..., JudgeConfig]:
    def make(**options: Any) -> JudgeConfig:
        return JudgeConfig(**{"endpoint": fake.url, "judge_model": "org/judge-1", "tries": 3, "timeout": 5.0} | options)

    return make
