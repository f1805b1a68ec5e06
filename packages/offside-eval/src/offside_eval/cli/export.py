"""Write results in other people's formats: Inspect's logs, the Hub's `.eval_results`."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_cards, print_json


@click.command()
@click.argument("results", nargs=-1, type=click.Path(path_type=Path), metavar="RESULTS...")
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--format", "format_name", metavar="NAME", help="inspect, eval_results, … [default: list them]")
@force_option
@json_option
def command(results: tuple[Path, ...], out: Path | None, format_name: str | None, force: bool, as_json: bool) -> None:
    """Write the evaluations in RESULTS into the folder OUT in another format; without --format, list the formats.

    Corrected scores go out as corrected, where the format has a place for it with what was measured.
    """
    from offside_data.errors import UsageError
    from offside_data.outputs import require_apart
    from offside_eval.exporters import EXPORTERS
    from offside_eval.results import Results, places_of

    if format_name is None:
        formats = {name: str(EXPORTERS.load(name).SUMMARY) for name in EXPORTERS.names()}
        if as_json:
            print_json([{"name": name, "summary": summary} for name, summary in formats.items()])
        else:
            print_cards("Formats", ["format", "what it is"], [list(item) for item in formats.items()])
        return
    exporter = EXPORTERS.load(format_name)
    if not results or out is None:
        raise UsageError("give RESULTS, one or several folders that `offside-eval run` wrote, and OUT.")
    for given in results:
        require_apart(out, given, "results folder")
    loaded = [Results.load(place) for given in results for place in places_of(given)]
    written = exporter.write(loaded, out, force=force)
    if as_json:
        print_json({"out": str(out), "file": str(written), "results": [str(r.path) for r in loaded]})
    else:
        click.echo(str(written))
