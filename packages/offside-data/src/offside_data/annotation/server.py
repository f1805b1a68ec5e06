"""A Label Studio server over HTTP: both kinds of tokens, retries where asking twice does no harm, no token in messages.

The calls are few and stable; why they aren't made through `label-studio-sdk` is told in
`docs/decisions/0030-label-studio-over-plain-http.md`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from offside_data.errors import AnnotationError, UsageError
from offside_data.parsing import parse_json
from offside_data.progress import log

if TYPE_CHECKING:
    import requests

URL_VARIABLE = "LABEL_STUDIO_URL"
TOKEN_VARIABLE = "LABEL_STUDIO_API_KEY"
TokenKind = Literal["legacy", "personal"]
"""`legacy`: 40 hex digits, sent as they are. `personal`: a JWT, exchanged for an access token that lasts minutes."""

_TRIES = 4
_WAIT = 1.0
"""Seconds before the second try; twice as many before each further one."""
_LONGEST_WAIT = 300.0
"""Seconds; who asks for more is asked again by the next run."""
_TIMEOUT = (10.0, 300.0)
"""Seconds to connect, and between two pieces of an answer: a large project takes its time to export."""
_PASSING = (429, 502, 503, 504)
_SAID = 300
"""Characters of what the server says that a message quotes; it may echo whole tasks with their pictures."""
_AGAIN = "Run the command again when the server is back: it goes on from what is there."
_MOST_PAGE = 1_000
_PAGE = re.compile(r"/(projects|user|organization|api)(/|$)")
"""Within an address, what shows that it was copied from a page of the server."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables by which `requests` finds certificates, the first that is set."""
_UNKNOWN_ISSUER = "If it is your own server's, name a file with the certificate by REQUESTS_CA_BUNDLE."
_TIME = "Have it renewed, or set the clock of this machine if that is wrong."
_HOST = "Give the address that it is for, or have one made for this address."
_REMEDIES = {9: _TIME, 10: _TIME, 62: _HOST, 64: _HOST}
"""What to do about a certificate, by OpenSSL's number of what is wrong with it."""

_PROXY = " Or is it the proxy, which HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names? NO_PROXY names what goes without."


class LostAnswerError(AnnotationError):
    """The connection went while the server was at work: whether it did what was asked, nobody can say."""


def token_kind(token: str) -> TokenKind:
    """Which kind a token is.

    Raises:
        UsageError: If it is neither; the message doesn't show it.
    """
    if len(token) == 40 and all(letter in "0123456789abcdef" for letter in token.lower()):
        return "legacy"
    parts = token.split(".")
    if len(parts) == 3 and all(parts):
        try:
            header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
        except ValueError:
            header = None
        if isinstance(header, dict) and "alg" in header:
            return "personal"
    raise UsageError(
        f"the token in {TOKEN_VARIABLE} ({len(token)} characters) is neither a legacy token (40 hexadecimal digits) "
        "nor a personal access token (a JWT: three parts with dots between). Copy it anew from Label Studio, Account & "
        "Settings."
    )


