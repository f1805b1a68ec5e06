"""Annotate records in Label Studio: push, pull, agreement, adjudicate, doctor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from offside_data.annotation.options import PushOptions
from offside_data.commandline import (
    defaults_from,
    json_option,
    print_card,
    print_cards,
    print_json,
    seed_option,
    wait_option,
)
from offside_data.progress import log

if TYPE_CHECKING:
    from offside_data.annotation.agreement import AgreementReport
    from offside_data.annotation.push import PushReport

F = TypeVar("F", bound=Callable[..., Any])

SHOWN = 20
"""Rows of a list that are printed; `--json` has all."""

_dataset = click.argument("dataset", type=click.Path(path_type=Path))
_where = click.option(
    "--where", multiple=True, help="Which records, e.g. split=forget, as `edit --where`; may be repeated."
)


def _server_options(function: F) -> F:
    function = click.option("--project", type=int, help="Number of the project; default: found by its mark.")(function)
    return click.option("--url", help="Address of the server; default: LABEL_STUDIO_URL.")(function)


@click.group()
def command() -> None:
    """Annotate the records of a dataset in Label Studio, and bring home what annotators say.

    The server is named by --url or LABEL_STUDIO_URL, its token by LABEL_STUDIO_API_KEY. Without a server: push
    --to-file and pull --from-file. Needs the extra: pip install 'offside-data[annotation]'.
    """


@defaults_from(PushOptions)
@command.command()
@_dataset
@_where
@click.option("--only", type=click.Choice(["disagreements"]), help="A further round about what annotators disagree on.")
@click.option("--limit", type=int, help="At most so many new tasks; a further push sends the next.")
@click.option("--proposals/--no-proposals", default=None, help="Whether annotators see what the dataset says.")
@click.option(
    "--pictures",
    type=click.Choice(["base64", "local", "upload"]),
    help="Within the tasks, from a folder that the server serves, or uploaded to the project.",
)
@click.option("--document-root", help="With --pictures local: the folder that the server serves.")
@click.option("--server-root", help="The same folder as the server sees it, where its path is another there.")
@click.option("--overlap", type=int, help="How many annotators are to see each task.")
@click.option(
    "--update", is_flag=True, help="Also send what changed; tasks that nobody has annotated are changed themselves."
)
@click.option(
    "--replace-interface",
    is_flag=True,
    help="Replace a labelling interface that a person changed on the server; a copy is kept.",
)
@click.option(
    "--to-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the tasks to a .json file instead."
)
@_server_options
@json_option
def push(dataset: Path, to_file: Path | None, url: str | None, as_json: bool, **options: Any) -> None:
    """Send records of the folder DATASET to annotators; what is there already isn't sent again."""
    from offside_data.annotation.push import push, push_to_file
    from offside_data.config import build

    chosen = build(PushOptions, options)
    report = push(dataset, chosen, url=url) if to_file is None else push_to_file(dataset, to_file, chosen)
    if as_json:
        print_json(vars(report))
        return
    _print_push(report, update=chosen.update)
    if report.waiting:
        further = "a further push sends the next" if to_file is None else "--where chooses others"
        click.echo(f"{report.waiting:,} more fit, beyond --limit: {further}.")
    if to_file is not None:
        click.echo(f"the interface: {to_file.with_suffix('.xml')} (Settings, Labeling Interface, Code)")


def _print_push(report: PushReport, *, update: bool) -> None:
    made = " (a new project)" if report.made else ""
    click.echo(
        f"{report.target}{made}: {report.sent:,} tasks sent, {report.updated:,} updated, {report.there:,} there."
    )
    if report.changed and not update:
        click.echo(f"{report.changed:,} are of earlier states of their records; --update sends what these say now.")


