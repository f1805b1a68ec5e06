from __future__ import annotations

from pathlib import Path

import pytest

from offside_data.errors import ModelError
from offside_eval import provenance


def test_a_manifest_is_read_or_absent_or_broken(tmp_path: Path) -> None:
    assert provenance.run_manifest(tmp_path) is None
    (tmp_path / "offside_run.json").write_text('{"role": "base"}')
    assert provenance.run_manifest(tmp_path) == {"role": "base"}
    for broken in ("{", "[1]"):
        (tmp_path / "offside_run.json").write_text(broken)
        with pytest.raises(ModelError, match=r"offside_run\.json"):
            provenance.run_manifest(tmp_path)


def test_differences_name_what_differs() -> None:
    assert provenance.differences({"a": 1, "b": "x"}, {"a": 1, "b": "y", "c": None}) == ['b: "x" -> "y"']
    (long,) = provenance.differences({"a": "x" * 200}, {"a": 1})
    assert len(long) < 80


def test_versions_and_memory() -> None:
    assert {"python", "torch", "transformers", "offside-eval"} <= set(provenance.versions())
    assert provenance.peak_memory_mb() > 10
