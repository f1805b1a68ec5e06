"""Have a language model score how true answers are, over any OpenAI-compatible endpoint."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offside_data.commandline import defaults_from, json_option, print_cards, print_json, seed_option, wait_option
from offside_data.figures import counted, number
from offside_data.progress import log
from offside_eval.judge.config import JudgeConfig, JudgeError, TokenField

if TYPE_CHECKING:
    from offside_eval.judge.running import JudgeReport


@defaults_from(JudgeConfig)
@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RESULTS...")
@click.option("--endpoint", required=True, metavar="URL", help="Address of the API, up to /v1. Nothing else is asked.")
@click.option("--judge-model", required=True, metavar="NAME", help="Name of the model there.")
@click.option("--name", help="What the judge is called in files and tables. [default: of the model's name]")
@click.option("--rubric", help="A rubric that we ship, or a YAML file.")
@click.option("--temperature", type=float, help="Of the judge's answers.")
@click.option("--max-tokens", type=int, help="Where a judge's answer is cut.")
@click.option("--token-field", type=click.Choice(typing.get_args(TokenField)), help="What that limit is called there.")
@click.option("--json-mode/--no-json-mode", help="Ask for JSON mode; a few servers don't know it.")
@click.option("--with-pictures", metavar="REF", help="Send the pictures, too: of this dataset. Else none is sent.")
@click.option("--slices", metavar="A,B", help="Only these slices, e.g. forget,keep:multimodal/retain.")
@click.option("--limit", type=int, help="At most so many records, chosen by --seed.")
@seed_option
@click.option("--at-once", type=int, help="Questions on their way at the same time.")
@click.option("--per-minute", type=float, help="At most so many requests a minute.")
@click.option("--tries", type=int, help="How often a question is asked at most.")
@click.option("--timeout", type=float, help="Seconds until a request is given up.")
@click.option("--price-in", type=float, help="Price of a million tokens asked.")
@click.option("--price-out", type=float, help="Price of a million tokens answered.")
@click.option("--max-requests", type=int, help="At most so many requests by this call.")
@click.option("--max-cost", type=float, help="At most so much spent by this call, at these prices.")
@click.option("--again", is_flag=True, help="Ask again what was answered with something that couldn't be used.")
@click.option("--key-variable", metavar="VARIABLE", help="Environment variable that holds the key.")
@click.option("--dry-run", is_flag=True, help="Tell how much would be asked, and what it would cost; ask nothing.")
@click.option("--force", is_flag=True, help="Replace the scores of another judge of this name.")
@wait_option
@json_option
def command(
    results: tuple[Path, ...], with_pictures: str | None, dry_run: bool, as_json: bool, **options: object
) -> None:
    """Score how true the answers in RESULTS are, 0 to 10, by a judge that you name.

    Its scores go to RESULTS/judge/NAME.parquet and NAME.json; the evaluation's own files stay as they are. What was
    answered is never asked again. What a judge couldn't score is unscored, never 0. The key comes from the environment
    variable OFFSIDE_JUDGE_API_KEY, if the endpoint needs one.
    """
    from offside_data.config import build
    from offside_eval.judge.running import judge_results

    config = build(JudgeConfig, {key: value for key, value in options.items() if value is not None})
    reports = judge_results(results, config, pictures=with_pictures, dry_run=dry_run)
    if as_json:
        print_json([_document(report) for report in reports])
    elif dry_run:
        columns = ["results", "records", "questions", "answered", "to ask", "tokens in, about", "out, at most", "cost"]
        print_cards(f"what {config.called} would be asked", columns, [_planned(r) for r in reports])
        click.echo(f"{counted(sum(r.questions - r.answered for r in reports), 'request')}, more where some fail")
    else:
        for report in reports:
            _show(report)
            _show_agreement(report.results)
    stopped = next((report for report in reports if report.stopped), None)
    if stopped is not None:
        raise JudgeError(
            f"{stopped.results}: not all was asked: {stopped.stopped}. Run the same command again: what was answered "
            "isn't asked twice."
        )


def _show_agreement(results: Path) -> None:
    from offside_eval.judge.agreement import agreements
    from offside_eval.judge.scores import judged

    found, remarks = judged(results)
    for remark in remarks:
        log(f"note: {remark}")
    rows = [
        [" and ".join(a.judges), f"{a.n:,}", number(a.alpha), number(a.pearson), number(a.apart if a.varied else None)]
        for a in agreements(found)
    ]
    if rows:
        columns = ["judges", "n", "Krippendorff's alpha", "Pearson", "points apart"]
        print_cards(f"{results}: how far judges agree", columns, rows)


def _document(report: JudgeReport) -> dict[str, Any]:
    content = {f.name: getattr(report, f.name) for f in dataclasses.fields(report)}
    meta = None if report.meta is None else dataclasses.asdict(report.meta)
    return content | {"results": str(report.results), "meta": meta}


def _planned(report: JudgeReport) -> list[str]:
    counts = (report.records, report.questions, report.answered, report.questions - report.answered)
    told = [f"{n:,}" for n in (*counts, report.tokens_in, report.tokens_out)]
    return [str(report.results), *told, f"{report.cost:.4g}"]


def _show(report: JudgeReport) -> None:
    meta = report.meta
    assert meta is not None
    rows = []
    for entry in meta.aggregates:
        variant = None if entry.variant == "plain" else f"{entry.variant} twin"
        label = ", ".join(part for part in (entry.slice, entry.scope, variant) if part)
        ends = f" [{number(entry.low)}, {number(entry.high)}]" if entry.low is not None else ""
        rows.append([label, f"{number(entry.value)}{ends}", str(entry.n_scored), str(entry.n_unscored)])
    print_cards(f"{report.results}: factuality by {meta.name}, 0 to 10", ["records", "score", "n", "unscored"], rows)
    for reason, n in meta.reasons.items():
        click.echo(f"unscored, {n:,}: {reason}")
    click.echo(
        f"{counted(report.requests, 'request')}, about {report.tokens_in:,} tokens in and {report.tokens_out:,} out, "
        f"cost {report.cost:.4g}; of {counted(report.questions, 'question')} {report.answered:,} had been answered"
    )
