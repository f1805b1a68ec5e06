"""The report folder as a whole."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from offside_data.errors import OutputExistsError, UsageError
from offside_eval.compare import Comparison, compare
from offside_eval.compare.show import name as show_name
from offside_eval.findings import look_for
from offside_eval.report import write_report
from offside_eval.report.headline import headline
from offside_eval.report.tables import _write
from offside_eval.results import Results

ATTACK = '<script>alert("x")</script><img src=x onerror=alert(1)>'


def markup(page: str) -> str:
    """A page without the contents of its scripts and styles."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


def test_the_folder_holds_page_plots_tables_and_summary(report: Path) -> None:
    names = {str(p.relative_to(report)) for p in report.rglob("*") if p.is_file()}
    assert {
        "report.html",
        "summary.md",
        "tables/comparison.csv",
        "tables/attacks.csv",
        "tables/recoveries.csv",
        "tables/findings.csv",
        "tables/gallery.csv",
    } <= names
    for chart in ("scatter-complete", "scatter-selective", "curve-knows", "twins"):
        assert {f"plots/{chart}.png", f"plots/{chart}.svg"} <= names


def test_the_page_fetches_nothing(report: Path) -> None:
    page = markup((report / "report.html").read_text(encoding="utf-8"))
    assert not re.findall(r"""(?:src|href|action|poster|data)\s*=\s*["']?(?:https?:)?//""", page)
    assert "<link" not in page
    assert "@import" not in (report / "report.html").read_text(encoding="utf-8").split("</style>")[0]
    assert "default-src 'none'" in page
    sources = re.findall(r'<img[^>]* src="([^"]{5})', page)
    assert sources
    assert set(sources) == {"data:"}


