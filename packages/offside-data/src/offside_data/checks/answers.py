"""Do answer, value, choices and wrong answers fit together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from offside_data.checks._base import Inspection, Item
from offside_data.issues import Issue
from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_states


def run(inspection: Inspection) -> Iterator[Issue]:
    """Look for the true value among the wrong answers, and for answers that don't state their value."""
    taxonomy = inspection.dataset.taxonomy

    @functools.cache  # The same few values and distractors stand in many records.
    def states(text: str, value: ClaimValue, attribute: str) -> bool:
        return answer_states(text, value, taxonomy[attribute])

    for item in inspection.records:
        value, attribute = item.row["value"], item.row["attribute"]
        if value is not None and attribute in taxonomy and value["kind"] == taxonomy[attribute].kind:
            stated_in = functools.partial(states, value=ClaimValue(**value), attribute=attribute)
            yield from _check(item, stated_in)


def _check(item: Item, states_value: Callable[[str], bool]) -> Iterator[Issue]:
    row, value = item.row, item.row["value"]["text"]
    if not states_value(row["answer"] or ""):
        message = f"the answer {row['answer']!r} doesn't state its value, {value!r}."
        yield Issue("warning", "value-not-in-answer", item.name, message)
    for text in row["perturbed_answers"] or ():
        if states_value(text):
            message = f"the perturbed answer {text!r} states the true value, {value!r}."
            yield Issue(item.severity, "true-distractor", item.name, message)
    for place, choice in enumerate(row["choices"] or ()):
        if place != row["correct_choice"] and states_value(choice):
            message = f"choice {place}, {choice!r}, states the true value, {value!r}, but isn't the correct one."
            yield Issue(item.severity, "true-distractor", item.name, message)
        elif place == row["correct_choice"] and not states_value(choice):
            message = f"choice {place}, {choice!r}, is marked correct but doesn't state the value, {value!r}."
            yield Issue(item.severity, "value-not-in-choice", item.name, message)
