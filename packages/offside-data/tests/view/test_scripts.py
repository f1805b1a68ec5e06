from __future__ import annotations

import json
from pathlib import Path

from offside_data.view.scripts import script_json, write_parts, write_script


def test_no_text_ends_its_script_or_its_line() -> None:
    text = "</script><!-- \u2028 \u2029 \ud800 é"
    written = script_json({"a": text})
    assert "<" not in written
    assert written.isascii()
    assert "\n" not in written
    assert json.loads(written) == {"a": text}


def test_numbers_that_json_lacks_become_texts() -> None:
    assert json.loads(script_json([{"a": float("nan")}, float("-inf"), 1.5])) == [{"a": "nan"}, "-inf", 1.5]


def test_a_file_is_one_call(tmp_path: Path) -> None:
    write_script(tmp_path / "new" / "x.js", "x", [1, "é"])
    assert (tmp_path / "new" / "x.js").read_text() == 'offsideView.put("x",[1,"\\u00e9"]);\n'
    write_parts(tmp_path / "y.js", "y", ["[", "1", "]"])
    assert (tmp_path / "y.js").read_text() == 'offsideView.put("y",[1]);\n'
