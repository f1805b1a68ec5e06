"""Check a dataset: run every check in `offside_data.checks`, honour waivers, sort what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from offside_data.checks._base import CheckedDataset, look_at
from offside_data.dataset.access import reads
from offside_data.dataset.decisions import DECISIONS_FILE
from offside_data.dataset.folder import OffsideDataset, folder_of, open_dataset
from offside_data.errors import CardError, TaxonomyError
from offside_data.issues import Issue, apply_waivers, read_waivers
from offside_data.plugins import Registry

__all__ = ["CHECKS", "CheckedDataset", "Issue", "check_dataset", "check_reference"]

CHECKS = Registry("offside_data.checks", "check", needs={"__doc__": str, "run": Callable})

_ORDER = ("error", "warning", "info")


def check_dataset(dataset: OffsideDataset, strict: bool = False) -> list[Issue]:
    """Everything there is to say about a dataset, errors first.

    Args:
        dataset: An opened dataset.
        strict: Make warnings errors.
    """
    waivers, issues = read_waivers(dataset.path / DECISIONS_FILE)
    with look_at(dataset) as checked:
        issues += checked.problems
        for name in CHECKS.names():
            issues += CHECKS.load(name).run(checked)
    dataset.require_unchanged()
    issues = list(apply_waivers(issues, waivers))
    if strict:
        issues = [replace(issue, severity="error") if issue.severity == "warning" else issue for issue in issues]
    return sorted(issues, key=lambda issue: (_ORDER.index(issue.severity), issue.code, issue.where))


@reads
def check_reference(ref: str | Path, strict: bool = False) -> list[Issue]:
    """As `check_dataset` for a reference; a folder that can't be opened gives an issue, too.

    Raises:
        DatasetReferenceError: If the reference is malformed or stands for nothing.
    """
    path = folder_of(ref)
    try:
        dataset = open_dataset(path)
    except (CardError, TaxonomyError) as error:
        code = "card-malformed" if isinstance(error, CardError) else "taxonomy-malformed"
        return [Issue("error", code, str(path), str(error))]
    return check_dataset(dataset, strict)
