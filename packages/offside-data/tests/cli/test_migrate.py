from __future__ import annotations

import json

from click.testing import CliRunner
from raw_card import edit_block

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def test_an_up_to_date_dataset(fresh: OffsideDataset) -> None:
    result = CliRunner().invoke(main, ["migrate", str(fresh.path)])
    assert (result.exit_code, result.stdout) == (0, f"{fresh.path}: up to date, schema version 1.\n")
    told = json.loads(CliRunner().invoke(main, ["migrate", str(fresh.path), "--json"]).stdout)
    assert told == {"before": 1, "after": 1, "steps": []}


def test_a_newer_one(fresh: OffsideDataset) -> None:
    edit_block(fresh.path, schema_version=9)
    result = CliRunner().invoke(main, ["migrate", str(fresh.path)])
    assert result.exit_code == 1
    assert "Install a newer offside-data" in result.stderr