@command.command()
@_dataset
@click.option(
    "--from-file", type=click.Path(path_type=Path, dir_okay=False), help="Take them from a JSON export instead."
)
@click.option("--all", "everything", is_flag=True, help="Also what was pulled before, e.g. after an `undo`.")
@click.option(
    "--withdraw-deleted",
    is_flag=True,
    help="Let annotations count no more whose tasks were deleted on the server; deleted annotations never do.",
)
@_server_options
@wait_option
@json_option
def pull(
    dataset: Path,
    from_file: Path | None,
    everything: bool,
    withdraw_deleted: bool,
    url: str | None,
    project: int | None,
    as_json: bool,
) -> None:
    """Bring annotations into the records of the folder DATASET, under pseudonyms.

    Only what is new since the last pull is asked for. What was deleted on the server stays, as withdrawn. Names and
    addresses of annotators stay in a key file in .offside/annotation/, which is never published. One decision says
    which records got annotations; `undo` takes it back.
    """
    from offside_data.annotation.pull import pull, pull_from_file

    if from_file is not None:
        report = pull_from_file(dataset, from_file)
    else:
        report = pull(dataset, url=url, project=project, everything=everything, withdraw_deleted=withdraw_deleted)
    if as_json:
        print_json(report.to_json())
        return
    for remark in report.remarks[:SHOWN]:
        log(f"note: {remark}")
    if len(report.remarks) > SHOWN:
        log(f"and {len(report.remarks) - SHOWN:,} more; --json lists them.")
    foreign = f" {report.foreign:,} tasks of others were left alone." if report.foreign else ""
    withdrawn = f" {report.withdrawn:,} were deleted on the server and count no more." if report.withdrawn > 0 else ""
    click.echo(
        f"{report.annotations:,} annotations in {report.tasks:,} tasks ({report.skipped:,} skipped) by "
        f"{', '.join(report.annotators) or 'nobody'}; {report.new:,} new ones in {report.records:,} records."
        f"{withdrawn}{foreign}"
    )
    if report.decision is not None:
        click.echo(f"Decision {report.decision['id']}.")


@command.command("agreement")
@_dataset
@_where
@click.option("--round", "round_", type=int, default=1, help="Which round the coefficients are about.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with the disagreements.")
@seed_option
@json_option
def agreement_(dataset: Path, where: tuple[str, ...], round_: int, page: Path | None, seed: int, as_json: bool) -> None:
    """How far annotators of DATASET agree, with intervals, and what they disagree about, what matters most first."""
    from offside_data.annotation.agreement import agreement

    report = agreement(dataset, where=where, round=round_, seed=seed, page=page)
    if as_json:
        print_json(report.to_json())
        return
    _print_agreement(report)
    if page is not None:
        click.echo(f"page {page}")


def _print_agreement(report: AgreementReport) -> None:
    from offside_data.annotation.agreement import ALL, shown

    told = [a for a in report.alphas if a.attribute == ALL or a.alpha.agree != 1]  # Else the list is long.
    rows = [[a.control, a.attribute, shown(a.alpha), _share(a.alpha.agree)] for a in told]
    print_cards("Krippendorff's alpha", ["about", "records of", "alpha", "same"], rows)
    rows = [[p.control, f"{p.first}, {p.second}", shown(p.kappa), _share(p.kappa.agree)] for p in report.pairs]
    if rows:
        print_cards("Cohen's kappa", ["about", "annotators", "kappa", "same"], rows)
    for pair in report.pairs:
        if any(said for a, row in pair.confusion.items() for b, said in row.items() if a != b):
            answers = list(pair.confusion)
            table = [[answer, *(str(pair.confusion[answer][other]) for other in answers)] for answer in answers]
            print_cards(f"{pair.control}: {pair.first} down, {pair.second} across", ["", *answers], table)
    for found in report.disagreements[:SHOWN]:
        said = [(name, ", ".join(f"{who} {what}" for who, what in by.items())) for name, by in found.votes.items()]
        print_card(f"{found.record_id} (matters {found.matters:g})", [("claim", found.answer), *said])
    if len(report.disagreements) > SHOWN:
        click.echo(f"and {len(report.disagreements) - SHOWN:,} more; --json lists all, --page FILE shows them.")
    who = ", ".join(f"{name} {number:,}" for name, number in report.annotators.items())
    skips = sum(report.skipped.values())
    click.echo(
        f"{report.records:,} records judged ({who}; {skips:,} skipped), {len(report.disagreements):,} disagreed about. "
        f"Coefficients: round {report.round}; of attributes without any disagreement: --json."
    )
    if report.outdated:
        click.echo(f"{report.outdated:,} annotations are of earlier states of their records and don't count.")


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


