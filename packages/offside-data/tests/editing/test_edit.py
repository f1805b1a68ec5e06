from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from edits import change, find, records, refusal, retained, state

from offside_data.check import check_dataset
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.undo import undo
from offside_data.edit import edit_dataset, edit_rows
from offside_data.errors import UsageError
from offside_data.questions.dataset import make_questions
from offside_data.questions.forms import FORMS
from offside_data.tagging.values import answer_states


def test_a_value_is_worded_and_everything_follows(league: OffsideDataset) -> None:
    claim = retained(league)
    report = change(league, record_id=claim.record_id, value="€77.70m")
    now = records(league.path)
    after = now[claim.record_id]
    assert after.answer == "The market value was €77.70m."
    assert after.value is not None
    assert (after.value.text, after.value.number, after.value.currency) == ("€77.70m", 77_700_000, "EUR")
    assert after.choices[after.correct_choice or 0] == "€77.70m"
    assert all("€77.70m" in text or "77.70" in text for text in after.answer_paraphrases)
    assert "€77.70m" not in "".join(after.perturbed_answers) + (after.cloze or "")
    assert after.question == claim.question
    followed = {c.record_id: now[c.record_id] for c in report.changes if c.because == claim.record_id}
    assert {(r.modality, r.split) for r in followed.values()} == {("text", "retain"), ("multimodal", "test")}
    assert all(r.value is not None and r.value.number == 77_700_000 for r in followed.values())
    assert report.notes == ()
    assert open_dataset(league.path).verify() != league.digest


def test_a_change_is_taken_back_exactly(league: OffsideDataset) -> None:
    claim = retained(league)
    report = change(league, record_id=claim.record_id, value="€77.70m", suspect="look", url="https://example.org/a")
    assert report.decision is not None
    done = undo(league.path, report.decision["id"])
    assert done.changed == len(report.changes)
    assert open_dataset(league.path).verify() == league.digest
    again = undo(league.path, done.decision["id"])
    assert again.changed == len(report.changes)
    assert records(league.path)[claim.record_id].answer == "The market value was €77.70m."


def test_a_second_run_changes_nothing(league: OffsideDataset, tmp_path: Path) -> None:
    claim, rumor = retained(league), find(league, split="forget", attribute="fee", modality="multimodal")
    (tmp_path / "t.csv").write_text(
        f"record_id,value,suspect,tier,publisher\n{claim.record_id},77.7 million euros,,press,Daily\n"
        f"{rumor.record_id},a free transfer,look,,\n"
    )
    assert edit_dataset(league.path, tmp_path / "t.csv").changes
    before, verified = state(league.path), open_dataset(league.path).verify()
    report = edit_dataset(league.path, tmp_path / "t.csv")
    assert (report.changes, report.decision) == ((), None)
    assert state(league.path) == before
    assert open_dataset(league.path).digest == verified


def test_a_rumor_is_worded_as_one(league: OffsideDataset) -> None:
    rumor = find(league, split="forget", attribute="club", modality="multimodal", veracity="rumor")
    change(league, record_id=rumor.record_id, value="Ostholm")
    attribute = league.taxonomy["club"]
    after = records(league.path)[rumor.record_id]
    assert after.answer == attribute.rumor_answers[0].format(value="Ostholm")
    twin = next(
        r
        for r in records(league.path).values()
        if r.modality == "text" and r.image_id == rumor.image_id and r.attribute == "club"
    )
    assert (twin.answer, twin.veracity) == (after.answer, "rumor")


def test_an_answer_is_read(league: OffsideDataset) -> None:
    claim = retained(league)
    change(league, record_id=claim.record_id, answer="Reports said that he was worth £12,500,000 then.")
    after = records(league.path)[claim.record_id]
    assert after.value is not None
    assert (after.value.number, after.value.currency) == (12_500_000, "GBP")
    assert after.cloze == "Reports said that he was worth ____ then."


