"""Figures as text: one way to write a number with its interval, for the terminal, the report and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offside_data.figures import NONE, counted, number
from offside_eval.compare.attacks import where_peak
from offside_eval.compare.by_scope import PREFIX, in_words
from offside_eval.compare.comparison import SettingComparison
from offside_eval.compare.earlier import NUMBERS, EarlierOutcome
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.quantities import Figure, Quantity
from offside_eval.compare.trajectories import Candidate
from offside_eval.compare.views import LEAST, told

ROLE_NAMES: Mapping[str, str] = {"vanilla": "vanilla", "retain_only": "retain-only", "base": "base"}


@dataclass(frozen=True)
class Column:
    """One number of the table.

    Args:
        key: Name of the quantity.
        title: Short heading.
        help: What it is, in one sentence.
        better: `up`, `down` or null when neither is.
        damage: Whether a good number of a collapsed model is damage, to be struck through.
    """

    key: str
    title: str
    help: str
    better: str | None = None
    damage: bool = False


COLUMNS: Sequence[Column] = (
    Column(
        "knows",
        "still knows",
        "Share of the claims to be forgotten (private ones) that it still answers.",
        "down",
        damage=True,
    ),
    Column(
        "rank",
        "rank",
        "Where it has the true values among others of their kind (area under the curve): 0.5 is no preference.",
        "down",
        damage=True,
    ),
    Column(
        LEAST,
        "least forgotten",
        "Forgetting in the view in which the least of it is seen: by generation, by choice or by probability.",
        "up",
        damage=True,
    ),
    Column(
        "forgetting",
        "forgetting",
        "By generation: what it still answers, on a scale from vanilla (0) to retain-only (1).",
        "up",
        damage=True,
    ),
    Column("forgetting_by_choice", "by choice", "The same of the option that it prefers.", "up", damage=True),
    Column("forgetting_by_probability", "by probability", "The same of the answer's probability.", "up", damage=True),
    Column(
        "keeping",
        "keeping",
        "Share of what vanilla knows that survived, in the set to be kept (scope by scope) that suffered most.",
        "up",
    ),
    Column(
        "selectivity",
        "selectivity",
        "Harmonic mean of forgetting and of keeping the shared facts of the same pictures.",
        "up",
        damage=True,
    ),
    Column(
        "specific_forgetting",
        "specific",
        "Drop beyond the drop on matched retain records: forgetting that isn't general damage.",
        "up",
        damage=True,
    ),
    Column("modality_gap", "modality gap", "Forgetting on pictures minus forgetting on text.", damage=True),
    Column("asserts_donor", "donor's", "Share of the forgotten claims answered with the value of the run's donor."),
)
RELEARNING: Sequence[Column] = (
    Column("recovered", "recovered", "Old claims answered again after relearning, in points.", "down"),
    Column("recovered_ratio", "ratio", "The same as a share of what had been forgotten.", "down"),
    Column("recovered_control", "control", "What retain-only picks up from the same relearning, in points."),
    Column("excess_recovery", "excess", "Recovered beyond the control, in points.", "down"),
    Column("corrected", "corrected", "Forget pictures on which the corrected value is given.", "up"),
    Column("correction_learnt", "learnt", "Corrections learnt on their own pictures.", "up"),
)
TWINS: Sequence[Column] = (
    Column("remembered", "remembered", "Old value given on the twin with its text removed.", "down", damage=True),
    Column("read", "read", "New value given on the twin whose text states another one."),
    Column(
        "reads_old",
        "old on swapped",
        "Old value given although the twin states another.",
        "down",
        damage=True,
    ),
)
VISUAL: Sequence[Column] = (
    Column("forgetting/visual", "visual", "Forgetting of claims readable in the picture.", "up", damage=True),
    Column("forgetting/not_visual", "other", "Forgetting of the other private claims.", "up", damage=True),
)


RECOVERY: Sequence[str] = ("known before", "recovered", "retain-only's", "excess", "never-known claims", "decoys")
"""Headings of what an attack got out, in the order of `recoveries.SHOWN`."""


def interval(figure: Figure, digits: int = 2) -> str:
    """`[0.62, 0.87]`; `no interval` beside a number that has none, and nothing where there is no number."""
    i = figure.interval
    if i is None:
        return ""
    if i.low is None and i.high is None:
        return "no interval"
    return f"[{number(i.low, digits)}, {number(i.high, digits)}]"


def text(figure: Figure, digits: int = 2) -> str:
    """`0.75 [0.62, 0.87]`."""
    return f"{number(figure.value, digits)} {interval(figure, digits)}".strip()


def name(row: ModelRow) -> str:
    """A row's label as people write it."""
    if row.label in ROLE_NAMES:
        return ROLE_NAMES[row.label]
    label = row.label.replace("retain_only", "retain-only")
    return f"{label}, before" if row.before else label


