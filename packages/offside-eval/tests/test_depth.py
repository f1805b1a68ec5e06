"""Depth from end to end: said before anything is asked, added to a finished evaluation, never with other models."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from offside_data.dataset.folder import open_dataset
from offside_data.errors import ModelError
from offside_eval import EvaluationConfig, Results, depth, evaluate
from offside_eval.inference.patching import Drops
from offside_eval.model_scores import measure, read
from offside_eval.plan import make_plan

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


def results(digest: str, place: str = "nowhere", **fields: Any) -> Any:
    meta = SimpleNamespace(model=SimpleNamespace(digest=digest, path=place))
    return SimpleNamespace(**({"meta": meta, "depths": None, "path": None} | fields))


def test_what_is_lacking_by_hand(tmp_path: Path) -> None:
    there, gone = results("v", str(tmp_path)), results("r", str(tmp_path / "gone"))
    assert depth.why_not({"vanilla": there, "retain_only": there}) is None
    assert "of vanilla and retain-only itself: give --vanilla RESULTS --retain-only R" in str(depth.why_not({}))
    assert "of retain-only itself: give --retain-only RESULTS when" in str(depth.why_not({"vanilla": there}))
    told = str(depth.why_not({"vanilla": there, "retain_only": gone}))
    assert f"the model of retain-only, which its results say lies in {tmp_path / 'gone'}: there is none" in told


def test_who_is_patched_by_hand(small_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = open_dataset(small_data)
    plan = make_plan(data, "complete")
    controls = {"vanilla": results("v"), "retain_only": results("r")}
    asked: list[list[str]] = []

    def patched(members: Any, *rest: Any) -> Any:
        asked.append([q.row["record_id"] for q in members])
        return {members[0].key: Drops((1.0, 2.0), (0.5, 0.25))}

    monkeypatch.setattr(depth, "_patched", patched)
    monkeypatch.setattr(depth, "replace", lambda of, patched: patched)

    def deepen(own: Any, of: Any = plan, **target: Any) -> Any:
        given = {"intervention": None, "run": None} | target
        return depth.deepen(own, SimpleNamespace(**given), controls, plan=of, data=data, config=CONFIG)

    own = results("u")
    frame = deepen(own)
    private = [row["record_id"] for row in data.records("multimodal", "forget") if row["scope"] == "private"]
    assert sorted(asked[0]) == sorted(private)
    assert frame["record_id"].to_list() == asked[0]
    assert frame["retain_only"].to_list() == [[1.0, 2.0]] + [[]] * (len(private) - 1)
    assert frame["own"].to_list() == [[0.5, 0.25]] + [[]] * (len(private) - 1)
    assert set(frame["of_vanilla"]) == {"v"}
    assert set(frame["of_retain_only"]) == {"r"}
    assert not frame["held_out"].any()
    held = deepen(own, run=SimpleNamespace(not_counted=[private[1]]))
    assert held.filter("held_out")["record_id"].to_list() == [private[1]]
    monkeypatch.setattr(depth, "MOST", 2)
    assert deepen(own).height == 2
    there = results("u", depths=frame, path=tmp_path)
    assert deepen(there) is there
    assert deepen(results("u", depths=frame.with_columns(of_vanilla=pl.lit("w")), path=tmp_path)).height == 2
    assert pl.read_parquet(tmp_path / "depth.parquet").height == 2
    assert deepen(own, intervention=SimpleNamespace(instructs=True)) is own
    assert deepen(own, intervention=SimpleNamespace(instructs=False)).height == 2
    nothing = dataclasses.replace(plan, places=[])
    before = len(asked)
    assert deepen(own, nothing) is own
    assert len(asked) == before


def test_patching_by_hand(small_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who is loaded, in which order, and that what has no place isn't patched."""
    data = open_dataset(small_data)
    members = [q for _, q in zip(range(3), make_plan(data, "complete").questions.values(), strict=False)]
    made: dict[str, Any] = {}

    class Engine:
        def __init__(self, **given: Any) -> None:
            made["engine"] = given
            self.model = given["model"]

        def encode(self, questions: Any, needs: Any) -> Any:
            return [SimpleNamespace(key=q.key, answers=[[1, 2, 3]], n_content=2) for q in questions]

        def patch(self, items: Any, patching: Any) -> Any:
            made["patched"] = [item.key for item in items]
            return {}

    def places(tokenizer: Any, tokens: Any, value: str) -> Any:
        made.setdefault("values", []).append((tokens, value))
        return [] if value == members[1].value.text else [0]

    target = SimpleNamespace(
        digest="u", processor=SimpleNamespace(tokenizer=None), load=lambda: "own", intervention="acts"
    )
    other = SimpleNamespace(of=lambda path, *rest: SimpleNamespace(digest=path[-1], load=lambda: path))
    engine, patching = "offside_eval.inference.engine", "offside_eval.inference.patching"
    monkeypatch.setattr(depth, "TargetModel", other)
    monkeypatch.setattr(f"{engine}.Engine", Engine)
    monkeypatch.setattr(f"{engine}.asking_collator", lambda processor: "collate")
    monkeypatch.setattr(f"{patching}.Patching", lambda *given: made.update(given=given))
    monkeypatch.setattr(f"{patching}.value_places", places)
    controls = {"vanilla": results("v", "at-v"), "retain_only": results("r", "at-r")}
    depth._patched(members, results("u"), target, controls, CONFIG)  # type: ignore[arg-type]
    assert made["patched"] == [members[0].key, members[2].key]
    assert [value for _, value in made["values"]] == [q.value.text for q in members]
    assert {len(tokens) for tokens, _ in made["values"]} == {2}
    assert made["given"][:4] == ("own", "at-r", "at-v", "collate")
    assert made["engine"]["saved"] is None
    kept = results("u", path=tmp_path)
    depth._patched(members, kept, target, controls, CONFIG)  # type: ignore[arg-type]
    assert made["engine"]["saved"] is not None
    for swapped in ({"vanilla": results("w", "at-v")}, {"retain_only": results("w", "at-r")}):
        with pytest.raises(ModelError, match="not the model that the results of"):
            depth._patched(members, kept, target, controls | swapped, CONFIG)  # type: ignore[arg-type]
