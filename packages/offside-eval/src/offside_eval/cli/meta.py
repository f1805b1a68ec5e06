"""Rate the metrics themselves: do they tell models that learnt the claims from ones that never did?"""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_cards, print_json


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--learnt", multiple=True, type=click.Path(path_type=Path), help="Results of a model that learnt them.")
@click.option("--never", multiple=True, type=click.Path(path_type=Path), help="Results of a model that never did.")
@click.option(
    "--changed",
    multiple=True,
    metavar="NAME:ORIGINAL=CHANGED",
    help="Results of one of them, and of the same model changed.",
)
@force_option
@json_option
def command(
    out: Path,
    learnt: tuple[Path, ...],
    never: tuple[Path, ...],
    changed: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Rate every metric that the results have and write OUT/metrics.json.

    Faithfulness: the share of pairs in which a model that learnt the private claims to be forgotten gets more than one
    that never saw them, with a 95 % interval. Stability under each change: the share of models that stay on their side.
    """
    from offside_data.figures import NONE, number
    from offside_data.files import write_json
    from offside_data.outputs import ensure_free, whole_folder
    from offside_eval.faithfulness import audit, documents, load_pairs
    from offside_eval.results import Results

    ensure_free(out, force=force)
    changes = load_pairs(changed)
    audited = audit([Results.load(p) for p in learnt], [Results.load(p) for p in never], changes)
    document = {"learnt": list(map(str, learnt)), "never": list(map(str, never)), "metrics": documents(audited)}
    with whole_folder(out, force=force) as folder:
        write_json(folder / "metrics.json", document)
    if as_json:
        print_json(document)
        return

    def told(share: object) -> str:
        value, low, high = (getattr(share, name) for name in ("value", "low", "high"))
        if value is None:
            return str(getattr(share, "reason", NONE))
        return f"{number(value)} [{number(low)}, {number(high)}]"

    rows = [
        [a.metric, told(a.faithfulness), *(told(a.stability[n]) if a.stability else NONE for n in changes)]
        for a in audited
    ]
    title = f"{len(learnt)} models that learnt the claims, {len(never)} that never did"
    print_cards(title, ["metric", "faithfulness", *(f"stable: {name}" for name in changes)], rows)
