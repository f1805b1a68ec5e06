from __future__ import annotations

import csv
import dataclasses
import datetime
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.check import check_dataset
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.dataset.undo import undo
from offside_data.edit import EditReport, edit_dataset, edit_rows, write_template
from offside_data.editing.columns import CLEAR, read, written
from offside_data.errors import DatasetError, DatasetReferenceError, OffsideError, SourceError, UsageError
from offside_data.fictional.league import make_league
from offside_data.questions.dataset import make_questions
from offside_data.questions.forms import FORMS
from offside_data.schema import Record, Source
from offside_data.tagging.untagged import UNTAGGED, fit_taxonomy, untagged
from offside_data.tagging.values import answer_states

Edit = Callable[..., None]


@pytest.fixture(scope="session")
def league_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("league") / "league"
    make_league(out, subjects=4, general=2, utility=1)
    return out


@pytest.fixture
def league(league_folder: Path, tmp_path: Path) -> OffsideDataset:
    return open_dataset(shutil.copytree(league_folder, tmp_path / "league"))


def records(folder: Path) -> dict[str, Record]:
    return {record.record_id: record for record in open_dataset(folder).iter_records()}


def find(dataset: OffsideDataset, **fields: Any) -> Record:
    return next(r for r in dataset.iter_records() if all(getattr(r, name) == value for name, value in fields.items()))


def retained(dataset: OffsideDataset, attribute: str = "market_value") -> Record:
    """A claim about a picture of which there is a copy in `test`."""
    copied = {r.derived_from for r in dataset.iter_records() if r.derived_from is not None}
    return next(r for r in dataset.iter_records() if r.attribute == attribute and r.image_id in copied)


def change(dataset: OffsideDataset, **row: Any) -> EditReport:
    return edit_rows(dataset.path, [row], reason="a test")


def refusal(dataset: OffsideDataset, **row: Any) -> str:
    before = state(dataset.path)
    with pytest.raises(UsageError) as caught:
        change(dataset, **row)
    assert state(dataset.path) == before
    return str(caught.value)


