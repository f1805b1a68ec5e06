from __future__ import annotations

from offside_eval import provenance


def test_differences_name_what_differs() -> None:
    assert provenance.differences({"a": 1, "b": "x"}, {"a": 1, "b": "y", "c": None}) == ['b: "x" -> "y"']
    (long,) = provenance.differences({"a": "x" * 200}, {"a": 1})
    assert len(long) < 80


def test_versions_and_memory() -> None:
    assert {"python", "torch", "transformers", "offside-eval"} <= set(provenance.versions())
    assert provenance.peak_memory_mb() > 10
