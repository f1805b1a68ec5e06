"""Publish a release on the Hub: one commit, then its tag; or open a pull request, finish one, withdraw a version."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import json_option, print_json, print_published
from offside_data.errors import UsageError

_SAYS = {
    "published": "published {repo} {version}",
    "tagged": "{repo} {version} was there already; tagged",
    "unchanged": "{repo} {version} is published already, with this content; nothing to do",
    "proposed": "pull request {pull} holds {repo} {version}; when it is merged: publish … --finish",
    "would-publish": "would publish {repo} {version}; nothing was changed",
    "would-tag": "would tag {repo} {version}, which is there already; nothing was changed",
}


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument("repo", metavar="ORG/NAME")
@click.option("--public", is_flag=True, help="Let everybody see it. A repository that is made is private otherwise.")
@click.option("--pr", "pull", is_flag=True, help="Open a pull request instead of committing.")
@click.option("--finish", is_flag=True, help="Tag what was merged of the pull request.")
@click.option("--dry-run", is_flag=True, help="List what would change; change nothing.")
@click.option("--contact", help="Whom to ask for removal: an address or a page, if the card doesn't say it.")
@click.option("--real-persons", is_flag=True, help="It may be about people who exist, and you may publish that.")
@click.option("--withdraw", metavar="VERSION", multiple=True, help="Take a version off the Hub instead.")
@json_option
def command(
    dataset: Path,
    repo: str,
    public: bool,
    pull: bool,
    finish: bool,
    dry_run: bool,
    contact: str | None,
    real_persons: bool,
    withdraw: tuple[str, ...],
    as_json: bool,
) -> None:
    """Publish the release that DATASET, a folder, is at, as ORG/NAME on the Hub.

    It must be released, pass `check`, have a licence for each picture, and name whom to ask for removal. What people
    wrote into the card on the Hub stays. Run again after anything went wrong, it goes on; what is there stays as it is.

    The token comes from HF_TOKEN or `hf auth login`.
    """
    if withdraw:
        if pull or finish or public:
            raise UsageError("--withdraw goes with --dry-run only.")
        _withdraw(dataset, repo, withdraw, dry_run=dry_run, as_json=as_json)
        return
    from offside_data.hub.publishing import publish

    report = publish(
        dataset,
        repo,
        public=public,
        pull=pull,
        finish=finish,
        dry_run=dry_run,
        contact=contact,
        real_persons=real_persons,
    )
    told = {name: getattr(report, name) for name in ("repo", "url", "version", "digest", "outcome", "commit", "pull")}
    files = [change.told() for change in report.changes]
    print_published({**told, "changes": files, "notes": list(report.notes)}, _SAYS, as_json=as_json)


def _withdraw(dataset: Path, repo: str, versions: tuple[str, ...], *, dry_run: bool, as_json: bool) -> None:
    from offside_data.hub.withdrawing import withdraw

    report = withdraw(dataset, repo, versions, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "repo": report.repo,
                "withdrawn": list(report.withdrawn),
                "kept": list(report.kept),
                "absent": list(report.absent),
                "out_of_reach": list(report.out_of_reach),
                "dry_run": dry_run,
            }
        )
        return
    done = "would withdraw" if dry_run else "withdrew"
    if report.withdrawn:
        click.echo(f"{done} {', '.join(report.withdrawn)} from {report.repo}")
    for version in report.absent:
        click.echo(f"{version} isn't there: withdrawn already, or never published")
    click.echo(f"still there: {', '.join(report.kept) or 'no version'}")
    click.echo("out of reach from here:\n" + "\n".join(f"* {text}" for text in report.out_of_reach))
