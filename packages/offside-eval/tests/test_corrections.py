"""A corrected score counts, what was measured stays, and who corrected it why is told wherever results are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from offside_data.errors import UsageError
from offside_eval.cli import main
from offside_eval.compare import compare
from offside_eval.correcting import correct
from offside_eval.results import Results, ResultsError

Make = Callable[..., Results]
RECORD = "multimodal-forget-s0-club"


@pytest.fixture
def made(make_results: Make) -> Path:
    path = make_results("npo", role="unlearned", method="npo", rates={"forget/private": 0.25}, subjects=3).path
    assert path is not None
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["correct", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_corrected_score_counts_and_the_measured_one_stays(made: Path) -> None:
    files = {f.name: f.read_bytes() for f in made.iterdir()}
    before = Results.load(made)
    place = (pl.col("record_id") == RECORD) & (pl.col("variant") == "plain")
    measured = before.samples.filter(place)["value_match"][0]
    code, out, _ = run(made, RECORD, "--metric", "value_match", "--value", 1 - measured, "--by", "annotator-7",
                       "--reason", "The answer\nnames the club.")  # fmt: skip
    assert (code, out.count("annotator-7: The answer names the club.")) == (0, 1)
    after = Results.load(made)
    assert set(after.samples.filter(place)["value_match"]) == {1 - measured}
    assert after.samples.filter(~place).equals(before.samples.filter(~place))
    n = before.samples.filter((pl.col("slice") == "forget") & (pl.col("variant") == "plain")).height
    mean = {r: next(a.value for a in x.aggregates if (a.slice, a.scope, a.variant, a.metric)
                    == ("forget", None, "plain", "value_match")) for r, x in ((0, before), (1, after))}  # fmt: skip
    assert mean[1] - mean[0] == pytest.approx((1 - 2 * measured) / n)
    assert {f.name: f.read_bytes() for f in made.iterdir() if f.name in files} == files
    assert "corrected  1 score" in " ".join(repr(after).split(" ", 0))
    (note,) = [note for note in compare([after]).notes if "corrected by" in note]
    assert "1 score of value_match corrected by annotator-7" in note

    copy = after.save(made.parent / "copy")  # Nobody launders a correction by copying it.
    assert (made.parent / "copy" / "samples.parquet").read_bytes() == files["samples.parquet"]
    assert Results.load(made.parent / "copy").samples.equals(after.samples)
    assert copy.corrections == after.corrections

    assert run(made, RECORD, "--metric", "value_match", "--unscored", "--by", "a", "--reason", "Blurred.")[0] == 0
    assert Results.load(made).samples.filter(place)["value_match.skipped"][0] == "Blurred."
    assert run(made, RECORD, "--metric", "value_match", "--undo", "--by", "b", "--reason", "As it was.")[0] == 0
    undone = Results.load(made)
    assert undone.samples.equals(before.samples)
    assert undone.aggregates == before.aggregates
    assert [c.by for c in undone.corrections] == ["annotator-7", "a", "b"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"record": "multimodal-forget-s0-clubb"}, "Did you mean 'multimodal-forget-s0-club'"),
        ({"metric": "value_mach"}, "Did you mean 'value_match'"),
        ({"value": 1.5}, "between 0 and 1"),
        ({"value": float("nan")}, "between 0 and 1"),
        ({"by": "  "}, "--by must say something"),
        ({"reason": ""}, "--reason must say something"),
        ({"variant": "swaped"}, "It was asked as"),
        ({"kind": "right"}, "unknown kind of answer"),
        ({"kind": "refusal", "value": 1.0}, "can't score 1"),
        ({"value": "same"}, "already"),
    ],
)
def test_what_is_no_correction_is_refused_and_nothing_written(made: Path, changes: dict, said: str) -> None:
    given = {"record": RECORD, "metric": "value_match", "value": 0.5, "by": "a", "reason": "b"} | changes
    if given["value"] == "same":
        row = Results.load(made).samples.filter((pl.col("record_id") == RECORD) & (pl.col("variant") == "plain"))
        given |= {"value": row["value_match"][0], "kind": row["value_match.kind"][0]}
    record, metric, value = given.pop("record"), given.pop("metric"), given.pop("value")
    with pytest.raises(UsageError, match=said):
        correct(made, record, metric, value, **given)
    assert not (made / "corrections.jsonl").exists()


def test_corrections_of_other_scores_or_damaged_ones_are_refused(made: Path) -> None:
    assert run(made, RECORD, "--metric", "value_match", "--by", "a", "--reason", "b")[0] == 2
    assert run(made, RECORD, "--metric", "value_match", "--undo", "--value", 1, "--by", "a", "--reason", "b")[0] == 2
    correct(made, RECORD, "rouge_l", 0.75, by="a", reason="b")
    file = made / "corrections.jsonl"
    line = json.loads(file.read_text())
    for changed, said in (
        (line | {"before": 0.123}, "of another evaluation"),
        (line | {"record_id": "nobody"}, "of another evaluation"),
        (line | {"metric": "bleu"}, "wasn't computed"),
        (line | {"value": None}, "reason why there is none"),
        ({k: v for k, v in line.items() if k != "by"}, "'by' is missing"),
        (line | {"more": 1}, "more"),
    ):
        file.write_text(json.dumps(changed) + "\n")
        with pytest.raises(ResultsError, match=said):
            Results.load(made)
    file.write_text(json.dumps(line)[:40])
    with pytest.raises(ResultsError, match="line 1: not valid JSON"):
        Results.load(made)


def test_a_text_with_other_ends_of_line_stays_one_line(made: Path) -> None:
    odd = "a\u2028b\x85c\x0bd"
    correct(made, RECORD, "rouge_l", 0.5, by="a", reason="Read again.", kind=odd)
    (kept,) = Results.load(made).corrections
    assert kept.kind == odd
    with pytest.raises(UsageError, match="by"):
        correct(made, RECORD, "rouge_l", 0.25, by="\udcff", reason="Not UTF-8.")
    assert Results.load(made).corrections == (kept,)
