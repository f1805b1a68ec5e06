"""Ask a judge many questions: at a pace, within a budget, again where that may help, no longer than it makes sense."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from offside_data.figures import counted
from offside_data.progress import log
from offside_eval.judge.answered import Answered, AnswerLog
from offside_eval.judge.config import JudgeConfig, JudgeError
from offside_eval.judge.endpoint import Endpoint, Trouble
from offside_eval.judge.reply import Verdict
from offside_eval.judge.rubric import Prompt

_WAIT = 1.0
"""Seconds before the second try; twice as many before each further one."""
_LONGEST_WAIT = 300.0
"""Seconds; who asks for more is asked again by the next call of the command."""
_IN_A_ROW = 5
"""Questions without any answer of the judge, one after the other, after which it isn't asked any further."""
_MILLION = 1_000_000


class _SpentError(JudgeError):
    """A limit that the user set is reached."""


@dataclass
class Spending:
    """What was spent in this call of the command, and what may be.

    Args:
        config: The limits and prices.
    """

    config: JudgeConfig
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    _reserved: float = 0.0

    @property
    def cost(self) -> float:
        """What was asked and answered so far, at the given prices."""
        return self.price(self.tokens_in, self.tokens_out)

    def price(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.config.price_in + tokens_out * self.config.price_out) / _MILLION

    def reserve(self, prompt: Prompt) -> float:
        """Take what a request may cost at most out of the budget.

        Raises:
            _SpentError: If a limit would be passed.
        """
        config = self.config
        dearest = self.price(prompt.tokens, config.max_tokens)
        if config.max_requests is not None and self.requests >= config.max_requests:
            raise _SpentError(f"the limit of {counted(config.max_requests, 'request')} is reached")
        if config.max_cost is not None and self.cost + self._reserved + dearest > config.max_cost:
            raise _SpentError(f"the limit of {config.max_cost:g} is reached: {self.cost:.4g} is spent")
        self.requests += 1
        self._reserved += dearest
        return dearest

    def settle(self, reserved: float, tokens_in: int, tokens_out: int) -> None:
        """Put in place of a reservation what was used."""
        self._reserved = max(0.0, self._reserved - reserved)
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out


@dataclass
class Pace:
    """When the next request may go out.

    Args:
        per_minute: At most so many; null for no limit.
    """

    per_minute: float | None
    _next: float = 0.0
    _held: float = 0.0

    async def turn(self) -> None:
        """Wait for it."""
        at = max(time.monotonic(), self._next)
        self._next = at + (60.0 / self.per_minute if self.per_minute else 0.0)
        while (left := max(at, self._held) - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def hold(self, seconds: float) -> None:
        """Nothing goes out for so long: the endpoint asked for it, or isn't well."""
        self._held = max(self._held, time.monotonic() + seconds)


@dataclass
class AskingOutcome:
    """What came of asking.

    Args:
        spending: What was spent.
        failed: Why questions have no answer of the judge, by key; they are asked again the next time.
        stopped: Why the judge wasn't asked all; null if it was.
        is_limit: Whether that is a limit that the user set.
    """

    spending: Spending
    failed: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    is_limit: bool = False


async def ask_all(
    config: JudgeConfig,
    make_endpoint: Callable[[], Endpoint],
    prompts: Mapping[str, Prompt],
    log_of_answers: AnswerLog,
    spending: Spending,
    finished: Callable[[], None] = lambda: None,
) -> AskingOutcome:
    """Ask everything that has no answer yet.

    Args:
        config: How.
        make_endpoint: Opens the endpoint, within the event loop.
        prompts: Questions by key.
        log_of_answers: Takes the answers as they come.
        spending: What was spent so far, and what may be.
        finished: Called after each question.
    """
    asked = AskingOutcome(spending)
    work = _Work(config, asked, log_of_answers, finished)
    async with make_endpoint() as endpoint:
        waiting = iter(prompts.items())
        await asyncio.gather(*(work.do(endpoint, waiting) for _ in range(min(config.at_once, len(prompts)))))
    if work.stopping is not None:
        asked.stopped, asked.is_limit = str(work.stopping), isinstance(work.stopping, _SpentError)
    return asked


class _Work:
    """What those at work share."""

    def __init__(
        self, config: JudgeConfig, asked: AskingOutcome, answers: AnswerLog, finished: Callable[[], None]
    ) -> None:
        self._config, self._asked, self._answers, self._finished = config, asked, answers, finished
        self._pace = Pace(config.per_minute)
        self._in_a_row = 0
        self.stopping: JudgeError | None = None

    async def do(self, endpoint: Endpoint, waiting: Iterable[tuple[str, Prompt]]) -> None:
        """Take question after question until there are none, or one shows that it's no use."""
        for key, prompt in waiting:
            try:
                await self._one(endpoint, key, prompt)
            except JudgeError as error:
                # Others finish what they have begun: it is paid for.
                self.stopping = self.stopping or error
            if self.stopping is not None:
                return

    async def _one(self, endpoint: Endpoint, key: str, prompt: Prompt) -> None:
        spending, config = self._asked.spending, self._config
        tokens_in = tokens_out = 0
        found: Verdict | Trouble = Trouble("not asked")
        for attempt in range(config.tries):
            await self._pace.turn()
            if self.stopping is not None:
                if attempt == 0:
                    return
                break
            reserved = spending.reserve(prompt)
            try:
                found = await endpoint.ask(prompt)
            finally:
                used = _used(found, prompt)
                spending.settle(reserved, *used)
            tokens_in, tokens_out = tokens_in + used[0], tokens_out + used[1]
            if isinstance(found, Verdict):
                self._in_a_row = 0
            if not found.passing or attempt == config.tries - 1:
                break
            self._before_next(found, attempt)
        self._note(key, found, tokens_in, tokens_out, attempt + 1)

    def _before_next(self, found: Verdict | Trouble, attempt: int) -> None:
        if isinstance(found, Verdict):
            return  # It can be asked again at once.
        if found.wait > _LONGEST_WAIT:
            raise JudgeError(f"{found.reason}. It asks to wait {found.wait:,.0f} s: run the command again after that")
        seconds = found.wait or _WAIT * 2**attempt
        log(f"{found.reason}. Trying again in {seconds:.3g} s.")
        self._pace.hold(seconds)

    def _note(self, key: str, found: Verdict | Trouble, tokens_in: int, tokens_out: int, tries: int) -> None:
        if isinstance(found, Verdict):
            self._answers.add(
                Answered(
                    key=key,
                    endpoint=self._config.endpoint,
                    score=found.score,
                    reason=found.reason,
                    said=found.said,
                    served=found.served,
                    tokens_in=tokens_in,
                    tokens_out=tokens_out,
                    tries=tries,
                )
            )
            self._finished()
            return
        self._asked.failed[key] = found.reason
        self._finished()
        self._in_a_row += 1
        if found.for_all:
            raise JudgeError(found.reason)
        if self._in_a_row >= _IN_A_ROW:
            raise JudgeError(f"{found.reason}; {self._in_a_row} questions in a row had no answer")


def _used(found: Verdict | Trouble, prompt: Prompt) -> tuple[int, int]:
    """Tokens that a request took, as counted there; else estimated, and never too few for want of an answer."""
    if isinstance(found, Trouble):
        return (prompt.tokens if found.reached and found.status is None else 0), 0
    tokens_in = prompt.tokens if found.tokens_in is None else found.tokens_in
    told = len(found.said or "") // 4 + 8
    return tokens_in, told if found.tokens_out is None else found.tokens_out