def state(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------------------
# Templates


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_an_untouched_template_changes_nothing(league: OffsideDataset, tmp_path: Path, suffix: str) -> None:
    before = state(league.path)
    count = write_template(league.path, tmp_path / f"all.{suffix}")
    report = edit_dataset(league.path, tmp_path / f"all.{suffix}")
    assert (report.rows, report.changes, report.decision) == (count, (), None)
    assert count == len(records(league.path))
    assert state(league.path) == before


ODD = (
    *("=1+1", "'=1+1", "''@home", "-5", "+7", "@ana", "'s-Hertogenbosch", "'", "007", "1e5", "2019-07-01"),
    *("(clear)", "'(clear)", "TRUE", "Ünïcödé, \u0645\u0631\u062d\u0628\u0627 \U0001f3c6", 'a "quoted", thing; here'),
    *("_x0041_", "a|b", "\tx\ty", "two\nlines", "  stray  blanks ", "NaN", "null", "#N/A", "<image>", "€1,000"),
)


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_odd_texts_come_back_from_a_template(fresh: OffsideDataset, tmp_path: Path, suffix: str) -> None:
    changed = [
        dataclasses.replace(
            record, suspect=text, agreed_value=text, sources=(Source(publisher=text, tier="media", license=text),) * 2
        )
        for text, record in zip(ODD, fresh.iter_records(), strict=False)
    ]
    with change_dataset(fresh) as writing:
        writing.update_records(changed, ["suspect", "agreed_value", "sources"])
    dataset = open_dataset(fresh.path)
    write_template(dataset.path, tmp_path / f"odd.{suffix}")
    assert edit_dataset(dataset.path, tmp_path / f"odd.{suffix}").changes == ()
    assert open_dataset(dataset.path).digest == dataset.digest


def test_a_spreadsheet_runs_no_cell_of_a_csv_template(fresh: OffsideDataset, tmp_path: Path) -> None:
    record = next(fresh.iter_records())
    with change_dataset(fresh) as writing:
        writing.update_records([dataclasses.replace(record, suspect='=HYPERLINK("x")')], ["suspect"])
    write_template(fresh.path, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert '\'=HYPERLINK("x")' in cells
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]


@given(st.text(alphabet="'=+-@()clear ax", max_size=12), st.booleans())
def test_what_is_written_is_read(text: str, formulas: bool) -> None:
    clean = " ".join(text.split())
    cell = written(clean, formulas=formulas)
    assert read(cell) == clean
    assert cell.casefold() != CLEAR


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["split=forget"], lambda r: r.split == "forget"),
        (["split=forget", "split=relearn"], lambda r: r.split in ("forget", "relearn")),
        (["split=forget", "attribute=club"], lambda r: r.split == "forget" and r.attribute == "club"),
        (["scope=private", "config=text"], lambda r: r.scope == "private" and r.modality == "text"),
        (["veracity=false"], lambda r: r.veracity == "rumor"),
        (["subject=Orlo Vantis"], lambda r: r.subject_id == "s1"),
        (["subject=s2"], lambda r: r.subject_id == "s2"),
        (["suspect=no"], lambda r: r.suspect is None),
        (["text~WITH Emberlin fc"], lambda r: "with Emberlin FC" in r.answer),
    ],
)
def test_conditions_choose_records(
    small: OffsideDataset, tmp_path: Path, where: list[str], expected: Callable[[Record], bool]
) -> None:
    count = write_template(small.path, tmp_path / "t.parquet", where)
    names = pl.read_parquet(tmp_path / "t.parquet")["record_id"].to_list()
    assert count == len(names)
    assert set(names) == {record.record_id for record in small.iter_records() if expected(record)} != set()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["attribut=fee"], "unknown key 'attribut'. Did you mean 'attribute'?"),
        (["fee"], "--where takes KEY=VALUE"),
        (["attribute="], "--where takes KEY=VALUE"),
        (["split=forgot"], "unknown split 'forgot'. Did you mean 'forget'?"),
        (["suspect=maybe"], "unknown suspect 'maybe'"),
        (["attribute=clubs"], "Did you mean attribute=club?"),
        (["subject=Orlo Vanti"], "Did you mean subject=Orlo Vantis?"),
        (["text~zebra"], "no record fits --where text~zebra"),
    ],
)
def test_a_condition_that_fits_nothing(small: OffsideDataset, tmp_path: Path, where: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        write_template(small.path, tmp_path / "t.csv", where)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_some_columns_alone(small: OffsideDataset, tmp_path: Path) -> None:
    write_template(small.path, tmp_path / "t.csv", ["split=forget"], columns=["value"])
    header = (tmp_path / "t.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert header == "record_id,subject_id,image_id,modality,scope,value"
    with pytest.raises(UsageError, match=r"unknown column 'valeu'\. Did you mean 'value'\?"):
        write_template(small.path, tmp_path / "t.csv", columns=["valeu"])


def test_a_picture_is_called_by_its_file(fresh: OffsideDataset, tmp_path: Path) -> None:
    with change_dataset(fresh) as writing:
        rows = writing.table_rows("images")
        writing.set_table("images", [{**rows[0], "source": "claims:scans/1.jpg"}, *rows[1:]])
    write_template(fresh.path, tmp_path / "t.parquet", ["image=scans/1.jpg"])
    assert set(pl.read_parquet(tmp_path / "t.parquet")["image_id"]) == {rows[0]["image_id"]}


def test_a_template_of_another_kind(small: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end its name in \.csv, \.xlsx, \.parquet"):
        write_template(small.path, tmp_path / "t.ods")


def test_a_text_that_no_cell_holds(fresh: OffsideDataset, tmp_path: Path) -> None:
    with change_dataset(fresh) as writing:
        writing.update_records([dataclasses.replace(next(fresh.iter_records()), suspect="x" * 40_000)], ["suspect"])
    with pytest.raises(UsageError, match=r"32,767 characters a cell; write a \.csv"):
        write_template(fresh.path, tmp_path / "t.xlsx")
    assert not list(tmp_path.glob("*t.xlsx*"))
    write_template(fresh.path, tmp_path / "t.csv")
    assert edit_dataset(fresh.path, tmp_path / "t.csv").changes == ()


# ---------------------------------------------------------------------------------------------
# Values and answers


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


@pytest.mark.parametrize("attribute", ["club", "fee", "transfer_date", "trophies", "height"])
def test_forms_are_those_that_questions_makes(league: OffsideDataset, attribute: str) -> None:
    make_questions(league.path, seed=5, only="all")
    claims = [r for r in league.iter_records() if r.attribute == attribute and r.split == "retain" and r.value]
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


@pytest.mark.parametrize("seed", range(5))
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
# Other fields


def test_an_attribute_brings_scope_question_and_value(fresh: OffsideDataset) -> None:
    claim = find(fresh, attribute="nationality", split="retain")
    with change_dataset(fresh) as writing:
        asked = dataclasses.replace(claim, question=fresh.taxonomy["nationality"].questions[1])
        writing.update_records([asked], ["question"])
    change(fresh, record_id=claim.record_id, attribute="birth_place")
    after = records(fresh.path)[claim.record_id]
    assert (after.attribute, after.scope) == ("birth_place", "shared")
    assert after.question == fresh.taxonomy["birth_place"].questions[0]
    assert after.value == claim.value


def test_a_correction_turned_into_a_fact_corrects_nothing(fresh: OffsideDataset) -> None:
    correction = find(fresh, veracity="correction", modality="multimodal")
    assert correction.corrects is not None
    change(fresh, record_id=correction.record_id, veracity="Confirmed")
    after = records(fresh.path)[correction.record_id]
    assert (after.veracity, after.corrects) == ("fact", None)


def test_a_correction_names_another_rumor(fresh: OffsideDataset) -> None:
    correction = find(fresh, veracity="correction", modality="multimodal", subject_id="s1")
    other = find(fresh, veracity="rumor", modality="multimodal", subject_id="s2")
    assert "which is no rumor about the same" in refusal(
        fresh, record_id=correction.record_id, corrects=other.record_id
    )
    text = find(fresh, veracity="rumor", modality="text", subject_id="s1")
    change(fresh, record_id=correction.record_id, corrects=text.record_id)
    assert records(fresh.path)[correction.record_id].corrects == text.record_id


def test_a_rumor_channel_follows_the_picture(fresh: OffsideDataset) -> None:
    rumor = find(fresh, veracity="rumor", modality="multimodal", subject_id="s2")
    change(fresh, record_id=rumor.record_id, rumor_channel="picture")
    now = records(fresh.path)
    assert now[rumor.record_id].rumor_channel == "image"
    twin = next(r for r in now.values() if r.modality == "text" and r.image_id == rumor.image_id)
    assert twin.rumor_channel == "both"


def test_a_source_is_added_and_changed(fresh: OffsideDataset) -> None:
    name = next(fresh.iter_records()).record_id
    change(fresh, record_id=name, link="https://news.example/1", retrieved_on=datetime.date(2024, 7, 1))
    (source,) = records(fresh.path)[name].sources
    assert source == Source(url="https://news.example/1", tier="social", retrieved_on="2024-07-01")
    change(fresh, record_id=name, source_type="newspaper", publisher="The News", licence="CC-BY")
    (source,) = records(fresh.path)[name].sources
    assert (source.tier, source.publisher, source.url) == ("media", "The News", "https://news.example/1")


def test_a_picture_moves_with_all_its_records(fresh: OffsideDataset) -> None:
    moving = [r for r in fresh.iter_records() if r.split == "relearn" and r.subject_id == "s1"]
    rows = [{"record_id": r.record_id, "split": "holdout"} for r in moving]
    report = edit_rows(fresh.path, rows, reason="never to be seen")
    now = records(fresh.path)
    assert {now[r.record_id].split for r in moving} == {"holdout"}
    assert {now[r.record_id].corrects for r in moving} == {None}
    images = {row["image_id"]: row["split"] for row in open_dataset(fresh.path).table_rows("images")}
    assert images[moving[0].image_id or ""] == "holdout"
    assert report.decision is not None
    undo(fresh.path, report.decision["id"])
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_a_private_text_moves_with_its_picture(fresh: OffsideDataset) -> None:
    moving = [r for r in fresh.iter_records() if r.split == "forget" and r.subject_id == "s1"]
    rows = [{"record_id": r.record_id, "split": "holdout"} for r in moving if r.modality == "multimodal"]
    edit_rows(fresh.path, rows, reason="a test")
    assert {records(fresh.path)[r.record_id].split for r in moving} == {"holdout"}


def test_a_test_picture_loses_its_original(fresh: OffsideDataset) -> None:
    moving = [r for r in fresh.iter_records() if r.split == "retain" and r.subject_id == "s1"]
    with pytest.raises(UsageError, match=r"may be tested only on a picture derived_from one in retain[\s\S]*--policy"):
        edit_rows(fresh.path, [{"record_id": r.record_id, "split": "forget"} for r in moving], reason="a test")


def test_subjects_held_out_stay(league: OffsideDataset) -> None:
    unseen = {s["subject_id"] for s in league.table_rows("subjects") if s["cohort"] == "holdout"}
    record = next(r for r in league.iter_records() if r.subject_id in unseen)
    assert "is of the cohort holdout and can't move" in refusal(league, record_id=record.record_id, split="retain")


def test_records_about_nobody(league: OffsideDataset) -> None:
    general = find(league, split="general")
    assert "is about nobody and has no attribute" in refusal(league, record_id=general.record_id, attribute="fee")
    assert "has no attribute that says how to read it" in refusal(league, record_id=general.record_id, value="red")
    assert "are about nobody" in refusal(league, record_id=general.record_id, split="retain")
    change(league, record_id=general.record_id, answer="Something else.")
    after = records(league.path)[general.record_id]
    assert (after.answer, after.choices, after.correct_choice) == ("Something else.", (), None)


def test_an_untagged_record_is_tagged(fresh: OffsideDataset) -> None:
    claim = find(fresh, attribute="club", split="retain", modality="multimodal")
    with change_dataset(fresh) as writing:
        writing.set_taxonomy(fit_taxonomy(writing.taxonomy_text, [UNTAGGED.name]))
        writing.update_records([untagged(claim, "a test")], ["attribute", "scope", "value", "suspect"])
    dataset = open_dataset(fresh.path)
    assert "has no attribute that says how to read it" in refusal(dataset, record_id=claim.record_id, value="Ostholm")
    report = change(dataset, record_id=claim.record_id, attribute="club")
    after = records(fresh.path)[claim.record_id]
    assert (after.attribute, after.value, after.suspect, after.question) == ("club", claim.value, None, claim.question)
    assert UNTAGGED.name not in open_dataset(fresh.path).taxonomy
    assert report.decision is not None
    undo(fresh.path, report.decision["id"])
    assert open_dataset(fresh.path).verify() == dataset.digest


# ---------------------------------------------------------------------------------------------
# Tables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record_id,valeu\nx,1\n", "unknown column 'valeu'. Did you mean 'value'?"),
        ("record_id,choices\nx,1\n", "`questions` makes it"),
        ("record,value\nx,1\n", "unknown column 'record'. Did you mean 'record_id'?"),
        ("value,suspect\n1,x\n", "has no column 'record_id'"),
        ("record_id,value,Value\nx,1,2\n", "the column 'value' stands twice"),
        ("record_id,value,value\nx,1,2\n", "the column 'value' stands twice"),
        ("record_id,value,\nx,1,2\n", "has '2' in column 3, which has no heading"),
        ("record_id,value\n", "no row"),
        ("record_id,value\n,5\n", "line 2: has no record_id"),
        ("record_id,value\nx,1\nx,2\n", "line 3: record x stands in line 2 already, with other contents"),
        ("record_id,value\nnope,1\n", "line 2: there is no record 'nope'"),
        ("record_id,value\nx,1,2\n", "line 2: has 3 cells, the header has 2"),
    ],
)
def test_a_table_that_cannot_be_used(small: OffsideDataset, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError) as caught:
        edit_dataset(small.path, tmp_path / "t.csv")
    assert message in str(caught.value)
    assert open_dataset(small.path).digest == small.digest


def test_a_near_id_is_suggested(small: OffsideDataset) -> None:
    name = next(small.iter_records()).record_id
    assert f"there is no record '{name[:-1]}'. Did you mean {name!r}?" in refusal(
        small, record_id=name[:-1], suspect="x"
    )


def test_all_rows_that_fail_are_listed(small: OffsideDataset) -> None:
    rows = [{"record_id": f"nope{number}", "value": "1"} for number in range(25)]
    with pytest.raises(UsageError, match=r"these rows can't be followed[\s\S]*row 1: [\s\S]*and 5 more"):
        edit_rows(small.path, rows, reason="a test")


def test_the_same_row_twice_is_one(fresh: OffsideDataset) -> None:
    name = next(fresh.iter_records()).record_id
    report = edit_rows(fresh.path, [{"record_id": name, "suspect": "odd", "value": None}] * 2, reason="a test")
    assert (report.rows, len(report.changes)) == (1, 1)


def test_a_semicolon_table_of_another_code_page(fresh: OffsideDataset, tmp_path: Path) -> None:
    claim = find(fresh, attribute="club", split="retain")
    (tmp_path / "t.csv").write_bytes(f"Record ID;Value\r\n{claim.record_id};Köln SC\r\n".encode("cp1252"))
    edit_dataset(fresh.path, tmp_path / "t.csv")
    assert "Köln SC" in records(fresh.path)[claim.record_id].answer


def test_a_workbook_with_dates_and_amounts(league: OffsideDataset, tmp_path: Path) -> None:
    date = find(league, attribute="transfer_date", split="retain", modality="multimodal")
    fee = find(league, attribute="fee", split="retain", modality="multimodal")
    import xlsxwriter

    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["record_id", "value", "retrieved_on"])
        sheet.write_string(1, 0, date.record_id)
        for column in (1, 2):
            sheet.write_datetime(1, column, datetime.datetime(2019, 7, 1), book.add_format({"num_format": "dd/mm/yy"}))
        sheet.write_string(2, 0, fee.record_id)
        sheet.write_number(2, 1, 4_100_000, book.add_format({"num_format": "[$€-407]#,##0"}))
    edit_dataset(league.path, tmp_path / "t.xlsx")
    now = records(league.path)
    assert now[date.record_id].value is not None
    assert (now[date.record_id].value.date, now[date.record_id].answer[-13:]) == ("2019-07-01", "July 1, 2019.")
    assert now[date.record_id].sources[0].retrieved_on == "2019-07-01"
    assert now[fee.record_id].answer.endswith("€4.10m.")


def test_a_date_that_a_spreadsheet_wrote_in_its_own_way_is_the_same(league: OffsideDataset) -> None:
    claim = find(league, attribute="transfer_date", split="retain", modality="multimodal")
    assert claim.value is not None
    assert change(league, record_id=claim.record_id, value=claim.value.date).changes == ()


def test_a_file_that_is_no_table(small: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such table"):
        edit_dataset(small.path, tmp_path / "t.csv")
    (tmp_path / "t.xlsx").write_text("not a workbook")
    with pytest.raises(SourceError, match="not an Excel workbook"):
        edit_dataset(small.path, tmp_path / "t.xlsx")


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(OffsideError):
        edit_rows(tmp_path, [{"record_id": "x", "value": "1"}], reason="a test")
    with pytest.raises(DatasetReferenceError):
        write_template(tmp_path / "none", tmp_path / "t.csv")


def test_a_folder_that_cannot_be_written(fresh: OffsideDataset) -> None:
    (fresh.path / ".offside").write_text("in the way")  # Permissions are nothing to root.
    with pytest.raises(DatasetError, match="can't be changed"):
        change(fresh, record_id=next(fresh.iter_records()).record_id, suspect="odd")


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
