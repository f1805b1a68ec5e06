"""A run goes to the Hub with what a downloader needs, and nothing of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_machine import machine
from huggingface_hub import parse_eval_result_entries
from loopback_hub import LoopbackHub

from offside_data.errors import HubNotFoundError, UsageError
from offside_data.files import write_json
from offside_data.outputs import whole_folder
from offside_unlearn import manifest as manifests
from offside_unlearn.publishing import publish_run

REPO = "org/npo"
IDENTITY: dict[str, Any] = {
    "command": "run",
    "role": "unlearned",
    "config": {"lr": 1e-5},
    "method": "npo",
    "setting": "complete",
    "only": [],
    "adapter": {"r": 8},
    "base_model": {"path": "/home/somebody/runs/vanilla", "digest": "sha256:1"},
    "dataset": {"name": "league", "version": "1.0.0", "commit": "c" * 40, "digest": "sha256:2"},
    "forget": {"digest": "sha256:3", "record_ids": ["r1", "r2"]},
    "trained_on": ["multimodal/retain"],
    "parents": [
        {"path": "/home/somebody/runs/vanilla", "digest": "sha256:1", "role": None},
        {"path": "/home/somebody/secret/other", "digest": "sha256:4", "role": None},
    ],
    "tune": "language",
    "limit": None,
    "dtype": "float32",
    "max_pixels": None,
    "seeds": {"seed": 0},
    "curve": [],
}
FACTS: dict[str, Any] = {
    "title": "npo on league, complete",
    "base_commit": None,
    "trained_parts": {"language": {"modules": 28, "trained": 100, "parameters": 900}},
    "image_backend": "pil",
    "device": "cpu",
    "threads": 1,
    "wall_time_s": 3.5,
    "peak_memory_mb": None,
    "steps": 2,
    "loss_history": [{"step": 1, "loss": 1.5}],
    "reference": "/home/somebody/runs/reference.parquet",
    "retain": {"multimodal/retain": 12},
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with LoopbackHub() as served, machine(served, tmp_path / "home"):
        served.create("model", "org/vanilla", private=False)
        yield served


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """An adapter as a run leaves it, with a person's file and a point of its curve beside it."""
    out = tmp_path / "runs" / "npo"
    with whole_folder(out) as folder:
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        write_json(folder / "adapter_config.json", {"base_model_name_or_path": "/home/somebody/runs/vanilla", "r": 8})
        (folder / "curve").mkdir()
        (folder / "curve" / "point.safetensors").write_bytes(b"a point")
        manifests.write(folder, manifests.complete(IDENTITY, FACTS))
    (out / "notes.txt").write_text("mine")
    return out


def results_of(folder: Path, run: Path, **entry: Any) -> Path:
    folder.mkdir()
    write_json(folder / "results.json", {"model": {"run": json.loads((run / "offside_run.json").read_text())}})
    entries = [{"dataset": {"id": "league", "task_id": "multimodal-retain"}, "value": 0.9, "notes": "value_match"}]
    (folder / "eval_results.yaml").write_text(yaml.safe_dump([{**entries[0], **entry}]))
    index = {"model-index": [{"name": "npo", "results": [{"task": {"type": "x"}, "dataset": {}, "metrics": []}]}]}
    (folder / "model_index.yaml").write_text(yaml.safe_dump(index))
    return folder


def test_the_run_goes_out_and_this_machine_does_not(hub: LoopbackHub, run: Path, tmp_path: Path) -> None:
    results = results_of(tmp_path / "complete core", run)
    report = publish_run(run, REPO, data="org/league", base="org/vanilla", results=[results])
    repo = hub.model(REPO)
    assert report.outcome == "published"
    assert repo.private
    ours = {"adapter_model.safetensors", "adapter_config.json", "offside_run.json", "README.md"}
    assert set(repo.files()) == {*ours, ".gitattributes", ".eval_results/complete-core.yaml"}
    assert not [name for name, blob in repo.files().items() if b"somebody" in blob.data]
    assert json.loads(repo.text("adapter_config.json")) == {"base_model_name_or_path": "org/vanilla", "r": 8}
    receipt = json.loads(repo.text("offside_run.json"))
    assert [parent["path"] for parent in receipt["parents"]] == ["org/vanilla", "other"]
    assert [parent["digest"] for parent in receipt["parents"]] == ["sha256:1", "sha256:4"]
    front = yaml.safe_load(repo.text("README.md").split("---\n")[1])
    assert (front["datasets"], front["base_model"]) == (["org/league"], "org/vanilla")
    assert front["model-index"][0]["name"] == "npo"
    assert f'from_pretrained(model, "{REPO}")' in repo.text("README.md")
    (entry,) = parse_eval_result_entries(yaml.safe_load(repo.text(".eval_results/complete-core.yaml")))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("org/league", "multimodal-retain", 0.9)


