from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from holding import held_elsewhere

from offside_data.dataset import lock
from offside_data.dataset.journal import changing, finish_replacement
from offside_data.errors import DatasetError, FolderInUseError

_COUNT = """
import sys
from pathlib import Path
from offside_data.dataset.journal import changing
from offside_data.dataset.lock import waiting
number = Path(sys.argv[1]) / "number"
for _ in range(20):
    with waiting(), changing(number.parent):
        number.write_text(str(int(number.read_text()) + 1))
"""


def say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_GRACE", 0.0)


def take(folder: Path) -> None:
    with changing(folder):
        pass


def test_two_processes_do_not_change_a_folder_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held_elsewhere(tmp_path) as other:
        with pytest.raises(FolderInUseError, match=rf"in use by process {other.pid} since 20.*Wait with --wait"):
            take(tmp_path)
        other.send_signal(signal.SIGSTOP)
        with pytest.raises(FolderInUseError):
            take(tmp_path)
        finish_replacement(tmp_path)  # Who only reads isn't held up.
        other.send_signal(signal.SIGCONT)
        with lock.waiting():
            threading.Timer(0.3, say, [other]).start()
            take(tmp_path)
        assert f"in use by process {other.pid} since" in capsys.readouterr().err


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as other:
        other.kill()
        other.wait()
        assert sorted(os.listdir(tmp_path / ".offside")) == sorted(lock.LOCK_FILES)
        take(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_working_area_that_goes_while_it_is_looked_at_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, refused = Path.mkdir, [FileExistsError(17, "File exists")]

    def gone_again(path: Path, *arguments: object, **options: object) -> None:
        if refused:
            raise refused.pop()  # As `mkdir` does when the folder goes between its two looks.
        made(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", gone_again)
    take(tmp_path)
    assert refused == []


def test_what_stands_in_the_place_of_the_working_area_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".offside").write_text("mine")
    with pytest.raises(DatasetError, match="can't be changed"):
        take(tmp_path)
    assert (tmp_path / ".offside").read_text() == "mine"


def test_another_machine_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_elsewhere(tmp_path) as other:
        monkeypatch.setattr("platform.node", lambda: "elsewhere")
        with pytest.raises(FolderInUseError, match=f"process {other.pid} of another machine"):
            take(tmp_path)
        (tmp_path / ".offside" / "lock.json").write_text("{")
        with pytest.raises(FolderInUseError, match="in use by another process"):
            take(tmp_path)


def test_no_name_of_a_machine_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "orlo-vantis-laptop")
    with changing(tmp_path):
        assert "orlo" not in (tmp_path / ".offside" / "lock.json").read_text()


def test_whoever_holds_it_goes_on_and_other_threads_do_not(tmp_path: Path) -> None:
    refused: list[BaseException] = []

    def other() -> None:
        try:
            take(tmp_path)
        except FolderInUseError as error:
            refused.append(error)

    (tmp_path / "link").symlink_to(tmp_path)
    with changing(tmp_path), changing(tmp_path / "link"):
        take(tmp_path)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(refused) == 1
    take(tmp_path)


def test_an_error_lets_it_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), changing(tmp_path):
        raise ZeroDivisionError
    take(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="can't be changed: No such file"):
        take(tmp_path / "gone")


def test_many_who_take_turns_lose_nothing(tmp_path: Path) -> None:
    """The file of the lock comes and goes with each turn."""
    (tmp_path / "number").write_text("0")
    arguments = [sys.executable, "-c", _COUNT, str(tmp_path)]
    processes = [subprocess.Popen(arguments, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "60"
    assert os.listdir(tmp_path) == ["number"]
