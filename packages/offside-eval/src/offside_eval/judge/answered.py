"""What judges said, kept as it comes: one line a question, so that a killed command loses none that was answered."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from offside_data.strict import Strict
from offside_eval.judge.reply import Verdict
from offside_eval.judge.rubric import HIGHEST, LOWEST
from offside_eval.meta import ResultsError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Strict):
    """What a judge said to one question.

    Args:
        key: Of the question.
        endpoint: Who was asked.
        score: From 0 to 10; null when unscored.
        reason: Why there is no score.
        said: What the judge gave as its reason, or said instead.
        served: The model that the endpoint says it was.
        tokens_in: Tokens of all tries, counted by the endpoint or estimated.
        tokens_out: Likewise.
        tries: Requests it took.
    """

    key: str
    endpoint: str
    score: float | None
    reason: str | None
    said: str | None
    served: str | None
    tokens_in: int
    tokens_out: int
    tries: int

    @property
    def verdict(self) -> Verdict:
        """As it was read."""
        return Verdict(score=self.score, reason=self.reason, said=self.said, served=self.served)


def _is_score(value: object) -> bool:
    return type(value) in (int, float) and LOWEST <= value <= HIGHEST  # type: ignore[operator]


class AnswerLog:
    """A file of answers, to which lines are only ever added.

    Args:
        path: The file.

    Attributes:
        found: By key, the last answer to each question.

    Raises:
        ResultsError: If a line in it is none of ours. One that a kill cut off at the end is dropped.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None
        self.found = {answered.key: answered for answered in self._read()}

    def _read(self) -> Iterator[Answered]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole, end, _ = content.rpartition(b"\n")
        for number, line in enumerate((whole + end).splitlines(), 1):
            try:
                fields = json.loads(line)
                answered = Answered(**fields)
                fine = (answered.score is None) != (answered.reason is None) and isinstance(answered.key, str)
                fine = fine and (answered.score is None or _is_score(answered.score))
                fine = fine and all(type(n) is int for n in (answered.tokens_in, answered.tokens_out, answered.tries))
            except (ValueError, TypeError):
                fine = False
            if not fine:
                raise ResultsError(
                    f"{self._path}, line {number}: not an answer that we wrote. Delete the line, or the file if the "
                    "judge is to be asked everything again."
                )
            yield answered

    def add(self, answered: Answered) -> None:
        """Write an answer down, safe from a kill."""
        if self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("ab")
            self._cut_torn_line()
        line = json.dumps(dataclasses.asdict(answered), ensure_ascii=False, allow_nan=False)
        self._stream.write(line.encode("utf-8", "replace") + b"\n")
        self._stream.flush()
        self.found[answered.key] = answered

    def _cut_torn_line(self) -> None:
        """What a kill left without an end would swallow the next line."""
        content = self._path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(self._path, content.rfind(b"\n") + 1)

    def close(self) -> None:
        """Make sure that all of it is on the disk."""
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._stream = None
