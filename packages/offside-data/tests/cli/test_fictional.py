from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from offside_data import open_dataset
from offside_data.cli import main


def test_writes_a_league_of_the_chosen_world_and_prints_json(tmp_path: Path) -> None:
    arguments = ["fictional", str(tmp_path / "out"), "--taxonomy", "office", "--subjects", "4", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    league = open_dataset(tmp_path / "out")
    assert printed["digest"] == league.digest
    assert (league.name, league.taxonomy.name) == ("fictional-office", "office")
    assert printed["subjects"] == 5
    assert printed["visual_rumors"] == 2
    assert printed["records"]["multimodal/forget"] == 4 * 13
    assert "drawn again" in result.stderr


def test_wrong_usage_exits_with_2_and_says_what_is_allowed(tmp_path: Path) -> None:
    for options, message in (
        (["--subjects", "2"], "allowed: 4 or more"),
        (["--taxonomy", "ofice"], "unknown fictional world 'ofice'. Did you mean 'office'?"),
    ):
        result = CliRunner().invoke(main, ["fictional", str(tmp_path / "out"), *options])
        assert result.exit_code == 2
        assert message in result.stderr
        assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())