class AnnotationServer:
    """A Label Studio server, as one of its users.

    Args:
        url: Its address.
        token: The user's token, of either kind.

    Raises:
        UsageError: If the address or the token can't be one, or `requests` isn't installed.
    """

    def __init__(self, url: str, token: str) -> None:
        try:
            parts = urlsplit(url)
            fine = (
                parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"\s", url)
            )
        except ValueError:  # A port that is none, half an IPv6 address.
            fine = False
        if not fine or parts.username or parts.password or parts.query or parts.fragment or _PAGE.search(parts.path):
            raise UsageError(
                "the server's address must be like http://localhost:8080, without user or password, and not that of "
                "one of its pages."
            )
        self.url = url.rstrip("/")
        self.kind = token_kind(token)
        self._token, self._access = token, ""
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            log(f"note: {self.url} isn't https: the token travels as plain text.")

    @property
    def _session(self) -> requests.Session:
        if not hasattr(self, "_made"):
            self._made = _require_requests().Session()
        return self._made

    # -----------------------------------------------------------------------------------------
    # Calls

    def get(self, path: str, **query: Any) -> Any:
        """What the server says of a path, parsed from JSON; tried again where the trouble may pass.

        Raises:
            AnnotationError: If it can't be had.
        """
        return self._again(lambda: self._json(self._call("GET", path, params=query)))

    def one(self, path: str, **query: Any) -> Mapping[str, Any]:
        """The same, of a path that is one thing.

        Raises:
            AnnotationError: If it can't be had, or isn't one.
        """
        return self._mapping(self.get(path, **query), "GET", path)

    def listed(self, path: str, **query: Any) -> list[Mapping[str, Any]]:
        """The same, of a path that is a list of things.

        Raises:
            AnnotationError: If it can't be had, or isn't one.
        """
        told = self.get(path, **query)
        if not isinstance(told, list) or not all(isinstance(item, Mapping) for item in told):
            raise self._odd("GET", path)
        return told

    def raw(self, path: str, **query: Any) -> bytes:
        """The same as it comes, from wherever the server sends us on to.

        Raises:
            AnnotationError: If it can't be had.
        """
        content: bytes = self._again(lambda: self._call("GET", path, params=query, allow_redirects=True).content)
        return content

    def post(self, path: str, content: Any, **query: Any) -> Any:
        """Send JSON, once: to send it twice might do it twice.

        Raises:
            LostAnswerError: If the connection went meanwhile.
            AnnotationError: If the server refuses.
        """
        return self._json(self._call("POST", path, json=content, params=query))

    def sent(self, path: str, content: Any) -> Mapping[str, Any]:
        """The same; what the server says of it.

        Raises:
            LostAnswerError, AnnotationError: As `post`, or if it says nothing of the kind.
        """
        return self._mapping(self.post(path, content), "POST", path)

    def made(self, path: str, content: Any) -> int:
        """Send JSON that makes something, once; gives its number.

        Raises:
            LostAnswerError, AnnotationError: As `post`, or if no number is told.
        """
        number = self.sent(path, content).get("id")
        if type(number) is not int:
            raise self._odd("POST", path)
        return number

    def upload(self, path: str, files: Sequence[tuple[str, bytes]], **query: Any) -> Any:
        """Send files, once.

        Raises:
            LostAnswerError, AnnotationError: As `post`.
        """
        parts = [(name, (name, data)) for name, data in files]
        return self._json(self._call("POST", path, files=parts, params=query))

    def patch(self, path: str, content: Any) -> Any:
        """Change something: however often, it comes to the same.

        Raises:
            AnnotationError: If it can't be.
        """
        return self._again(lambda: self._json(self._call("PATCH", path, json=content)))

    def delete(self, path: str) -> None:
        """Delete something; gone already is fine.

        Raises:
            AnnotationError: If it can't be.
        """
        try:
            self._again(lambda: self._call("DELETE", path))
        except RefusedError as refused:
            if refused.status != 404:
                raise

    def pages(self, path: str, key: str, **query: Any) -> Iterator[Any]:
        """The items of a list that comes in pages.

        Args:
            path: The list.
            key: Under which each page has them.
            query: Further arguments.

        Raises:
            AnnotationError: If a page can't be had.
        """
        page, seen = 1, 0
        while True:
            told = self.get(path, page=page, page_size=_MOST_PAGE, **query)
            items = told if isinstance(told, list) else self._mapping(told, "GET", path).get(key)
            if not isinstance(items, list) or not all(
                isinstance(i, Mapping) and type(i.get("id")) is int for i in items
            ):
                raise self._odd("GET", path)
            yield from items
            seen, page = seen + len(items), page + 1
            total = None if isinstance(told, list) else told.get("total", told.get("count"))
            if not items or type(total) is not int or seen >= total:
                return

    # -----------------------------------------------------------------------------------------

    def _again(self, call: Callable[[], Any]) -> Any:
        for attempt in range(_TRIES):
            try:
                return call()
            except (LostAnswerError, RefusedError) as error:
                if attempt == _TRIES - 1:
                    if isinstance(error, LostAnswerError):
                        raise LostAnswerError(f"{error} {_AGAIN}") from None
                    raise
                self.wait(error, attempt)
        raise AssertionError("the last try either returns or raises")

    def wait(self, error: LostAnswerError | RefusedError, attempt: int) -> None:
        """Wait before something is tried again; raises the error where it wouldn't help.

        Args:
            error: Why it failed.
            attempt: How often it had failed before.

        Raises:
            LostAnswerError, RefusedError: The error.
        """
        seconds = _WAIT * 2**attempt
        if isinstance(error, RefusedError):
            if error.status not in _PASSING or error.retry_after > _LONGEST_WAIT:
                raise error
            seconds = error.retry_after or seconds
        log(f"{error} Trying again in {seconds:.0f} s.")
        time.sleep(seconds)

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        if self.kind == "personal" and not self._access:
            self._exchange()
        answer = self._send(method, path, self._authorization(), **options)
        if answer.status_code == 401 and self.kind == "personal":  # It lasts five minutes only.
            self._exchange()
            answer = self._send(method, path, self._authorization(), **options)
        if answer.status_code >= 300:
            raise self._refused(method, path, answer)
        return answer

    def _authorization(self) -> str:
        return f"Token {self._token}" if self.kind == "legacy" else f"Bearer {self._access}"

    def _exchange(self) -> None:
        """Get an access token for the personal one."""
        answer = self._send("POST", "/api/token/refresh", "", json={"refresh": self._token})
        if answer.status_code >= 300:
            raise self._refused("POST", "/api/token/refresh", answer)
        self._access = str(self._mapping(self._json(answer), "POST", "/api/token/refresh").get("access", ""))

    def _send(self, method: str, path: str, authorization: str, **options: Any) -> requests.Response:
        requests = _require_requests()

        def authorize(request: Any) -> Any:  # As `auth`, else a .netrc would replace it.
            if authorization:
                request.headers["Authorization"] = authorization
            return request

        # A request that is sent on arrives as another one: a POST as a GET.
        options = {"allow_redirects": False, "timeout": _TIMEOUT, **options}
        try:
            return self._session.request(method, self.url + path, auth=authorize, **options)
        except (requests.exceptions.ProxyError, requests.exceptions.InvalidURL) as error:
            raise self._unreachable(error, _PROXY) from None
        except requests.exceptions.ConnectTimeout as error:
            raise self._unreachable(error) from None
        except requests.exceptions.ConnectionError as error:
            if why := _no_tls(error):
                raise AnnotationError(self.scrubbed(f"{self.url}: no safe connection: {why}")) from None
            if _never_sent(error):
                raise self._unreachable(error) from None
            raise LostAnswerError(
                self.scrubbed(f"{self.url}: the connection was cut during {method} {path}.")
            ) from None
        except requests.exceptions.RequestException as error:
            told = self.scrubbed(f"{self.url}: no whole answer to {method} {path} ({type(error).__name__}).")
            raise LostAnswerError(told) from None
        except OSError:  # What REQUESTS_CA_BUNDLE names isn't there.
            raise AnnotationError(self.scrubbed(f"{self.url}: no safe connection: {_no_bundle()}")) from None

    def _unreachable(self, error: Exception, more: str = "") -> AnnotationError:
        return AnnotationError(
            self.scrubbed(
                f"{self.url} can't be reached ({type(error).__name__}). Is the server running, and the address right? "
                f"Give it by --url or {URL_VARIABLE}; `offside-data annotate doctor` looks at it step by step.{more}"
            )
        )

    def _refused(self, method: str, path: str, answer: requests.Response) -> AnnotationError:
        status, text = answer.status_code, answer.text
        said = self.scrubbed(" ".join(text.split()))  # Before it is cut, else half a token would stay.
        said = "" if said.startswith("<") else said[:_SAID] + ("…" if len(said) > _SAID else "")
        message = f"{self.url}: {method} {path} was refused ({status}){f': {said}' if said else ''}."
        if status == 401:
            message += f" {self._why_unauthorized(text)}"
        elif status == 403:
            message += " The user of this token may not do that; ask an administrator of the server."
        elif status == 404:
            message += " There is nothing of that name, or this user may not see it."
        elif status < 400:
            place = urlsplit(answer.headers.get("Location", ""))
            message += f" It sends us on to {place.scheme}://{place.netloc}{place.path}: give its address as it is now."
        elif status == 413:
            message += " The request is too large for the server: use --pictures local or upload."
        after = answer.headers.get("Retry-After", "")
        wait = float(after) if after.isascii() and after.isdigit() else 0.0
        if wait > _LONGEST_WAIT:
            message += f" It asks to wait {wait:,.0f} s: run the command again after that."
        return RefusedError(self.scrubbed(message), status, text, wait)

    def _why_unauthorized(self, text: str) -> str:
        if "legacy token" in text.lower():
            return (
                "Legacy tokens are off in this organization: make a personal access token (Account & Settings) and put "
                f"it into {TOKEN_VARIABLE}."
            )
        if self.kind == "legacy":
            return f"The legacy token in {TOKEN_VARIABLE} is wrong, or was reset; copy it anew from Account & Settings."
        return f"The personal access token in {TOKEN_VARIABLE} is wrong, revoked or has expired; make another one."

    def _json(self, answer: requests.Response) -> Any:
        if not answer.content:
            return None
        try:
            return parse_json(answer.content.decode("utf-8"))
        except ValueError:
            raise AnnotationError(
                f"{self.url}: {answer.request.method} {urlsplit(str(answer.request.url)).path} gave no JSON. Is this "
                "the address of a Label Studio server, without anything behind it?"
            ) from None

    def _mapping(self, told: Any, method: str, path: str) -> Mapping[str, Any]:
        if not isinstance(told, Mapping):
            raise self._odd(method, path)
        return told

    def _odd(self, method: str, path: str) -> AnnotationError:
        return AnnotationError(
            f"{self.url}: {method} {path} gave something that Label Studio never gives. Is this the address of a Label "
            "Studio server, without anything behind it?"
        )

    def scrubbed(self, text: str) -> str:
        """A text without the token and what it was exchanged for."""
        for secret in (self._token, self._access):
            if secret:
                text = text.replace(secret, "[token]")
        return text