def seeds_collapsed(row: ModelRow) -> str:
    """`1 of 3 seeds`; empty where all or none of a row's models collapsed."""
    return f"{len(row.wrecks)} of {len(row.seeds)} seeds" if 0 < len(row.wrecks) < len(row.seeds) else ""


def how_collapsed(row: ModelRow) -> str:
    """`collapsed`, or how many of a row's seeds did; empty where none did."""
    return f"{seeds_collapsed(row)} collapsed".strip() if row.collapsed else ""


def remark(row: ModelRow, collapsed: bool = True) -> str:
    """What a reader must know of a row before its numbers: where they were read, and of how many seeds they are."""
    said = []
    if row.collapsed and collapsed:
        said.append(how_collapsed(row))
    if row.level is not None:
        said.append(f"at forgetting {row.level:g}")
    elif row.fell_short:
        said.append(_how_far(row.reached))
    if len(row.seeds) > 1:
        said.append(counted(len(row.seeds), "seed"))
    elif row.seeds:
        said.append("these weights only")
    return ", ".join(said)


def level_rows(setting: SettingComparison, level: float) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of what methods keep at a level of forgetting; one that doesn't get there says how far it got.

    Best first, by what they keep; one that has collapsed there says so. What comes back is that of a model that had
    forgotten as much, or somewhat more.
    """
    found = [(c, c.at(level)) for c in setting.candidates]
    keys = dict.fromkeys(key for _, numbers in found for key in numbers or {} if key.startswith(PREFIX))
    columns = ["keeping", *keys, "specific_forgetting"]

    def rank(item: tuple[Candidate, Mapping[str, Quantity] | None]) -> float:
        keeping = item[1].get("keeping") if item[1] else None
        value = keeping.value if keeping else None
        return -1.0 if value is None else value

    cells = []
    for candidate, numbers in sorted(found, key=rank, reverse=True):
        if numbers is None:
            cells.append([f"{candidate.label}\n{_how_far(candidate.reached)}", *[NONE] * (len(columns) + 1)])
            continue
        row = candidate.row(level)
        seeds = f"{len(row.seeds)} seeds" if len(row.seeds) > 1 else "these weights only"
        said = ", ".join(filter(None, (how_collapsed(row), seeds)))
        figures = [numbers[key].figure() if key in numbers else None for key in columns]
        texts = [NONE if f is None else f"{number(f.value)}\n{interval(f)}".strip() for f in figures]
        cells.append([f"{candidate.label}\n{said}", *texts, _back(candidate, level)])
    titles = ["keeping", *(in_words(key) for key in keys), "specific", "comes back"]
    if all(line[-1] == NONE for line in cells):
        titles, cells = titles[:-1], [line[:-1] for line in cells]
    return ["method", *titles], cells


def _how_far(reached: float | None) -> str:
    return "forgetting can't be computed" if reached is None else f"reached {number(reached)}"


def _back(candidate: Candidate, level: float) -> str:
    """What relearning brings back beyond what it teaches retain-only, and from where; or as it is without that."""
    back = candidate.relearned_from(level)
    if back is None:
        return NONE
    figure = back.row.figure("excess_recovery")
    figure = back.row.figure("recovered") if figure.value is None else figure
    return f"{number(figure.value)}\n{interval(figure)} from {number(back.forgetting)}"


ATTACKED: Mapping[str, str] = {
    "before": "known before",
    "peak": "at the peak",
    "end": "at the end",
    "rise": "rise",
    "control_rise": "retain-only's rise",
    "excess": "excess",
    "rank_before": "rank before",
    "rank_peak": "rank at the peak",
    "rank_end": "rank at the end",
}
"""Columns of the table of attacks."""


def attack_rows(setting: SettingComparison) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of what relearning attacks brought back at their peak; ranks where some were measured."""
    found = [{key: q.figure() for key, q in outcome.quantities.items()} for outcome in setting.attacks]
    shown = {key: title for key, title in ATTACKED.items() if any(key in figures for figures in found)}
    cells = []
    for outcome, figures in zip(setting.attacks, found, strict=True):
        is_control = outcome.role == "retain_only"
        texts = []
        for key in shown:
            figure = None if is_control and key in ("control_rise", "excess") else figures.get(key)
            lines = [NONE] if figure is None else [number(figure.value), interval(figure)]
            texts.append("\n".join(filter(None, [*lines, outcome.remark if key == "control_rise" else ""])))
        said = remark(outcome.peak, collapsed=False)
        label = outcome.label.replace("retain_only", "retain-only")
        cells.append([f"{label}\n{said}".strip(), f"{outcome.attack}\n(peak: {where_peak(outcome)})", *texts])
    return ["model", "attack", *shown.values()], cells


