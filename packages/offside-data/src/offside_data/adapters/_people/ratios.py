"""Forget and retain sets of several ratios: which are there, which one to import, which table is which split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from offside_data.adapters._people.downloads import DownloadedTable
from offside_data.adapters._people.persons import PersonQuestions
from offside_data.errors import UsageError
from offside_data.schema import Split

FULL_SET = "Full_Set"
_ROLE = re.compile(r"(forget|retain)_?(\d{1,2})", re.I)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of formats with ratios.

    Args:
        ratio: Percent of the persons to be forgotten, where the source has several ratios.
    """

    ratio: int | None = None


def choose_ratio(found: Iterable[int], options: Options | None, source: Path) -> int | None:
    """The ratio to import; null if the source has no forget or retain sets.

    Raises:
        UsageError: If the one that is asked for isn't there, or none is asked for and there are several.
    """
    ratios = sorted(set(found))
    listed = ", ".join(map(str, ratios)) or "none"
    wanted = options.ratio if options else None
    if wanted is not None and wanted not in ratios:
        raise UsageError(f"{source}: has no forget or retain set of ratio {wanted}. It has: {listed}.")
    if wanted is None and len(ratios) > 1:
        raise UsageError(
            f"{source}: has sets of several ratios (percent to be forgotten): {listed}. "
            f"Choose one, e.g. --set ratio={ratios[0]}."
        )
    return wanted if wanted is not None else next(iter(ratios), None)


def role_of(name: str) -> str | None:
    """`forget_5` or `retain_95` for a folder of that name, in whatever spelling; null if it is none."""
    match = _ROLE.fullmatch(name)
    return f"{match[1].lower()}_{int(match[2])}" if match else None


def ratios_of(tables: Iterable[DownloadedTable], named: re.Pattern[str] = _ROLE) -> Iterator[int]:
    """The ratios that forget and retain sets belong to; `named` finds role and percentage in a config's name."""
    for table in tables:
        if match := named.fullmatch(table.config):
            yield int(match[2]) if match[1] == "forget" else 100 - int(match[2])


def plan(
    questions: PersonQuestions, tables: Iterable[DownloadedTable], ratio: int | None, further: Mapping[str, Split]
) -> list[tuple[DownloadedTable, Split]]:
    """The tables to read, with the split of each: first those of the ratio, else everybody as `retain`.

    Args:
        questions: Gets a note on each table that isn't read, and on each set that isn't there.
        tables: All that were found.
        ratio: Percent to be forgotten; null if there are no such sets.
        further: The split of other configs.
    """
    splits: dict[str, Split] = {FULL_SET: "retain", "": "retain"}
    if ratio is not None:
        splits = {f"forget_{ratio}": "forget", f"retain_{100 - ratio}": "retain"}
        for config in sorted(splits.keys() - {table.config for table in tables}):
            questions.note(config, f"ratio {ratio} needs this set, but it isn't here")
    return select(questions, tables, {**splits, **further}, ratio)


def select(
    questions: PersonQuestions, tables: Iterable[DownloadedTable], splits: Mapping[str, Split], ratio: int | None
) -> list[tuple[DownloadedTable, Split]]:
    """The tables whose config has a split, in the order of `splits`; notes on the others."""
    order = list(splits)
    chosen = []
    for table in tables:
        if table.config not in splits:
            why = f"ratio {ratio} doesn't need it" if ratio is not None else "its rows stand elsewhere, too"
            questions.note(table.name, f"not read: {why}")
            continue
        if table.config == "":
            questions.note(table.name, "no folder says which config this is; everybody is kept")
        chosen.append((table, splits[table.config]))
    return sorted(chosen, key=lambda item: order.index(item[0].config))