class RefusedError(AnnotationError):
    """The server answered, and refused.

    Args:
        message: For people.
        status: The HTTP status.
        text: What the server said, whole.
        retry_after: Seconds to wait, as it asked for.
    """

    def __init__(self, message: str, status: int, text: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.text, self.retry_after = status, text, retry_after


def connect(url: str | None = None, environment: Mapping[str, str] | None = None) -> AnnotationServer:
    """The server that an address or the environment names, with the token of the environment.

    Raises:
        UsageError: If one of them is missing, or can't be one.
    """
    variables = os.environ if environment is None else environment
    address, token = (url or variables.get(URL_VARIABLE, "")).strip(), variables.get(TOKEN_VARIABLE, "").strip()
    if not address:
        raise UsageError(
            f"which server? Give --url http://localhost:8080, or set {URL_VARIABLE}. Without a server: "
            "push --to-file and pull --from-file."
        )
    if not token:
        raise UsageError(
            f"no token: set {TOKEN_VARIABLE} to the one that Label Studio shows under Account & Settings. It is never "
            "taken from the command line, where everybody on the machine could read it."
        )
    return AnnotationServer(address, token)


def _never_sent(error: Exception) -> bool:
    """Whether a connection failed before anything was asked."""
    from urllib3.exceptions import NewConnectionError

    return isinstance(_reason(error), NewConnectionError)


def _no_tls(error: Exception) -> str:
    """Why nothing was asked, where the server can't be spoken to safely; else empty."""
    from urllib3.exceptions import SSLError

    reason = _reason(error)
    cause = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        remedy = _REMEDIES.get(cause.verify_code, _UNKNOWN_ISSUER)
        return f"its certificate isn't taken here ({cause.verify_message.rstrip('.')}). {remedy}"
    if isinstance(cause, ssl.SSLError) and cause.library in ("X509", "PEM"):
        return _no_bundle()
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        return "it doesn't speak https there. Is its address one with http://?"
    return ""


def _no_bundle() -> str:
    name = next((name for name in _BUNDLES if os.environ.get(name)), _BUNDLES[0])
    return f"{name} must name a file with certificates (PEM), and it is {os.environ.get(name, 'not set')}"


def _reason(error: Exception) -> Exception | None:
    """What `requests` failed of, if it was before an answer came."""
    from urllib3.exceptions import MaxRetryError

    failed = error.args[0] if error.args else None
    return failed.reason if isinstance(failed, MaxRetryError) else None


def _require_requests() -> Any:
    """The library that speaks HTTP.

    Raises:
        UsageError: If it isn't installed.
    """
    try:
        import requests
    except ImportError as error:
        raise UsageError(
            f"{error.name} isn't installed, which talks to annotation servers. Install the extra: "
            "pip install 'offside-data[annotation]'."
        ) from error
    return requests
