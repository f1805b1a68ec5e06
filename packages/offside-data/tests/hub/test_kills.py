"""`kill -9` in the middle of publish and fetch: the next run completes the work, and nothing is doubled."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_machine import CONTACT, machine
from loopback_hub import Kind, LoopbackHub

from offside_data.dataset.folder import open_dataset
from offside_data.hub.fetching import fetch
from offside_data.hub.publishing import publish

PROGRAM = [sys.executable, "-c", "from offside_data.cli import main; main()"]
REPO = "org/small"


def killed(hub: LoopbackHub, home: Path, arguments: list[str], method: str, path: str, kind: Kind) -> None:
    """Run a command, and kill it when it makes a request."""
    begun: list[subprocess.Popen[bytes]] = []
    hub.fail(method, path, kind, then=lambda: begun[0].kill())
    command = [*PROGRAM, *arguments]
    begun.append(subprocess.Popen(command, env=hub.environment(home), stdout=-1, stderr=subprocess.STDOUT))
    output, _ = begun[0].communicate()
    assert begun[0].returncode == -9, output.decode()


def completed(hub: LoopbackHub, home: Path, arguments: list[str]) -> None:
    done = subprocess.run([*PROGRAM, *arguments], env=hub.environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.full
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/repos/create", "lost-answer"),
        ("PUT", "^/upload/", "cut"),
        ("POST", "/commit/", "cut"),
        ("POST", "/commit/", "lost-answer"),
        ("POST", "/tag/", "cut"),
        ("POST", "/tag/", "lost-answer"),
    ],
)
def test_publish(ready: Path, tmp_path: Path, method: str, path: str, kind: Kind) -> None:
    arguments = ["publish", str(ready), REPO, "--contact", CONTACT]
    with LoopbackHub() as hub:
        killed(hub, tmp_path / "home", arguments, method, path, kind)
        completed(hub, tmp_path / "home", arguments)
        repo = hub.dataset(REPO)
        assert [commit.title for commit in repo.history()] == ["Version 1.0.0", "initial commit"]
        assert repo.tags == {"v1.0.0": repo.branches["main"]}


@pytest.mark.full
@pytest.mark.parametrize("path", ["/refs", "/resolve/.*retain-00000", "/resolve/.*README", "/tree/"])
def test_fetch(ready: Path, tmp_path: Path, path: str) -> None:
    arguments = ["fetch", REPO, str(tmp_path / "out")]
    with LoopbackHub() as hub:
        completed(hub, tmp_path / "home", ["publish", str(ready), REPO, "--contact", CONTACT])
        killed(hub, tmp_path / "other", arguments, "GET", path, "truncate")
        assert not (tmp_path / "out").exists()
        completed(hub, tmp_path / "other", arguments)
    assert open_dataset(tmp_path / "out").verify() == open_dataset(ready).digest


def test_a_fetch_that_is_killed_while_it_is_put_in_place(
    hub: LoopbackHub, ready: Path, tmp_path: Path, killed_at: Callable[[int, Callable[[], Any]], bool]
) -> None:
    publish(ready, REPO, contact=CONTACT)
    with machine(hub, tmp_path / "other"):
        open_dataset(REPO)
        out = tmp_path / "out"
        for at in range(99):
            if not killed_at(at, lambda: fetch(REPO, out)):
                break
            fetch(REPO, out)
            assert open_dataset(out).verify() == open_dataset(ready).digest
            assert (out / ".offside" / "releases" / "1.0.0" / "README.md").is_file()
            shutil.rmtree(out)
        assert at > 3
