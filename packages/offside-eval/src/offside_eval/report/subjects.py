"""What does each model still say about one subject? Its claims with all answers side by side, as data for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from offside_eval.compare import Comparison, ModelRow, SettingComparison
from offside_eval.compare.show import name

if TYPE_CHECKING:
    import polars as pl

MAX_TEXT = 160
"""Characters of an answer that are shown."""


@dataclass
class AnswerTexts:
    """Each text once: answers repeat from model to model.

    Attributes:
        listed: The texts, in the order in which they came.
    """

    listed: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str | None) -> int:
        """Index of a text, cut where it is long."""
        text = text or ""
        text = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
        found = self._places.setdefault(text, len(self.listed))
        if found == len(self.listed):
            self.listed.append(text)
        return found


def subject_pages(comparison: Comparison, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All claims of the forget pictures by setting and subject, and what every model of the tables answers.

    Args:
        comparison: The models.
        names: What a subject is called, by id, where the dataset is at hand.

    Returns:
        `texts`, and by setting `models` (name, whether a control, whether collapsed) and `subjects`: of each its name
        and claims. A claim has the places of question and gold answer in `texts`, `scope`, `form`, and by model the
        place of the answer with 1, 0 or null for right, wrong and not scored.
    """
    texts = AnswerTexts()
    settings = {
        setting.name: page
        for setting in comparison.settings.values()
        if (page := _page(setting, comparison.metric, names or {}, texts))
    }
    return {"texts": texts.listed, "settings": settings}


def _page(
    setting: SettingComparison, metric: str, names: Mapping[str, str], texts: AnswerTexts
) -> dict[str, Any] | None:
    rows = [(row, control) for row, control in setting.all_rows if metric in row.model.pool.columns]
    asked = _asked([row for row, _ in rows], setting.name)
    if asked is None:
        return None
    answers = [_answers(row, metric) for row, _ in rows]
    subjects: dict[str, list[dict[str, Any]]] = {}
    for record in asked.iter_rows(named=True):
        said = [found.get(record["record_id"]) for found in answers]
        claim = {
            "question": texts.place(record["question"]),
            "gold": texts.place(record["answer"]),
            "scope": record["scope"],
            "form": "picture" if record["config"] == "multimodal" else "text",
            "said": [None if one is None else [texts.place(one[0]), one[1]] for one in said],
        }
        subjects.setdefault(record["subject_id"], []).append(claim)
    return {
        "models": [[name(row), control, bool(row.collapsed)] for row, control in rows],
        "subjects": [{"name": names.get(s, s), "claims": claims} for s, claims in sorted(subjects.items())],
    }


def _asked(rows: Sequence[ModelRow], setting: str) -> pl.DataFrame | None:
    """The claims of the forget split that some model of the setting was asked, each once."""
    import polars as pl

    columns = ["record_id", "subject_id", "question", "answer", "scope", "config"]
    frames = [
        row.results.samples.filter(
            pl.col("split") == "forget", pl.col("variant") == "plain", pl.col("subject_id").is_not_null()
        ).select(columns)
        for row in rows
        if row.results is not None and row.results.setting == setting
    ]
    if not frames:
        return None
    asked = pl.concat(frames).unique(subset="record_id", keep="first", maintain_order=True)
    return None if asked.is_empty() else asked.sort("subject_id", "config", "scope", "record_id")


def _answers(row: ModelRow, metric: str) -> dict[str, tuple[str, int | None]]:
    import polars as pl

    pool = row.model.pool.filter(
        pl.col("split") == "forget", pl.col("variant") == "plain", pl.col("prediction").is_not_null()
    )
    right = (pl.col(metric) == 1).cast(pl.Int8)
    return {record: (said, ok) for record, said, ok in pool.select("record_id", "prediction", right).iter_rows()}
