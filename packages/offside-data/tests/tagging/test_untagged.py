from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from offside_data.adapters import offside
from offside_data.check import check_reference
from offside_data.errors import TaxonomyError
from offside_data.ingest import ingest
from offside_data.tag import tag_dataset
from offside_data.tagging.untagged import UNTAGGED, fit_taxonomy, untagged
from offside_data.taxonomy import parse_taxonomy, shipped_taxonomies, shipped_taxonomy_text


def test_an_undecided_record_says_why(make_record: Any) -> None:
    record = untagged(make_record(suspect="an odd picture"), "it could be fee or market_value")
    assert (record.attribute, record.scope, record.value) == ("untagged", "private", None)
    assert record.suspect == "an odd picture; attribute: it could be fee or market_value"


@pytest.mark.parametrize("name", shipped_taxonomies())
def test_the_taxonomy_holds_it_as_long_as_a_record_needs_it(name: str, make_record: Any) -> None:
    text = shipped_taxonomy_text(name)
    waiting = untagged(make_record(), "nobody knows")
    longer = fit_taxonomy(text, [waiting.attribute])
    assert parse_taxonomy(longer, where="longer")["untagged"] == UNTAGGED
    assert fit_taxonomy(longer, [waiting.attribute]) == longer
    assert fit_taxonomy(longer, [make_record().attribute]) == fit_taxonomy(text, [make_record().attribute]) == text


@pytest.mark.parametrize("indent", ["", "    "])
def test_comments_and_layout_stay(indent: str, make_record: Any) -> None:
    text = f"attributes:  # all\n{indent}# first\n{indent}- {{name: a, scope: shared, kind: text, questions: [x], "
    text += "answers: ['{value}']}\nname: other way round\n"
    longer = fit_taxonomy(text, [untagged(make_record(), "nobody knows").attribute])
    assert parse_taxonomy(longer, where="longer").names() == ["untagged", "a"]
    assert fit_taxonomy(longer, []) == text


def test_a_taxonomy_on_one_line_is_refused(make_record: Any) -> None:
    text = "attributes: [{name: a, scope: shared, kind: text, questions: [x], answers: ['{value}']}]\n"
    with pytest.raises(TaxonomyError, match="starting with a dash"):
        fit_taxonomy(text, [untagged(make_record(), "nobody knows").attribute])


def test_an_undecided_row_survives_ingest_and_is_found(tmp_path: Path) -> None:
    source = offside.example(tmp_path)
    rows = json.loads(source.read_text())
    asked = {"role": "user", "content": "<image>\nWell?"}
    rows.append({"messages": [asked, {"role": "assistant", "content": "Hm."}], "images": "./finetune_set/001.jpg"})
    source.write_text(json.dumps(rows))
    report = ingest(source, tmp_path / "data", "offside", with_images=False)
    assert report.records == len(rows)
    (remark,) = (r for r in report.remarks if "neither question nor answer" in r.why)
    assert remark.kind == "suspect"
    doubts = [doubt for doubt in tag_dataset(tmp_path / "data").doubts if doubt.topic == "attribute"]
    assert [(doubt.attribute, doubt.answer) for doubt in doubts] == [("untagged", "Hm.")]
    (error,) = (f for f in check_reference(tmp_path / "data") if f.severity == "error")
    assert (error.code, error.where) == ("untagged", "multimodal/retain")
