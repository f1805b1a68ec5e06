from __future__ import annotations

from typing import Any

from run_check import run_check
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset
from offside_data.tagging.untagged import fit_taxonomy, untagged


def test_untagged_records_are_counted_by_file(fresh: OffsideDataset) -> None:
    contents = WholeDataset.read(fresh.path)
    contents.records = [untagged(r, "?") if r.split == "retain" else r for r in contents.records]
    contents.taxonomy_text = fit_taxonomy(contents.taxonomy_text, [r.attribute for r in contents.records])
    contents.save(fresh.path)
    found = run_check("tags", fresh.path)
    assert [(f.severity, f.code, f.where) for f in found] == [
        ("error", "untagged", "multimodal/retain"),
        ("error", "untagged", "text/retain"),
    ]
    assert found[0].message.startswith("8 records have no attribute yet.")


def test_a_correction_that_says_the_same(found: Any, setter: Any) -> None:
    value = {"kind": "name", "text": "Emberlin", "number": None, "unit": None, "currency": None, "date": None}
    (issue,) = found("tags", {"multimodal/relearn": setter("s1", "club", value=value)})
    assert (issue.severity, issue.code) == ("error", "correction-repeats")


def test_a_rumor_with_an_official_source(found: Any, setter: Any) -> None:
    source = {"url": None, "publisher": "Norvale", "tier": "official", "retrieved_on": None, "license": None}
    (issue,) = found("tags", {"text/forget": setter("s1", "club", sources=[source])})
    assert (issue.severity, issue.code) == ("warning", "rumor-official")
