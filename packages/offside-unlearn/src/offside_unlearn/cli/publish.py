"""Publish a run on the Hub: weights, a card that links dataset and base model, results."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import json_option, print_published

_SAYS = {
    "published": "published {repo}",
    "unchanged": "{repo} holds this already; nothing to do",
    "would-publish": "would publish {repo}; nothing was changed",
}


@click.command
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("repo", metavar="ORG/NAME")
@click.option("--data", required=True, metavar="ORG/NAME", help="The dataset on the Hub, for the card's link.")
@click.option("--base", metavar="ORG/NAME", help="The base model on the Hub, where the run has it from a folder.")
@click.option(
    "--license", metavar="ID", help="Licence of the model, e.g. apache-2.0; else what the base model's card says."
)
@click.option(
    "--results",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A results folder of `offside-eval run` with this model; may be given again.",
)
@click.option("--public", is_flag=True, help="Let everybody see it. A repository that is made is private otherwise.")
@click.option("--dry-run", is_flag=True, help="List what would change; change nothing.")
@json_option
def command(
    run: Path,
    repo: str,
    data: str,
    base: str | None,
    license: str | None,
    results: tuple[Path, ...],
    public: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Publish RUN, a run folder (an adapter or a whole model), as the model ORG/NAME on the Hub.

    The token comes from HF_TOKEN or `hf auth login`.
    """
    from offside_unlearn.publishing import publish_run

    report = publish_run(
        run, repo, data=data, base=base, license=license, results=results, public=public, dry_run=dry_run
    )
    told = {"repo": report.repo, "url": report.url, "outcome": report.outcome, "commit": report.commit}
    files = [change.told() for change in report.changes]
    print_published({**told, "changes": files, "notes": list(report.notes)}, _SAYS, as_json=as_json)
