from __future__ import annotations

import subprocess
import sys

from offside_data.seeding import rng


def test_each_key_has_numbers_of_its_own() -> None:
    assert rng(0, "a").random() == rng(0, "a").random()
    assert len({rng(*key).random() for key in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 1), ("0", "a"))}) == 5


def test_other_processes_draw_the_same_numbers() -> None:
    code = "from offside_data.seeding import rng; print(rng(7, 'portrait', 'player-001').getrandbits(64))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) == rng(7, "portrait", "player-001").getrandbits(64)
