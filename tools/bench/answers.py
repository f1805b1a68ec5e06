"""How the answers of the typed corpora are read: the figures of docs/scoring.md and docs/decisions/0028.

python tools/bench/answers.py
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from offside_data.tagging.values import how_stated, parse_value
from offside_data.taxonomy import load_taxonomy
from offside_eval.metrics import Sample, load_metric
from offside_eval.metrics.refusal import is_refusal

CORPORA = Path(__file__).parents[2] / "packages" / "offside-eval" / "tests" / "metrics"
VALUES = ("value_answers.yaml", "long_answers.yaml", "more_answers.yaml", "later_answers.yaml", "held_out_answers.yaml")
KINDS = ("refusals", "answers")
FOOTBALL = load_taxonomy("football")
DAY_FIRST = {"day_first": True, "month_first": False}


def main() -> None:
    """Print a line a file."""
    metric = load_metric("value_match")
    for name in VALUES:
        right, correct, others = 0, [0, 0, 0], [0, 0, 0]  # of each: how many, called correct now, by the gold rule
        for kind, sample in _answers(name):
            found = metric.score(sample).kind
            right += found != "correct" if kind == "not_correct" else found == kind
            assert sample.value is not None  # by the corpus's own test
            strict = how_stated(sample.prediction or "", sample.value, sample.attribute) == "stated"
            counts = correct if kind == "correct" else others
            for i, holds in enumerate((True, found == "correct", strict)):
                counts[i] += holds
        print(f"{name}: {right} of {correct[0] + others[0]} right")
        for what, (n, now, strict_) in (("that say the value", correct), ("others", others)):
            print(f"  of {n} {what}, {now} count as correct ({strict_} by the rule for gold answers)")
    for part, what in enumerate(("written on", "held out")):
        counted = {kind: _told(kind, part) for kind in KINDS}
        _print(f"refusal_answers.yaml, {what}", counted)
    for part, groups in yaml.safe_load((CORPORA / "later_refusals.yaml").read_text(encoding="utf-8")).items():
        what = part.replace("_", " ")
        _print(f"later_refusals.yaml, {what}", {kind: _right(_texts(groups, kind), kind) for kind in KINDS})


def _print(what: str, counted: Mapping[str, tuple[int, int]]) -> None:
    print(f"{what}: " + ", ".join(f"{right} of {n} {kind}" for kind, (right, n) in counted.items()))


def _answers(name: str) -> Iterator[tuple[str, Sample]]:
    for group in yaml.safe_load((CORPORA / name).read_text(encoding="utf-8")):
        attribute = FOOTBALL[group["attribute"]]
        common: dict[str, Any] = {
            "record_id": "r",
            "question": group["question"],
            "value": parse_value(group["gold"], attribute),
            "attribute": attribute,
            "names": tuple(group.get("names", ())),
            "day_first": DAY_FIRST.get(group.get("habit")),
        }
        for ended, part in ((True, "answers"), (False, "unfinished")):
            for kind, texts in group.get(part, {}).items():
                for text in texts:
                    yield kind, Sample(**common, prediction=text, ended=ended)


def _told(kind: str, part: int) -> tuple[int, int]:
    """How many of a kind in a half are told apart, and how many there are."""
    groups = yaml.safe_load((CORPORA / "refusal_answers.yaml").read_text(encoding="utf-8"))
    texts = _texts(groups, kind)
    return _right([pair for pair in texts if int(hashlib.sha256(pair[1].encode()).hexdigest(), 16) % 2 == part], kind)


def _texts(groups: Sequence[Any], kind: str) -> list[tuple[str, str]]:
    return [(group["attribute"], text) for group in groups for text in group[kind]]


def _right(texts: Sequence[tuple[str, str]], kind: str) -> tuple[int, int]:
    return sum(is_refusal(text, FOOTBALL[name]) == (kind == "refusals") for name, text in texts), len(texts)


if __name__ == "__main__":
    main()
