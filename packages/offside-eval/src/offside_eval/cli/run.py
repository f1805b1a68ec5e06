"""Evaluate a model in a setting and write a results folder."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offside_data.commandline import (
    defaults_from,
    device_options,
    force_option,
    json_option,
    point_option,
    print_cards,
    print_json,
    seed_option,
)
from offside_data.errors import UsageError
from offside_data.figures import counted, number
from offside_eval.config import CURVE_SUITE, DEFAULT_SUITE, HEADLINE_METRIC, ROLES, EvaluationConfig, Suite

if TYPE_CHECKING:
    from offside_eval.aggregate import Aggregate
    from offside_eval.attack_results import AttackFigure, AttackResults
    from offside_eval.results import Results

HEADLINE = ("value_match", "rouge_l", "degenerate")
"""Metrics shown in the terminal where more than `MAX_SHOWN` were computed; the folder has all."""
MAX_SHOWN = 4


@defaults_from(EvaluationConfig)
@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="Model folder, adapter folder or Hub name.")
@click.option("--data", required=True, metavar="REF", help="Dataset: a folder, or ORG/NAME[@VERSION].")
@click.option("--setting", required=True, help="complete, selective, corrective, unimodal or visual-rumor.")
@click.option(
    "--suite",
    type=click.Choice(typing.get_args(Suite)),
    help="core: all but costly metrics; full: these and variants too; light: generation, choices, probability, rank; "
    f"utility: only general questions. [default: {DEFAULT_SUITE}; {CURVE_SUITE} with --curve]",
)
@click.option("--curve", is_flag=True, help="Evaluate every point of the run MODEL, each into a folder in OUT.")
@point_option
@click.option("--metrics", metavar="A,B", help="Only these metrics, e.g. value_match,bleu:paper,forget_quality.")
@click.option("--vanilla", type=click.Path(path_type=Path), help="Results of vanilla, for metrics that need them.")
@click.option("--retain-only", type=click.Path(path_type=Path), help="Results of retain-only, likewise.")
@click.option("--attacks", metavar="A,B", help="Attack the model, too: names of `offside-eval attacks`, or all.")
@click.option("--set", "attack_options", multiple=True, metavar="ATTACK.OPTION=VALUE", help="An option of an attack.")
@click.option("--only", multiple=True, help="Narrow the request: subject=ID, attribute=NAME or file=PATH.")
@click.option("--role", type=click.Choice(ROLES), help="What the model is, if its folder doesn't say.")
@click.option("--batch-size", type=int, help="Questions at once; the scores don't depend on it.")
@click.option("--limit", type=int, help="At most so many records a slice.")
@click.option("--limit-kept", type=int, help="At most so many a slice of what stays; the forget split is asked whole.")
@click.option("--allow-mismatch", is_flag=True, help="Evaluate a model unlearned on other records, too.")
@click.option("--cache", metavar="DIR", help="Folder of answers that evaluations of the same model share.")
@click.option("--max-new-tokens", type=int, help="Where an answer that doesn't end is cut.")
@click.option("--max-length", type=int, help="Tokens that a question and its answer may have.")
@device_options
@seed_option
@force_option
@json_option
def command(
    out: Path,
    model: str,
    data: str,
    setting: str,
    suite: Suite | None,
    curve: bool,
    point: str | None,
    vanilla: Path | None,
    retain_only: Path | None,
    as_json: bool,
    **options: object,
) -> None:
    """Ask MODEL everything that SETTING asks, score its answers, and write OUT.

    Started again after an interruption, it goes on where it was; a finished OUT is reused.
    """
    from offside_data.config import build
    from offside_data.run_curve import find_point
    from offside_eval.evaluation import evaluate

    config = build(EvaluationConfig, options)
    if curve and point is not None:
        raise UsageError("--curve evaluates every point of the run, --point a single one: give one of them.")
    controls = {
        role: place for role, place in (("vanilla", vanilla), ("retain_only", retain_only)) if place is not None
    }
    if curve and controls:
        raise UsageError(
            "--curve evaluates every point by itself: add what needs controls later, with "
            f"`offside-eval add-metrics {out} --retain-only RESULTS`."
        )
    if curve:
        _curve(out, model, data, setting, suite or CURVE_SUITE, config, as_json=as_json)
        return
    model = model if point is None else str(find_point(model, point))
    results = evaluate(model, None, data, setting, suite or DEFAULT_SUITE, controls, config=config, out=out)
    if as_json:
        print_json(_document(results))
        return
    print_cards(f"{model}: {setting}", *summary(results.aggregates, results.metrics))
    for earlier in results.meta.earlier:
        click.echo(earlier.told())
    columns, rows = kinds(results.aggregates)
    if rows:
        print_cards(f"kinds of answers ({HEADLINE_METRIC})", columns, rows)
    if results.attacks:
        print_cards("attacks", *attack_table(results.attacks))
    click.echo(f"written to {out}")


def _curve(
    out: Path, model: str, data: str, setting: str, suite: Suite, config: EvaluationConfig, *, as_json: bool
) -> None:
    from offside_eval.curve import evaluate_curve

    points = evaluate_curve(model, data, setting, suite, config=config, out=out)
    if as_json:
        print_json({"out": str(out), "points": [{"steps": n, **_document(r)} for n, r in points.items()]})
        return
    print_cards(f"{model}: {setting}", *curve_summary({n: r.aggregates for n, r in points.items()}))
    click.echo(f"written to {out}: {counted(len(points), 'point')}")


def _document(results: Results) -> dict[str, Any]:
    aggregates = [dataclasses.asdict(entry) for entry in results.aggregates]
    document = {"out": str(results.path), **results.meta.to_json(), "aggregates": aggregates}
    if results.attacks:
        document["attacks"] = [dataclasses.asdict(found.meta) for found in results.attacks.values()]
    return document


def attack_table(attacks: Mapping[str, AttackResults]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table: one row an attack, what was known before it and what it got out besides."""
    columns = ["attack", "claims", "known before", "recovered", "control set", "decoy"]
    rows = []
    for name, found in attacks.items():
        if found.meta.unfit is not None:
            rows.append([f"{name}\nnot made: {found.meta.unfit}", *["-"] * (len(columns) - 1)])
            continue
        told = {(f.group, f.measure): f for f in found.meta.figures if f.family is None}
        shown = [("forget", "before"), ("forget", "recovered"), ("control", "recovered"), ("forget", "decoy")]
        cells = [_attack_cell(told.get(key)) for key in shown]
        n = told["forget", "before"].n_scored if ("forget", "before") in told else 0
        rows.append([name, str(n), *cells])
    return columns, rows


