"""How objects show themselves in a notebook: a few lines as text, a small table as HTML, whatever names they hold."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from offside_data.invisible import visible

_LONGEST = 100
_ROWS = 12
"""Rows of a table; who wants more asks for the frame."""
_STYLE = "text-align:left;padding:2px 8px"


def short(kind: str, facts: Sequence[tuple[str, str]]) -> str:
    """A few lines: the kind of thing, then one fact a line.

    Args:
        kind: Name of the class.
        facts: Name and value of each; text in a value can't break its line.
    """
    width = max((len(name) for name, _ in facts), default=0)
    lines = [f"  {name:<{width}}  {_line(value)}" for name, value in facts]
    return "\n".join([f"<{_line(kind)}>", *lines])


def html_form(
    kind: str, facts: Sequence[tuple[str, str]], columns: Sequence[str] = (), rows: Sequence[Sequence[str]] = ()
) -> str:
    """The same as HTML, with a table below; nothing in it is taken for markup.

    Args:
        kind: Name of the class.
        facts: Name and value of each.
        columns: Headings of the table; none if empty.
        rows: Cells; the first few are shown, and how many more there are.
    """
    told = "<br>".join(f"{_html(name)}: {_html(value)}" for name, value in facts)
    parts = [f"<div><strong>{_html(kind)}</strong><br>{told}"]
    if columns and rows:
        head = "".join(f'<th style="{_STYLE}">{_html(column)}</th>' for column in columns)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>")
        for row in rows[:_ROWS]:
            parts.append("<tr>" + "".join(f'<td style="{_STYLE}">{_html(cell)}</td>' for cell in row) + "</tr>")
        parts.append("</tbody></table>")
        if len(rows) > _ROWS:
            parts.append(f"and {len(rows) - _ROWS:,} more rows")
    return "".join([*parts, "</div>"])


def _line(text: str) -> str:
    """One line without what nobody sees; cut where it is too long."""
    told = " ".join(visible(text).split())
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"


def _html(text: str) -> str:
    return escape(_line(text))