def recovery_rows(setting: SettingComparison) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of what attacks without training got out; what wasn't made says why."""
    cells = []
    for recovery in setting.recoveries:
        row = recovery.row
        label = f"{name(row)}\n{remark(row) if len(row.seeds) > 1 else how_collapsed(row)}".strip()
        if recovery.unfit is not None:
            cells.append([f"{recovery.attack}\nnot made: {recovery.unfit}", label, *[NONE] * len(RECOVERY)])
            continue
        figures = [quantity.figure() for quantity in recovery.quantities.values()]
        texts = [f"{number(f.value)}\n{interval(f)}".strip() for f in figures]
        cells.append([recovery.attack, label, *texts])
    return ["attack", "model", *RECOVERY], cells


def earlier_rows(outcomes: Sequence[EarlierOutcome]) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of what is still known of earlier requests."""
    cells = []
    for outcome in outcomes:
        request = outcome.request
        figures = [outcome.quantities[key].figure() for key in NUMBERS]
        texts = [f"{number(figure.value)}\n{interval(figure)}".strip() for figure in figures]
        asked = f"{request.n_found} of {request.n}" if request.n_found < request.n else str(request.n)
        told = f"{request.in_words()}\n{request.remark}".strip()
        cells.append([name(outcome.row), told, asked, *texts])
    return ["model", "earlier request", "records", "still knows", "vanilla", "retain-only", "forgetting"], cells


def shown_columns(rows: Sequence[ModelRow], columns: Sequence[Column]) -> list[Column]:
    """The columns in which at least one row has a number."""
    return [c for c in columns if any(r.quantity(c.key).compute is not None for r in rows)]


def columns_of(setting: SettingComparison) -> list[Column]:
    """The columns of a setting's table: those of its question, where there are numbers for them."""
    all_rows = [*setting.rows, *setting.controls]
    columns = shown_columns(all_rows, COLUMNS)
    if any(row.role == "relearned" for row in all_rows):
        columns = [c for c in columns if c.key in ("knows", "rank", "keeping")] + shown_columns(all_rows, RELEARNING)
    if setting.name == "visual-rumor":
        columns += shown_columns(all_rows, TWINS)
    return columns


def view_lines(setting: SettingComparison) -> list[str]:
    """What each model that didn't collapse stopped doing and what it still does: `npo: stops saying it, still …`."""
    rows = [row for row in setting.ranked if told(row)]
    return [f"{name(row)}: {told(row)}" for row in rows]


def strike(cell: str) -> str:
    """Struck-through text for a terminal."""
    return "".join(character + "\u0336" for character in cell)


def terminal_rows(setting: SettingComparison) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of a setting's table; what collapsed models forgot is struck through."""
    columns = columns_of(setting)
    cells = []
    for row in [*setting.rows, *setting.controls]:
        said = "control" if row in setting.controls else remark(row)
        line = [f"{name(row)}\n{said}".strip()]
        for column in columns:
            figure = row.figure(column.key)
            if row.collapsed and column.damage and figure.value is not None:
                line.append(strike(number(figure.value)))
            else:
                line.append("\n".join(filter(None, (number(figure.value), interval(figure), figure.of))))
        cells.append(line)
    return ["model", *(c.title for c in columns)], cells