def test_plotly_is_inlined_once(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert page.count("plotly.js v") == 1
    assert len(page) < 8_000_000


def test_the_page_says_what_was_compared_and_found(report: Path, comparison: Comparison) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    for said in (
        "made-up-league 1.0.0",
        "sha256:made-up",
        "grad_ascent",
        "retain-only",
        "collapsed",
        "not scored",
    ):
        assert said in page
    assert page.count('class="chip ') == len(look_for(comparison)) >= 6
    assert "<s>" in markup(page)
    assert 'lang="en"' in page
    assert page.count('scope="col"') > 20
    assert page.count('role="img" aria-label="') == 4 + 2 + 1  # scatters, curves, twins
    assert comparison.settings.keys() == {"complete", "selective", "corrective", "unimodal", "visual-rumor"}


def test_pictures_have_alternative_texts(report: Path) -> None:
    page = markup((report / "report.html").read_text(encoding="utf-8"))
    assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", page))


def test_the_same_results_give_the_same_bytes(report: Path, comparison: Comparison, tmp_path: Path) -> None:
    again = write_report(tmp_path / "again", comparison).parent
    for path in sorted(report.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(report)).read_bytes(), path.name


def test_tables_hold_every_number_with_its_count(report: Path, comparison: Comparison) -> None:
    with (report / "tables" / "comparison.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    one = next(r for r in rows if (r["setting"], r["model"], r["quantity"]) == ("complete", "kl_min", "forgetting"))
    figure = next(r for r in comparison.rows("complete") if r.label == "kl_min").figure("forgetting")
    assert figure.interval is not None
    assert float(one["value"]) == figure.interval.value
    assert (one["n_scored"], one["n_skipped"], one["n_subjects"]) == ("72", "0", "12")
    assert all(r["value"] or r["reason"] for r in rows)


def test_the_summary_strikes_collapsed_models_through(report: Path) -> None:
    text = (report / "summary.md").read_text(encoding="utf-8")
    assert "| grad_ascent (collapsed, these weights only) | ~~" in text
    assert "precondition unmet: " in text
    assert "retain-only (control)" in text


def test_text_from_models_and_datasets_is_escaped(made_up: ModuleType, tmp_path: Path) -> None:
    results = []
    for model in (made_up.VANILLA, made_up.RETAIN_ONLY, made_up.COMPLETE[2]):
        r: Results = made_up.evaluate(model, "complete", subjects=6)
        wrong = pl.col("value_match") == 0
        samples = r.samples.with_columns(
            prediction=pl.when(wrong).then(pl.lit(ATTACK)).otherwise("prediction"),
            question=pl.lit(f"{ATTACK}|?"),
        )
        meta = r.meta.to_json()
        meta["dataset"]["name"] = ATTACK
        if model.role == "unlearned":
            meta["model"]["run"]["method"] = ATTACK
            meta["model"]["path"] = f"runs/{ATTACK}"
        results.append(made_up.with_meta(replace(r, samples=samples), **meta))
    out = write_report(tmp_path / "out", results).parent
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in markup(page)
    assert "<img src=x" not in page
    assert "<script>" not in (out / "summary.md").read_text(encoding="utf-8")
    for svg in (out / "plots").glob("*.svg"):
        assert "<script>" not in svg.read_text(encoding="utf-8")


def test_one_model_without_controls_still_makes_a_report(make_results: Callable[..., Results], tmp_path: Path) -> None:
    page = write_report(tmp_path / "out", [make_results("a", role="unlearned", method="npo")])
    text = page.read_text(encoding="utf-8")
    assert "No vanilla model among the results" in text
    assert "No model is left to rank." in text


def test_controls_alone_make_a_report(make_results: Callable[..., Results], tmp_path: Path) -> None:
    assert write_report(tmp_path / "out", [make_results("v", role="vanilla")]).is_file()


def test_an_output_folder_in_use_is_left_alone(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputExistsError):
        write_report(tmp_path, comparison)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_half_written_stays_behind(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("offside_eval.report.static.save_scatter", broken)
    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path / "out", comparison)
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_can_be_made_on_the_fly(study: list[Path], tmp_path: Path) -> None:
    complete = [p for p in study if p.parent.name == "complete"]
    assert write_report(tmp_path / "out", complete).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert compare(complete).settings.keys() == {"complete"}


def test_views_and_kinds_of_answers_stand_in_page_and_summary(report: Path) -> None:
    summary, page = (report / "summary.md").read_text(), (report / "report.html").read_text()
    assert "Answers to the private claims to be forgotten:" in summary
    assert "| model | correct | wrong_value | refusal |" in summary
    assert "* po: stops " in summary
    assert "What the answers to the private claims to be forgotten were" in page
    assert "least forgotten" in page


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    return found


def test_a_page_for_each_subject_tells_what_every_model_says(report: Path, comparison: Comparison) -> None:
    """Counted again from the samples: each claim of the forget pictures, each model's answer, right where scored 1."""
    told = data_of(report / "report.html")["subjects"]
    page, setting = told["settings"]["selective"], comparison.settings["selective"]
    models = [name for name, _, _ in page["models"]]
    assert models == [show_name(row) for row, _ in setting.all_rows]
    row = next(row for row in setting.rows if row.label == "kl_min")
    assert row.results is not None
    samples = row.results.samples.filter(pl.col("split") == "forget", pl.col("variant") == "plain")
    assert [s["name"] for s in page["subjects"]] == sorted(samples["subject_id"].unique())
    said = {
        (subject["name"], told["texts"][claim["question"]], claim["form"]): claim["said"][models.index("kl_min")]
        for subject in page["subjects"]
        for claim in subject["claims"]
    }
    assert len(said) == samples.height
    for sample in samples.iter_rows(named=True):
        form = "picture" if sample["config"] == "multimodal" else "text"
        text, right = said[sample["subject_id"], sample["question"], form]
        assert told["texts"][text] == sample["prediction"]
        assert right == (None if sample["value_match"] is None else int(sample["value_match"] == 1))


def test_what_is_still_known_is_split_by_attribute_and_subject(report: Path, comparison: Comparison) -> None:
    rows = read_table(report / "tables" / "breakdown.csv")
    assert {row["by"] for row in rows} == {"attribute", "subject_id"}
    row = next(row for row in comparison.settings["selective"].rows if row.label == "kl_min")
    assert row.results is not None
    asked = row.results.samples.filter(
        pl.col("slice") == "forget", pl.col("scope") == "private", pl.col("variant") == "plain"
    )
    for by in ("attribute", "subject_id"):
        own = [r for r in rows if (r["setting"], r["model"], r["by"]) == ("selective", "kl_min", by)]
        for line in own:
            scores = asked.filter(pl.col(by) == line["what"])["value_match"].drop_nulls()
            assert (float(line["knows"]), int(line["n"])) == (pytest.approx(scores.mean()), scores.len())
        assert sum(int(line["n"]) for line in own) == asked["value_match"].drop_nulls().len() > 0
    page = markup((report / "report.html").read_text(encoding="utf-8"))
    assert "Still known, by attribute" in page
    assert "Still known, by subject" in page


def test_where_every_model_came_from_is_told(report: Path) -> None:
    page = markup((report / "report.html").read_text(encoding="utf-8")).split('id="provenance"')[1]
    lines = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', page)
    assert len(lines) > 5
    assert all(made_from for _, _, made_from in lines)
    assert any(role == "relearned" and made_from == "kl_min" for _, role, made_from in lines)


def test_no_cell_of_a_table_is_a_formula(tmp_path: Path) -> None:
    cells = ['=HYPERLINK("x")', "+1", "-1 goal", "@SUM(A1)", "\tx", "said", "a=b"]
    _write(tmp_path / "t.csv", [{"says": cell, "value": -0.5} for cell in cells])
    read = read_table(tmp_path / "t.csv")
    assert [row["says"] for row in read] == [f"'{cell}" for cell in cells[:5]] + cells[5:]
    assert {row["value"] for row in read} == {"-0.5"}


def test_the_page_shows_no_more_cases_than_asked_for(comparison: Comparison, tmp_path: Path) -> None:
    assert len(data_of(write_report(tmp_path / "few", comparison, cases=3))["cases"]) == 3
    assert data_of(write_report(tmp_path / "none", comparison, cases=0))["cases"] == []
    with pytest.raises(UsageError, match="cases must be 0 or more, got -1"):
        write_report(tmp_path / "negative", comparison, cases=-1)
    assert not (tmp_path / "negative").exists()


def test_it_says_on_what_grounds_its_scores_lead(report: Path, comparison: Comparison) -> None:
    grounds = headline(comparison, []).grounds
    assert grounds.count(" of pairs") == 2, "value_match, and the view by probability that these results have"
    for name in ("summary.md", "report.html"):
        assert grounds in (report / name).read_text(encoding="utf-8"), name