def _attack_cell(figure: AttackFigure | None) -> str:
    if figure is None:
        return "-"
    interval = f" [{number(figure.low)}, {number(figure.high)}]" if figure.low is not None else ""
    return f"{number(figure.value)}{interval}"


def curve_summary(points: Mapping[int, Sequence[Aggregate]]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a curve's table: one row a point, one column a slice and scope of the headline metric."""
    entries = [(step, e) for step, aggregates in points.items() for e in aggregates if e.variant == "plain"]
    metrics = list(dict.fromkeys(e.metric for _, e in entries))
    shown = HEADLINE_METRIC if HEADLINE_METRIC in metrics else metrics[0]
    scoped = {e.slice for _, e in entries if e.scope is not None}
    rows: dict[int, dict[str, str]] = {step: {} for step in points}
    for step, entry in entries:
        if entry.metric == shown and (entry.scope is not None or entry.slice not in scoped):
            label = ", ".join(part for part in (entry.slice, entry.scope) if part)
            rows[step][label] = _cell(entry, with_interval=False)
    columns = list(dict.fromkeys(label for cells in rows.values() for label in cells))
    return ["step", *columns], [[str(step), *(cells.get(c, "-") for c in columns)] for step, cells in rows.items()]


def summary(aggregates: Sequence[Aggregate], metrics: list[str]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table: one row a slice, scope and variant, one column a metric that fits."""
    from offside_eval.aggregate import DONOR_VALUE

    shown = metrics if len(metrics) <= MAX_SHOWN else [name for name in HEADLINE if name in metrics]
    shown = [*shown, *dict.fromkeys(entry.metric for entry in aggregates if entry.metric == DONOR_VALUE)]
    scopes: dict[tuple[str, str], set[str | None]] = {}
    for entry in aggregates:
        scopes.setdefault((entry.slice, entry.variant), set()).add(entry.scope)
    rows: dict[str, dict[str, str]] = {}
    for entry in aggregates:
        if entry.scope is None and len(scopes[entry.slice, entry.variant]) == 2:
            continue  # One scope: the row of the whole slice would say the same again.
        variant = None if entry.variant == "plain" else f"{entry.variant} twin"
        label = ", ".join(part for part in (entry.slice, entry.scope, variant) if part)
        cells = rows.setdefault(label, {})
        cells[entry.metric] = _cell(entry, with_interval=entry.metric == shown[0])
        cells["n"] = str(max(int(cells.get("n", 0)), entry.n_scored))
    columns = ["records", "n", *shown]
    return columns, [[label, *(cells.get(name, "-") for name in columns[1:])] for label, cells in rows.items()]


def kinds(aggregates: Sequence[Aggregate]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table: how many answers of each slice and scope are of which kind; empty without kinds."""
    from offside_eval.metrics.value_match import KINDS

    told = [e for e in aggregates if e.metric == HEADLINE_METRIC and e.variant == "plain" and e.kinds]
    scoped = {e.slice for e in told if e.scope is not None}
    told = [e for e in told if e.scope is not None or e.slice not in scoped]
    columns = [kind for kind in KINDS if any(kind in e.kinds for e in told)]
    rows = [
        [", ".join(filter(None, (e.slice, e.scope))), *(str(e.kinds.get(kind, 0)) for kind in columns)] for e in told
    ]
    return ["records", *columns], rows


def _cell(entry: Aggregate, *, with_interval: bool) -> str:
    interval = f" [{number(entry.low)}, {number(entry.high)}]" if with_interval and entry.low is not None else ""
    return f"{number(entry.value)}{interval}"
