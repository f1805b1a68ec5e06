"""Are the further forms of the questions right: wrong answers wrong, clozes and paraphrases about the value."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from offside_data.checks._base import Inspection, Item
from offside_data.checks.questions import normalised
from offside_data.issues import Issue
from offside_data.questions.phrasings import BLANK, value_text
from offside_data.schema import CONFIGS, ClaimValue
from offside_data.tagging.values import answer_states, find_values, same_value
from offside_data.taxonomy import Taxonomy

_Known = dict[tuple[str, str], dict[ClaimValue, str]]
"""By subject and attribute, the values that are true of the subject somewhere, each with a record that says so."""


def run(inspection: Inspection) -> Iterator[Issue]:
    """Look at paraphrases, wrong answers and clozes of every record; its own value among the wrong ones: `answers`."""
    forms = _Forms(inspection.dataset.taxonomy, _known(inspection))
    for item in inspection.records:
        yield from forms.check(item)
    yield from _conflicts(inspection)


class _Forms:
    def __init__(self, taxonomy: Taxonomy, known: _Known) -> None:
        self._taxonomy = taxonomy
        self._known = known
        # The same few values and wrong answers stand in many records.
        self._states = functools.cache(lambda text, value, name: answer_states(text, value, taxonomy[name]))

    def check(self, item: Item) -> Iterator[Issue]:
        row = item.row
        cloze = row["cloze"]
        if cloze is not None and cloze.count(BLANK) != 1:
            message = f"the cloze {cloze!r} must hold one blank, {BLANK!r}."
            yield Issue("error", "cloze-blank", item.name, message)
            return
        value = _value(row, self._taxonomy)
        if value is None:
            return
        name = row["attribute"]
        if cloze is not None:
            said = (value.text, value_text(value, self._taxonomy[name]))
            if self._states(cloze, value, name):
                message = f"the cloze {cloze!r} tells the value, {value.text!r}, beside the blank."
                yield Issue(item.severity, "cloze-tells", item.name, message)
            elif not any(self._states(cloze.replace(BLANK, text), value, name) for text in said):
                message = f"the cloze {cloze!r} doesn't state the value when it is filled in, {value.text!r}."
                yield Issue(item.severity, "cloze-not-value", item.name, message)
        if value.kind != "text":  # Other words may say the same, and what is true of one sentence is wrong in another.
            for text in row["answer_paraphrases"] or ():
                if not self._states(text, value, name):
                    message = f"the answer's paraphrase {text!r} doesn't state the value, {value.text!r}."
                    yield Issue(item.severity, "paraphrase-not-value", item.name, message)
            yield from self._true_elsewhere(item, value)
        yield from self._repeated(item)

    def _true_elsewhere(self, item: Item, value: ClaimValue) -> Iterator[Issue]:
        row = item.row
        wrong = [*(row["perturbed_answers"] or ())]
        wrong += [text for place, text in enumerate(row["choices"] or ()) if place != row["correct_choice"]]
        attribute = self._taxonomy[row["attribute"]]
        for other, record in self._known.get((row["subject_id"], attribute.name), {}).items():
            for text in wrong:
                if self._states(text, other, attribute.name) and not same_value(value, other, attribute):
                    message = (
                        f"the wrong answer {text!r} states {other.text!r}, which record {record} says of the subject."
                    )
                    yield Issue(item.severity, "wrong-answer-true", item.name, f"{message} Run questions --only all.")

    def _repeated(self, item: Item) -> Iterator[Issue]:
        attribute = self._taxonomy[item.row["attribute"]]
        seen: list[ClaimValue] = []
        for text in item.row["choices"] or ():
            found = find_values(text, attribute)
            value = found[0] if len(found) == 1 else ClaimValue(kind=attribute.kind, text=text)
            if any(same_value(value, other, attribute) for other in seen):
                yield Issue("warning", "choice-repeated", item.name, f"two choices say the same: {text!r}.")
            seen.append(value)


def _known(inspection: Inspection) -> _Known:
    known: _Known = defaultdict(dict)
    for item in inspection.records:
        value = _value(item.row, inspection.dataset.taxonomy)
        # What is doubtful itself makes no other answer true.
        if value is not None and item.row["suspect"] is None and item.row["subject_id"] is not None:
            known[item.row["subject_id"], item.row["attribute"]].setdefault(value, item.name)
    return known


def _value(row: dict[str, Any], taxonomy: Taxonomy) -> ClaimValue | None:
    """A record's value, if it is one of its attribute's kind."""
    value, attribute = row["value"], row["attribute"]
    if value is None or attribute not in taxonomy or value["kind"] != taxonomy[attribute].kind:
        return None
    return ClaimValue(**value)


def _conflicts(inspection: Inspection) -> Iterator[Issue]:
    """Paraphrases in which another record, of the same picture or in the text form, asks for another answer."""
    taxonomy = inspection.dataset.taxonomy
    for config in CONFIGS:
        asked: dict[tuple[str | None, str], dict[str, Item]] = defaultdict(dict)
        for item in inspection.of(config):
            about = item.picture if config == "multimodal" else None
            for text in (item.row["question"], *(item.row["question_paraphrases"] or ())):
                asked[about, normalised(text)][item.name] = item
        for (_, words), items in asked.items():
            first, *others = items.values()
            if not all(_same_answer(first, other, taxonomy) for other in others):
                for item in items.values():
                    # Where both ask it in these words, `questions` says so.
                    if normalised(item.row["question"]) != words:
                        message = f"its paraphrase {words!r} asks for other answers too: {', '.join(items)}."
                        yield Issue(item.severity, "paraphrase-conflict", item.name, message)


def _same_answer(a: Item, b: Item, taxonomy: Taxonomy) -> bool:
    if normalised(a.row["answer"]) == normalised(b.row["answer"]):
        return True
    values = _value(a.row, taxonomy), _value(b.row, taxonomy)
    if a.row["attribute"] != b.row["attribute"] or values[0] is None or values[1] is None:
        return False
    return same_value(values[0], values[1], taxonomy[a.row["attribute"]])
