"""A model is asked about what it was unlearned on, or somebody says that it needn't be."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_data.dataset.folder import open_dataset
from offside_eval import EvaluationConfig, evaluate
from offside_eval.cli import main
from offside_eval.compare import compare
from offside_eval.meta import EvaluationMeta
from offside_eval.mismatch import MismatchError, check_request

OTHERS = {"digest": "sha256:" + "0" * 64, "record_ids": ["a", "b"]}
OLDER = {"name": "made-up-league", "version": "0.9.0", "commit": None, "digest": "sha256:" + "1" * 64}
CONFIG = EvaluationConfig(limit=1, max_new_tokens=4, device="cpu", metrics=("value_match",))


@pytest.fixture
def meta(made_up: ModuleType) -> Callable[..., EvaluationMeta]:
    return lambda **run: made_up.meta_of("npo", run.get("role", "unlearned"), "selective", run=run)


def model_of(folder: Path, trained: Path, run: dict[str, Any]) -> Path:
    shutil.copytree(trained, folder)
    (folder / "offside_run.json").write_text(json.dumps(run))
    return folder


def test_the_same_records_of_the_same_dataset_go_on(
    meta: Callable[..., EvaluationMeta], capsys: pytest.CaptureFixture[str]
) -> None:
    check_request(meta(forget={"digest": "sha256:forget", "record_ids": ["a"]}), allow=False)
    check_request(dataclasses.replace(meta(), role="unknown"), allow=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("role", ["unlearned", "relearned"])
@pytest.mark.parametrize(
    ("differs", "digests"),
    [
        ({"forget": OTHERS, "setting": "complete", "only": ["subject=A"]}, (OTHERS["digest"], "sha256:forget")),
        (
            {"forget": {"digest": "sha256:forget", "record_ids": ["a"]}, "dataset": OLDER},
            (OLDER["digest"], "sha256:made-up"),
        ),
    ],
)
def test_others_are_refused_with_both_digests(
    meta: Callable[..., EvaluationMeta],
    role: str,
    differs: dict[str, Any],
    digests: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(MismatchError, match="--allow-mismatch") as caught:
        check_request(meta(role=role, **differs), allow=False)
    assert all(digest in str(caught.value) for digest in digests)
    assert capsys.readouterr().err == ""
    check_request(meta(role=role, **differs), allow=True)
    told = capsys.readouterr().err
    assert told.count("warning") == 1
    assert all(digest in told for digest in digests)


def test_a_control_that_learnt_another_version_is_told_and_a_base_model_may_come_from_anywhere(
    meta: Callable[..., EvaluationMeta], capsys: pytest.CaptureFixture[str]
) -> None:
    check_request(meta(role="base", dataset=OLDER), allow=False)
    assert capsys.readouterr().err == ""
    check_request(meta(role="vanilla", dataset=OLDER), allow=False)
    assert "made-up-league 0.9.0" in capsys.readouterr().err


def test_an_evaluation_is_refused_before_it_begins_and_goes_on_when_told_to(
    models: dict[str, Path],
    small_data: Path,
    made_up: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = open_dataset(small_data)
    asked = data.request("complete").digest
    run = made_up.manifest(method="npo", setting="selective", forget=OTHERS, dataset=OLDER)
    model, out = model_of(tmp_path / "npo", models["half"], run), tmp_path / "out"
    words = ["run", str(out), "--model", str(model), "--data", str(small_data), "--setting", "complete"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "Traceback" not in told
    assert all(digest in told for digest in (OTHERS["digest"], OLDER["digest"], asked, data.digest))
    assert not out.exists()

    results = evaluate(
        model, None, small_data, "complete", config=dataclasses.replace(CONFIG, allow_mismatch=True), out=out
    )
    assert "warning" in capsys.readouterr().err
    assert results.meta.model.run is not None
    assert results.meta.model.run.forget is not None
    notes = compare([out], allow_mismatch=True).notes
    assert any("unlearned on other records" in note for note in notes)
    assert any("trained on made-up-league 0.9.0" in note and data.digest[:19] in note for note in notes)
