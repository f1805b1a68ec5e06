"""The command: files in and out, figures and decisions for people and programs, faults without a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset

RUN = CliRunner()
FORGET = ("--where", "split=forget", "--where", "config=multimodal")


@pytest.fixture
def export(fresh: OffsideDataset, tmp_path: Path) -> Path:
    """What three annotators answered to a pushed file, as Label Studio exports it."""
    file = tmp_path / "tasks.json"
    done = RUN.invoke(main, ["annotate", "push", str(fresh.path), *FORGET, "--to-file", str(file)])
    assert done.exit_code == 0, done.output
    assert "8 tasks sent" in done.output
    tasks = json.loads(file.read_text(encoding="utf-8"))
    for number, task in enumerate(tasks):
        task["id"] = number
        task["annotations"] = [
            {
                "id": 10 * number + user,
                "completed_by": user,
                "updated_at": "2026-01-01T00:00:00Z",
                "was_cancelled": False,
                "result": [
                    {
                        "from_name": "veracity",
                        "to_name": "claim",
                        "type": "choices",
                        "value": {"choices": ["fact" if user < 3 or number else "rumor"]},
                    }
                ],
            }
            for user in (1, 2, 3)
        ]
    answered = tmp_path / "export.json"
    answered.write_text(json.dumps(tasks), encoding="utf-8")
    return answered


def run(*words: object, code: int = 0) -> str:
    done = RUN.invoke(main, ["annotate", *map(str, words)])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.output


def test_the_line_without_a_server(fresh: OffsideDataset, export: Path, tmp_path: Path) -> None:
    told = run("pull", fresh.path, "--from-file", export)
    assert "24 annotations in 8 tasks (0 skipped) by a1, a2, a3; 24 new ones in 8 records" in told
    assert "0 new ones" in run("pull", fresh.path, "--from-file", export)
    told = run("agreement", fresh.path, "--page", tmp_path / "page.html")
    assert "1 disagreed about" in told
    figures = json.loads(run("agreement", fresh.path, "--json"))
    assert {row["attribute"] for row in figures["alphas"]} == {"all", "club", "nationality"}
    would = run("adjudicate", fresh.path, "--dry-run")
    assert "8 records decided by majority" in would
    assert "Decision" not in would
    decision = run("adjudicate", fresh.path).strip().rpartition("Decision ")[2].rstrip(".")
    done = RUN.invoke(main, ["undo", str(fresh.path), decision])
    assert done.exit_code == 0, done.output


def test_as_json(fresh: OffsideDataset, export: Path) -> None:
    pulled = json.loads(run("pull", fresh.path, "--from-file", export, "--json"))
    assert (pulled["new"], pulled["decision"]["kind"]) == (24, "annotations")
    decided = json.loads(run("adjudicate", fresh.path, "--policy", "reviewer", "--set", "reviewer=a3", "--json"))
    assert decided["decided"] == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("push",), "which server? Give --url"),
        (("pull",), "which server? Give --url"),
        (("agreement",), "nothing is annotated"),
        (("adjudicate",), "nothing is annotated"),
        (("adjudicate", "--policy", "majorty"), "Did you mean 'majority'"),
        (("adjudicate", "--set", "leest=1"), "Did you mean 'least'"),
        (("push", "--pictures", "local"), "needs --document-root"),
        (("push", "--overlap", "0"), "must be at least 1"),
        (("push", "--where", "splt=forget", "--to-file", "x.json"), "Did you mean 'split'"),
    ],
)
def test_wrong_usage(
    fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert message in run(words[0], fresh.path, *words[1:], code=2)


def test_doctor_says_what_is_wrong(fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    told = run("doctor", fresh.path, code=1)
    assert "ok    token: a legacy token" in told
    assert "wrong server: http://127.0.0.1:9 can't be reached" in told
    assert json.loads(run("doctor", fresh.path, "--json", code=1))["ok"] is False