def test_again_is_nothing_to_do_and_prose_stays(hub: LoopbackHub, run: Path) -> None:
    publish_run(run, REPO, data="org/league", base="org/vanilla")
    assert publish_run(run, REPO, data="org/league", base="org/vanilla").outcome == "unchanged"
    repo = hub.model(REPO)
    repo.edit("README.md", repo.text("README.md") + "\nAsk Orla for more.\n")
    assert publish_run(run, REPO, data="org/league", base="org/vanilla").outcome == "unchanged"
    (run / "adapter_model.safetensors").write_bytes(b"other weights")
    assert publish_run(run, REPO, data="org/league", base="org/vanilla").outcome == "published"
    assert "Ask Orla for more." in repo.text("README.md")


def test_a_base_in_a_folder_is_refused(hub: LoopbackHub, run: Path) -> None:
    with pytest.raises(UsageError, match=r"a folder of this machine that nobody else has.*--base ORG/NAME"):
        publish_run(run, REPO, data="org/league")
    with pytest.raises(HubNotFoundError, match=r"--base org/nowhere: there is no such model"):
        publish_run(run, REPO, data="org/league", base="org/nowhere")
    assert ("model", REPO) not in hub.repos


def test_what_is_no_hub_id_or_no_result_of_this_run_is_refused(hub: LoopbackHub, run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--data .* must be the dataset's name on the Hub"):
        publish_run(run, REPO, data="./league", base="org/vanilla")
    other = results_of(tmp_path / "other", run)
    write_json(other / "results.json", {"model": {"run": None}})
    with pytest.raises(UsageError, match="are of another model"):
        publish_run(run, REPO, data="org/league", base="org/vanilla", results=[other])
    with pytest.raises(UsageError, match=r"results\.json can't be read"):
        publish_run(run, REPO, data="org/league", base="org/vanilla", results=[tmp_path])


def test_a_dry_run_lists_and_a_lost_answer_doubles_nothing(hub: LoopbackHub, run: Path) -> None:
    planned = publish_run(run, REPO, data="org/league", base="org/vanilla", dry_run=True)
    assert len(planned.changes) == 4
    assert ("model", REPO) not in hub.repos
    hub.fail("POST", "/commit/", "lost-answer")
    publish_run(run, REPO, data="org/league", base="org/vanilla", public=True)
    repo = hub.model(REPO)
    assert len(repo.history()) == 2
    assert not repo.private


def test_what_is_no_finished_run_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no offside_run\.json, so it is no run. One that was stopped"):
        publish_run(tmp_path, "org/model", data="org/small")


def test_a_model_of_somebody_else_is_left_alone(hub: LoopbackHub, run: Path) -> None:
    repo = hub.create("model", REPO, private=True)
    repo.edit("adapter_model.safetensors", b"another model's")
    with pytest.raises(UsageError, match=r"holds something else already \(adapter_model\.safetensors .*another name"):
        publish_run(run, REPO, data="org/league", base="org/vanilla")
    assert repo.files()["adapter_model.safetensors"].data == b"another model's"


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A whole model in two pieces, as `merge` leaves it."""
    out = tmp_path / "runs" / "merged"
    with whole_folder(out) as folder:
        for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
            (folder / name).write_bytes(name.encode())
        write_json(folder / "model.safetensors.index.json", {"weight_map": {}})
        write_json(folder / "config.json", {})
        manifests.write(folder, manifests.complete({**IDENTITY, "adapter": None}, FACTS))
    return out


def test_an_adapter_replaces_a_whole_model_and_the_reverse(hub: LoopbackHub, run: Path, merged: Path) -> None:
    publish_run(merged, REPO, data="org/league", base="org/vanilla")
    repo = hub.model(REPO)
    foreign = {"onnx/model.safetensors": b"theirs", "adapter_model.safetensors": b"theirs", "model.bin": b"theirs"}
    for name, content in foreign.items():
        repo.edit(name, content)
    planned = publish_run(run, REPO, data="org/league", base="org/vanilla", dry_run=True)
    gone = {change.path for change in planned.changes if change.action == "delete"}
    before = len(repo.history())
    publish_run(run, REPO, data="org/league", base="org/vanilla")
    assert len(repo.history()) == before + 1
    assert gone == {
        "config.json",
        *(name for name in repo.history()[1].files if name.startswith("model") and name != "model.bin"),
    }
    assert not gone & set(repo.files())
    assert {*foreign, "adapter_config.json"} <= set(repo.files())
    assert publish_run(run, REPO, data="org/league", base="org/vanilla").outcome == "unchanged"
    repo.edit("model.safetensors", b"merged by somebody")
    (run / "adapter_model.safetensors").write_bytes(b"other weights")
    publish_run(run, REPO, data="org/league", base="org/vanilla")
    assert repo.files()["model.safetensors"].data == b"merged by somebody"
    publish_run(merged, REPO, data="org/league", base="org/vanilla")
    assert not {"adapter_model.safetensors", "adapter_config.json"} & set(repo.files())
    assert {"onnx/model.safetensors", "model.bin", "model-00002-of-00002.safetensors"} <= set(repo.files())


def test_results_go_with_the_run_that_they_are_of(hub: LoopbackHub, run: Path, merged: Path, tmp_path: Path) -> None:
    results = [results_of(tmp_path / name, run) for name in ("complete", "selective")]
    publish_run(run, REPO, data="org/league", base="org/vanilla", results=results[:1])
    publish_run(run, REPO, data="org/league", base="org/vanilla", results=results[1:])
    again = publish_run(run, REPO, data="org/league", base="org/vanilla", results=results[1:])
    assert again.outcome == "unchanged"
    repo = hub.model(REPO)
    ours = {f".eval_results/{folder.name}.yaml" for folder in results}
    assert ours <= {*json.loads(repo.text("offside_run.json"))["published"]} <= set(repo.files())  # Of the same run.
    assert publish_run(run, REPO, data="org/league", base="org/vanilla").outcome == "unchanged"
    foreign = (".eval_results/theirs.yaml", "notes.txt")
    for name in foreign:
        repo.edit(name, "theirs")
    planned = publish_run(merged, REPO, data="org/league", base="org/vanilla", dry_run=True)
    assert ours < {change.path for change in planned.changes if change.action == "delete"}
    hub.fail("POST", "/commit/", "lost-answer")
    publish_run(merged, REPO, data="org/league", base="org/vanilla")
    assert not ours & set(repo.files())
    assert {*foreign} <= set(repo.files())
    assert "model-index" not in front_of(hub)
    assert not ours & {*json.loads(repo.text("offside_run.json"))["published"]}
    assert publish_run(merged, REPO, data="org/league", base="org/vanilla").outcome == "unchanged"


def front_of(hub: LoopbackHub) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(hub.model(REPO).text("README.md").split("---\n")[1])
    return found


def test_the_licence_is_the_base_models_or_what_is_said(hub: LoopbackHub, run: Path) -> None:
    report = publish_run(run, REPO, data="org/league", base="org/vanilla")
    assert "license" not in front_of(hub)
    assert [note for note in report.notes if "names no licence" in note and "--license" in note]
    hub.model("org/vanilla").edit("README.md", "---\nlicense: unknown\n---\n")
    assert publish_run(run, REPO, data="org/league", base="org/vanilla").notes
    told = "license: other\nlicense_name: qwen-research\nlicense_link: LICENSE\n"
    hub.model("org/vanilla").edit("README.md", f"---\n{told}---\n")
    assert not publish_run(run, REPO, data="org/league", base="org/vanilla").notes
    assert front_of(hub)["license_name"] == "qwen-research"
    assert front_of(hub)["license_link"] == f"{hub.url}/org/vanilla/blob/main/LICENSE"
    publish_run(run, REPO, data="org/league", base="org/vanilla", license="apache-2.0")
    assert front_of(hub)["license"] == "apache-2.0"
    assert "license_name" not in front_of(hub)
    assert publish_run(run, REPO, data="org/league", base="org/vanilla").outcome == "unchanged"  # What is said stays.
    for none in ("unknown", "no such", ""):
        with pytest.raises(UsageError, match=r"names none: give the Hub's identifier"):
            publish_run(run, REPO, data="org/league", base="org/vanilla", license=none)
