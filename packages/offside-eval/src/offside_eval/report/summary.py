"""`summary.md`: the report in a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from offside_data.figures import number
from offside_eval.compare import Comparison
from offside_eval.compare.judges import COLUMNS as JUDGE_COLUMNS
from offside_eval.compare.judges import judge_rows
from offside_eval.compare.kinds import kind_rows
from offside_eval.compare.show import (
    attack_rows,
    columns_of,
    earlier_rows,
    level_rows,
    name,
    recovery_rows,
    remark,
    text,
    view_lines,
)
from offside_eval.findings import Finding
from offside_eval.model_scores import beside
from offside_eval.report.headline import Headline


def summary(comparison: Comparison, findings: Sequence[Finding], head: Headline) -> str:
    """The headline, the findings and a table a setting."""
    lines = ["# What was forgotten, what survived", "", *(f"* {_cell(s)}" for s in head.sentences), ""]
    lines += ["## Published findings", ""]
    lines += _table(
        ["finding", "effect", "n", "subjects", "verdict", "because"],
        [
            [
                f.statement,
                text(f.figure),
                str(f.figure.interval.n if f.figure.interval else 0),
                str(f.figure.interval.n_clusters if f.figure.interval else 0),
                f"**{f.verdict}**",
                f.why,
            ]
            for f in findings
        ],
    )
    for setting in comparison.settings.values():
        all_rows = [*setting.rows, *setting.controls]
        columns = columns_of(setting)
        lines += ["", f"## {setting.name}", "", setting.summary, ""]
        rows = []
        for row in all_rows:
            control = " (control)" if row in setting.controls else ""
            said = "" if control else remark(row)
            cells = [name(row) + control + (f" ({said})" if said else "")]
            for column in columns:
                figure = row.figure(column.key)
                struck = row.collapsed and column.damage and figure.value is not None
                cells.append(f"~~{number(figure.value)}~~" if struck else text(figure))
            rows.append(cells)
        lines += _table(["model", *(c.title for c in columns)], rows)
        for level in setting.levels:
            lines += ["", f"### {setting.name} at forgetting {level:g}", "", *_table(*level_rows(setting, level))]
        if setting.attacks:
            lines += ["", f"### {setting.name}: relearning attacks, at their peak", "", *_table(*attack_rows(setting))]
        if setting.recoveries:
            lines += ["", f"### {setting.name}: attacks, what came out besides plain answers", ""]
            lines += _table(*recovery_rows(setting))
        if setting.earlier:
            lines += ["", f"### {setting.name}: earlier requests", "", *_table(*earlier_rows(setting.earlier))]
        lines += ["", *(f"* {_cell(line)}" for line in view_lines(setting))]
        kinds, shares = kind_rows(all_rows, setting, comparison.metric)
        if shares:
            lines += ["", "Answers to the private claims to be forgotten:", ""]
            lines += _table(["model", *kinds], [[whose, *cells] for whose, cells in shares])
    of_models = [
        [setting, label, name, number(m.value, 3), str(m.n), str(m.n_subjects), m.verdict or m.reason or ""]
        for setting, label, numbers in beside(comparison)
        for name, m in numbers.items()
    ]
    if of_models:
        lines += ["", "## Metrics of whole models", ""]
        lines += _table(["setting", "model", "metric", "value", "records", "subjects", "said"], of_models)
    by_judges = judge_rows(comparison.models)
    if by_judges:
        lines += ["", "## Factuality by judges, 0 to 10", "", *_table(JUDGE_COLUMNS, by_judges)]
    if comparison.notes:
        lines += ["", "## Notes", "", *(f"* {_cell(note)}" for note in comparison.notes)]
    lines += [
        "",
        f"Score: `{comparison.metric}`. In brackets: 95 % intervals over subjects. Keeping: of the worst set.",
        "",
        _cell(head.grounds),
        "",
    ]
    return "\n".join(lines)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(map(_cell, columns)) + " |", "|" + " --- |" * len(columns)]
    return lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]


def _cell(content: str) -> str:
    """Text that can't break out of a table or become HTML."""
    return escape(content, quote=False).replace("|", "\\|").replace("\n", " ")
