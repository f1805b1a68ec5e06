from __future__ import annotations

from pathlib import Path

from offside_data.adapters._pictures import confined


def test_only_what_lies_inside_stays_once_each(tmp_path: Path) -> None:
    folder, other = tmp_path / "a", tmp_path / "b"
    inside, climbing = folder / "x" / "1.png", folder / "x" / ".." / "2.png"
    outside = [folder / ".." / "c" / "3.png", Path("/etc/4.png"), tmp_path / "ab" / "5.png"]
    candidates = [inside, *outside, climbing, inside, other / "6.png"]
    assert confined(candidates, [folder, other]) == (inside, climbing, other / "6.png")
    assert confined(candidates, [other]) == (other / "6.png",)
    assert confined(candidates, []) == ()
