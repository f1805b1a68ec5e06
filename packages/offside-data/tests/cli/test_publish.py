from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hub_machine import CONTACT, go_on, machine, make_publishable
from loopback_hub import TOKEN, LoopbackHub

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset, open_dataset

REPO = "org/small"


def call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_out_and_back_again(small: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    folder = make_publishable(small.path, tmp_path / "ready")
    with LoopbackHub() as hub, machine(hub, tmp_path / "home"):
        code, out, _ = call("publish", folder, REPO, "--dry-run", "--contact", CONTACT)
        assert code == 0
        assert "would publish org/small 1.0.0; nothing was changed" in out
        code, out, _ = call("publish", folder, REPO, "--json", "--contact", CONTACT)
        told = json.loads(out)
        assert (code, told["outcome"], told["version"]) == (0, "published", "1.0.0")
        assert call("publish", folder, REPO)[1].startswith("org/small 1.0.0 is published already")
        go_on(folder, "Another ____.")
        assert "pull request 1 holds" in call("publish", folder, REPO, "--pr")[1]
        hub.dataset(REPO).merge(1)
        assert call("publish", folder, REPO, "--finish")[0] == 0
        code, out, _ = call("publish", folder, REPO, "--withdraw", "1.0.0")
        assert code == 0
        assert out.startswith("withdrew 1.0.0 from org/small\nstill there: 1.0.1\n")
        assert "1.0.0 isn't there: withdrawn already" in call("publish", folder, REPO, "--withdraw", "1.0.0")[1]
        assert call("publish", folder, REPO, "--withdraw", "1.0.0", "--pr")[0] == 2
        with machine(hub, tmp_path / "other"):
            code, out, err = call("fetch", f"{REPO}@^1.0", tmp_path / "out", "--json")
            assert (code, json.loads(out)["version"]) == (0, "1.0.1")
            assert f"{REPO}: fetching 1.0.1" in err
            assert call("show", REPO)[0] == 0
            assert call("fetch", REPO, tmp_path / "out")[0] == 0  # It is there.
            assert call("fetch", f"{REPO}@~1.0", folder)[0] == 0
    assert open_dataset(tmp_path / "out").verify() == open_dataset(folder).digest


@pytest.mark.full
def test_plain_datasets_gives_the_same_rows_and_no_token_is_left(small: OffsideDataset, tmp_path: Path) -> None:
    """The real `datasets`, on another machine, in a program of its own."""
    folder = make_publishable(small.path, tmp_path / "ready")
    program = f"""
import datasets, offside_data
for config, split in (("multimodal", "forget"), ("text", "retain"), ("subjects", "train")):
    plain = datasets.load_dataset("{REPO}", config, revision="v1.0.0", split=split)
    ours = offside_data.load("{REPO}@^1.0", config, split)
    assert isinstance(ours, datasets.Dataset) and ours.features == plain.features and len(ours) == len(plain) > 0
    for a, b in zip(plain, ours):
        for key in a:
            same = a[key].tobytes() == b[key].tobytes() if hasattr(a[key], "tobytes") else a[key] == b[key]
            assert same, key
print("same")
"""
    publish = [sys.executable, "-c", "from offside_data.cli import main; main()", "publish", str(folder), REPO]
    told = ""
    with LoopbackHub() as hub:
        hub.fail("PUT", "^/upload/", "status", status=500)
        for command in ([*publish, "--contact", CONTACT], [sys.executable, "-c", program]):
            environment = {**hub.environment(tmp_path / "home"), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            told += done.stdout + done.stderr
    assert "same\n" in told
    left = [path.read_text("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in (told, *left) if TOKEN in text]
