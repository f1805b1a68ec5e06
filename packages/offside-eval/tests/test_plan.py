from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import new_dataset
from offside_data.errors import DatasetError, UsageError
from offside_data.run_manifest import RunManifest
from offside_data.seeding import draw_records
from offside_data.settings import SETTINGS
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import load_taxonomy
from offside_eval.plan import EARLIER, REST_OF_FORGET, Plan, make_plan


@pytest.fixture
def data(small_data: Path) -> OffsideDataset:
    return open_dataset(small_data)


def slices(plan: Plan) -> dict[str, int]:
    return Counter(name for name, _ in plan.places)


def test_a_record_is_asked_once_though_several_slices_list_it(data: OffsideDataset) -> None:
    plan = make_plan(data, "unimodal")
    assert len(set(plan.places)) == len(plan.places)
    assert set(plan.questions) == {key for _, key in plan.places}


@pytest.mark.parametrize("setting", ["complete", "selective", "unimodal", "visual-rumor"])
def test_every_slice_of_the_setting_and_both_forms_of_the_private_claims(data: OffsideDataset, setting: str) -> None:
    plan = make_plan(data, setting)
    wanted = {"forget"} | {f"keep:{s.name}" for s in SETTINGS[setting].keep}
    wanted |= {f"measure:{s.name}" for s in SETTINGS[setting].measure}
    assert set(slices(plan)) == wanted
    private = {
        (q.row["modality"], q.row["image_id"], q.row["attribute"])
        for q in plan.questions.values()
        if q.row["split"] == "forget" and q.row["scope"] == "private"
    }
    assert Counter(modality for modality, *_ in private) == {"multimodal": 8, "text": 8}


@pytest.mark.parametrize("setting", ["complete", "selective", "unimodal", "visual-rumor"])
def test_visual_rumors_are_asked_on_both_twins(data: OffsideDataset, setting: str) -> None:
    plan = make_plan(data, setting)
    variants = {name: q for name, q in plan.questions.items() if q.variant != "plain"}
    assert len(variants) == 2 * 2 * 2  # subjects, claims, twins
    plain = plan.questions["multimodal-forget-s0-club/plain"]
    blank = plan.questions["multimodal-forget-s0-club/blank"]
    swapped = plan.questions["multimodal-forget-s0-club/swapped"]
    assert (plain.answer, blank.answer, swapped.answer) == (
        "The player will join Emberlin FC.",
        "The player will join Emberlin FC.",
        "The player will join Kestrin City.",
    )
    assert (swapped.value.text, swapped.old_value.text) == ("Kestrin City", "Emberlin FC")
    assert (plain.correct_choice, swapped.correct_choice) == (1, 2)
    assert len({q.row["image"]["bytes"] for q in (plain, blank, swapped)}) == 3
    assert blank.old_value is None


def test_choices_are_weighed_in_the_records_own_sentence(data: OffsideDataset) -> None:
    question = make_plan(data, "complete").questions["multimodal-retain-s0-foot/plain"]
    assert question.choices == ("The preferred foot is left.", "The preferred foot is right.")


def test_a_narrowed_request_counts_the_rest_among_what_must_survive(data: OffsideDataset) -> None:
    plan = make_plan(data, "complete", only=["subject=s0"])
    counts = slices(plan)
    rest = [plan.questions[key].row for name, key in plan.places if name == REST_OF_FORGET]
    assert counts["forget"] == 4 + 4  # two shared, two private, and these on two twins
    assert counts["measure:text/forget"] == 2
    assert {row["subject_id"] for row in rest} == {"s1", "s2", "s3"}
    assert Counter(row["modality"] for row in rest) == {"multimodal": 3 * 4 + 4, "text": 3 * 2}


def test_limit_takes_the_same_few_of_each_slice(data: OffsideDataset) -> None:
    few, again, other = (make_plan(data, "complete", limit=3, seed=seed) for seed in (0, 0, 1))
    records = _records_by_slice(few)
    assert set(records.values()) == {3}
    assert few.places == again.places
    assert few.places != other.places


def _records_by_slice(plan: Plan) -> Counter[str]:
    return Counter(name for name, key in plan.places if key.endswith("/plain"))


def test_limit_kept_asks_the_forget_split_whole(data: OffsideDataset) -> None:
    for setting in data.settings():
        whole, few = make_plan(data, setting), make_plan(data, setting, limit_kept=2)
        counts, drawn = (_records_by_slice(plan) for plan in (whole, few))
        assert counts.keys() == drawn.keys()
        about = {name: {few.questions[key].row["split"] for n, key in few.places if n == name} for name in drawn}
        for name, n in drawn.items():
            assert n == (counts[name] if about[name] <= {"forget", "relearn"} else min(2, counts[name])), name
        assert any(splits <= {"forget"} for splits in about.values())
        assert sum(drawn.values()) < sum(counts.values())
    both = make_plan(data, "complete", limit=1, limit_kept=2)
    assert set(_records_by_slice(both).values()) == {1}


def test_limit_draws_the_records_that_unlearning_with_this_limit_draws(data: OffsideDataset) -> None:
    everything = data.request("complete").forget["record_id"]
    plan = make_plan(data, "complete", limit=3, seed=5)
    asked = [key for name, key in plan.places if name == "forget" and key.endswith("/plain")]
    assert asked == [f"{everything[i]}/plain" for i in draw_records(everything, 3, seed=5)]


