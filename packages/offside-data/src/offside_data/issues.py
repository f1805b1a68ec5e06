"""What a check found, and the waivers that a curator gave for it.

A waiver is a decision, a line of `decisions.jsonl`: `{"kind": "waiver", "what": {"code": …, "where": …}, "why": …}`. It
silences the issue with that code at that place, and only that one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from offside_data.dataset.decisions import holding, read_lines

Severity = Literal["error", "warning", "info"]
WAIVER = "waiver"
"""The `kind` of a decision that is a waiver."""

_WAIVED = " Waived: "
NEVER_WAIVED = (
    *("card-malformed", "card-outdated", "digest-mismatch", "content-hash", "file-unreadable"),
    *("parent-mismatch", "release-changed", "taken-down"),
)
"""Codes that say the dataset isn't what it claims to be, or shows who asked not to be shown: no reason is enough."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that a check found.

    Args:
        severity: `error` fails a check, `warning` only with `--strict`, `info` never.
        code: Stable name of the kind of issue, e.g. `picture-leak`; waivers name it.
        where: The record, picture, file or key of the card it is about.
        message: What is wrong and what to do.
    """

    severity: Severity
    code: str
    where: str
    message: str

    def to_json(self) -> dict[str, str]:
        """The issue as a plain mapping."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Waiver:
    """Why one issue may stay; `line` is its line in `decisions.jsonl`."""

    line: int
    code: str
    where: str
    why: str


def read_waivers(path: Path) -> tuple[list[Waiver], list[Issue]]:
    """The waivers of a `decisions.jsonl` that hold, and what is wrong with it; none if there is no such file.

    Raises:
        DatasetError: If the file can't be read.
    """
    waivers: list[Waiver] = []
    issues: list[Issue] = []
    lines = list(read_lines(path))
    held = {decision["id"] for decision in holding(line for _, line in lines if not isinstance(line, str))}
    for number, decision in lines:
        where = f"{path.name}:{number}"
        if isinstance(decision, str):
            issues.append(Issue("error", "decisions-malformed", where, decision))
        elif decision["kind"] == WAIVER and decision["id"] in held:
            what = decision["what"] if isinstance(decision["what"], dict) else {}
            said = {"code": what.get("code"), "where": what.get("where"), "why": decision["why"]}
            waiver = Waiver(number, *(str(text or "").strip() for text in said.values()))
            lacking = [key for key in said if not getattr(waiver, key)]
            if lacking or waiver.code in NEVER_WAIVED:
                why = f"lacks {', '.join(lacking)}" if lacking else f"{waiver.code} can't be waived"
                issues.append(Issue("error", "waiver-invalid", where, f"the waiver {why}; it has no effect."))
            else:
                waivers.append(waiver)
    return waivers, issues


def is_waived(issue: Issue) -> bool:
    """Whether somebody waived an issue."""
    return issue.severity == "info" and _WAIVED in issue.message


def apply_waivers(issues: list[Issue], waivers: list[Waiver]) -> Iterator[Issue]:
    """The issues with the waived ones turned into `info`, and a warning for each waiver without use."""
    reasons = {(waiver.code, waiver.where): waiver for waiver in waivers}
    used = set()
    for issue in issues:
        waiver = reasons.get((issue.code, issue.where))
        if waiver is None or issue.severity == "info":
            yield issue
        else:
            used.add((issue.code, issue.where))
            yield dataclasses.replace(issue, severity="info", message=f"{issue.message}{_WAIVED}{waiver.why}")
    for key, waiver in reasons.items():
        if key not in used:
            message = f"nothing to waive: there is no issue {waiver.code!r} at {waiver.where!r} any more."
            yield Issue("warning", "waiver-unused", f"decisions.jsonl:{waiver.line}", message)
