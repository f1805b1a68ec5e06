"""Serve the view of a dataset on loopback, with a form to change its records as `edit` does.

Whoever knows the address may read and write: it holds a token that is drawn anew each time. Requests that other pages
in the same browser could send (another host's name, another origin, a form) are refused.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from offside_data.errors import OffsideError, UsageError
from offside_data.view.building import PAGE
from offside_data.view.editing import EditSession
from offside_data.view.scripts import script_json

HOST = "127.0.0.1"
BODY_BYTES = 1 << 20
"""Longest body of a request."""
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}
"""What a view consists of; files with another ending aren't served."""
_JSON = "application/json"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",  # The data are scripts, which any page could load otherwise.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class EditServer(ThreadingHTTPServer):
    """Serves the view of one session at `address`."""

    daemon_threads = True

    def __init__(self, session: EditSession, *, port: int = 0) -> None:
        """Bind the port.

        Args:
            session: What is served.
            port: The port; 0 takes a free one.

        Raises:
            UsageError: If the port can't be had.
        """
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} can't be used: {error}. Give another; 0 takes a free one.") from error
        self.session = session
        self.token = secrets.token_urlsafe(24)
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"


class _RefusedError(Exception):
    """A request that isn't followed."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: EditServer
    timeout = 60
    """Seconds without a byte after which a connection is given up."""

    def version_string(self) -> str:
        return "offside-data"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold the token."""

    def do_GET(self) -> None:
        try:
            path = self._file(self._name())
            self._answer(HTTPStatus.OK, path.read_bytes(), TYPES[path.suffix])
        except _RefusedError as refused:
            self._answer(refused.status, f"{refused}\n".encode(), "text/plain; charset=utf-8")
        except OSError:  # Of a view that was built anew, or no name that a file can have.
            self._answer(HTTPStatus.NOT_FOUND, b"The view has no such file.\n", "text/plain; charset=utf-8")

    def do_POST(self) -> None:
        session = self.server.session
        try:
            body = self._body()
            actions = {"edit": session.edit, "undo": session.undo, "state": session.state, "rebuild": session.rebuild}
            action = actions.get(self._name())
            if action is None:
                raise _RefusedError(HTTPStatus.NOT_FOUND, "There is nothing to post to here.")
            status, answer = HTTPStatus.OK, action(self._asked(body))
        except _RefusedError as refused:
            status, answer = refused.status, {"problems": [str(refused)]}
        except OffsideError as error:
            status, answer = HTTPStatus.BAD_REQUEST, {"problems": [str(error)]}
        except OSError as error:
            status, answer = HTTPStatus.INTERNAL_SERVER_ERROR, {"problems": [str(error)]}
        self._answer(status, script_json({"problems": [], **answer}).encode("ascii"), _JSON)

    def _name(self) -> str:
        """What is asked for, below the token.

        Raises:
            _RefusedError: If the host or the token isn't ours.
        """
        if self.headers.get("Host") not in self.server.hosts:
            raise _RefusedError(HTTPStatus.FORBIDDEN, f"This is {HOST}:{self.server.server_port} and nothing else.")
        token, slash, name = unquote(self.path.partition("?")[0].removeprefix("/")).partition("/")
        if not slash or not secrets.compare_digest(token.encode(errors="replace"), self.server.token.encode()):
            raise _RefusedError(HTTPStatus.NOT_FOUND, "Open the address that the command printed.")
        return name

    def _file(self, name: str) -> Path:
        """The file of the view that a name means.

        Raises:
            _RefusedError: If the view has no such file.
        """
        folder = self.server.session.folder.resolve()
        if "\0" not in name:
            path = (folder / (name or PAGE)).resolve()
            if path.is_relative_to(folder) and path.suffix in TYPES and path.is_file():
                return path
        raise _RefusedError(HTTPStatus.NOT_FOUND, "The view has no such file.")

    def _body(self) -> bytes:
        """The body, read before anything is refused: a sender that is cut off wouldn't see why.

        Raises:
            _RefusedError: If its length isn't stated, or too long.
        """
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "The request must say how long its body is.")
        if len(length) > len(str(BODY_BYTES)) or int(length) > BODY_BYTES:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {BODY_BYTES:,} bytes.")
        return self.rfile.read(int(length))

    def _asked(self, body: bytes) -> Mapping[str, Any]:
        """The body of a request that our page sent.

        Raises:
            _RefusedError: If it isn't from our page, or isn't a JSON object.
        """
        if self.headers.get("Origin") not in {f"http://{host}" for host in self.server.hosts}:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "Only the page that is served here may change the dataset.")
        if self.headers.get_content_type() != _JSON:
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {_JSON}.")
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"The body isn't JSON: {error}") from error
        if not isinstance(asked, dict):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
        return asked

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        with contextlib.suppress(ConnectionError):  # Who asked left meanwhile.
            self.end_headers()
            self.wfile.write(body)
