"""What a judge's endpoint sends back, read strictly: a score is a number from 0 to 10 in exactly one JSON object.

Whatever else comes is unscored, with the reason. Nothing is guessed from a text around the JSON, nothing is rounded
into the scale.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offside_data.invisible import visible
from offside_eval.judge.rubric import HIGHEST, LOWEST, Rubric

_SAID = 300
"""Characters of a reply that a reason quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one question to a judge.

    Args:
        score: From 0 to 10; null when unscored.
        reason: Why there is no score; null when there is.
        said: What the judge gave as its reason, or said instead of a verdict.
        passing: Whether asking again may help.
        of_judge: Whether the judge said it; else something on the way did, and it is no answer.
        tokens_in: Tokens asked, as the endpoint counts them; null if it doesn't say.
        tokens_out: Tokens answered.
        served: The model that the endpoint says it was.
    """

    score: float | None = None
    reason: str | None = None
    said: str | None = None
    passing: bool = False
    of_judge: bool = True
    tokens_in: int | None = None
    tokens_out: int | None = None
    served: str | None = None


def read_reply(body: bytes, content_type: str, rubric: Rubric) -> Verdict:
    """Read the body of an answer with status 200.

    Args:
        body: As it came.
        content_type: What its header says, for the reason.
        rubric: Says which keys the judge's JSON object has.
    """
    try:
        whole = _parsed(body.decode("utf-8"))
    except ValueError:
        kind = begun(content_type.partition(";")[0])[:40] or "no type"
        return Verdict(reason=f"the endpoint's answer isn't JSON ({kind})", passing=True, of_judge=False)
    if not isinstance(whole, Mapping):
        return Verdict(reason="the endpoint's answer is no chat completion", passing=True, of_judge=False)
    used = _mapping(whole.get("usage"))
    facts: dict[str, Any] = {
        "tokens_in": _count(used.get("prompt_tokens")),
        "tokens_out": _count(used.get("completion_tokens")),
        "served": begun(served) if isinstance(served := whole.get("model"), str) else None,
    }
    choices = whole.get("choices")
    if not isinstance(choices, Sequence) or isinstance(choices, str) or len(choices) != 1:
        n = len(choices) if isinstance(choices, list) else "no"
        return Verdict(reason=f"the endpoint gave {n} choices instead of one", passing=True, of_judge=False)
    choice = _mapping(choices[0])
    message = _mapping(choice.get("message"))
    if refusal := message.get("refusal"):
        return Verdict(reason="the judge declined to judge", said=begun(str(refusal)), **facts)
    finish = choice.get("finish_reason")
    content = message.get("content")
    said = begun(content) if isinstance(content, str) else None
    if finish == "length":
        return Verdict(reason="the judge's reply was cut; raise --max-tokens", said=said, **facts)
    if finish == "content_filter":
        return Verdict(reason="the endpoint's filter stopped the reply", said=said, **facts)
    if not isinstance(content, str) or not content.strip():
        return Verdict(reason="the judge said nothing", passing=True, **facts)
    score, told, why = _verdict(content, rubric)
    if why is not None:
        return Verdict(reason=why, said=said, passing=True, **facts)
    return Verdict(score=score, said=told, **facts)


def _verdict(content: str, rubric: Rubric) -> tuple[float | None, str | None, str | None]:
    """Score and reason of the judge's text, or why it holds none."""
    try:
        found = _parsed(content)
    except ValueError as error:
        return None, None, f"the reply isn't one JSON object: {begun(str(error))}"
    if not isinstance(found, dict):
        return None, None, "the reply isn't a JSON object"
    unknown = [key for key in found if key not in (rubric.score_key, rubric.reason_key)]
    if unknown or rubric.score_key not in found:
        return None, None, f"the reply has the keys {begun(', '.join(found)) or '(none)'}, not {rubric.score_key}"
    score = found[rubric.score_key]
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        return None, None, f"the score is {begun(json.dumps(score))}, not a number"
    if not (LOWEST <= score <= HIGHEST and math.isfinite(score)):
        return None, None, f"the score is {begun(str(score))}, not from {LOWEST:g} to {HIGHEST:g}"
    told = found.get(rubric.reason_key)
    return float(score), begun(told) if isinstance(told, str) else None, None


def _parsed(text: str) -> Any:
    """Strict JSON.

    Raises:
        ValueError: If it is anything else: NaN, a key twice, nested too deep, a number with thousands of digits.
    """
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 10**9 else None


def begun(text: str) -> str:
    """The beginning of a text from outside, in one line, without what Parquet and terminals can't hold."""
    told = " ".join(visible(text).split()).encode("utf-8", "replace").decode("utf-8")
    return told if len(told) <= _SAID else told[: _SAID - 1] + "…"
