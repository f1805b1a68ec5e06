"""Who lends what: other subjects, other values, the same whatever order the records lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import new_dataset
from offside_data.errors import UsageError
from offside_data.schema import ClaimValue, EncodedImage, Record, make_image_id, make_record_id
from offside_data.seeding import rng
from offside_data.taxonomy import shipped_taxonomy_text
from offside_unlearn.methods._donors import DonorPicture, DonorTable, assign

Plan = Mapping[str, tuple[str, str, tuple[str, ...]]]
"""Split, club and forms of the pictures of a made-up dataset, by `subject/picture`."""
BOTH = ("multimodal", "text")


def picture(key: str) -> EncodedImage:
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.new("RGB", (28, 28), tuple(rng(key).randrange(256) for _ in range(3))).save(stream, "PNG")
    return EncodedImage(bytes=stream.getvalue(), path=f"{make_image_id('made', key)}.png")


def records(plan: Plan, shared: tuple[str, ...] = ()) -> Iterator[Record]:
    for key, (split, club, forms) in plan.items():
        subject, _, place = key.partition("/")
        for form in forms:
            common: dict[str, Any] = {
                "subject_id": subject,
                "image_id": make_image_id("made", key),
                "image": picture(key) if form == "multimodal" else None,
                "modality": form,
                "split": split,
                "question": f"What about {key}, in {form} form?",
            }
            rumor = split == "forget"
            yield Record(
                **common,
                record_id=make_record_id("made", subject, place, "club", form),
                attribute="club",
                scope="private",
                veracity="rumor" if rumor else "fact",
                rumor_channel="text" if rumor else "none",
                answer=f"The player was with {club}.",
                value=ClaimValue(kind="name", text=club),
            )
            if key in shared:
                yield Record(
                    **common,
                    record_id=make_record_id("made", subject, place, "nationality", form),
                    attribute="nationality",
                    scope="shared",
                    veracity="fact",
                    answer="Avaria.",
                    value=ClaimValue(kind="place", text="Avaria"),
                )


def dataset(folder: Path, plan: Plan, *, shared: tuple[str, ...] = (), backwards: bool = False) -> OffsideDataset:
    rows = list(records(plan, shared))
    with new_dataset(folder, name="made", taxonomy=shipped_taxonomy_text("football"), license="cc0-1.0") as writer:
        writer.add_records(rows[::-1] if backwards else rows)
        subjects = sorted({str(row.subject_id) for row in rows})
        writer.add_subjects({"subject_id": s, "name": f"Oda {s.title()}", "cohort": "member"} for s in subjects)
        writer.add_images({"image_id": i} for i in sorted({row.image_id for row in rows if row.image_id}))
    return open_dataset(folder)


def table_of(made: OffsideDataset, setting: str = "complete", *, seed: int = 0, distinct: bool = False) -> DonorTable:
    return DonorTable.of(made, made.request(setting).forget, seed=seed, distinct=distinct)


def lenders(made: OffsideDataset, **options: Any) -> dict[str, str]:
    """The donor's subject of each forgotten private record's picture, by subject."""
    table, rows = table_of(made, **options), made.request("complete").forget
    found = {row["subject_id"]: table.donors_of(row, 1)[0] for row in rows if row["scope"] == "private"}
    return {subject: donor.picture.subject_id for subject, donor in found.items()}


FOUR: Plan = {
    **{f"a{n}/forget": ("forget", f"Wrong Club {n}", BOTH) for n in range(4)},
    **{f"a{n}/own": ("retain", f"Own Club {n}", BOTH) for n in range(4)},
    **{f"b{n}/own": ("retain", f"Other Club {n}", BOTH) for n in range(4)},
}


def test_donors_depend_on_seed_and_picture_alone(tmp_path: Path) -> None:
    one = dataset(tmp_path / "one", FOUR)
    assert lenders(one) == lenders(dataset(tmp_path / "two", FOUR, backwards=True))
    assert any(lenders(one) != lenders(one, seed=seed) for seed in range(1, 4))
    fewer = {key: value for key, value in FOUR.items() if key != "a3/forget"}
    without = lenders(dataset(tmp_path / "three", fewer))
    assert without == {subject: donor for subject, donor in lenders(one).items() if subject != "a3"}


def test_a_further_retained_picture_takes_donors_from_nobody_else(tmp_path: Path) -> None:
    more: Plan = {**FOUR, "c/own": ("retain", "Late Club", BOTH)}
    one, other = dataset(tmp_path / "one", FOUR), dataset(tmp_path / "two", more)
    for seed in range(6):
        before, after = lenders(one, seed=seed), lenders(other, seed=seed)
        assert all(after[subject] in (donor, "c") for subject, donor in before.items())


def test_nobody_lends_to_themselves(tmp_path: Path) -> None:
    made = dataset(tmp_path / "made", FOUR)
    for seed in range(5):
        assert all(subject != donor for subject, donor in lenders(made, seed=seed).items())


def test_no_donor_has_the_forgotten_value(tmp_path: Path) -> None:
    """Compared as values: `FC` at either end doesn't tell two clubs apart."""
    plan: Plan = {
        "a/forget": ("forget", "Norvale Rovers", BOTH),
        "b/own": ("retain", "Norvale Rovers FC", BOTH),
        "c/own": ("retain", "Emberlin City", BOTH),
    }
    made = dataset(tmp_path / "made", plan)
    assert {lenders(made, seed=seed)["a"] for seed in range(8)} == {"c"}


