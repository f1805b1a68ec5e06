"""What one annotator said of one record: read from Label Studio's results, and as it stands in a record.

A record's `annotations` have three texts each: a pseudonym, when, and what was said, as JSON:
`{"answers": {"veracity": "rumor"}, "id": "…", "round": 1, "shown": "…"}`, with `"skipped": true` where the annotator
had no answer, `"unknown"` for what the interface doesn't offer, and `"withdrawn": true` for what was deleted on the
server after it was pulled: it stays, and counts no more.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offside_data.annotation.interface import BY_NAME
from offside_data.parsing import parse_json
from offside_data.schema import Annotation

Answer = str | tuple[str, ...]
"""A choice or a text; several choices where a control takes several."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_DEEPEST = 20
"""How deep lists and mappings may lie in each other."""
NOBODY = "a?"
"""Stands for users whom the server has no more: it doesn't say who they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordJudgement:
    """What one annotator said of one record.

    Args:
        annotator: Pseudonym.
        at: When, as an ISO timestamp.
        answers: By control; what was left open isn't there.
        id: Tells it from all others; the same when it is pulled again.
        shown: Hash of what the annotator saw (`tasks.shown_hash`).
        round: 1 for the first round, one more for each further one.
        skipped: Whether the annotator skipped the task, or cancelled it.
        unknown: By control, or by whatever the server names, what the interface doesn't offer.
        withdrawn: Whether it was deleted where it was made.
    """

    annotator: str
    at: str
    answers: Mapping[str, Answer]
    id: str
    shown: str
    round: int = 1
    skipped: bool = False
    unknown: Mapping[str, Any] = field(default_factory=dict)
    withdrawn: bool = False

    def to_annotation(self) -> Annotation:
        """As a record holds it."""
        told: dict[str, Any] = {"answers": dict(self.answers), "id": self.id, "round": self.round, "shown": self.shown}
        told |= {"skipped": True} if self.skipped else {}
        told |= {"unknown": dict(self.unknown)} if self.unknown else {}
        told |= {"withdrawn": True} if self.withdrawn else {}
        return Annotation(annotator=self.annotator, value=as_text(told), at=self.at)

    @classmethod
    def from_annotation(cls, annotation: Mapping[str, str]) -> RecordJudgement | None:
        """Back from a record's annotation; null for one that somebody else wrote."""
        try:
            told = parse_json(annotation["value"])
            answers = {
                name: tuple(said) if isinstance(said, list) else str(said) for name, said in told["answers"].items()
            }
            return cls(
                annotator=annotation["annotator"],
                at=annotation["at"],
                answers=answers,
                id=str(told["id"]),
                shown=str(told["shown"]),
                round=int(told["round"]),
                skipped=bool(told.get("skipped")),
                unknown=told.get("unknown") or {},
                withdrawn=bool(told.get("withdrawn")),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def as_text(value: Any) -> str:
    """JSON in one line, the same for the same content."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def read_results(results: Iterable[Any]) -> tuple[dict[str, Answer], dict[str, Any]]:
    """The answers in Label Studio's results.

    Args:
        results: The `result` of an annotation or a prediction.

    Returns:
        Answers by control, and what isn't one that the interface offers: the server accepts anything.
    """
    answers: dict[str, Answer] = {}
    unknown: dict[str, Any] = {}
    for result in results:
        if not isinstance(result, Mapping) or not isinstance(result.get("value"), Mapping):
            unknown["?"] = _readable(result)
            continue
        name, control = str(result.get("from_name")), BY_NAME.get(str(result.get("from_name")))
        said = result["value"].get("choices" if control is None or control.choices else "text")
        texts = [said] if isinstance(said, str) else said
        if control is None or not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
            unknown[name] = _readable(result["value"])
        elif not control.choices:
            text = " ".join(_CONTROL.sub(" ", " ".join(texts)).split())
            answers |= {name: text} if text else {}
        else:
            offered = tuple(choice for choice in control.choices if choice in texts)
            others = [text for text in texts if text not in offered]
            if control.several:  # Each choice is an answer of its own.
                unknown |= {name: others} if others else {}
                answers |= {name: offered} if offered else {}
            elif others or len(offered) > 1:
                unknown[name] = list(texts)
            elif offered:
                answers[name] = offered[0]
    return answers, unknown


def _readable(value: Any) -> Any:
    """What the interface doesn't offer, as it is kept: as it came, unless nobody could read it back."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            part for v in level for part in (v.values() if isinstance(v, dict) else v if isinstance(v, list) else ())
        ]
        if not level:
            return value
    return "(nested too deep)"


def annotation_id(server: str, task: object, said: Mapping[str, Any]) -> str:
    """What tells an annotation, as Label Studio writes it, from all others.

    Args:
        server: Where it was made.
        task: The task's number.
        said: The annotation.
    """
    return str(said.get("unique_id") or f"{server}#{task}#{said.get('id')}")


def judgements_of(annotations: Iterable[Mapping[str, str]] | None) -> list[RecordJudgement]:
    """What annotators said of a record, as far as we wrote it, oldest first."""
    found = (RecordJudgement.from_annotation(annotation) for annotation in annotations or ())
    return sorted((said for said in found if said is not None), key=lambda said: (said.at, said.annotator, said.id))


def merged(
    annotations: Sequence[Mapping[str, str]] | None,
    new: Iterable[RecordJudgement],
    gone: Collection[str] = (),
    *,
    current: bool = True,
) -> list[dict[str, str]]:
    """A record's annotations with new ones; one that is there already, by its id, is replaced where it is another.

    Args:
        annotations: Those of the record, ours and others'.
        new: What was pulled. What is older than what the record has doesn't replace it.
        gone: Ids of those that were deleted where they were made.
        current: Whether what is new is what a server has now; an old file brings nothing back that was withdrawn.
    """
    by_id = {said.id: said for said in judgements_of(annotations)}
    for said in new:
        known = by_id.get(said.id)
        if known is not None and (said.annotator == NOBODY or not current):  # A file has numbers of users only.
            said = dataclasses.replace(said, annotator=known.annotator)
        if known is None or (said.at, current) >= (known.at, known.withdrawn):
            by_id[said.id] = said
    for name in by_id.keys() & set(gone):
        by_id[name] = dataclasses.replace(by_id[name], withdrawn=True)
    others = [dict(a) for a in annotations or () if RecordJudgement.from_annotation(a) is None]
    told = (said.to_annotation() for said in by_id.values())
    ours = [{"annotator": a.annotator, "value": a.value, "at": a.at} for a in told]
    return [*others, *sorted(ours, key=lambda a: (a["at"], a["annotator"], a["value"]))]
