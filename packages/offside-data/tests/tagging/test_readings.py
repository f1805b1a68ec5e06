from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from offside_data import processes
from offside_data.dataset.storage import frame_schema
from offside_data.tagging.attributes import Rules
from offside_data.tagging.readings import read_texts
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")
ANSWERS = [
    "The player is 1.79 meters tall.",
    "The fee was €4.00m.",
    "He was with Ostholm.",
    "Hm.",
    "He is from Sweden.",
]


def claims() -> pl.DataFrame:
    """All questions of the taxonomy with all answers, about all attributes, their values unknown or read."""
    schema = {name: frame_schema("text")[name] for name in ("question", "answer", "attribute", "value")}
    questions = [q for a in FOOTBALL.attributes for q in a.questions[:2]]
    names = [*FOOTBALL.names(), "untagged", None]
    rows: list[dict[str, Any]] = [
        {"question": question, "answer": answer, "attribute": name, "value": value}
        for question in questions
        for answer in ANSWERS
        for name in names
        for value in (None, {"kind": "name", "text": "Ostholm"} if name == "club" else None)
    ]
    return pl.DataFrame(rows, schema=schema)


@pytest.mark.parametrize("least_rows", [1, 10**9])
def test_law_a_text_reads_as_it_does_alone_however_many_processes_read(
    least_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LEAST_ROWS", least_rows)
    rows, rules = claims(), Rules(FOOTBALL)
    read = read_texts(rows, FOOTBALL)
    alone = {(q, a): rules.read(q, a) for q, a in rows.select("question", "answer").unique().iter_rows()}
    for (question, answer, name, value), (place, stated) in zip(rows.iter_rows(), read.rows.iter_rows(), strict=True):
        reading = alone[question, answer]
        if place is None:
            assert name is None or reading.attribute in (None, name)
        else:
            assert read.kinds[place] == reading
        if name == "untagged":
            assert place is not None
        elif name is not None and value is None:
            assert stated == (parse_value(answer, FOOTBALL[name]) is not None)
        elif name == "club":
            assert stated == ("Ostholm" in answer)
