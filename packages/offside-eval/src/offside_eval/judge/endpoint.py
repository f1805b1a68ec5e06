"""One request to an endpoint that speaks OpenAI's chat completions: bounded in time and size, no key in any message.

The `openai` client sends it; when and whether to ask again is decided in `asking`, which knows what was spent.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any

from offside_data.errors import UsageError
from offside_data.progress import log
from offside_eval.judge.config import JudgeConfig
from offside_eval.judge.reply import Verdict, begun, read_reply
from offside_eval.judge.rubric import Prompt, Rubric

_LARGEST = 2**20
"""Bytes of an answer; a verdict has a few hundred."""
_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)
_FOR_GOOD = {
    401: "The key isn't accepted: look at the variable {variable}.",
    402: "The account there has nothing left to spend.",
    403: "This key may not do that.",
    404: "Is the address right (up to /v1), and does it know a model {model!r}?",
    405: "Is the address right (up to /v1)?",
}
"""What no other question could change either."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a request brought no answer of the judge.

    Args:
        reason: In words, without the key.
        passing: Whether asking again may help.
        for_all: Whether no other question would fare better.
        wait: Seconds that the endpoint asked to wait; 0 if it didn't.
        status: The HTTP status; null where there was none.
        reached: Whether the endpoint may have worked on it, and counted it.
    """

    reason: str
    passing: bool = False
    for_all: bool = False
    wait: float = 0.0
    status: int | None = None
    reached: bool = True


class Endpoint:
    """An endpoint while it is asked; an asynchronous context.

    Args:
        config: Where, and how.
        rubric: Says how replies are read.
        key: Sent as a bearer token; empty sends none.

    Raises:
        UsageError: If the client isn't installed.
    """

    def __init__(self, config: JudgeConfig, rubric: Rubric, key: str) -> None:
        self._openai, self._http = libraries()
        self._config, self._rubric, self._key = config, rubric, key
        omit = self._openai.Omit()
        # What the variables of OpenAI's own account say doesn't go to another endpoint.
        self._headers: dict[str, Any] = {"OpenAI-Organization": omit, "OpenAI-Project": omit}
        if not key:
            self._headers["Authorization"] = omit
        elif config.endpoint.startswith("http://") and not config.is_local:
            log(f"note: {config.endpoint} isn't https: the key travels as plain text.")
        limits = self._http.Limits(max_connections=config.at_once)
        # Sent on, the questions would go to an address that nobody named.
        web = self._http.AsyncClient(follow_redirects=False, limits=limits, timeout=config.timeout)
        web.event_hooks = {"response": [self._bound]}
        self._client = self._openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=config.endpoint,
            max_retries=0,
            timeout=config.timeout,
            http_client=web,
        )

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def _bound(self, response: Any) -> None:
        """Whatever the status, no answer is read without end."""
        response.stream = _bounded(response.stream, self._http)

    async def ask(self, prompt: Prompt) -> Verdict | Trouble:
        """Ask once; never raises for what an endpoint does."""
        openai, http = self._openai, self._http
        try:
            # The client's own timeout is between two pieces: a slow drip would never reach it.
            return await asyncio.wait_for(self._answered(prompt), self._config.timeout)
        except TimeoutError:
            return Trouble(f"no whole answer within {self._config.timeout:g} s", passing=True)
        except openai.APITimeoutError:
            return Trouble(f"no answer within {self._config.timeout:g} s", passing=True)
        except openai.APIStatusError as error:
            return self._refused(error)
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, http.ConnectError):
                told = self.scrubbed(str(error.__cause__))
                return Trouble(f"it can't be reached ({told})", passing=True, for_all=True, reached=False)
            return Trouble(f"the connection was cut ({type(error.__cause__).__name__})", passing=True)
        except http.HTTPError as error:  # While the body was read.
            return Trouble(f"the connection was cut ({type(error).__name__})", passing=True)
        except http.InvalidURL as error:
            return Trouble(f"the address can't be one ({self.scrubbed(str(error))})", for_all=True, reached=False)

    async def _answered(self, prompt: Prompt) -> Verdict | Trouble:
        config = self._config
        asked: dict[str, Any] = {
            "model": config.judge_model,
            "messages": prompt.messages,
            "temperature": config.temperature,
            config.token_field: config.max_tokens,
            "extra_headers": self._headers,
        }
        if config.json_mode:
            asked["response_format"] = {"type": "json_object"}
        answers = self._client.chat.completions.with_streaming_response
        async with answers.create(**asked) as response:
            body = b"".join([piece async for piece in response.iter_bytes()])
            kind = response.headers.get("content-type", "")
        # A server may send the key back, and what it says is written down.
        verdict = read_reply(self._scrubbed_bytes(body), kind, self._rubric)
        return verdict if verdict.of_judge else Trouble(verdict.reason or "", passing=True)

    def _refused(self, error: Any) -> Trouble:
        status = int(error.status_code)
        said = "" if "html" in error.response.headers.get("content-type", "") else _text_of(error)
        said = begun(self.scrubbed(said))  # Before it is cut, else half a key would stay.
        said = "" if said.startswith("<") else said
        told = f"the endpoint refused ({status}){f': {said}' if said else ''}"
        if 300 <= status < 400:
            told = f"the endpoint sends us on ({status}): give its address as it is now"
        remedy = _FOR_GOOD.get(status, "").format(variable=self._config.key_variable, model=self._config.judge_model)
        wait = _wait_asked(error.response.headers)
        for_all = status in _FOR_GOOD or 300 <= status < 400 or status == 429
        reason = f"{told}. {remedy}".rstrip(". ") if remedy else told
        return Trouble(reason, passing=status in _PASSING, for_all=for_all, wait=wait, status=status)

    def scrubbed(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self._key, "[key]") if self._key else text

    def _scrubbed_bytes(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"[key]") if self._key else body


def _bounded(stream: Any, http: ModuleType) -> Any:
    """A stream of a response that ends in an error when it is too large."""

    class Bounded(http.AsyncByteStream):  # type: ignore[name-defined,misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for piece in stream:
                size += len(piece)
                if size > _LARGEST:
                    raise http.ReadError(f"the answer has more than {_LARGEST:,} bytes")
                yield piece

        async def aclose(self) -> None:
            await stream.aclose()

    return Bounded()


def _text_of(error: Any) -> str:
    """What an endpoint said of a refusal, in words if it has them."""
    body = error.body
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and key in body:
            body = body[key]
    return body if isinstance(body, str) else "" if body is None else str(body)


def _wait_asked(headers: Any) -> float:
    """Seconds that `Retry-After` asks for, as a number or a date; 0 where it says nothing that can be used."""
    after = str(headers.get("retry-after", "")).strip()
    try:
        seconds = float(after) if after[:1].isdigit() else 0.0
    except ValueError:
        seconds = 0.0
    if after and not after[:1].isdigit():
        try:
            seconds = email.utils.parsedate_to_datetime(after).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            seconds = 0.0
    return max(0.0, seconds)


def libraries() -> tuple[ModuleType, ModuleType]:
    """The client and what it sends by.

    Raises:
        UsageError: If the client isn't installed.
    """
    try:
        import httpx2
        import openai
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a judge is asked by the library {error.name}, which isn't installed: pip install 'offside-eval[judge]'."
        ) from error
    return openai, httpx2
