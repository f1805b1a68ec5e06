"""How a judge is asked: the one place where defaults live. Light, for the command line shows them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from offside_data.errors import OffsideError, UsageError

KEY_VARIABLE = "OFFSIDE_JUDGE_API_KEY"
"""Not `OPENAI_API_KEY`: that one would go to whatever endpoint is named."""
TokenField = Literal["max_tokens", "max_completion_tokens"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class JudgeError(OffsideError):
    """The judge couldn't be asked any further: its endpoint can't be used, or a limit was reached."""


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """How a judge is asked.

    Args:
        endpoint: Address of the API, up to `/v1`. There is no default: nothing leaves the machine unasked.
        judge_model: The model's name there.
        name: What the judge is called in files and tables; null makes it of the model's name.
        rubric: Name of a rubric that we ship, or the path of a YAML file.
        temperature: Of the judge's answers. source: the paper's.
        max_tokens: Where a judge's answer is cut; one that is cut is unscored.
        token_field: What that limit is called there: newer models of OpenAI refuse `max_tokens`.
        json_mode: Whether to ask for JSON mode; a few servers don't know it.
        slices: Only records of these slices (`forget`, `keep:multimodal/retain`, …); empty takes all.
        limit: At most so many records, chosen by seed.
        seed: Of that choice.
        at_once: Questions on their way at the same time.
        per_minute: At most so many requests a minute; null = as fast as it answers.
        tries: How often one question is asked at most, where the trouble may pass or the reply can't be used.
        timeout: Seconds until a request is given up, however slowly its answer still comes.
        price_in: Price of a million tokens asked.
        price_out: Price of a million tokens answered.
        max_requests: At most so many requests in this call of the command.
        max_cost: At most so much spent in this call, at these prices; what is still on its way counts at its dearest.
        again: Ask again what a judge answered with something that couldn't be used.
        force: Replace another judge of this name.
        key_variable: Environment variable that holds the key; if it isn't set, none is sent.
    """

    endpoint: str
    judge_model: str
    name: str | None = None
    rubric: str = "factuality"
    temperature: float = 0.2
    max_tokens: int = 256
    token_field: TokenField = "max_tokens"
    json_mode: bool = True
    slices: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 0
    at_once: int = 4
    per_minute: float | None = None
    tries: int = 4
    timeout: float = 60.0
    price_in: float = 0.0
    price_out: float = 0.0
    max_requests: int | None = None
    max_cost: float | None = None
    again: bool = False
    force: bool = False
    key_variable: str = KEY_VARIABLE

    def __post_init__(self) -> None:
        _require_address(self.endpoint)
        if not self.judge_model.strip():
            raise UsageError("judge_model is empty; give the name that the endpoint knows the model by.")
        if not _NAME.fullmatch(self.called):
            raise UsageError(
                f"{self.called!r} can't be a judge's name: it becomes a file's. Give --name with letters, digits, "
                "dots, dashes."
            )
        for name in ("max_tokens", "limit", "at_once", "tries", "max_requests"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}.")
        for name in ("per_minute", "timeout"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} must be above 0, got {value}.")
        for name in ("temperature", "price_in", "price_out", "max_cost"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name} can't be below 0, got {value}.")
        if self.max_cost is not None and not (self.price_in or self.price_out):
            raise UsageError("max_cost needs prices: give --price-in and --price-out, of a million tokens each.")

    @property
    def called(self) -> str:
        """The judge's name."""
        return self.name or re.sub(r"[^A-Za-z0-9._-]+", "-", self.judge_model).strip("-._")[:100]

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return urlsplit(self.endpoint).hostname in ("localhost", "127.0.0.1", "::1")


def _require_address(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # A port that is none, half an IPv6 address.
        fine, parts = False, urlsplit("")
    if not fine or re.search(r"\s", endpoint) or parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "--endpoint must be an address like http://localhost:8000/v1, without user, password or key in it; the key "
            f"goes into {KEY_VARIABLE}."
        )
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise UsageError("--endpoint ends before /chat/completions: give the address up to /v1.")
