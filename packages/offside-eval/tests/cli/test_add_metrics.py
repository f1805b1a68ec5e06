"""Metrics of whole models: prepared by an evaluation, told about before the model is loaded, added later."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from offside_data.dataset.transaction import new_dataset
from offside_data.errors import OutputExistsError
from offside_data.taxonomy import shipped_taxonomy_text
from offside_eval import EvaluationConfig, Results, evaluate
from offside_eval.cli import main
from offside_eval.compare import compare
from offside_eval.correcting import correct
from offside_eval.model_scores import beside, read

WANTED = "forget_quality,js_distance"
CONFIG = EvaluationConfig(
    only=("subject=s0",),
    limit=4,
    max_new_tokens=4,
    batch_size=8,
    device="cpu",
    metrics=(*WANTED.split(","), "choice_accuracy:letter", "cloze_accuracy"),
)


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def results(models: dict[str, Path], paraphrased: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """Of two models; the roles are made up."""
    folder = tmp_path_factory.mktemp("results")
    found = {}
    for name, role in (("raw", "retain_only"), ("trained", "vanilla")):
        config = dataclasses.replace(CONFIG, role=role)
        found[name] = evaluate(models[name], None, paraphrased, "complete", config=config, out=folder / name)
    return found


@pytest.fixture(scope="module")
def paraphrased(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dataset, its answers in other words as well."""
    path = tmp_path_factory.mktemp("paraphrased") / "data"
    taxonomy = shipped_taxonomy_text("football")
    with new_dataset(path, name="small", taxonomy=taxonomy, license="cc0-1.0") as writer:
        writer.add_records(
            dataclasses.replace(r, answer_paraphrases=(f"So it is: {r.answer}",)) if r.subject_id else r
            for r in small.records()
        )
        writer.add_images(small.twins())
    return path