def test_one_donor_serves_both_forms_of_all_claims(tmp_path: Path) -> None:
    made = dataset(tmp_path / "made", FOUR)
    rows = [*made.records("multimodal", "forget"), *made.records("text", "forget")]
    table = DonorTable.of(made, made.request("complete").forget, seed=0, distinct=False)
    for subject in ("a0", "a1", "a2", "a3"):
        donors = [table.donors_of(row, 1)[0] for row in rows if row["subject_id"] == subject]
        assert len({donor.picture.key for donor in donors}) == 1
        assert [donor.claim.form for donor in donors if donor.claim] == ["multimodal", "text"]


def test_distinct_donors_where_that_is_possible(tmp_path: Path) -> None:
    """Each of four has one of the four others, though the order in which they choose may leave one without."""
    plan: Plan = {
        **{f"a{n}/forget": ("forget", f"Wrong Club {n}", BOTH) for n in range(4)},
        "b0/own": ("retain", "Wrong Club 0", BOTH),  # Not for a0.
        "b1/own": ("retain", "Wrong Club 1", BOTH),
        "b2/own": ("retain", "Wrong Club 2", BOTH),
        "b3/own": ("retain", "Wrong Club 3", BOTH),
    }
    made = dataset(tmp_path / "made", plan)
    shared = 0
    for seed in range(10):
        assert len(set(lenders(made, seed=seed, distinct=True).values())) == 4
        shared += len(set(lenders(made, seed=seed).values())) < 4
    assert shared, "without the option some share"


def test_distinct_donors_are_found_by_making_others_change() -> None:
    b, c = DonorPicture("b", "b", None), DonorPicture("c", "c", None)
    options = {"p": [b, c], "q": [b]}
    found = assign(["p", "q"], lambda key: iter(options[key]), distinct=True)
    assert {key: donor.key for key, donor in found.items()} == {"p": "c", "q": "b"}


def test_too_few_donors_are_shared_evenly() -> None:
    b, c = DonorPicture("b", "b", None), DonorPicture("c", "c", None)
    found = assign(list("pqrs"), lambda _: iter([b, c]), distinct=True)
    assert sorted(donor.key for donor in found.values()) == ["b", "b", "c", "c"]


def test_a_shared_fact_is_lent_by_the_subjects_other_pictures(tmp_path: Path) -> None:
    plan: Plan = {
        "a/forget": ("forget", "Norvale Rovers", ("multimodal",)),
        "a/one": ("retain", "Kestrin City", ("multimodal",)),
        "a/two": ("retain", "Torrin Athletic", ("multimodal",)),
        "b/own": ("retain", "Emberlin City", ("multimodal",)),
    }
    made = dataset(tmp_path / "made", plan, shared=("a/forget", "a/two", "b/own"))
    for seed in range(4):
        table = table_of(made, seed=seed)
        for row in made.request("complete").forget:
            donor = table.donors_of(row, 1)[0]
            if row["scope"] == "shared":
                assert donor.picture.image_id == make_image_id("made", "a/two"), "it has a record of the fact"
                assert donor.claim is not None
            else:
                assert donor.picture.subject_id == "b"


def test_a_donor_without_the_attribute_lends_its_picture(tmp_path: Path) -> None:
    plan: Plan = {
        "a/forget": ("forget", "Norvale Rovers", ("multimodal",)),
        "a/own": ("retain", "Kestrin City", ("multimodal",)),
    }
    made = dataset(tmp_path / "made", plan, shared=("a/forget",))
    (row,) = (row for row in made.request("complete").forget if row["scope"] == "shared")
    (donor,) = table_of(made).donors_of(row, 1)
    assert donor.claim is None
    assert donor.picture.shown is not None
    assert donor.picture.image_id == make_image_id("made", "a/own")


def test_in_text_another_donor_helps_out(tmp_path: Path) -> None:
    plan: Plan = {
        "a/forget": ("forget", "Norvale Rovers", BOTH),
        **{f"b{n}/own": ("retain", f"Emberlin City {n}", ("multimodal",)) for n in range(4)},
        "c/own": ("retain", "Kestrin City", ("text",)),
    }
    made = dataset(tmp_path / "made", plan)
    table = table_of(made)
    seen = {row["modality"]: table.donors_of(row, 1)[0] for form in BOTH for row in made.records(form, "forget")}
    assert seen["multimodal"].picture.subject_id.startswith("b")
    assert seen["text"].picture.subject_id == "c"


@pytest.mark.parametrize(("form", "says"), [("multimodal", "pictures of other subjects"), ("text", "forms=asked")])
def test_no_donor_at_all_is_an_error_that_names_the_record(tmp_path: Path, form: str, says: str) -> None:
    lent = "text" if form == "multimodal" else "multimodal"
    plan: Plan = {
        "a/forget": ("forget", "Norvale Rovers", BOTH),
        "b/own": ("retain", "Norvale Rovers", BOTH),
        "c/own": ("retain", "Kestrin City", (lent,)),
    }
    made = dataset(tmp_path / "made", plan)
    (row,) = made.records(form, "forget")
    with pytest.raises(UsageError, match=rf"record {row['record_id']} \({form}, club, private\).*has 0.*{says}"):
        table_of(made).donors_of(row, 1)
