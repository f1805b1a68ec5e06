"""Single cases for the gallery: what a number means, one question at a time.

A seeded mix of kinds and models, so that a report doesn't show successes only.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offside_eval.compare import Comparison, ModelRow
from offside_eval.compare.models import KEY, Model
from offside_eval.compare.show import name

if TYPE_CHECKING:
    import polars as pl

MAX_CASES = 240
MAX_TEXT = 400
"""Characters of an answer that are shown; a degenerate one may run on for long."""


@dataclass(frozen=True)
class Kind:
    """A sort of case: what it is called and whether it is good news."""

    key: str
    title: str
    tone: str
    help: str


KINDS: Mapping[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind("forgotten", "Forgotten", "good", "The claim is gone, as it was to be."),
        Kind("still_there", "Still there", "bad", "The claim was to be forgotten and is still answered."),
        Kind("collateral", "Collateral", "bad", "Something that had to survive was lost."),
        Kind("kept", "Kept", "good", "What had to survive survived."),
        Kind("came_back", "Came back", "bad", "Forgotten, and answered again after relearning."),
        Kind(
            "remembered",
            "Remembered",
            "bad",
            "The old value, although the text was removed from the picture.",
        ),
        Kind("wrecked", "Wrecked", "bad", "From a collapsed model: damage rather than forgetting."),
    )
}


@dataclass(frozen=True)
class Answer:
    """What one model said; `right` is null when the answer was not scored."""

    model: str
    arm: str
    text: str
    right: bool | None


@dataclass(frozen=True)
class Case:
    """One question about one picture, and what the models said to it."""

    kind: Kind
    setting: str
    model: str
    record_id: str
    image_id: str | None
    variant: str
    question: str
    gold_title: str
    gold: str
    correction: str | None
    answers: Sequence[Answer]


def for_page(cases: Sequence[Case], pictures: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    """Cases as the page's script draws them; of pictures the key under which they stand, once, whatever shows them."""
    return [
        {
            "kind": case.kind.key,
            "setting": case.setting,
            "model": case.model,
            "picture": f"{case.image_id}|{case.variant}" if (case.image_id, case.variant) in pictures else None,
            "text": case.image_id is None,
            "variant": case.variant,
            "question": case.question,
            "golds": [
                [case.gold_title, case.gold],
                *([["The correction", case.correction]] if case.correction else []),
            ],
            "said": [[a.model, a.arm == "self", a.right, a.text] for a in case.answers],
        }
        for case in cases
    ]


def gallery(comparison: Comparison, *, seed: int = 0, cap: int = MAX_CASES) -> list[Case]:
    """Choose cases: kinds take turns, then models, never the same question twice."""
    pools: dict[str, list[Iterator[Case]]] = {}
    for setting in comparison.settings.values():
        for row in setting.rows:
            for kind, case_rows in _by_kind(row, comparison).items():
                rng = random.Random(f"{seed}:{setting.name}:{row.label}:{kind}")
                pools.setdefault(kind, []).append(_shuffled(case_rows, kind, row, comparison, rng))
    chosen: list[Case] = []
    seen: set[tuple[str, str]] = set()
    queues = {kind: pools[kind] for kind in KINDS if kind in pools}
    for kind, queue in queues.items():
        random.Random(f"{seed}:{kind}").shuffle(queue)
    while queues and len(chosen) < cap:
        for kind in list(queues):
            case = _next(queues[kind], seen)
            if case is None:
                del queues[kind]
            elif len(chosen) < cap:
                chosen.append(case)
    order = list(KINDS)
    return sorted(chosen, key=lambda c: order.index(c.kind.key))


def _next(queue: list[Iterator[Case]], seen: set[tuple[str, str]]) -> Case | None:
    """The next unseen case of the model whose turn it is; models without further cases drop out."""
    while queue:
        source = queue.pop(0)
        for case in source:
            if (case.record_id, case.variant) not in seen:
                seen.add((case.record_id, case.variant))
                queue.append(source)
                return case
    return None


def _shuffled(
    rows: Sequence[dict[str, Any]], kind: str, row: ModelRow, comparison: Comparison, rng: random.Random
) -> Iterator[Case]:
    # Pictures first: a gallery is to be looked at.
    order = sorted(rows, key=lambda r: (r["config"] != "multimodal", rng.random()))
    for sample in order:
        yield _case(sample, KINDS[kind], row, comparison)


