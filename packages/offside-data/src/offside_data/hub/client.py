"""The Hub's own client, with patience: retries that obey `Retry-After`, errors that say what to do, no token in them.

Tokens come from `HF_TOKEN` or from `hf auth login`, as `huggingface_hub` reads them; they are never taken as an option,
written or logged.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from offside_data.errors import HubError, HubNotFoundError, HubUnreachableError, OffsideError, UsageError
from offside_data.progress import log

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

P = ParamSpec("P")
Result = TypeVar("Result")

ATTEMPTS = 5
"""How often something is asked before we give up."""
LONGEST_WAIT = 300.0
"""Seconds that we wait for the Hub at most; if it wants more, the command stops and says so."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)
_TOKEN = re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{8,}|(?i:bearer) [^\s,\"']+")
_QUERY = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']+")
_USER = re.compile(r"(https?://)[^\s/@\"']+@")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_NO_NAME = re.compile(r"[/\\\0]|^\.{0,2}$")
"""What is, or holds, no name within a folder."""
_SHOWN_NAME = 80
NOT_TRUSTED = "Nothing of it is used. If HF_ENDPOINT is set: is it the address of a Hub, and of one to be trusted?"
_LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN to a token that is valid and may do this."


@dataclass(frozen=True)
class HubRepo:
    """A repository on the Hub.

    Args:
        name: `org/name`.
        kind: What it holds.
    """

    name: str
    kind: Literal["dataset", "model"] = "dataset"

    def __post_init__(self) -> None:
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils._validators import validate_repo_id

        try:
            validate_repo_id(self.name)
        except HFValidationError as error:
            raise UsageError(f"{self.name!r} can't be a repository: {error}") from None
        if "/" not in self.name:
            raise UsageError(f"{self.name!r} can't be a repository: write ORG/NAME, or USER/NAME.")

    @cached_property
    def api(self) -> HfApi:
        """The client."""
        from huggingface_hub import HfApi

        _scrub_logs()
        return HfApi()

    @property
    def url(self) -> str:
        """Its page."""
        return f"{scrubbed(self.api.endpoint)}/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"

    def once(self, doing: str, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Call the client once.

        Args:
            doing: What it is for, as in "can't …".
            function: A method of `api`.
            *args: Its arguments.
            **kwargs: Its arguments.

        Raises:
            HubUnreachableError: If the Hub can't be reached.
            HubError: If it refuses.
        """
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

        self._require_session(doing)
        try:
            return function(*args, **kwargs)
        except OffsideError:
            raise
        except OfflineModeIsEnabled:
            message = f"{self.name}: can't {doing}: HF_HUB_OFFLINE is set, so the Hub isn't asked. Unset it."
            raise HubUnreachableError(message) from None
        except HfHubHTTPError as error:
            raise self._refused(doing, error) from None
        except (LocalEntryNotFoundError, ValueError, RuntimeError) as error:  # The last of an upload.
            cause = error.__cause__
            if isinstance(cause, HfHubHTTPError):
                raise self._refused(doing, cause) from None
            if isinstance(error, LocalEntryNotFoundError) or isinstance(cause, httpx2.TransportError | OSError):
                raise self._unreachable(doing, cause or error) from None
            raise HubError(f"{self.name}: can't {doing}: {scrubbed(str(error))}") from None
        except httpx2.UnsupportedProtocol:
            place = scrubbed(self.api.endpoint)
            message = f"{self.name}: can't {doing}: HF_ENDPOINT is {place}, and an address must begin with https://."
            raise HubError(message) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise self._unreachable(doing, error) from None
        except OSError as error:
            if error.errno is not None:
                raise self._of_this_machine(doing, error) from None
            if isinstance(error, PermissionError):  # Of the Xet storage, whose errors have no number.
                raise HubError(f"{self.name}: can't {doing}: {scrubbed(str(error))}. {_LOG_IN}") from None
            raise self._unreachable(doing, error) from None  # A download that came short.
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError) as error:
            raise HubError(  # What the client says of JSON that isn't the Hub's, for it doesn't look.
                f"{self.name}: can't {doing}: {scrubbed(self.api.endpoint)} answers something else than a Hub would "
                f"({scrubbed(f'{type(error).__name__}: {error}')}). Is HF_ENDPOINT, if it is set, the address of one?"
            ) from error

    def call(self, doing: str, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """As `once`, again and again while what went wrong may pass; for what does no harm twice."""
        for attempt in range(1, ATTEMPTS):
            try:
                return self.once(doing, function, *args, **kwargs)
            except HubError as error:
                if not error.passing:
                    raise
                wait_for(error, attempt)
        return self.once(doing, function, *args, **kwargs)

    def ask(self, doing: str, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """As `call`, of what the client does with a repository: it is told which one."""
        return self.call(doing, function, self.name, *args, repo_type=self.kind, **kwargs)

    def make(self) -> None:
        """Make it, private; what is there already stays as it is."""
        log(f"{self.name}: making a private {self.kind} repository …")
        self.ask("create it", self.api.create_repo, private=True, exist_ok=True)

    def show_everybody(self) -> None:
        """Make it public."""
        self.ask("make it public", self.api.update_repo_settings, private=False)

    def _require_session(self, doing: str) -> None:
        """See to it that the client's connections look at the names that they are told.

        Raises:
            HubError: If none can be made, with the settings of this machine.
        """
        from huggingface_hub import get_session

        try:
            hooks = get_session().event_hooks["response"]
        except (OSError, ValueError) as error:
            why = scrubbed(f"{type(error).__name__}: {error}")
            raise HubError(
                f"{self.name}: can't {doing}: no connection can be made ({why}). "
                f"Look at SSL_CERT_FILE and SSL_CERT_DIR, which name certificates, and at {', '.join(_PROXIES)}."
            ) from None
        if _require_names not in hooks:  # Anew: it is closed and opened at times.
            hooks.append(_require_names)

    def _unreachable(self, doing: str, error: BaseException) -> HubUnreachableError:
        why = scrubbed(f"{type(error).__name__}: {error}".strip().rstrip(":"))
        place = scrubbed(self.api.endpoint)
        message = f"{self.name}: can't {doing}: the Hub ({place}) doesn't answer ({why}). Try again later."
        proxies = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
        if proxies:
            message += f" It was asked through a proxy ({', '.join(proxies)} is set); NO_PROXY names what isn't."
        return HubUnreachableError(message, passing=True)

    def _of_this_machine(self, doing: str, error: OSError) -> Exception:
        """What its disk or its rights don't allow, with the place, which the client leaves out."""
        from huggingface_hub import constants

        cache = constants.HF_HUB_CACHE
        if error.errno not in _DISK or not str(error.filename or cache).startswith(cache):
            return error
        return HubError(
            f"{self.name}: can't {doing}: the cache {cache} can't be written ({os.strerror(error.errno or 0)}). Make "
            "room there or get the right to write, or name another place with HF_HOME; then run this again."
        )

    def _refused(self, doing: str, error: HfHubHTTPError) -> HubError:
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        status = error.response.status_code
        said = scrubbed(error.server_message or error.response.headers.get("X-Error-Message") or "")
        wait = _retry_after(error.response.headers.get("Retry-After"))
        told = f"the Hub answers {status}" + (f" ({said.rstrip('.')})" if said else "")
        if isinstance(error, GatedRepoError):
            told += f". It is open to people who were let in only: ask on {self.url}"
        elif isinstance(error, RepositoryNotFoundError):
            told += f". There is no {self.kind} {self.name}, or this token may not see it. {_LOG_IN}"
        elif status in (401, 403):
            what = "The token is missing, expired or wrong" if status == 401 else "This token has no right to that"
            told += f". {what}. {_LOG_IN}"
        elif status in _PASSING:
            told += ". Try again later"
        message = f"{self.name}: can't {doing}: {told.rstrip('.')}."
        if isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError):
            return HubNotFoundError(message, status=status)
        return HubError(message, status=status, passing=status in _PASSING, wait=wait)