def test_value_and_answer_that_agree(fresh: OffsideDataset) -> None:
    claim = find(fresh, attribute="nationality")
    change(fresh, record_id=claim.record_id, value="Sweden", answer="He plays for the Swedish team.")
    after = records(fresh.path)[claim.record_id]
    assert after.answer == "He plays for the Swedish team."
    assert after.value is not None
    assert answer_states("Sweden", after.value, fresh.taxonomy["nationality"])


def test_value_and_answer_that_disagree(fresh: OffsideDataset) -> None:
    claim = find(fresh, attribute="nationality")
    message = refusal(fresh, record_id=claim.record_id, value="Sweden", answer=claim.answer)
    assert f"row 1: record {claim.record_id}: the answer {claim.answer!r} doesn't state the value 'Sweden'" in message
    assert "leave one of the cells empty" in message


@pytest.mark.parametrize(
    ("attribute", "row", "message"),
    [
        ("market_value", {"value": "a lot"}, "value is 'a lot', which is no amount that can be read"),
        ("transfer_date", {"value": "03/04/2021"}, "could be two dates; write YYYY-MM-DD"),
        ("foot", {"value": "middle"}, "allowed: left, right, both"),
        ("market_value", {"answer": "Nobody knows."}, "no amount is readable in the answer 'Nobody knows.'"),
        ("market_value", {"answer": "(clear)"}, "answer can't be emptied"),
        ("market_value", {"question": "What is <image> worth?"}, "question holds a literal <image>"),
        ("market_value", {"attribute": "fees"}, "unknown attribute 'fees'. Did you mean 'fee'?"),
        ("market_value", {"attribute": "untagged"}, "unknown attribute 'untagged'"),
        (
            "market_value",
            {"attribute": "Date of birth"},
            "unknown attribute 'Date of birth'. Did you mean 'birth_date'?",
        ),
        ("market_value", {"scope": "shared"}, "scope is 'shared', but the attribute 'market_value' is private"),
        ("market_value", {"veracity": "tru"}, "unknown veracity 'tru'. Did you mean 'true'?"),
        ("market_value", {"veracity": "rumor"}, "a rumor belongs in forget or holdout, not in retain"),
        ("market_value", {"rumor_channel": "image"}, "only rumors have one, and this is a fact"),
        ("market_value", {"subject_id": "somebody"}, "can't be changed; leave the cell empty"),
        ("market_value", {"modality": "text"}, "can't be changed; leave the cell empty"),
        ("market_value", {"split": "trian"}, "unknown split 'trian'. Did you mean 'train'?"),
        ("market_value", {"split": "general"}, "are about nobody"),
        ("market_value", {"split": "holdout"}, "would stand in holdout and retain"),
        ("market_value", {"corrects": "rnone"}, "corrects names 'rnone', but there is no such record"),
        ("market_value", {"cloze": "no blank"}, "must hold one blank, '____'"),
        ("market_value", {"retrieved_on": "lately"}, "retrieved_on is 'lately'; write YYYY-MM-DD"),
        ("market_value", {"tier": "best"}, "unknown tier 'best'"),
    ],
)
def test_what_cannot_be_followed(league_folder: Path, attribute: str, row: dict[str, str], message: str) -> None:
    league = open_dataset(league_folder)
    claim = find(league, attribute=attribute, split="retain", modality="multimodal")
    assert message in refusal(league, record_id=claim.record_id, **row)


def test_fields_are_cleared(league: OffsideDataset) -> None:
    claim = retained(league)
    change(league, record_id=claim.record_id, suspect="odd", agreed_value="x", tier="press", url="https://a.example/")
    report = change(league, record_id=claim.record_id, suspect="(clear)", value="(Clear)", agreed_value="(clear)")
    after = records(league.path)[claim.record_id]
    assert (after.suspect, after.value, after.agreed_value) == (None, None, None)
    assert (after.answer, after.choices, after.correct_choice, after.cloze) == (claim.answer, (), None, None)
    assert any("the claim has no value any more" in note for note in report.notes)
    change(league, record_id=claim.record_id, tier="(clear)")
    assert records(league.path)[claim.record_id].sources == claim.sources[1:]


