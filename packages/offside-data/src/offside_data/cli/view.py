"""Look at a dataset in a browser: every picture with all that is claimed about it, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from offside_data.commandline import force_option, json_option, print_json, seed_option, wait_option

SHOWN = 10
"""How many pictures that can't be shown are listed."""


@click.command()
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), required=False)
@force_option
@click.option("--edit", is_flag=True, help="Serve the page to this machine, with a form to change records.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of --edit; 0 takes a free one.")
@click.option("--by", default="", help="Pseudonym of whoever decides, for the decisions of --edit.")
@seed_option
@wait_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    dataset: str,
    out: Path | None,
    force: bool,
    edit: bool,
    port: int,
    by: str,
    seed: int,
    as_json: bool,
) -> None:
    """Write a folder that shows DATASET and opens from disk: OUT, or DATASET-view beside it.

    It needs no server and no network. Nothing in DATASET is changed.

    With --edit, the page is served from a temporary folder at an address that is printed, until Ctrl-C. What is saved
    in its form is written into DATASET as `edit` writes it; wrong answers are made anew with --seed.
    """
    from offside_data.errors import UsageError

    ours = {"out", "force", "as_json"} if edit else {"port", "by", "seed"}
    odd = {name for name in ours if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if odd:
        names = ", ".join(sorted({"out": "OUT", "as_json": "--json"}.get(name, f"--{name}") for name in odd))
        raise UsageError(f"{names}: {'not together with --edit.' if edit else 'only together with --edit.'}")
    if edit:
        _serve(dataset, port, by=by, seed=seed)
    else:
        _write(dataset, out, force=force, as_json=as_json)


def _write(dataset: str, out: Path | None, *, force: bool, as_json: bool) -> None:
    from offside_data.progress import log
    from offside_data.view import view_dataset

    report = view_dataset(dataset, out, force=force)
    for image, reason in list(report.problems.items())[:SHOWN]:
        log(f"picture {image} can't be shown: {reason}")
    if len(report.problems) > SHOWN:
        log(f"and {len(report.problems) - SHOWN:,} more")
    if as_json:
        print_json(
            {
                "path": str(report.path),
                "records": report.records,
                "pictures": report.pictures,
                "subjects": report.subjects,
                "clusters": report.clusters,
                "problems": report.problems,
            }
        )
        return
    click.echo(
        f"{report.pictures:,} pictures, {report.records:,} records, {report.subjects:,} subjects, "
        f"{report.clusters:,} {'cluster' if report.clusters == 1 else 'clusters'} of duplicates\n"
        f"open {report.path}"
    )


def _serve(dataset: str, port: int, *, by: str, seed: int) -> None:
    import signal

    from offside_data.view.editing import EditSession
    from offside_data.view.serving import EditServer

    # A shell that starts this in the background ignores SIGINT for it; and SIGTERM would leave the folder behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    session = EditSession(dataset, by=by, seed=seed)
    with EditServer(session, port=port) as server, session:
        try:
            click.echo(f"open {server.address}\nCtrl-C ends it.")
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended", err=True)
