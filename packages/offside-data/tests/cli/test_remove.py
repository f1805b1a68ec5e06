from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["remove", *arguments])


def test_remove_and_verify(fresh: OffsideDataset) -> None:
    folder = str(fresh.path)
    result = run(folder, "--subject", "s1", "--reason", "Asked for.")
    assert result.exit_code == 0, result.output
    assert "removed: subjects 1, records 10, pictures 4" in result.stdout
    assert result.stdout.endswith("proof: nothing is left\n")
    assert run(folder, "--verify").exit_code == 0
    (fresh.path / "notes.txt").write_text("Orlo Vantis")
    result = run(folder, "--verify")
    assert result.exit_code == 1
    assert "error: taken-down: notes.txt:1: left of a subject" in result.stdout
    assert result.stdout.endswith("proof: something is left: 1 left\n")
    assert "antis" not in result.output
    (fresh.path / "notes.txt").write_bytes(bytes(range(256)))
    (fresh.path / "club.txt").write_text("The Vantis Cup.")
    result = run(folder, "--verify")
    assert result.exit_code == 3
    assert "warning: taken-down-near: club.txt:1: perhaps left of a subject" in result.stdout
    assert "warning: taken-down-unread: notes.txt: not searched" in result.stdout
    assert result.stdout.endswith("proof: to be looked at: 1 that may be a name, 1 not read\n")


def test_remove_for_programs(fresh: OffsideDataset) -> None:
    told = json.loads(run(str(fresh.path), "--subject", "s1", "--reason", "Asked for.", "--json").stdout)
    assert told["removed"] == {"subjects": 1, "records": 10, "pictures": 4}
    assert (told["look_alikes"], told["findings"], told["verdict"]) == ([], [], "nothing left")
    assert json.loads(Path(told["proof_file"]).read_text())["verdict"] == "nothing left"
    assert told["renewed"]


def test_wrong_usage(fresh: OffsideDataset) -> None:
    for arguments, message in (
        ([], "give --subject ID and --reason TEXT, or --verify"),
        (["--subject", "s7", "--reason", "x"], "unknown subject 's7'"),
        (["--subject", "s1", "--reason", "x", "--radius", "65"], "--radius 65: phash has 64 bits"),
        (["--subject", "s1", "--reason", "For Orlo Vantis."], "the reason names the subject"),
    ):
        result = run(str(fresh.path), *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
