"""The typed receipt: every file written so far is read, written again alike, and mistakes are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from manifests import DATASET, MANIFESTS

from offside_data import run_manifest
from offside_data.errors import ModelError
from offside_data.run_manifest import RunManifest


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_is_read_is_written_again_to_the_letter(name: str, tmp_path: Path) -> None:
    (tmp_path / run_manifest.FILE).write_text(json.dumps(MANIFESTS[name]))
    manifest = run_manifest.read(tmp_path)
    assert manifest is not None
    # As text: 8 and 8.0 are equal in Python, but not under the digest of a request.
    assert json.dumps(manifest.to_json(), sort_keys=True) == json.dumps(MANIFESTS[name], sort_keys=True)


def test_keys_are_attributes() -> None:
    manifest = RunManifest.from_json(MANIFESTS["unlearned"], "here")
    assert manifest.base_model is not None
    assert manifest.base_model.digest == "sha256:b"
    assert manifest.forget is not None
    assert manifest.forget.record_ids == ("r1", "r2")
    assert [parent.role for parent in manifest.parents] == [None, "base"]
    assert manifest.training is not None
    assert manifest.training.loss_history[-1]["forget_ce"] == 1.5
    assert RunManifest.from_json(MANIFESTS["tiny"], "here").training is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "not a run manifest of schema 1"),
        ({"rol": "base"}, r"unknown key 'rol'\. Did you mean 'role'\? Known: adapter, "),
        ({"training": {}}, "unknown key 'training'"),
        ({"dataset": {**DATASET, "licence": "x"}}, r"unknown key 'dataset\.licence'"),
        ({"steps": "3"}, "key 'steps': input should be a valid integer, got '3'"),
        ({"role": "student"}, "key 'role': input should be 'base', 'vanilla'"),
        ({"forget": {"digest": "sha256:f"}}, r"key 'forget\.record_ids' is missing"),
        ({"parents": [{"path": "p", "role": "base"}]}, r"key 'parents\.0\.digest' is missing"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=rf"^runs/npo/offside_run\.json: .*{message}.* the version that wrote it\.$"):
        RunManifest.from_json({**MANIFESTS["unlearned"], **change}, "runs/npo/offside_run.json")


@pytest.mark.parametrize("key", ["request", "steps", "reference"])
def test_a_missing_key_is_named(key: str) -> None:
    content = {name: value for name, value in MANIFESTS["vanilla"].items() if name != key}
    with pytest.raises(ModelError, match=rf"here: key '{key}' is missing\. Make the run again"):
        RunManifest.from_json(content, "here")


def test_a_folder_without_a_manifest_is_a_plain_checkpoint(tmp_path: Path) -> None:
    assert run_manifest.read(tmp_path) is None


@pytest.mark.parametrize(("text", "message"), [("{", "can't be read"), ("[]", "schema 1"), ("{}", "schema 1")])
def test_a_broken_file_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / run_manifest.FILE).write_text(text)
    with pytest.raises(ModelError, match=message):
        run_manifest.read(tmp_path)


def test_requests_follow_one_another() -> None:
    """Each model's own request, and those before; what any of them was stopped by is held out."""

    def model(role: str, name: str, *, held: bool = False) -> dict[str, Any]:
        forget = {"digest": f"sha256:{name}", "record_ids": [name]}
        part = {"forget": [name], "retain": [f"{name}-kept"], "seed": 0} if held else None
        more = {"validation": part} if part else {}
        return {"path": name, "digest": f"sha256:{name}", "role": role, "forget": forget, "request": name, **more}

    base = {"path": "base", "digest": "sha256:b", "role": "vanilla"}
    line = [base, model("unlearned", "a", held=True), model("unlearned", "b")]
    own = {"forget": {"digest": "sha256:c", "record_ids": ["c"]}, "parents": line}
    third = RunManifest.from_json({**MANIFESTS["unlearned"], **own}, "here")
    assert [parent.request for parent in third.earlier] == ["a", "b"]
    assert [parent.request for parent in third.requests] == ["a", "b", MANIFESTS["unlearned"]["request"]]
    assert third.requests[-1].forget == third.forget
    assert third.held_out == {"a", "a-kept"} | (third.validation.record_ids if third.validation else set())
    relearned = {**MANIFESTS["unlearned"], "role": "relearned", "forget": line[-1]["forget"], "parents": line}
    after = RunManifest.from_json(relearned, "here")
    assert [parent.request for parent in after.earlier] == ["a"], "its own is that of the model it was made from"
    assert [parent.request for parent in after.requests] == ["a", "b"]
    written = third.to_json()["parents"]
    assert ("validation" in written[1], "validation" in written[2], "request" in written[0]) == (True, False, False)
