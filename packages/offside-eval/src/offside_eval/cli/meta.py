"""Rate the metrics themselves: do they tell models that learnt the claims from ones that never did?"""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_cards, print_json


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--learnt", multiple=True, type=click.Path(path_type=Path), help="Results of a model that learnt them.")
@click.option("--never", multiple=True, type=click.Path(path_type=Path), help="Results of a model that never did.")
@click.option("--faint", multiple=True, type=click.Path(path_type=Path), help="Results of one that learnt a little.")
@click.option(
    "--changed",
    multiple=True,
    metavar="NAME:ORIGINAL=CHANGED",
    help="Results of one of them, and of the same model changed.",
)
@click.option("--vanilla", multiple=True, type=click.Path(path_type=Path), help="Results of vanilla, none of them.")
@click.option("--retain-only", multiple=True, type=click.Path(path_type=Path), help="Results of retain-only, likewise.")
@force_option
@json_option
def command(
    out: Path,
    learnt: tuple[Path, ...],
    never: tuple[Path, ...],
    faint: tuple[Path, ...],
    changed: tuple[str, ...],
    vanilla: tuple[Path, ...],
    retain_only: tuple[Path, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Rate every metric that the results have and write OUT/metrics.json.

    Faithfulness: the share of pairs in which a model that learnt the private claims to be forgotten gets more than one
    that never saw them, with a 95 % interval. Stability under each change: the share of models that stay on their side,
    and the faithfulness of the changed models. Models are held against each other where they were asked the same.
    """
    from offside_data.files import write_json
    from offside_data.outputs import ensure_free, whole_folder
    from offside_eval.faithfulness import audit, documents, load_pairs
    from offside_eval.results import Results

    ensure_free(out, force=force)
    changes = load_pairs(changed)
    sides = {"learnt": learnt, "never": never, "faint": faint, "vanilla": vanilla, "retain_only": retain_only}
    loaded = {side: [Results.load(place) for place in places] for side, places in sides.items()}
    audited = audit(
        loaded["learnt"],
        loaded["never"],
        changes,
        faint=loaded["faint"],
        controls={"vanilla": loaded["vanilla"], "retain_only": loaded["retain_only"]},
    )
    given = {side: [str(place) for place in places] for side, places in sides.items()}
    document = {**given, "metrics": documents(audited)}
    with whole_folder(out, force=force) as folder:
        write_json(folder / "metrics.json", document)
    if as_json:
        print_json(document)
        return
    from offside_eval.audited import table

    title = f"{len(learnt)} models that learnt the claims, {len(never)} that never did"
    print_cards(title, *table(documents(audited)))
