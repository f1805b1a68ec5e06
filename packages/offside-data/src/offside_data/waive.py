"""Waive issues of `check`: a person's decision that one may stay, with the reason."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from offside_data.check import check_dataset
from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision, now
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.picture_names import PictureNames
from offside_data.dataset.transaction import change_dataset
from offside_data.errors import UsageError
from offside_data.issues import NEVER_WAIVED, WAIVER, Issue, is_waived

_SHOWN = 5


@changes()
def waive(dataset: str | Path, issues: Sequence[str], reason: str) -> list[dict[str, Any]]:
    """Waive issues that `check` finds.

    Args:
        dataset: The dataset.
        issues: Each as `check` prints it, `CODE: PLACE`; a picture may be named by its file. A code alone will do
            where there is one issue of it.
        reason: Why they may stay.

    Returns:
        The decisions; `undo` takes one back.

    Raises:
        UsageError: If there is no such issue, it can't be waived or was, or there is no reason.
        DatasetError: If the dataset can't be read or changed.
    """
    if not reason.strip():
        raise UsageError("--reason is empty; say why the issue may stay.")
    opened = open_dataset(dataset)
    told = check_dataset(opened)
    found = [issue for issue in told if issue.severity != "info"]
    waived = [issue for issue in told if is_waived(issue)]
    chosen = [_find(text, found, waived, opened) for text in issues]
    decisions = [
        make_decision(
            WAIVER,
            {"code": issue.code, "where": issue.where},
            reason.strip(),
            command=f"waive {issue.code}",
            when=now(),
        )
        for issue in dict.fromkeys(chosen)
    ]
    with change_dataset(opened) as change:
        change.decide(decisions)
    return decisions


def _find(text: str, issues: Sequence[Issue], waived: Sequence[Issue], dataset: OffsideDataset) -> Issue:
    code, _, where = (part.strip() for part in text.partition(":"))
    if code in NEVER_WAIVED:
        raise UsageError(f"{code} can't be waived: it says that the dataset isn't what it claims to be.")
    of_code = [issue for issue in issues if issue.code == code]
    names = functools.cache(lambda: PictureNames(dataset))
    if any(issue.code == code and _is_at(issue, where, names) for issue in waived) and not any(
        _is_at(issue, where, names) for issue in of_code
    ):
        raise UsageError(f"{dataset.path}: {text!r} is waived already; see offside-data decisions.")
    if not of_code:
        codes = sorted({issue.code for issue in issues} - set(NEVER_WAIVED))
        raise UsageError(
            f"{dataset.path}: check finds no {code!r} to waive. It finds: {', '.join(codes) or 'nothing'}."
        )
    if not where and len(of_code) == 1:
        return of_code[0]
    exact = [issue for issue in of_code if issue.where == where]
    exact = exact or [issue for issue in of_code if _is_at(issue, where, names)]
    if len(exact) == 1 or (exact and len({issue.where for issue in exact}) == 1):
        return exact[0]
    places = [issue.where for issue in (exact or of_code)]
    near = difflib.get_close_matches(where, places, n=_SHOWN) or places[:_SHOWN]
    listed = "; ".join(f"{code}:{place}" for place in near)
    more = f" and {len(places) - len(near):,} more" if len(places) > len(near) else ""
    raise UsageError(f"{dataset.path}: {text!r} is none of the issues that check finds: {listed}{more}.")


def _is_at(issue: Issue, where: str, names: Callable[[], PictureNames]) -> bool:
    """Whether an issue is at a place, named as `check` does or by a picture's file; any is at none."""
    if not where or issue.where == where:
        return True
    file = names().files.get(issue.where, "")
    return bool(file) and where in (file, file.rpartition("/")[2])
