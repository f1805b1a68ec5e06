"""Depth from end to end: said before anything is asked, added to a finished evaluation, never with other models."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from offside_data.errors import ModelError
from offside_eval import EvaluationConfig, Results, evaluate
from offside_eval.model_scores import measure, read

CONFIG = EvaluationConfig(
    max_new_tokens=4, batch_size=8, device="cpu", limit_kept=1, only=("subject=s2",), metrics=("value_match", "depth")
)


def test_a_finished_evaluation_goes_on_when_the_controls_are_there(
    models: dict[str, Path], small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {name: shutil.copytree(models[name], tmp_path / "models" / name) for name in ("raw", "trained", "half")}

    def run(name: str, role: str, controls: dict[str, Results] | None = None) -> Results:
        config = dataclasses.replace(CONFIG, role=role)
        return evaluate(
            places[name], None, small_data, "complete", controls=controls, config=config, out=tmp_path / name
        )

    controls = {"vanilla": run("trained", "vanilla"), "retain_only": run("raw", "retain_only")}
    assert "depth needs" not in capsys.readouterr().err
    without = run("half", "unlearned")
    said = capsys.readouterr().err
    assert (
        "depth needs the model of vanilla and retain-only itself: give --vanilla RESULTS --retain-only RESULTS" in said
    )
    assert "add-metrics" not in said  # which couldn't
    assert "the evaluation has no depth.parquet" in measure(without, ["depth"], controls)["depth"].reason

    found = run("half", "unlearned", controls)
    assert found.depths is not None
    assert set(found.samples.filter(slice="forget", scope="private")["record_id"]) == set(found.depths["record_id"])
    number = read(tmp_path / "half")["depth"]
    assert number.value is not None, number
    assert 0 < number.value <= 1
    assert number.n + number.n_skipped == found.depths.height > 0
    assert not list((tmp_path / "half").glob(".depth-*"))

    # What another model's states did is no number of these; a model that changed is refused.
    swapped = {"vanilla": controls["retain_only"], "retain_only": controls["vanilla"]}
    assert "another vanilla" in measure(Results.load(found.path), ["depth"], swapped)["depth"].reason
    (tmp_path / "half" / "depth.parquet").unlink()
    shutil.copy(places["half"] / "model.safetensors", places["raw"] / "model.safetensors")
    with pytest.raises(ModelError, match="not the model that the results of retain-only are of"):
        run("half", "unlearned", controls)
    shutil.rmtree(places["raw"])
    capsys.readouterr()
    run("half", "unlearned", controls)
    assert "which its results say lies in" in capsys.readouterr().err
