"""Stages: each once, in order, and made anew when what it needs has changed."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_unlearn.stages import Stage, StageError, StageRunner, forget, program


def export(data: OffsideDataset, name: str, form: str, needs: tuple[str, ...] = ()) -> Stage:
    command = ("offside-data", "export", str(data.path), name, "--format", form, "--splits", "retain")
    return Stage(name, "data", command, name, needs)


def run(folder: Path, stages: list[Stage], **options: bool) -> tuple[StageRunner, list[str]]:
    said: list[str] = []
    runner = StageRunner(folder, stages, workers=2, say=said.append, **options)
    runner.run()
    return runner, [line.removeprefix("  $ offside-data ") for line in said if line.startswith("  $ ")]


def test_stages_run_once_in_order_and_anew_when_what_they_need_has_changed(
    league: OffsideDataset, tmp_path: Path
) -> None:
    show = Stage("show", "print", ("offside-data", "show", str(league.path), "--json"), None, ("one",))
    first, commands = run(tmp_path, [export(league, "one", "swift"), show])
    assert [command.split()[0] for command in commands] == ["export", "show"]
    assert json.loads(first.output("show"))["name"] == "small"
    assert list(first.seconds_by_group()) == ["data", "print"]
    second, commands = run(tmp_path, [export(league, "one", "swift"), show])
    assert (commands, second.reused) == ([], {"one", "show"})
    _, commands = run(tmp_path, [export(league, "one", "llamafactory"), show])
    assert [command.endswith("--force") for command in commands] == [True, False]
    changed = [export(league, "one", "offside"), show]
    forget(tmp_path, changed)
    _, commands = run(tmp_path, changed, fresh=True)
    assert [command.endswith("--force") for command in commands] == [True, False]


def test_what_a_changed_plan_replaces_is_named(league: OffsideDataset, tmp_path: Path) -> None:
    said: list[str] = []
    for form in ("swift", "swift", "llamafactory"):
        stages = [export(league, "one", form), export(league, "two", "swift")]
        StageRunner(tmp_path, stages, workers=2, say=said.append).run()
    told = [line for line in said if "made anew" in line]
    assert told == ["  Finished before and made anew, since what they do or need has changed: one."]


def test_a_stage_that_goes_on_by_itself_is_not_forced(league: OffsideDataset, tmp_path: Path) -> None:
    """An unfinished one left its folder, and no record."""
    plain = export(league, "one", "swift")
    resuming = Stage("one", "data", plain.command, "one", resumes=True)
    run(tmp_path, [resuming])
    (tmp_path / "stages" / "one.json").unlink()
    with pytest.raises(StageError, match=r"stage 'one' failed:\n.*already holds something else"):
        run(tmp_path, [resuming])
    _, commands = run(tmp_path, [plain])
    assert commands[0].endswith("--force")


def test_a_stage_that_fails_says_why(tmp_path: Path) -> None:
    wrong = Stage("wrong", "data", ("offside-data", "show", "nowhere"), None)
    with pytest.raises(StageError, match=r"stage 'wrong' failed:\nerror: .*nowhere"):
        run(tmp_path, [wrong])
    assert not (tmp_path / "stages" / "wrong.json").exists()


def test_a_command_that_is_not_installed_is_named_before_anything_runs(league: OffsideDataset, tmp_path: Path) -> None:
    missing = Stage("x", "data", ("offside-nothing", "run"), None, ("one",))
    with pytest.raises(UsageError, match="pip install offside-nothing"):
        run(tmp_path, [export(league, "one", "swift"), missing])
    assert not (tmp_path / "one").exists()
    assert callable(program("offside-data"))


PROGRAM = """
import sys
from pathlib import Path
from offside_unlearn.stages import Stage, StageRunner

if __name__ == "__main__":
    command = ("offside-data", "fictional", "long", "--subjects", "80")
    StageRunner(Path(sys.argv[1]), [Stage("long", "data", command, "long")]).run()
"""


def test_workers_end_with_a_process_that_is_killed_and_two_at_once_are_refused(
    league: OffsideDataset, tmp_path: Path
) -> None:
    script, out = tmp_path / "program.py", tmp_path / "out"
    script.write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, str(script), str(out)])
    deadline = time.monotonic() + 120
    while not (out / "stages" / "long.log").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(UsageError, match="another process is at work"):
        run(out, [export(league, "one", "swift")])
    with (out / ".workers.lock").open("w") as workers, pytest.raises(BlockingIOError):
        fcntl.flock(workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(out, [export(league, "one", "swift")])  # Waits until the killed one's worker is gone.
    with (out / ".workers.lock").open("w") as workers:
        fcntl.flock(workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not (out / "long" / "README.md").exists()
