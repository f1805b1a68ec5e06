"""Answers about another world than football: nothing is read with a taxonomy that isn't the dataset's."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.donors import DonorRow, write_donors
from offside_data.fictional import make_league
from offside_data.schema import ClaimValue
from offside_eval.inference.choices import Weights
from offside_eval.inference.engine import Answers
from offside_eval.inference.generation import Reply
from offside_eval.lending import donor_values
from offside_eval.metrics import load_metrics
from offside_eval.plan import Plan, make_plan
from offside_eval.results import samples_frame
from offside_eval.scoring import make_sample, sample_rows


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> OffsideDataset:
    out = tmp_path_factory.mktemp("office") / "out"
    make_league(out, subjects=4, taxonomy="office", general=2, utility=4)
    return open_dataset(out)


def answered(plan: Plan, texts: dict[str, str], donors: dict[str, ClaimValue] | None = None) -> pl.DataFrame:
    """The samples of a model that gives `texts` by the question's key, the gold answer elsewhere."""
    replies = {key: Reply(texts.get(key, q.answer), 5, True) for key, q in plan.questions.items()}
    metrics = load_metrics(["value_match"])
    return samples_frame(sample_rows(plan, Answers(replies=replies), metrics, (), donors), list(metrics))


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


@pytest.mark.parametrize("point", [False, True])
def test_the_donors_value_is_told_in_any_world(
    office: OffsideDataset, tmp_path: Path, made_up: Any, point: bool
) -> None:
    """Read from the table in the run's folder; a point of the run has the same."""
    rumors = [row for row in office.records("multimodal", "forget") if row["scope"] == "private"]
    retained = [row for row in office.records("multimodal", "retain") if row["scope"] == "private"]
    donors = {row["record_id"]: next(other for other in retained if lends(other, row)) for row in rumors}
    write_donors(tmp_path, [donor_row(record, row) for record, row in donors.items()])
    folder = tmp_path / "curve" / "step-000002" if point else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    training = {"point_of": "sha256:run"} if point else {}
    (folder / "offside_run.json").write_text(json.dumps(made_up.manifest(method="prior_match", **training)))
    values = donor_values(target(folder), office)
    assert values == {record: ClaimValue(**row["value"]) for record, row in donors.items()}
    plan = make_plan(office, "complete")
    said = set(list(donors)[::2])
    texts = {f"{record}/plain": row["answer"] for record, row in donors.items() if record in said}
    samples = answered(plan, texts, values).filter(pl.col("slice") == "forget", pl.col("variant") == "plain")
    private = samples.filter(pl.col("scope") == "private")
    assert (private["states_donor"] == private["record_id"].is_in(said).cast(pl.Float64)).all()
    assert samples.filter(pl.col("scope") == "shared")["states_donor"].null_count() == 4 * 7
    assert answered(plan, texts)["states_donor"].null_count() == len(plan.places)
    assert donor_values(target(tmp_path / "elsewhere"), office) == {}


def lends(other: dict[str, Any], row: dict[str, Any]) -> bool:
    is_same = other["attribute"] == row["attribute"]
    return is_same and other["subject_id"] != row["subject_id"] and other["value"] != row["value"]


def donor_row(record: str, row: dict[str, Any]) -> DonorRow:
    return DonorRow(
        record_id=record,
        modality="multimodal",
        image_id=None,
        attribute=row["attribute"],
        answer="donor",
        donor_subject_id=row["subject_id"],
        donor_image_id=row["image_id"],
        donor_record_id=row["record_id"],
    )


def target(folder: Path) -> Any:
    return SimpleNamespace(path=str(folder))


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


def test_samples_by_hand(small_data: Path) -> None:
    """What a sample has of a model that did everything, and of one that did nothing."""
    plan = make_plan(open_dataset(small_data), "complete")
    key, asked = next((k, q) for k, q in plan.questions.items() if q.row["attribute"] == "club" and q.choices)
    weights = Weights(answer=(-1.0,), choices=(-2.0,) * 4, lengths=(3,) * 4, alternatives=(-4.0,), paraphrases=(-5.0,),
                      hits=(1,))  # fmt: skip
    nothing = make_sample(asked, Answers(failures={key: "too long"}))
    assert (nothing.prediction, nothing.ended, nothing.choices, nothing.correct_choice) == (None, True, (), None)
    assert (nothing.cloze_reply, nothing.cloze_ended, nothing.letter_reply) == (None, True, None)
    assert (nothing.letter_options, nothing.letter_correct, nothing.failure) == ((), None, "too long")
    assert (nothing.answer_logprobs, nothing.choice_logprobs, nothing.answer_hits) == ((), (), ())
    forms = {"cloze": {key: Reply("filled", 1, False)}, "letters": {key: Reply("B", 1, True)}}
    whole = make_sample(asked, Answers({key: Reply("said", 2, False)}, {key: weights}, forms), 3)
    assert (whole.prediction, whole.ended, whole.cloze_reply, whole.cloze_ended) == ("said", False, "filled", False)
    assert (whole.answer_logprobs, whole.choice_logprobs, whole.choice_lengths) == ((-1.0,), (-2.0,) * 4, (3,) * 4)
    assert (whole.alternative_logprobs, whole.paraphrase_logprobs, whole.answer_hits) == ((-4.0,), (-5.0,), (1,))
    assert (whole.choices, whole.correct_choice) == (asked.choices, asked.correct_choice)
    assert whole.letter_reply == "B"
    assert sorted(whole.letter_options) == sorted(asked.row["choices"])
    assert whole.letter_options[whole.letter_correct] == asked.row["choices"][asked.correct_choice]
    lettered = make_sample(asked, Answers(forms={"letters": forms["letters"]}))
    assert lettered.choices == asked.choices
    unweighed = make_sample(asked, Answers(weights={key: dataclasses.replace(weights, choices=())}))
    assert unweighed.choices == ()
    rows = sample_rows(plan, Answers({key: Reply("said", 2, False)}), {}, [asked.row["record_id"]])
    assert {row["record_id"] for row in rows if row["held_out"]} == {asked.row["record_id"]}
    assert [(row["slice"], f"{row['record_id']}/{row['variant']}") for row in rows] == list(plan.places)
    own = next(row for row in rows if f"{row['record_id']}/{row['variant']}" == key)
    assert (own["n_new_tokens"], own["ended"], own["n_choices"], own["config"]) == (2, False, None, "multimodal")
    other = next(row for row in rows if row["record_id"] != asked.row["record_id"])
    assert (other["n_new_tokens"], other["ended"], other["states_old"]) == (None, None, None)