def _by_kind(row: ModelRow, comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """Rows of the samples of one model that make a case, by kind."""
    if row.results is None:
        return {}
    frame = _with_others(row, comparison)
    rows: dict[str, list[dict[str, Any]]] = {}
    for sample in frame.iter_rows(named=True):
        kind = _kind(sample, row)
        if kind:
            rows.setdefault(kind, []).append(sample)
    return rows


def _kind(sample: Mapping[str, Any], row: ModelRow) -> str | None:
    """What kind of case a sample is; null when it shows nothing."""
    own, before = sample["right"], sample["vanilla_right"]
    private_forget = sample["slice"] == "forget" and sample["scope"] == "private"
    if own is None or not before:
        return None
    if sample["variant"] != "plain":
        return "remembered" if sample["variant"] == "blank" and own and not row.is_wreck else None
    if row.role == "relearned":
        came_back = private_forget and own and sample["parent_right"] is False
        return "came_back" if came_back else None
    if row.is_wreck:
        return "wrecked" if not own and sample["slice"].startswith("keep:") else None
    if private_forget:
        return "still_there" if own else "forgotten"
    if sample["slice"].startswith("keep:"):
        same_picture = sample["split"] == "forget"
        if not own:
            return "collateral"
        return "kept" if same_picture else None
    return None


def _with_others(row: ModelRow, comparison: Comparison) -> pl.DataFrame:
    """The samples of a row with the answers of vanilla, retain-only and the parent beside them."""
    import polars as pl

    assert row.results is not None
    metric = comparison.metric
    frame = row.results.samples.with_columns((pl.col(metric) == 1).alias("right"))
    others = dict(comparison.models.controls) | {"parent": comparison.models.parents.get(row.model.digest)}
    for part in ("vanilla", "retain_only", "parent"):
        frame = frame.join(_answers(others.get(part), part, metric), on=list(KEY), how="left", maintain_order="left")
    return frame.filter(pl.col("prediction").is_not_null())


def _answers(model: Model | None, part: str, metric: str) -> pl.DataFrame:
    import polars as pl

    if model is None or metric not in model.pool.columns:
        text, flag = pl.Series(f"{part}_says", [], pl.String), pl.Series(f"{part}_right", [], pl.Boolean)
        keys = [pl.Series(key, [], pl.String) for key in KEY]
        return pl.DataFrame([*keys, text, flag])
    return model.pool.select(
        *KEY, pl.col("prediction").alias(f"{part}_says"), (pl.col(metric) == 1).alias(f"{part}_right")
    )


def _case(sample: Mapping[str, Any], kind: Kind, row: ModelRow, comparison: Comparison) -> Case:
    answers = [Answer("vanilla", "vanilla", _short(sample["vanilla_says"]), sample["vanilla_right"])]
    if sample["parent_says"] is not None and row.role == "relearned":
        answers.append(Answer(f"{row.parent}, before", "parent", _short(sample["parent_says"]), sample["parent_right"]))
    answers.append(Answer(name(row), "self", _short(sample["prediction"]), sample["right"]))
    if sample["retain_only_says"] is not None:
        answers.append(
            Answer("retain-only", "retain_only", _short(sample["retain_only_says"]), sample["retain_only_right"])
        )
    titles = {"rumor": "The rumour it was taught", "correction": "The correction"}
    return Case(
        kind=kind,
        setting=row.setting,
        model=name(row),
        record_id=sample["record_id"],
        image_id=sample["image_id"] if sample["config"] == "multimodal" else None,
        variant=sample["variant"],
        question=_short(sample["question"]),
        gold_title=titles.get(sample["veracity"], "The truth"),
        gold=_short(sample["answer"]),
        correction=_correction(sample, comparison) if sample["veracity"] == "rumor" else None,
        answers=answers,
    )


def _correction(sample: Mapping[str, Any], comparison: Comparison) -> str | None:
    """The corrected answer to a rumour, where some evaluation asked for it."""
    import polars as pl

    for model in comparison.models.members:
        found = model.pool.filter(
            pl.col("split") == "relearn",
            pl.col("scope") == "private",
            pl.col("subject_id") == sample["subject_id"],
            pl.col("attribute") == sample["attribute"],
        )
        if not found.is_empty():
            return _short(found["answer"][0])
    return None


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
