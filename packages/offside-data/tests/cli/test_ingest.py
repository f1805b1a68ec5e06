from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from offside_data.adapters import offside
from offside_data.cli import main


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return offside.example(tmp_path / "source")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["ingest", *map(str, arguments)])


def test_it_prints_what_it_did(source: Path, tmp_path: Path) -> None:
    result = run(source, tmp_path / "out", "--format", "offside")
    assert result.exit_code == 0, result.stderr
    assert "multimodal/retain" in result.stdout
    assert "56 rows: 56 records. 2 subjects, 4 pictures." in result.stdout
    assert "0 suspect, 0 values not readable" in result.stdout


def test_json_holds_every_remark(source: Path, tmp_path: Path) -> None:
    items = json.loads(source.read_text(encoding="utf-8"))
    items[0]["messages"][1]["content"] = "He was with nobody."
    items[1]["extra"] = 1
    source.write_text(json.dumps(items), encoding="utf-8")
    result = run(source, tmp_path / "out", "--without-images", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["format"], report["rows"], report["records"], report["with_images"]) == (
        "offside",
        56,
        56,
        False,
    )
    assert [remark["kind"] for remark in report["remarks"]] == ["note", "unparsed"]


def test_remarks_go_to_stderr(source: Path, tmp_path: Path) -> None:
    items = json.loads(source.read_text(encoding="utf-8"))
    for item in items:
        item["extra"] = 1
    source.write_text(json.dumps(items), encoding="utf-8")
    result = run(source, tmp_path / "out", "--without-images")
    assert "note: finetune_set.json: record 0: unknown keys are not imported: extra" in result.stderr
    assert "note: and 26 more, see" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--format", "nope"], 2, "error: unknown format 'nope'. Known: "),
        (["--image-dir", "/no/such/folder"], 2, "does not exist"),
        (
            [],
            1,
            "error: 4 of 4 distinct pictures are missing (001.jpg, 004.jpg, 006.jpg, 009.jpg). Looked in: ",
        ),
    ],
)
def test_errors_have_a_message_and_no_traceback(
    source: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    for path in (source.parent / "finetune_set").iterdir():
        path.unlink()
    result = run(source, tmp_path / "out", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_skip_bad_and_keep_text(source: Path, tmp_path: Path) -> None:
    items = json.loads(source.read_text(encoding="utf-8"))
    items[0] = None
    source.write_text(json.dumps(items), encoding="utf-8")
    assert run(source, tmp_path / "out").exit_code == 1
    result = run(source, tmp_path / "out", "--skip-bad", "--keep-text", "--name", "mine", "--license", "mit")
    assert result.exit_code == 0, result.stderr
    assert "56 rows: 55 records, 1 rejected." in result.stdout


def test_quarantined_pictures_are_told(source: Path, tmp_path: Path) -> None:
    (source.parent / "finetune_set" / "004.jpg").write_bytes(b"")
    assert run(source, tmp_path / "out").exit_code == 1
    result = run(source, tmp_path / "out", "--skip-bad")
    assert result.exit_code == 0, result.stderr
    assert "56 rows: 42 records, 14 rejected." in result.stdout
    assert f"Pictures that can't be used: 1; see {tmp_path / 'out' / '.offside' / 'quarantine'}." in result.stdout
    assert "004.jpg: empty: the file is empty (0 bytes)." in result.stderr