@command.command()
@_dataset
@_where
@click.option("--policy", default="majority", help="How; a wrong name lists all.")
@click.option(
    "--set", "settings", multiple=True, help="Options of the policy: least=2, reviewer=a1, weights=a1:2,a2:1."
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--reason", default="", help="Why, for decisions.jsonl; default: the policy.")
@click.option("--by", default="", help="Pseudonym of whoever decided.")
@wait_option
@json_option
def adjudicate(dataset: Path, settings: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Decide what annotators said, and change the records of the folder DATASET by it.

    What is agreed becomes the record's veracity, channel, tier and value, as `edit` would change them, and stands in
    agreed_value. One decision says all; `undo` takes it back. What nothing is agreed on stays in the queue: push --only
    disagreements sends it for a further round.
    """
    from offside_data.annotation.adjudicate import adjudicate
    from offside_data.config import parse_assignments

    report = adjudicate(dataset, settings=parse_assignments(settings), **options)
    if as_json:
        print_json(report.to_json())
        return
    rows = [
        [
            f"{change.record_id} (follows {change.because})" if change.because else change.record_id,
            field,
            f"{before or '(none)'} -> {after or '(none)'}",
        ]
        for change in report.edit.changes
        for field, (before, after) in change.fields.items()
        if field != "agreed_value"
    ]
    if rows:
        print_cards("Would change" if options["dry_run"] else "Changed", ["record", "field", "change"], rows[:SHOWN])
    if len(rows) > SHOWN:
        click.echo(f"and {len(rows) - SHOWN:,} more; --json lists all.")
    left = [f"{name}: {why}" for name, why in report.refused.items()] + [f"{note}." for note in report.edit.notes]
    for told in left[:SHOWN]:
        log(f"left for a person: {told}")
    if len(left) > SHOWN:
        log(f"and {len(left) - SHOWN:,} more; --json lists all.")
    undecided = len({item.record_id for item in report.open})
    verb = "would change" if options["dry_run"] else "changed"
    click.echo(
        f"{report.decided:,} records decided by {report.policy}, {len(report.edit.changes):,} {verb}; {undecided:,} "
        f"still open, {len(left):,} left for a person."
    )
    if report.edit.decision is not None:
        click.echo(f"Decision {report.edit.decision['id']}.")


@command.command()
@_dataset
@_server_options
@json_option
def doctor(dataset: Path, url: str | None, project: int | None, as_json: bool) -> None:
    """Look at what annotating DATASET needs: server, token, project, a picture. Exits 1 if something is wrong."""
    from offside_data.annotation.doctor import diagnose

    found = diagnose(dataset, url=url, project=project)
    if as_json:
        print_json({"ok": all(d.ok is not False for d in found), "looked at": [_plain(d) for d in found]})
    else:
        marks = {True: "ok", False: "wrong", None: "-"}
        for diagnosis in found:
            click.echo(f"{marks[diagnosis.ok]:<6}{diagnosis.about}: {diagnosis.told}")
    if any(diagnosis.ok is False for diagnosis in found):
        click.get_current_context().exit(1)


def _plain(diagnosis: Any) -> dict[str, Any]:
    return {"about": diagnosis.about, "ok": diagnosis.ok, "told": diagnosis.told}