def test_what_lacks_a_control_is_told_and_added_later(
    results: dict[str, Results], models: dict[str, Path], paraphrased: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, control = results["trained"], results["raw"]
    assert read(own.path) == {}
    other = dataclasses.replace(CONFIG, role="unlearned")
    with pytest.raises(OutputExistsError, match="something else"):  # the folder is looked at when all has been said
        evaluate(models["trained"], None, paraphrased, "complete", config=other, out=own.path)
    told = capsys.readouterr().err
    assert "forget_quality, js_distance need the results of retain-only: give --retain-only RESULTS" in told
    assert f"offside-eval add-metrics {own.path} --retain-only RESULTS" in told
    code, out, _ = run("add-metrics", own.path, "--metrics", WANTED, "--retain-only", control.path, "--json")
    assert code == 0
    found = json.loads(out)[0]["metrics"]
    n = own.samples.filter(slice="forget", variant="plain")["record_id"].n_unique()
    asked = own.samples.filter(slice="forget", variant="plain", attribute="fee")["record_id"].n_unique()
    assert 0 < asked <= found["forget_quality"]["n"] < n  # the name has no other values
    assert found["forget_quality"]["verdict"] == "can't tell"
    assert found["js_distance"]["n"] == n
    assert 0 < found["js_distance"]["value"] < 1
    assert {name: number.value for name, number in read(own.path).items()} == {
        name: pytest.approx(entry["value"]) for name, entry in found.items()
    }
    unlearned = dataclasses.replace(own, meta=dataclasses.replace(own.meta, role="unlearned"))
    ((setting, _, numbers),) = beside(compare([unlearned, control], metric="probability"))
    assert setting == "complete"
    assert {name: number.value for name, number in numbers.items()} == {n: e["value"] for n, e in found.items()}


def test_weighings_are_what_the_scores_were_made_of(results: dict[str, Results]) -> None:
    own = Results.load(results["trained"].path)
    weighed = own.weighings
    assert weighed is not None
    assert weighed.select("record_id", "variant").is_unique().all()
    joined = own.samples.unique(["record_id", "variant"]).join(weighed, on=["record_id", "variant"])
    assert joined.height == weighed.height
    probability = joined["answer_logprobs"].list.mean().exp()
    assert joined["probability"].to_list() == pytest.approx(probability.to_list(), abs=1e-6)
    k = weighed["top_tokens"].list.len() / weighed["answer_logprobs"].list.len()
    assert (k == 32).all()
    assert weighed.filter(pl.col("paraphrase_logprobs").list.len() == 0).height > 0


def test_the_question_put_otherwise_is_answered_and_scored(results: dict[str, Results]) -> None:
    samples = results["trained"].samples
    for metric in ("choice_accuracy:letter", "cloze_accuracy"):
        scored = samples.filter(pl.col(metric).is_not_null())
        assert scored.height > 0
        assert scored[f"{metric}.kind"].is_not_null().all()
    by_letter = samples.filter(pl.col("choice_accuracy:letter").is_not_null())
    assert (by_letter["n_choices"] > 1).all()


def test_a_wrong_name_and_a_folder_without_results(make_results: Callable[..., Any], tmp_path: Path) -> None:
    made = make_results("npo", role="unlearned", method="npo")
    code, _, err = run("add-metrics", made.path, "--metrics", "forget_qualty")
    assert code == 2
    assert "unknown metric of a model 'forget_qualty'. Did you mean 'forget_quality'?" in err
    code, _, err = run("add-metrics", tmp_path / "nothing")
    assert code == 1
    assert "no finished evaluation here" in err
    code, out, _ = run("add-metrics", made.path)
    assert code == 0
    assert "the evaluation has no" in out


def test_numbers_of_compare_can_be_added(make_results: Callable[..., Any]) -> None:
    own = make_results("npo", role="unlearned", method="npo", rates={"forget/private": 0.5})
    controls = {
        "vanilla": make_results("vanilla", rates={"forget/private": 1.0}),
        "retain-only": make_results("retain", role="retain_only", rates={"forget/private": 0.0}),
    }
    given = [part for name, r in controls.items() for part in (f"--{name}", r.path)]
    code, out, err = run("add-metrics", own.path, "--metrics", "forgetting", *given, "--json")
    assert code == 0, err
    assert json.loads(out)[0]["metrics"]["forgetting"]["value"] == 0.5
    kept = json.loads((own.path / "model_metrics.json").read_text())["metrics"]["forgetting"]
    assert kept["controls"].keys() == {"vanilla", "retain_only"}
    run("add-metrics", own.path, "--metrics", "forgetting", "--vanilla", controls["vanilla"].path)
    assert read(own.path)["forgetting"].value == 0.5  # what can't be computed without a control takes nothing back


def test_a_number_of_scores_that_were_corrected_since_is_made_anew_or_left_out(
    make_results: Callable[..., Any],
) -> None:
    own = make_results("npo", role="unlearned", method="npo", rates={"forget/private": 0.5}).path
    vanilla = make_results("vanilla", rates={"forget/private": 1.0}).path
    retain = make_results("retain", role="retain_only", rates={"forget/private": 0.0}).path
    given = ("--metrics", "forgetting", "--vanilla", vanilla, "--retain-only", retain)
    assert run("add-metrics", own, *given)[0] == 0
    samples = Results.load(own).samples.filter(slice="forget", variant="plain", scope="private", value_match=0.0)
    correct(own, samples["record_id"][0], "value_match", 1.0, by="a", reason="It says so.")

    def shown(*paths: Path) -> Any:
        return beside(compare(paths))[0][2]["forgetting"]

    now = shown(own, vanilla, retain)
    assert now.value == pytest.approx(0.5 - 1 / 24)
    assert "corrected since" in (shown(own, vanilla).reason or "")
    assert run("add-metrics", own, *given)[0] == 0
    assert read(own)["forgetting"].value == shown(own, vanilla).value == now.value
    assert run("correct", own, samples["record_id"][0], "--metric", "value_match", "--undo", "--by", "a",
               "--reason", "No.")[0] == 0  # fmt: skip
    assert shown(own, vanilla, retain).value == 0.5


def test_what_is_no_number_of_ours_is_said(make_results: Callable[..., Any]) -> None:
    own = make_results("npo", role="unlearned", method="npo").path
    (own / "model_metrics.json").write_text('{"schema": 1, "metrics": {"forgetting": 3}}')
    code, _, err = run("add-metrics", own)
    assert code == 1
    assert "forgetting: no number of ours" in err