def _require_names(answer: httpx2.Response) -> None:
    """Refuse an answer whose headers would lead out of the client's cache, which makes paths of them unseen.

    Raises:
        HubError: If so.
    """
    told = [answer.headers.get("X-Repo-Commit")]
    if answer.request.method == "HEAD":  # That a file is asked for by.
        told.append(answer.headers.get("X-Linked-ETag") or answer.headers.get("ETag"))
    for name in filter(None, told):
        if _NO_NAME.search(name.removeprefix("W/").strip('"')):
            raise HubError(
                f"{scrubbed(str(answer.url))}: the Hub names a commit or a content {name[:_SHOWN_NAME]!r}, which "
                f"would lie outside of the cache. {NOT_TRUSTED}"
            )


def wait_for(error: HubError, attempt: int) -> None:
    """Wait before something is tried again, as long as the Hub asks for, else longer each time.

    Raises:
        HubError: If it asks for more than `LONGEST_WAIT`.
    """
    seconds = error.wait if error.wait is not None else float(2 ** (attempt - 1))
    if seconds > LONGEST_WAIT:
        raise HubError(
            f"{error} It asks to wait {seconds:,.0f} s: run the command again after that.", status=error.status
        )
    log(f"{error} Again in {seconds:g} s (attempt {attempt + 1} of {ATTEMPTS}).")
    time.sleep(seconds)


def _retry_after(value: str | None) -> float | None:
    """Seconds of a `Retry-After`, which may also be a date."""
    import datetime
    from email.utils import parsedate_to_datetime

    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when - datetime.datetime.now(datetime.UTC)).total_seconds())


# ---------------------------------------------------------------------------------------------
# Tokens


def scrubbed(text: str) -> str:
    """A text without what could be a token, or an address that somebody could use."""
    from huggingface_hub import get_token

    token = get_token()
    if token:
        text = text.replace(token, "***")
    return _USER.sub(r"\1", _QUERY.sub(r"\1", _TOKEN.sub("***", text)))


class _Scrub(logging.Filter):
    """Takes tokens and signed addresses out of what `huggingface_hub` logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrubbed(record.getMessage()), ()
        return True


def _scrub_logs() -> None:
    for handler in logging.getLogger("huggingface_hub").handlers:
        if not any(isinstance(known, _Scrub) for known in handler.filters):
            handler.addFilter(_Scrub())
