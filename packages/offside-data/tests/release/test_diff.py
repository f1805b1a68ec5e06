from __future__ import annotations

import dataclasses
import io
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import DatasetReferenceError
from offside_data.release import fields
from offside_data.release.diff import Change, Differences, compare, diff_datasets, shared_parts
from offside_data.schema import ClaimValue, EncodedImage, Record


@pytest.fixture
def changed(fresh: OffsideDataset, small: OffsideDataset) -> Callable[[Callable[[WholeDataset], Any]], list[Change]]:
    """Apply a change to a copy of the small dataset and give the difference to it."""

    def run(change: Callable[[WholeDataset], Any]) -> list[Change]:
        contents = WholeDataset.read(fresh.path)
        change(contents)
        contents.save(fresh.path)
        return diff_datasets(small.path, fresh.path)

    return run


def first(contents: WholeDataset, **conditions: Any) -> int:
    return next(
        i
        for i, r in enumerate(contents.records)
        if all(getattr(r, name) == value for name, value in conditions.items())
    )


def edit(place: int, contents: WholeDataset, **fields: Any) -> Record:
    contents.records[place] = dataclasses.replace(contents.records[place], **fields)
    return contents.records[place]


def test_a_dataset_does_not_differ_from_its_copy(small: OffsideDataset, fresh: OffsideDataset) -> None:
    assert diff_datasets(small.path, fresh.path) == []


def test_records_that_came_and_went(small: OffsideDataset, changed: Any) -> None:
    def change(contents: WholeDataset) -> None:
        gone = contents.records.pop(0)
        contents.records.append(dataclasses.replace(gone, record_id="r-new"))

    found = changed(change)
    assert [(c.kind, c.action, c.where) for c in found] == [
        ("record", "added", "multimodal/retain"),
        ("record", "removed", "multimodal/retain"),
    ]


def test_a_record_that_moved_is_changed_not_removed(changed: Any) -> None:
    found = changed(lambda contents: edit(first(contents, split="retain", modality="text"), contents, split="holdout"))
    assert [(c.action, c.where, c.fields[0].field, c.fields[0].before, c.fields[0].after) for c in found] == [
        ("changed", "text/holdout", "split", "retain", "holdout")
    ]


@pytest.mark.parametrize(
    ("value", "alike"),
    [
        (ClaimValue(kind="place", text="avaria"), True),
        (ClaimValue(kind="place", text="Belmora"), False),
        (ClaimValue(kind="place", text="Avaria, Belmora"), False),
        (None, False),
    ],
)
def test_another_spelling_is_the_same_value(changed: Any, value: ClaimValue | None, alike: bool) -> None:
    (found,) = changed(
        lambda contents: edit(first(contents, subject_id="s1", attribute="nationality"), contents, value=value)
    )
    assert [(f.field, f.alike) for f in found.fields] == [("value", alike)]


@pytest.mark.parametrize(
    ("answer", "alike"), [("He represents Avaria.", True), ("The player represents Cestria.", False)]
)
def test_an_answer_is_the_same_while_it_states_the_value(changed: Any, answer: str, alike: bool) -> None:
    (found,) = changed(
        lambda contents: edit(first(contents, subject_id="s1", attribute="nationality"), contents, answer=answer)
    )
    assert [(f.field, f.alike) for f in found.fields] == [("answer", alike)]


def test_numbers_count_not_how_they_are_written(changed: Any, fresh: OffsideDataset) -> None:
    contents = WholeDataset.read(fresh.path)
    place = first(contents, attribute="club")
    before = ClaimValue(kind="amount", text="€35.00m", number=35e6, currency="EUR")
    base = edit(
        place, contents, attribute="fee", value=before, answer="The fee was €35.00m.", choices=(), correct_choice=None
    )
    contents.save(fresh.path)
    shutil.copytree(fresh.path, fresh.path.parent / "before")
    for text, number, alike in (("35 million euros", 35e6, True), ("€35.01m", 35.01e6, False)):
        value = dataclasses.replace(before, text=text, number=number)
        contents.records[place] = dataclasses.replace(base, value=value, answer=f"The fee was {text}.")
        contents.save(fresh.path)
        (found,) = diff_datasets(fresh.path.parent / "before", fresh.path)
        assert {f.field: f.alike for f in found.fields}["value"] is alike


