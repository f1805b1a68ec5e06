"""Give all records of a dataset folder their text form, paraphrases, wrong answers, choices and cloze."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from offside_data.dataset.contents import Contents
from offside_data.dataset.decisions import make_decision
from offside_data.questions.forms import FORMS, Forms, without_ambiguous_paraphrases
from offside_data.questions.text_form import text_form
from offside_data.schema import Record

Only = Literal["missing", "all"]


@dataclass(frozen=True, kw_only=True)
class QuestionsReport:
    """What `questions` did.

    Args:
        records: How many records are about a subject, after the run.
        there: How many of them have each form.
        made: How many got it, or got it anew with another result.
        text_records: How many text records were added.
        lacking: How often a form can't be made, by form and reason.
    """

    records: int
    there: dict[str, int]
    made: dict[str, int]
    text_records: int
    lacking: dict[tuple[str, str], int]

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["lacking"] = [{"form": form, "why": why, "records": n} for (form, why), n in self.lacking.items()]
        return plain


def make_questions(folder: str | Path, *, seed: int = 0, only: Only = "missing") -> QuestionsReport:
    """Make the further forms of a dataset's records, in place. The same seed makes the same again.

    Args:
        folder: The dataset.
        seed: Seed of wrong answers and of the order of options.
        only: `missing` fills in what is empty, `all` makes everything anew where it can be made.

    Raises:
        DatasetReferenceError: If there is no such folder.
    """
    contents = Contents.read(folder)
    names = {row["subject_id"]: row["name"] for row in contents.subjects if row["name"]}
    texts = text_form(contents.records, contents.taxonomy, names=names, images=contents.images)
    records = [*contents.records, *texts.records]
    forms = Forms(records, contents.taxonomy, seed=seed, names=names, images=contents.images)
    filled = [forms.fill(record, anew=only == "all") for record in records]
    filled = without_ambiguous_paraphrases(filled, contents.taxonomy)
    made = _made(records, filled)
    if texts.records or made:
        counts = {"text records": len(texts.records), **made}
        why = "made from the taxonomy's phrasings and the values of other subjects"
        command = f"questions --only {only} --seed {seed}"
        contents.records = filled
        contents.decisions.append(make_decision("questions", counts, why, command=command))
        contents.save(Path(folder))
    asked = [record for record in filled if record.attribute is not None]
    return QuestionsReport(
        records=len(asked),
        there={form: sum(bool(getattr(record, form)) for record in asked) for form in FORMS},
        made=made,
        text_records=len(texts.records),
        lacking={**{("text form", why): n for why, n in texts.lacking.items()}, **forms.lacking},
    )


def _made(before: Sequence[Record], after: Sequence[Record]) -> dict[str, int]:
    changed = Counter(
        form
        for old, new in zip(before, after, strict=True)
        for form in FORMS
        if getattr(old, form) != getattr(new, form)
    )
    return {form: changed[form] for form in FORMS if changed[form]}
