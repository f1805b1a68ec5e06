"""Options that `compare` and `report` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from offside_data.errors import UsageError
from offside_eval.config import HEADLINE_METRIC

if TYPE_CHECKING:
    from offside_eval.compare import Comparison

F = TypeVar("F", bound=Callable[..., Any])


def comparison_options(function: F) -> F:
    """Add RESULTS... and everything that says how to compare them, as keywords for `comparison_of`."""
    folder = click.Path(path_type=Path)
    for decorate in (
        click.option("--allow-mismatch", is_flag=True, help="Compare models unlearned on different records too."),
        click.option("--metric", default=HEADLINE_METRIC, help="Per-record score to compute everything from."),
        click.option(
            "--relearned",
            multiple=True,
            metavar="CHILD=PARENT",
            help="Results of a relearned model and of the one it came from, if no manifest says.",
        ),
        click.option(
            "--at",
            metavar="forgetting=LEVEL,…",
            help="Where the curves of methods are compared. [default: forgetting=0.5,0.8,0.95]",
        ),
        click.option("--retain-only", type=folder, help="Results of the model that never saw it."),
        click.option("--vanilla", type=folder, help="Results of the model that learnt everything."),
        click.argument("results", nargs=-1, required=True, type=folder, metavar="RESULTS..."),
    ):
        function = decorate(function)
    return function


def comparison_of(*, relearned: Sequence[str], at: str | None, **options: Any) -> Comparison:
    """Compare as the options say.

    Raises:
        UsageError: If `--relearned` isn't CHILD=PARENT, `--at` isn't forgetting=LEVEL,…, or as `compare`.
    """
    from offside_eval.compare import LEVELS, compare
    from offside_eval.compare.trajectories import parse_levels

    pairs = {}
    for pair in relearned:
        child, equals, parent = pair.partition("=")
        if not (child and equals and parent):
            raise UsageError(f"--relearned takes CHILD=PARENT (two results folders), got {pair!r}.")
        pairs[child] = parent
    return compare(relearned=pairs, at=LEVELS if at is None else parse_levels(at), **options)
