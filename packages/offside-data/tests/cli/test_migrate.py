from __future__ import annotations

import json

from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset


def test_an_up_to_date_dataset(fresh: OffsideDataset) -> None:
    result = CliRunner().invoke(main, ["migrate", str(fresh.path)])
    assert (result.exit_code, result.stdout) == (0, f"{fresh.path}: up to date, schema version 1.\n")
    told = json.loads(CliRunner().invoke(main, ["migrate", str(fresh.path), "--json"]).stdout)
    assert told == {"before": 1, "after": 1, "steps": []}


def test_a_newer_one(fresh: OffsideDataset) -> None:
    card = Card.load(fresh.path)
    card.block["schema_version"] = 9
    card.save(fresh.path)
    result = CliRunner().invoke(main, ["migrate", str(fresh.path)])
    assert result.exit_code == 1
    assert "Install a newer offside-data" in result.stderr