def test_wrong_answers_that_became_true_are_made_anew(league: OffsideDataset) -> None:
    claim = find(league, attribute="club", split="retain", modality="multimodal")
    others = [
        r
        for r in league.iter_records()
        if r.subject_id == claim.subject_id and r.attribute == "club" and r.image_id != claim.image_id and r.choices
    ]
    true = {r.value.text for r in others if r.value is not None} | {claim.value.text if claim.value else ""}
    other, wrong = next((r, c) for r in others for c in r.choices if c not in true)
    report = change(league, record_id=claim.record_id, value=wrong)
    after = records(league.path)
    assert wrong not in after[other.record_id].choices
    assert wrong not in "".join(after[other.record_id].perturbed_answers)
    assert next(c for c in report.changes if c.record_id == other.record_id).fields == {}
    assert (after[other.record_id].answer, after[other.record_id].cloze) == (other.answer, other.cloze)


@pytest.fixture(scope="module")
def asked_folder(league_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The league with questions made anew; don't change its files."""
    folder = shutil.copytree(league_folder, tmp_path_factory.mktemp("asked") / "league")
    make_questions(folder, seed=5, only="all")
    return folder


@pytest.mark.parametrize("attribute", ["club", "fee", "transfer_date", "trophies", "height"])
def test_forms_are_those_that_questions_makes(asked_folder: Path, tmp_path: Path, attribute: str) -> None:
    league = open_dataset(shutil.copytree(asked_folder, tmp_path / "league"))
    made = open_dataset(league.path).iter_records()
    claims = [r for r in made if r.attribute == attribute and r.split == "retain" and r.value]
    value = next(r.value.text for r in claims[1:] if r.value and claims[0].value and r.value != claims[0].value)
    report = edit_rows(league.path, [{"record_id": claims[0].record_id, "value": value}], reason="a test", seed=5)
    edited = {name: records(league.path)[name] for name in (c.record_id for c in report.changes)}
    make_questions(league.path, seed=5, only="all")
    now = records(league.path)
    for name, record in edited.items():
        assert {f: getattr(now[name], f) for f in FORMS} == {f: getattr(record, f) for f in FORMS}


def test_a_text_form_with_a_row_of_its_own_stays(league: OffsideDataset) -> None:
    claim = retained(league)
    twin = find(league, modality="text", image_id=claim.image_id, attribute="market_value")
    rows = [{"record_id": claim.record_id, "value": "€77.70m"}, {"record_id": twin.record_id, "value": "€1m"}]
    report = edit_rows(league.path, rows, reason="a test")
    assert records(league.path)[twin.record_id].answer.endswith("€1m.")
    assert any("its own row in the table says what it claims" in note for note in report.notes)
    assert edit_rows(league.path, rows, reason="a test").changes == ()


def test_a_text_form_of_many_pictures_waits_until_they_agree(league: OffsideDataset) -> None:
    first = find(league, attribute="height", split="retain", modality="multimodal")
    shown = [r for r in league.iter_records() if r.attribute == "height" and r.subject_id == first.subject_id]
    twin = next(r for r in shown if r.modality == "text")
    report = change(league, record_id=first.record_id, value="2.01 m")
    assert any("other pictures of its subject say otherwise" in note for note in report.notes)
    assert records(league.path)[twin.record_id].value == twin.value
    rows = [{"record_id": r.record_id, "value": "2.01 m"} for r in shown if r.modality == "multimodal"]
    report = edit_rows(league.path, rows, reason="a test")
    assert "2.01" in records(league.path)[twin.record_id].answer
    subject = next(s for s in open_dataset(league.path).table_rows("subjects") if s["subject_id"] == first.subject_id)
    assert "2.01" in next(fact["text"] for fact in subject["facts"] if fact["attribute"] == "height")
    assert report.decision is not None
    undo(league.path, report.decision["id"])
    undo(league.path, next(d["id"] for d in read_decisions(league.path) if d["kind"] == "edit"))
    assert open_dataset(league.path).verify() == league.digest


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 5))])
def test_laws_of_any_table(league: OffsideDataset, seed: int) -> None:
    """What can be followed is sound, changes nothing the second time, and is taken back exactly."""
    source, everything = random.Random(seed), list(league.iter_records())
    issues = {(issue.code, issue.where) for issue in check_dataset(league) if issue.severity == "error"}
    rows = []
    for record in source.sample(everything, 12):
        alike = [r for r in everything if r.attribute == record.attribute and r.value is not None]
        other = source.choice(alike or everything)
        cells = {
            "value": other.value.text if other.value else "",
            "answer": other.answer,
            "question": f"{other.question[:-1]}, please?",
            "suspect": source.choice(["(clear)", "odd"]),
            "veracity": source.choice(["fact", "rumor", "correction"]),
            "attribute": source.choice(league.taxonomy.names()),
            "publisher": "Daily",
        }
        row = {"record_id": record.record_id, **{name: cells[name] for name in source.sample(list(cells), 2)}}
        try:
            edit_rows(league.path, [row], reason="a test", dry_run=True)
        except UsageError:
            continue
        rows.append(row)
    report = edit_rows(league.path, rows, reason="a test")
    assert report.decision is not None
    changed = open_dataset(league.path)
    changed.verify()
    before = state(league.path)
    assert edit_rows(league.path, rows, reason="a test").changes == ()
    assert state(league.path) == before
    undo(league.path, report.decision["id"])
    assert open_dataset(league.path).verify() == league.digest
    assert {(i.code, i.where) for i in check_dataset(open_dataset(league.path)) if i.severity == "error"} == issues


