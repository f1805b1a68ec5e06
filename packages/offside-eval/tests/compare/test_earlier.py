"""What is still known of earlier requests: by hand, over seeds, and where it is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from offside_eval.compare import compare
from offside_eval.compare.show import earlier_rows
from offside_eval.meta import EvaluationMeta
from offside_eval.report import write_report
from offside_eval.results import Results

ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}


def after_two(results: Results, gone: str = "s0") -> Results:
    """The same results where the claims of one subject were the affair of an earlier request."""
    subject = pl.col("subject_id") == gone
    place = pl.when((pl.col("slice") == "forget") & subject).then(pl.lit("earlier:1")).otherwise("slice")
    samples = results.samples.with_columns(slice=place)
    earlier = {
        "slice": "earlier:1",
        "digest": "sha256:first",
        "n": 9,
        "n_found": 8,
        "method": "npo",
        "setting": "complete",
        "only": [f"subject={gone}"],
        "request": "sha256:run",
        "dataset": None,
        "remark": "1 of 9 records aren't in it",
    }
    meta = EvaluationMeta.from_json(results.meta.to_json() | {"earlier": [earlier]}, "here")
    assert EvaluationMeta.from_json(meta.to_json(), "again") == meta
    return dataclasses.replace(results, samples=samples, meta=meta)


@pytest.fixture
def study(make_results: Callable[..., Results]) -> list[Results]:
    return [
        make_results("vanilla", role="vanilla", rates=ALL),
        make_results("retain_only", role="retain_only", rates=ALL | {"forget/private": 0.0}),
        after_two(make_results("po", role="unlearned", method="po", rates=ALL | {"forget/private": 0.25})),
    ]


def test_what_is_still_known_stands_on_the_scale_of_the_controls(study: list[Results]) -> None:
    setting = compare(study).settings["complete"]
    (outcome,) = setting.earlier
    asked = study[2].samples.filter(slice="earlier:1", scope="private", variant="plain")["value_match"]
    assert asked.len() > 1
    figures = outcome.to_dict()["figures"]
    assert figures["knows"]["value"] == pytest.approx(asked.mean())
    assert figures["knows"]["n_scored"] == asked.len()
    assert (figures["vanilla"]["value"], figures["retain_only"]["value"]) == (1.0, 0.0)
    assert figures["forgetting"]["value"] == pytest.approx(1 - asked.mean())
    (row,) = setting.rows
    private = study[2].samples.filter(slice="forget", scope="private", variant="plain")
    assert row.figure("knows").to_dict()["n_scored"] == private.height, "the headline is about the present request"
    assert row.figure("knows/multimodal/private").interval.n == private.filter(config="multimodal").height
    _, cells = earlier_rows(setting.earlier)
    assert cells[0][:3] == ["po", "npo, complete, subject=s0\n1 of 9 records aren't in it", "8 of 9"]
    assert setting.to_dict()["earlier"][0]["request"] == "npo, complete, subject=s0"


def test_without_earlier_requests_there_is_no_table(study: list[Results]) -> None:
    assert compare(study[:2]).settings["complete"].earlier == []


def test_the_report_has_a_table_of_them(study: list[Results], tmp_path: Path) -> None:
    write_report(tmp_path / "report", compare(study))
    written: dict[str, Any] = {path.name: path for path in (tmp_path / "report").rglob("*") if path.is_file()}
    assert "complete: earlier requests" in written["summary.md"].read_text()
    assert "whether it is still forgotten" in written["report.html"].read_text()
    lines = written["earlier.csv"].read_text().splitlines()
    assert len(lines) == 1 + 4
    assert "subject=s0" in lines[1]
