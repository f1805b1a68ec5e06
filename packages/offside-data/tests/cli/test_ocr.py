from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.images import ocr


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["ocr", *map(str, arguments)])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that reads the same words in every picture."""

    def read(picture: Image.Image) -> list[str]:
        return ["Kestrin City"]

    monkeypatch.setattr(ocr, "load_reader", lambda: read)


def test_it_lists_proposals_and_how_to_apply_them(fresh: OffsideDataset, engine: None) -> None:
    result = run(fresh.path)
    assert result.exit_code == 0, result.stderr
    assert "16 pictures read; 16 pictures show text." in result.stdout
    assert "2 proposals (to apply them: --apply)." in result.stdout
    assert "2 proposals (applied)." in run(fresh.path, "--apply").stdout
    assert "0 proposals." in run(fresh.path, "--again").stdout


def test_json_holds_the_proposals(fresh: OffsideDataset, engine: None) -> None:
    report = json.loads(run(fresh.path, "--json").stdout)
    assert (report["read"], report["with_text"], report["applied"]) == (16, 16, False)
    assert {proposal["new"] for proposal in report["proposals"]} == {"both"}


def test_without_the_engine_it_says_how_to_get_it(fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise UsageError("Install the extra: pip install 'offside-data[ocr]'.")

    monkeypatch.setattr(ocr, "load_reader", refuse)
    result = run(fresh.path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: Install the extra: pip install 'offside-data[ocr]'.\n"
