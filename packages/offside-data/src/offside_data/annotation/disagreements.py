"""Where annotators disagree, and how much it matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from offside_data.annotation.answers import RecordJudgement
from offside_data.annotation.interface import BY_NAME, CONTROLS
from offside_data.annotation.tasks import TaskRecord
from offside_data.editing.changes import stated
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

AS_STATED = "(as stated)"
"""What is said of a value by somebody who corrects nothing."""
NOTHING = "(nothing)"
"""What is said of a picture by somebody who finds nothing wrong."""
COMPARED = tuple(control.name for control in CONTROLS if control.importance)
"""Controls whose answers are compared."""


def latest(judgements: Iterable[RecordJudgement], shown: str) -> dict[str, RecordJudgement]:
    """What each annotator said last of a record as it is now; by pseudonym, those left out who skipped it.

    Args:
        judgements: Oldest first.
        shown: Hash of the record as it is (`TaskRecord.shown`).
    """
    last = {said.annotator: said for said in judgements if said.shown == shown}
    return {name: said for name, said in sorted(last.items()) if not said.skipped}


def votes_of(judgements: Mapping[str, RecordJudgement], attribute: Attribute) -> dict[str, dict[str, str]]:
    """By control, what each annotator says, so that the same is the same text; an open question is no answer.

    Args:
        judgements: By annotator.
        attribute: Of the record: it says how values are read.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in COMPARED}
    for annotator, said in judgements.items():
        for name in COMPARED:
            answer = _answer(said, name, attribute)
            if answer is not None:
                found[name][annotator] = answer
    return found


def _answer(said: RecordJudgement, name: str, attribute: Attribute) -> str | None:
    answer = said.answers.get(name)
    if name in said.unknown:
        return None
    if name == "rumor_channel":
        veracity = said.answers.get("veracity")
        if veracity != "rumor":  # Then it isn't asked.
            return None if veracity is None else "none"
    if name == "value":
        return AS_STATED if answer is None else value_as_said(str(answer), attribute)
    if BY_NAME[name].several:
        return ", ".join(answer) if answer else NOTHING
    return answer if isinstance(answer, str) else None


def value_as_said(text: str, attribute: Attribute) -> str:
    """A corrected value in one wording, e.g. of `2019-07-01` and `1 July 2019`; as it is where it isn't readable."""
    try:
        value = stated(text, attribute, rumor=False)[1]
    except ValueError:
        return " ".join(folded_words(text)) or text
    if value.date:
        return value.date
    if value.number is not None:
        return " ".join(filter(None, (f"{value.number:,.12g}", value.currency, value.unit)))
    return " ".join(folded_words(value.text))


def disagreeing(record: TaskRecord, taxonomy: Taxonomy) -> list[RecordJudgement]:
    """What annotators said of a record, if they disagree about it; else nothing."""
    said = latest(record.judgements, record.shown)
    votes = votes_of(said, taxonomy[record.row["attribute"]])
    return list(said.values()) if any(len(set(by.values())) > 1 for by in votes.values()) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A record that annotators disagree about.

    Args:
        record_id, image_id, attribute, question, answer: Of the record.
        votes: By control that they disagree about, what each annotator said.
        stated: By control, what the dataset says.
        matters: How much it matters (`matter_of`).
        comments: What annotators remarked, by pseudonym.
    """

    record_id: str
    image_id: str | None
    attribute: str
    question: str
    answer: str
    votes: Mapping[str, Mapping[str, str]]
    stated: Mapping[str, str]
    matters: float
    comments: Mapping[str, str]


def disagreement_of(record: TaskRecord, taxonomy: Taxonomy) -> Disagreement | None:
    """What annotators disagree about in a record; null where they don't."""
    said = latest(record.judgements, record.shown)
    votes = votes_of(said, taxonomy[record.row["attribute"]])
    split = {name: by for name, by in votes.items() if len(set(by.values())) > 1}
    if not split:
        return None
    proposed = {name: answers[0] for name, answers in record.proposals().items()}
    row = record.row
    return Disagreement(
        record_id=record.record_id,
        image_id=row["image_id"] if row["image"] is not None else None,
        attribute=row["attribute"],
        question=row["question"],
        answer=row["answer"],
        votes=split,
        stated={"rumor_channel": row["rumor_channel"], "value": AS_STATED, "picture": NOTHING, **proposed},
        matters=matter_of(votes, proposed),
        comments={name: str(j.answers["comment"]) for name, j in said.items() if "comment" in j.answers},
    )


def matter_of(votes: Mapping[str, Mapping[str, str]], proposed: Mapping[str, str]) -> float:
    """How much it matters what annotators disagree about in a record.

    For each control, its importance times the share of annotators who don't say what most say; twice that where what
    most say isn't what the dataset says.
    """
    total = 0.0
    for name, by in votes.items():
        answer, most = top_of(by.values())
        if len(set(by.values())) > 1:
            contrary = name in proposed and answer != proposed[name]
            total += BY_NAME[name].importance * (1 - most / len(by)) * (2 if contrary else 1)
    return round(total, 4)


def top_of(answers: Iterable[str]) -> tuple[str | None, int]:
    """The answer that most gave, and how many did; null with the number where several are first."""
    counts = Counter(answers).most_common()
    if not counts:
        return None, 0
    tied = len(counts) > 1 and counts[0][1] == counts[1][1]
    return (None if tied else counts[0][0]), counts[0][1]


def in_order(found: Sequence[Disagreement]) -> list[Disagreement]:
    """Disagreements, what matters most first."""
    return sorted(found, key=lambda d: (-d.matters, d.record_id))