@pytest.mark.parametrize(("answer", "alike"), [("a  RED circle!", True), ("A blue circle.", False)])
def test_without_a_value_words_count(changed: Any, fresh: OffsideDataset, answer: str, alike: bool) -> None:
    contents = WholeDataset.read(fresh.path)
    place = first(contents, attribute="club")
    edit(place, contents, value=None, answer="A red circle", choices=(), correct_choice=None)
    contents.save(fresh.path)
    shutil.copytree(fresh.path, fresh.path.parent / "before")
    edit(place, contents, answer=" ".join(answer.split()))
    contents.save(fresh.path)
    (found,) = diff_datasets(fresh.path.parent / "before", fresh.path)
    assert [(f.field, f.alike) for f in found.fields] == [("answer", alike)]


def png(pixels: bytes, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.frombytes("RGB", (32, 32), pixels).save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.mark.parametrize(("seed", "alike"), [(10, True), (11, False)])
def test_pictures_are_told_by_their_pixels(changed: Any, small: OffsideDataset, seed: int, alike: bool) -> None:
    def change(contents: WholeDataset) -> None:
        pixels = Image.open(io.BytesIO(contents.records[0].image.bytes)).tobytes()  # type: ignore[union-attr]
        pixels = pixels if alike else random.Random(seed).randbytes(32 * 32 * 3)
        other = EncodedImage(bytes=png(pixels, compress_level=0), path="other.png")
        picture = contents.records[0].image_id
        for place, record in enumerate(contents.records):
            if record.image_id == picture and record.image is not None:
                edit(place, contents, image=other)

    found = changed(change)
    assert len(found) == 2
    for each in found:
        (field,) = each.fields
        assert (field.field, field.alike) == ("image", alike)
        assert field.before["sha256"] != field.after["sha256"]
        assert (field.before["pixels_sha256"] == field.after["pixels_sha256"]) is alike


def test_a_picture_that_went_or_is_unreadable_has_other_pixels(changed: Any) -> None:
    def change(contents: WholeDataset) -> None:
        edit(first(contents, modality="multimodal", split="retain"), contents, image=None)
        edit(
            first(contents, modality="multimodal", split="forget"),
            contents,
            image=EncodedImage(bytes=b"no picture", path="x.png"),
        )

    assert [(f.field, f.alike) for c in changed(change) for f in c.fields] == [("image", False)] * 2


def test_the_file_name_of_a_picture_is_no_difference(changed: Any) -> None:
    def change(contents: WholeDataset) -> None:
        image = contents.records[0].image
        assert image is not None
        edit(0, contents, image=dataclasses.replace(image, path="elsewhere.png"))

    assert changed(change) == []


def test_tables(changed: Any) -> None:
    def change(contents: WholeDataset) -> None:
        contents.subjects[0]["license"] = "cc-by-4.0"
        contents.subjects.pop()
        contents.images[0]["text_found"] = "Extra! Extra!"

    found = changed(change)
    assert [(c.kind, c.action, [f.field for f in c.fields]) for c in found] == [
        ("subject", "changed", ["license"]),
        ("subject", "removed", []),
        ("image", "changed", ["text_found"]),
    ]


def taxonomy_edit(old: str, new: str) -> Callable[[WholeDataset], None]:
    def change(contents: WholeDataset) -> None:
        assert old in contents.taxonomy_text
        contents.taxonomy_text = contents.taxonomy_text.replace(old, new, 1)

    return change


def test_taxonomy(changed: Any, small: OffsideDataset, fresh: OffsideDataset) -> None:
    found = changed(taxonomy_edit("  - name: trophies\n", "  - name: titles\n"))
    assert [(c.kind, c.action, c.name) for c in found] == [
        ("attribute", "removed", "trophies"),
        ("attribute", "added", "titles"),
    ]
    found = changed(taxonomy_edit("subject_noun: player", "subject_noun: footballer"))
    assert ("taxonomy", "changed", "football", ["subject_noun"]) in [
        (c.kind, c.action, c.name, [f.field for f in c.fields]) for c in found
    ]


def test_the_order_of_attributes(changed: Any) -> None:
    def change(contents: WholeDataset) -> None:
        head, *attributes = contents.taxonomy_text.split("\n  - name: ")
        contents.taxonomy_text = "\n  - name: ".join([head, *attributes[1:-1], attributes[-1].rstrip(), attributes[0]])

    (found,) = changed(change)
    assert (found.kind, [f.field for f in found.fields]) == ("taxonomy", ["order"])


def test_the_card_counts_only_what_people_wrote(changed: Any) -> None:
    def change(contents: WholeDataset) -> None:
        contents.card.data["license"] = "cc-by-4.0"
        contents.card.block = replace(contents.card.block, version="7.0.0")  # Stands in generated prose, too.
        contents.card.body = contents.card.body.replace("Four invented people.", "Four people.")
        contents.changelog = "# Something else\n"

    (found,) = changed(change)
    assert found.kind == "card"
    assert {f.field for f in found.fields} == {"license", "prose"}


def test_references_that_stand_for_nothing(small: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetReferenceError, match="no such dataset folder"):
        diff_datasets(small.path, tmp_path / "none")


def test_changes_are_counted_by_sort(small: OffsideDataset, changed: Any, fresh: OffsideDataset) -> None:
    def change(whole: WholeDataset) -> None:
        for place, record in enumerate(whole.records[:-1]):
            answer = {"answer": record.answer.replace("The", "the")} if place < 5 else {}
            edit(place, whole, suspect="really?" if place else "why?", **answer)
        whole.records.pop()
        whole.subjects[0]["license"] = "cc-by-4.0"

    listed = changed(change)
    found = compare(small, open_dataset(fresh.path))
    told = [(c.kind, c.action, [(f.field, f.alike) for f in c.fields], c.count) for c in found.sorts]
    both = [("answer", True), ("suspect", False)]
    assert told[0] == ("subject", "changed", [("license", False)], 1)
    assert sorted(told[1:], key=str) == [
        ("record", "changed", both, 5),
        ("record", "changed", [("suspect", False)], 34),
        ("record", "removed", [], 1),
    ]
    assert len(found) == len(listed) == sum(sort.count for sort in found.sorts) == 41
    assert {sort.name for sort in found.sorts} <= {each.name for each in listed}


def test_any_number_of_rows_comes_in_buckets(
    small: OffsideDataset, changed: Any, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(whole: WholeDataset) -> None:
        for place, record in enumerate(whole.records):
            edit(place, whole, suspect=record.record_id)

    whole = changed(change)
    monkeypatch.setattr(fields, "_PER_BUCKET", 7)
    monkeypatch.setattr(fields, "_PER_FLUSH", 5)
    assert diff_datasets(small.path, fresh.path) == whole
    assert [c.fields[0].after for c in whole] == [c.name for c in whole] == sorted(c.name for c in whole)
    assert len(whole) == 40


def test_files_that_are_the_same_on_disk_are_not_read(small: OffsideDataset, tmp_path: Path) -> None:
    linked = open_dataset(shutil.copytree(small.path, tmp_path / "linked", copy_function=os.link))
    own = open_dataset(small.path)  # The fixture is shared, and so are the files that it has opened.
    assert shared_parts(own, linked) == set(own.parts())
    assert list(compare(own, linked)) == []
    assert (own.pictures.files, linked.pictures.files) == ([], [])


# ---------------------------------------------------------------------------------------------
# The law: something differs in the data exactly when the digests do.

TEXTS = st.sampled_from(["Avaria", "avaria", "A\u0308", "\u00c4", ""])
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("question"), TEXTS),
        st.tuples(st.just("suspect"), st.one_of(st.none(), TEXTS)),
        st.tuples(st.just("derived_from"), st.one_of(st.none(), TEXTS)),
        st.tuples(st.just("choices"), st.lists(TEXTS, max_size=2).map(tuple)),
        st.tuples(st.just("correct_choice"), st.one_of(st.none(), st.integers(0, 1))),
        st.tuples(st.just("value"), st.one_of(st.none(), st.dictionaries(st.sampled_from(["text", "unit"]), TEXTS))),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def other(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> OffsideDataset:
    return open_dataset(shutil.copytree(small.path, tmp_path_factory.mktemp("law") / "other"))


def law(small: OffsideDataset, other: OffsideDataset, edit_rows: Any, edits: list[tuple[str, Any]]) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        for field, value in edits:
            empty = dict.fromkeys(("kind", "text", "number", "unit", "currency", "date"))
            rows[0][field] = {**empty, **value} if isinstance(value, dict) else value

    (source,), (target,) = small.files("text/retain"), other.files("text/retain")
    shutil.copyfile(source, target)
    after = edit_rows(other, "text/retain", change)
    leaves = [{"text/retain": side.leaves("text/retain")} for side in (small, after)]
    found = Differences(small, after, (leaves[0], leaves[1]))
    assert bool(found) == (not leaves[0]["text/retain"].equals(leaves[1]["text/retain"]))
    assert all(change.fields for change in found)


OFTEN = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
test_the_law = settings(OFTEN, max_examples=30)(given(EDITS)(law))
test_the_law_at_length = pytest.mark.full(settings(OFTEN, max_examples=200)(given(EDITS)(law)))