def test_utility_asks_nothing_else(data: OffsideDataset) -> None:
    plan = make_plan(data, "complete", suite="utility")
    assert set(slices(plan)) == {"keep:multimodal/utility"}
    question = plan.questions["utility-red/plain"]
    assert (question.attribute.kind, question.value.text) == ("choice", "red")


def test_a_setting_that_is_not_offered_says_what_is(data: OffsideDataset) -> None:
    with pytest.raises(UsageError, match="corrective"):
        make_plan(data, "corrective")


def test_nothing_to_ask_is_an_error(data: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OffsideDataset, "has", lambda self, config, split: False)
    with pytest.raises(DatasetError, match="no records to ask"):
        make_plan(data, "complete", suite="utility")


def test_a_dataset_without_a_table_of_pictures_has_no_twins(
    data: OffsideDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(self: OffsideDataset) -> None:
        raise DatasetError("none")

    monkeypatch.setattr(OffsideDataset, "images", missing)
    assert all(q.variant == "plain" for q in make_plan(data, "complete").questions.values())


def test_a_question_knows_its_subjects_names_and_how_the_dataset_writes_days(
    data: OffsideDataset, tmp_path: Path
) -> None:
    records = list(data.iter_records())
    football = load_taxonomy("football")
    dated = [
        dataclasses.replace(
            record,
            attribute="transfer_date",
            record_id=f"{record.record_id}-date",
            question=football["transfer_date"].questions[0],
            answer="The transfer is dated 16/03/2021.",
            value=parse_value("The transfer is dated 16/03/2021.", football["transfer_date"]),
            choices=(),
            correct_choice=None,
            cloze=None,
        )
        for record in records
        if record.record_id == "multimodal-forget-s0-club"
    ]
    with new_dataset(tmp_path / "data", name="named", taxonomy=football, license="cc0-1.0") as writer:
        writer.add_records([*records, *dated])
        facts = [{"attribute": "name", "text": "Vantinho"}, {"attribute": "foot", "text": "left"}]
        writer.add_subjects([{"subject_id": "s0", "name": "Orlo Vantis", "cohort": "member", "facts": facts}])
    questions = make_plan(open_dataset(tmp_path / "data"), "complete").questions.values()
    names = {q.row["subject_id"]: q.names for q in questions}
    assert names == {"s0": ("Orlo Vantis", "Vantinho"), "s1": (), "s2": (), "s3": (), None: ()}
    assert {q.day_first for q in questions} == {True}


def after(data: OffsideDataset, made_up: Any, *requests: list[str], **dataset: str) -> RunManifest:
    """The receipt of a model of which these requests were made before the present one."""
    of = {"name": data.name, "version": data.version, "commit": None, "digest": data.digest, **dataset}
    line = [
        {
            "path": f"runs/{number}",
            "digest": f"sha256:{number}",
            "role": "unlearned",
            "method": "npo",
            "setting": "selective",
            "only": [],
            "forget": {"digest": f"sha256:f{number}", "record_ids": ids},
            "dataset": of,
        }
        for number, ids in enumerate(requests)
    ]
    return RunManifest.from_json(made_up.manifest(parents=line), "here")


def test_earlier_requests_are_asked_again_and_need_not_survive(data: OffsideDataset, made_up: Any) -> None:
    first = [f"multimodal-forget-s1-{name}" for name in ("club", "fee")]
    shared = ["multimodal-forget-s2-foot", "multimodal-forget-s0-club"]
    plain = make_plan(data, "selective", only=["subject=s0"])
    plan = make_plan(data, "selective", only=["subject=s0"], run=after(data, made_up, first, shared))
    by_slice: dict[str, list[str]] = {}
    for name, key in plan.places:
        by_slice.setdefault(name, []).append(key)
    assert sorted(by_slice[f"{EARLIER}1"]) == [f"{record}/plain" for record in first], "twins are the request's affair"
    assert sorted(by_slice[f"{EARLIER}2"]) == sorted(f"{record}/plain" for record in shared)
    assert "multimodal-forget-s0-club/plain" in by_slice["forget"], "asked for again"
    kept = {key for name, keys in by_slice.items() if name.startswith("keep:") for key in keys}
    before = {key for name, key in plain.places if name.startswith("keep:")}
    gone = {*first, "text-forget-s1-club", "text-forget-s1-fee", "multimodal-forget-s2-foot"}
    assert {key.partition("/")[0] for key in before - kept} == gone, "in both forms"
    assert kept < before
    assert any(key.startswith("multimodal-retain-s1-club") for key in kept), "other pictures' claims stay"
    assert [(found.n_found, found.remark) for found in plan.earlier] == [(2, ""), (2, "")]
    assert (plain.earlier, slices(plain)["forget"]) == ((), slices(plan)["forget"])


def test_what_is_left_of_a_request_in_another_version_is_asked(data: OffsideDataset, made_up: Any) -> None:
    ids = ["multimodal-forget-s1-club", "taken-down"]
    plan = make_plan(data, "selective", run=after(data, made_up, ids, ["gone"], version="0.9.0", digest="sha256:old"))
    missing = f"made of {data.name} 0.9.0; 1 of {{}} aren't in {data.name} {data.version}"
    assert [found.remark for found in plan.earlier] == [missing.format("2 records"), missing.format("1 record")]
    assert [found.n_found for found in plan.earlier] == [1, 0]
    assert slices(plan)[f"{EARLIER}1"] == 1
    assert f"{EARLIER}2" not in slices(plan)
