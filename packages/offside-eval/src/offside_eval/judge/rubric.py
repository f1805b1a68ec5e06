"""What a judge is told and asked: a rubric is data, and what is judged goes in as JSON, never as part of the text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from offside_data import strict
from offside_data.errors import FileError, UsageError
from offside_data.limits import CARD
from offside_data.parsing import parse_yaml
from offside_data.reading import read_small
from offside_data.strict import Strict

LOWEST, HIGHEST = 0.0, 10.0
"""What a judge's score may be. source: the paper's scale."""
_SHIPPED = "offside_eval.judge"
_OVERHEAD = 12
"""Tokens that a chat's frame takes, about."""
_PICTURE_TOKENS = 800
"""About what a small picture costs where pictures are counted."""


@dataclass(frozen=True, kw_only=True)
class Rubric(Strict):
    """What a judge is told.

    Args:
        name: What is graded.
        system: The instructions.
        score_key: Key of the reply's JSON object that holds the score.
        reason_key: Key that may hold a text beside it.
    """

    name: str
    system: str
    score_key: str
    reason_key: str

    @property
    def digest(self) -> str:
        """Of everything in it."""
        return _digest([self.name, self.system, self.score_key, self.reason_key])

    @classmethod
    def load(cls, rubric: str) -> Rubric:
        """One that we ship, by name, or a YAML file, by path.

        Raises:
            UsageError: If there is none, or it can't be read.
        """
        shipped = sorted(p.name[:-5] for p in _folder().iterdir() if p.name.endswith(".yaml"))
        if rubric in shipped:
            text = (_folder() / f"{rubric}.yaml").read_text(encoding="utf-8")
        else:
            try:
                text = read_small(rubric, limit=CARD)
            except (OSError, FileError) as error:
                raise UsageError(
                    f"--rubric {rubric}: neither a rubric that we ship ({', '.join(shipped)}) nor a text file that can "
                    f"be read ({error})."
                ) from error
        try:
            content = parse_yaml(text)
        except ValueError as error:
            raise UsageError(f"--rubric {rubric}: not valid YAML: {error}.") from error
        remedy = "Copy judge/rubrics/factuality.yaml and change that."
        found = strict.read(cls, content, f"--rubric {rubric}", UsageError, remedy=remedy)
        if not (found.system.strip() and found.score_key and found.score_key != found.reason_key):
            raise UsageError(f"--rubric {rubric}: system and score_key must say something. {remedy}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to a judge.

    Args:
        system: The rubric's instructions.
        user: What is judged, as one JSON object.
        picture: A data URI; null where no picture is sent.
    """

    system: str
    user: str
    picture: str | None = None

    @property
    def messages(self) -> list[dict[str, Any]]:
        """As the API takes them."""
        content: Any = self.user
        if self.picture is not None:
            shown = {"type": "image_url", "image_url": {"url": self.picture}}
            content = [{"type": "text", "text": self.user}, shown]
        return [{"role": "system", "content": self.system}, {"role": "user", "content": content}]

    def key(self, asked: Mapping[str, Any]) -> str:
        """Names the question together with how it is asked: the same one is never asked twice."""
        return _digest([self.messages, dict(asked)])

    @property
    def tokens(self) -> int:
        """About how many tokens it has: a quarter of its ASCII characters and every other character."""
        text = self.system + self.user
        plain = sum(character.isascii() for character in text)
        return plain // 4 + (len(text) - plain) + _OVERHEAD + (_PICTURE_TOKENS if self.picture else 0)


def prompt_of(rubric: Rubric, question: str, reference: str, answer: str, picture: str | None = None) -> Prompt:
    """What is asked about one answer.

    Args:
        rubric: What the judge is told.
        question: What the model was asked.
        reference: The gold answer.
        answer: What the model said: data, however much it may look like an instruction or like JSON.
        picture: A data URI of the picture that was shown.
    """
    told = json.dumps({"question": question, "reference": reference, "answer": answer}, ensure_ascii=False, indent=1)
    return Prompt(system=rubric.system, user=told, picture=picture)


def _folder() -> Any:
    return resources.files(_SHIPPED) / "rubrics"


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
