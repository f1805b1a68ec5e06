"""The report: a folder with one self-contained `report.html`, plots, tables and a summary."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.errors import UsageError
from offside_data.files import write_text
from offside_data.outputs import ensure_free, whole_folder
from offside_eval.compare import Comparison, compare
from offside_eval.report.cases import MAX_CASES
from offside_eval.results import Results

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

__all__ = ["write_report"]


def write_report(
    out: str | Path,
    results: Comparison | Iterable[Results | str | Path],
    dataset: str | Path | OffsideDataset | None = None,
    *,
    seed: int = 0,
    cases: int = MAX_CASES,
    force: bool = False,
) -> Path:
    """Write the report folder: `report.html`, `plots/`, `tables/`, `summary.md`.

    Args:
        out: The folder; whole or not at all.
        results: A comparison, or results folders to compare with the defaults of `compare`.
        dataset: Where the gallery's pictures come from; without it there are none.
        seed: Of the choice of cases.
        cases: How many single cases the page can show at most; it draws them as they are asked for.
        force: Replace a report that `out` holds; what else lies there stays.

    Returns:
        The path of `report.html`.

    Raises:
        OutputExistsError: If `out` already holds something and `force` is off.
        UsageError: If the results are of another dataset, or `cases` is negative.
    """
    from offside_eval.findings import look_for
    from offside_eval.report.cases import gallery
    from offside_eval.report.headline import headline
    from offside_eval.report.page import Page, render
    from offside_eval.report.pictures import data_uris
    from offside_eval.report.plots import write_plots
    from offside_eval.report.subjects import subject_pages
    from offside_eval.report.summary import summary
    from offside_eval.report.tables import write_tables

    if cases < 0:
        raise UsageError(f"cases must be 0 or more, got {cases}.")
    out = Path(out)
    ensure_free(out, force=force)
    comparison = results if isinstance(results, Comparison) else compare(results)
    data = _dataset(comparison, dataset)
    findings = look_for(comparison)
    head = headline(comparison, findings)
    chosen = gallery(comparison, seed=seed, cap=cases)
    wanted = [(c.image_id, c.variant) for c in chosen if c.image_id]
    pictures = {} if data is None else data_uris(data, wanted)
    with whole_folder(out, force=force) as folder:
        plots = write_plots(folder / "plots", comparison)
        fallbacks = {name: _svg_uri(path) for name, path in plots.items()}
        subjects = subject_pages(comparison, _names(data))
        page = Page(comparison, findings, head, chosen, pictures, fallbacks, subjects)
        write_text(folder / "report.html", render(page))
        write_text(folder / "summary.md", summary(comparison, findings, head))
        write_tables(folder / "tables", comparison, findings, chosen)
    return out / "report.html"


def _names(dataset: OffsideDataset | None) -> dict[str, str]:
    """What each subject is called, by id."""
    if dataset is None:
        return {}
    table = dataset.subjects()
    return dict(zip(table["subject_id"], table["name"], strict=True))


def _svg_uri(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def _dataset(comparison: Comparison, given: str | Path | OffsideDataset | None) -> OffsideDataset | None:
    """The dataset that the pictures come from, if it is the one that was evaluated on."""
    from offside_data.dataset.folder import OffsideDataset, open_dataset

    if given is None:
        return None
    opened = given if isinstance(given, OffsideDataset) else open_dataset(given)
    digests = {r.meta.dataset.digest for m in comparison.models.members for r in m.results}
    if opened.digest not in digests:
        raise UsageError(
            f"{opened.path} has digest {opened.digest}, but the results are of "
            f"{', '.join(sorted(digests))}. Give the dataset that the models were evaluated on."
        )
    return opened
