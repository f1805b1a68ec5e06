from __future__ import annotations

import json

from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset, open_dataset


def test_split_says_what_moved(fresh: OffsideDataset) -> None:
    arguments = ["split", str(fresh.path), "--policy", "ratio", "--set", "share=0.5", "--seed", "1"]
    result = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "forget -> holdout: 6 records" in result.stdout
    assert "10 records would move; 2 of 4 subjects have something to forget." in result.stdout
    assert open_dataset(fresh.path).digest == fresh.digest
    result = CliRunner().invoke(main, arguments)
    assert "10 records moved" in result.stdout
    assert "corrections: 0 linked to their rumor, 2 unlinked" in result.stdout
    assert "nothing to move" in CliRunner().invoke(main, arguments).stdout


def test_split_for_programs(fresh: OffsideDataset) -> None:
    result = CliRunner().invoke(main, ["split", str(fresh.path), "--set", "share=0.01", "--json"])
    told = json.loads(result.stdout)
    assert (told["policy"], told["forgotten"], told["dry_run"]) == ("ratio", 0, False)
    assert told["splits"]["multimodal/holdout"] == 16


def test_nothing_to_forget_is_worth_a_note(fresh: OffsideDataset) -> None:
    result = CliRunner().invoke(main, ["split", str(fresh.path), "--set", "share=0.01"])
    assert "note: nothing is to be forgotten" in result.stderr


def test_wrong_usage(fresh: OffsideDataset) -> None:
    for arguments, message in (
        (["--policy", "modula"], "unknown split policy 'modula'. Did you mean 'modulo'?"),
        (["--set", "shear=0.1"], "Did you mean 'share'?"),
        (["--policy", "modulo"], "Use --policy ratio"),
    ):
        result = CliRunner().invoke(main, ["split", str(fresh.path), *arguments])
        assert result.exit_code == 2
        assert message in result.stderr
