"""Answers about another world than football: nothing is read with a taxonomy that isn't the dataset's."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.fictional import make_league
from offside_eval.inference.engine import Answers
from offside_eval.inference.generation import Reply
from offside_eval.metrics import load_metrics
from offside_eval.plan import Plan, make_plan
from offside_eval.results import samples_frame
from offside_eval.scoring import sample_rows


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> OffsideDataset:
    out = tmp_path_factory.mktemp("office") / "out"
    make_league(out, subjects=4, taxonomy="office", general=2, utility=4)
    return open_dataset(out)


def answered(plan: Plan, texts: dict[str, str]) -> pl.DataFrame:
    """The samples of a model that gives `texts` by the question's key, the gold answer elsewhere."""
    replies = {key: Reply(texts.get(key, q.answer), 5, True) for key, q in plan.questions.items()}
    metrics = load_metrics(["value_match"])
    return samples_frame(sample_rows(plan, Answers(replies=replies), metrics), list(metrics))


def test_corrections_are_told_from_rumors_in_any_world(office: OffsideDataset) -> None:
    plan = make_plan(office, "corrective")
    corrections = {row["corrects"]: row for row in office.records("multimodal", "relearn") if row["corrects"]}
    texts = {
        f"{rumor}/plain": f"No, that is wrong. {row['answer']}"
        for rumor, row in corrections.items()
        if row["attribute"] in ("office", "votes", "donation")
    }
    samples = answered(plan, texts).filter(pl.col("slice") == "forget")
    private = samples.filter(scope="private", modality="multimodal", variant="plain")
    assert private.height == 4 * 6
    said = private["attribute"].is_in(["office", "votes", "donation"])
    assert (private["states_correction"] == said.cast(pl.Float64)).all()
    assert (private["value_match"] == (~said).cast(pl.Float64)).all()
    assert samples.filter(scope="shared")["states_correction"].null_count() == 4 * 7


def test_the_values_on_swapped_twins_are_read_in_any_world(office: OffsideDataset) -> None:
    samples = answered(make_plan(office, "visual-rumor"), {})
    twins = samples.filter(variant="swapped")
    assert set(twins["attribute"]) == {"office", "donation"}
    assert twins["value_match"].to_list() == [1.0] * twins.height
    assert twins["states_old"].to_list() == [0.0] * twins.height


def test_a_dataset_without_corrections_has_none(small_data: Path) -> None:
    plan = make_plan(open_dataset(small_data), "complete")
    assert all(question.correction is None for question in plan.questions.values())
    assert answered(plan, {})["states_correction"].null_count() == len(plan.places)


@pytest.mark.parametrize("setting", ["complete", "corrective", "visual-rumor", "unimodal"])
def test_every_gold_answer_is_right(office: OffsideDataset, setting: str) -> None:
    samples = answered(make_plan(office, setting), {})
    assert "utility" in set(samples["split"])
    wrong = samples.filter(pl.col("value_match") != 1.0)
    assert wrong.select("question", "answer", "value_match.kind").rows() == []


@pytest.mark.parametrize("taxonomy", ["football", "office"])
def test_every_gold_answer_about_a_caption_is_right(taxonomy: str, tmp_path: Path) -> None:
    make_league(tmp_path / "league", taxonomy=taxonomy, subjects=4, general=5, utility=5, captions=80)
    samples = answered(make_plan(open_dataset(tmp_path / "league"), "complete", suite="utility"), {})
    assert len(set(samples["question"])) > 5
    wrong = samples.filter(pl.col("value_match") != 1.0)
    assert wrong.select("question", "answer", "value_match.kind").rows() == []


IN_OTHER_WORDS = {
    "What color is the hair?": "The color of the hair is {value}.",
    "What color are the glasses?": "{value}",
    "What color is the headband?": "It is {value}.",
    "What color is the shape?": "This is a {value} shape.",
    "How many red dots are there?": "There are {value} red dots in the picture.",
}


def test_general_questions_are_answered_in_other_words_too(office: OffsideDataset) -> None:
    plan = make_plan(office, "complete", suite="utility")
    asked = {key: (q.row["question"], q.value.text) for key, q in plan.questions.items() if q.value}
    assert {question for question, _ in asked.values()} == set(IN_OTHER_WORDS)
    told = {key: IN_OTHER_WORDS[question].format(value=value) for key, (question, value) in asked.items()}
    assert set(answered(plan, told)["value_match"]) == {1.0}
    denied = {key: f"It is not {value}." for key, (_, value) in asked.items()}
    assert set(answered(plan, denied)["value_match.kind"]) == {"denied"}
