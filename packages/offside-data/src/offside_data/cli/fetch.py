"""Fetch a dataset from the Hub by version: pinned to its commit, verified, put into a folder of your own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_json, wait_option


@click.command()
@click.argument("ref")
@click.argument("out", type=click.Path(path_type=Path))
@force_option
@wait_option
@json_option
def command(ref: str, out: Path, force: bool, as_json: bool) -> None:
    """Fetch REF, a dataset on the Hub, into the folder OUT.

    \b
    org/name          the newest released version
    org/name@1.2.0    this version
    org/name@^1.0     the newest below 2.0.0, as npm has it; ~1.2 the newest below 1.3.0
    org/name@main     what isn't released yet

    Commands that only read a dataset take such a REF themselves. Without the Hub, the newest version that is in the
    cache and fits is used, and a warning says which.
    """  # noqa: D301
    from offside_data.hub.fetching import fetch

    report = fetch(ref, out, force=force)
    if as_json:
        print_json({**dataclasses.asdict(report), "path": str(report.path)})
        return
    click.echo(f"{report.name} {report.version}\ncommit {report.commit}\ndigest {report.digest}\nin {report.path}")
