from __future__ import annotations

import json

from click.testing import CliRunner

from offside_eval.attacks import ATTACKS
from offside_eval.cli import main


def test_every_attack_is_listed_with_what_the_attacker_needs() -> None:
    done = CliRunner().invoke(main, ["attacks"])
    assert done.exit_code == 0, done.output
    assert all(name in done.stdout for name in ATTACKS.names())
    listed = {entry["name"]: entry for entry in json.loads(CliRunner().invoke(main, ["attacks", "--json"]).stdout)}
    assert set(listed) == set(ATTACKS.names())
    assert listed["suffix"]["access"] == "white-box"
    assert listed["sampling"]["options"]["draws"] == 10
    assert all(entry["summary"] and entry["paper"]["url"] for entry in listed.values())