def test_corrected_values_pass_the_checks(league: OffsideDataset) -> None:
    before = {(issue.code, issue.where) for issue in check_dataset(league)}
    values = {"club": "Ostholm", "fee": "€3.30m", "trophies": "7", "transfer_date": "2019-07-01", "height": "2.01 m"}
    first = find(league, split="retain", modality="multimodal", attribute="club")
    rows = [
        {"record_id": r.record_id, "value": values[r.attribute or ""]}
        for r in league.iter_records()
        if r.subject_id == first.subject_id
        and r.modality == "multimodal"
        and (r.attribute == "height" or (r.attribute in values and r.image_id == first.image_id))
    ]
    assert len(edit_rows(league.path, rows, reason="a test").changes) > 2 * len(values)
    assert {(issue.code, issue.where) for issue in check_dataset(open_dataset(league.path))} <= before


# ---------------------------------------------------------------------------------------------
# What is written


def test_a_dry_run_tells_and_writes_nothing(league: OffsideDataset) -> None:
    claim, before = retained(league), state(league.path)
    rows = [{"record_id": claim.record_id, "value": "€77.70m"}]
    told = edit_rows(league.path, rows, reason="a test", dry_run=True)
    assert state(league.path) == before
    done = edit_rows(league.path, rows, reason="a test")
    assert told.changes == done.changes
    assert told.decision is None
    assert told.changes[0].fields["answer"] == (claim.answer, "The market value was €77.70m.")


def test_parts_that_are_not_touched_are_linked(league: OffsideDataset) -> None:
    inodes = {part: league.files(part)[0].stat().st_ino for part in league.record_parts()}
    change(league, record_id=find(league, split="forget", modality="text").record_id, suspect="odd")
    after = open_dataset(league.path)
    assert {p for p in inodes if after.files(p)[0].stat().st_ino != inodes[p]} == {"text/forget"}


def test_the_decision_says_what_was_changed(fresh: OffsideDataset) -> None:
    claim = find(fresh, attribute="club", split="forget", modality="multimodal")
    report = edit_rows(
        fresh.path, [{"record_id": claim.record_id, "value": "Ostholm"}], reason="The club said so.", by="ana"
    )
    decision = read_decisions(fresh.path)[-1]
    assert decision == report.decision
    assert (decision["kind"], decision["why"]) == ("edit", "The club said so.")
    assert decision["who"].endswith(" by ana")
    first = decision["what"]["changes"][0]
    assert first["record_id"] == claim.record_id
    assert first["changes"]["value"] == [claim.value.text if claim.value else None, "Ostholm"]
    assert all(isinstance(item, dict) for item in decision["what"]["changes"])
