"""How far annotators agree: coefficients by control, attribute and pair, confusion tables, disagreements.

Coefficients are about one round (the first by default, where nobody has seen what others said), disagreements about
what each annotator said last.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from offside_data.annotation.disagreements import (
    COMPARED,
    Disagreement,
    disagreement_of,
    in_order,
    latest,
    votes_of,
)
from offside_data.annotation.page import PAGE_BEGIN, disagreement_page
from offside_data.annotation.statistics import Coefficient, Votes, cohen_kappa, confusion, krippendorff_alpha
from offside_data.annotation.tasks import TaskRecord, chosen_records
from offside_data.dataset.access import reads
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import UsageError
from offside_data.files import write_text
from offside_data.outputs import ensure_replaceable, require_apart

ALL = "all"
"""Stands for records of every attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha:
    """Krippendorff's alpha of one control.

    Args:
        control: What was answered.
        attribute: Of which records; `ALL` for all of them.
        alpha: The coefficient.
    """

    control: str
    attribute: str
    alpha: Coefficient


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAgreement:
    """Cohen's kappa of two annotators.

    Args:
        control: What was answered.
        first, second: Who.
        kappa: The coefficient.
        confusion: How often the second said what, by what the first said.
    """

    control: str
    first: str
    second: str
    kappa: Coefficient
    confusion: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class AgreementReport:
    """How far annotators agree.

    Args:
        records: Records that somebody judged, as they are now.
        annotators: How many each judged, by pseudonym.
        skipped: How many each skipped.
        outdated: Annotations of records that were changed since; they don't count.
        round: The round that coefficients are about.
        alphas: By control and attribute.
        pairs: By control and pair.
        disagreements: What matters most first.
    """

    records: int
    annotators: Mapping[str, int]
    skipped: Mapping[str, int]
    outdated: int
    round: int
    alphas: Sequence[Alpha]
    pairs: Sequence[PairAgreement]
    disagreements: Sequence[Disagreement]

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return dataclasses.asdict(self)


@reads
def agreement(
    folder: str | Path, *, where: Sequence[str] = (), round: int = 1, seed: int = 0, page: Path | None = None
) -> AgreementReport:
    """How far the annotators of a dataset agree.

    Args:
        folder: The dataset.
        where: Of which records, as `edit --template --where`.
        round: Which round coefficients are about.
        seed: Of the intervals.
        page: Where to write a page that shows the disagreements; none if null.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        UsageError: If nothing is annotated, or the libraries of the extra `annotation` aren't installed.
        OutputExistsError: If the page's file is something else.
    """
    dataset = open_dataset(folder)
    if page is not None:
        require_apart(page, dataset.path, "dataset")
        ensure_replaceable(page, PAGE_BEGIN)
    records = [record for record in chosen_records(dataset, where) if record.row["annotations"]]
    report = _report(dataset, records, round, seed)
    if page is not None:
        write_text(page, disagreement_page(dataset, report.disagreements, _summary(report)))
    return report


def _report(dataset: OffsideDataset, records: Sequence[TaskRecord], round: int, seed: int) -> AgreementReport:
    taxonomy = dataset.taxonomy
    judged: dict[str, int] = defaultdict(int)
    skipped: dict[str, int] = defaultdict(int)
    outdated = counted = 0
    items: dict[tuple[str, str], list[Votes]] = defaultdict(list)
    found = []
    for record in records:
        shown = record.shown
        current = [said for said in record.judgements if said.shown == shown]
        outdated += len(record.judgements) - len(current)
        for said in {said.annotator: said for said in current}.values():
            (skipped if said.skipped else judged)[said.annotator] += 1
        counted += bool(current)
        attribute = record.row["attribute"]
        of_round = latest((said for said in current if said.round == round), shown)
        for control, votes in votes_of(of_round, taxonomy[attribute]).items():
            items[control, ALL].append(votes)
            items[control, attribute].append(votes)
        disagreement = disagreement_of(record, taxonomy)
        found += [disagreement] if disagreement is not None else []
    if not judged and not skipped:
        raise UsageError(
            f"{dataset.path}: nothing is annotated{' as it is now' if outdated else ''}. Send records with "
            "`annotate push`, bring answers home with `annotate pull`."
        )
    attributes = [ALL, *(name for name in taxonomy.names() if any(key[1] == name for key in items))]
    return AgreementReport(
        records=counted,
        annotators=dict(sorted(judged.items())),
        skipped=dict(sorted(skipped.items())),
        outdated=outdated,
        round=round,
        alphas=list(_alphas(items, attributes, seed)),
        pairs=list(_pairs(items, sorted(judged), seed)),
        disagreements=in_order(found),
    )


def _alphas(items: Mapping[tuple[str, str], Sequence[Votes]], attributes: Sequence[str], seed: int) -> Iterable[Alpha]:
    for control in COMPARED:
        for attribute in attributes:
            several = [votes for votes in items.get((control, attribute), ()) if len(votes) > 1]
            if several:
                yield Alpha(control=control, attribute=attribute, alpha=krippendorff_alpha(several, seed))


def _pairs(
    items: Mapping[tuple[str, str], Sequence[Votes]], annotators: Sequence[str], seed: int
) -> Iterable[PairAgreement]:
    for control in COMPARED:
        for first, second in combinations(annotators, 2):
            said = [(v[first], v[second]) for v in items.get((control, ALL), ()) if first in v and second in v]
            if said:
                told = {"kappa": cohen_kappa(said, seed), "confusion": confusion(said)}
                yield PairAgreement(control=control, first=first, second=second, **told)  # type: ignore[arg-type]


def _summary(report: AgreementReport) -> list[str]:
    """What the page says above the disagreements."""
    who = ", ".join(f"{name} ({number:,})" for name, number in report.annotators.items())
    told = [f"{report.records:,} records were judged by {who}; {len(report.disagreements):,} are disagreed about."]
    for row in report.alphas:
        if row.attribute == ALL:
            told.append(f"{row.control.replace('_', ' ')}: Krippendorff's alpha {shown(row.alpha)}")
    return told


def shown(coefficient: Coefficient) -> str:
    """A coefficient for people, e.g. `0.62 [0.31, 0.85], 40 records`."""
    if coefficient.value is None:
        return f"not defined, all say the same; {coefficient.items:,} records"
    ends = "" if coefficient.low is None else f" [{coefficient.low:.2f}, {coefficient.high:.2f}]"
    return f"{coefficient.value:.2f}{ends}, {coefficient.items:,} records"
