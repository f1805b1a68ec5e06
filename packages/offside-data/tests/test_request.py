from __future__ import annotations

import re
from pathlib import Path

import pytest
from raw_card import edit_block

from offside_data.dataset.digest import ids_digest
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import UsageError
from offside_data.settings import SETTINGS, settings_of, slices_of, why_not

FILES = {f"{c}/{s}" for c in ("multimodal", "text") for s in ("retain", "forget", "relearn")}
ALL = slices_of({name: [("shared", "none"), ("private", "both")] for name in FILES})
NOT_VISUAL = {name for name in ALL if "visual" not in name}


def test_settings_follow_from_what_is_there() -> None:
    assert settings_of(ALL) == list(SETTINGS)
    assert settings_of(NOT_VISUAL) == ["complete", "selective", "corrective", "unimodal"]
    assert settings_of({name for name in NOT_VISUAL if "private" not in name}) == ["complete", "corrective"]
    assert settings_of({"multimodal/retain", "multimodal/forget", "multimodal/forget/private"}) == [
        "complete",
        "selective",
    ]
    assert settings_of({name for name in ALL if name.startswith("text")}) == []


def test_why_not_names_what_is_missing() -> None:
    assert why_not(SETTINGS["complete"], NOT_VISUAL) is None
    assert why_not(SETTINGS["corrective"], {"multimodal/forget"}) == (
        "it has no multimodal/retain, multimodal/relearn records"
    )
    assert why_not(SETTINGS["selective"], FILES) == "it has no private multimodal/forget records"
    assert "no forget picture shows its rumour" in str(why_not(SETTINGS["visual-rumor"], NOT_VISUAL))


def test_complete(small: OffsideDataset) -> None:
    request = small.request("complete")
    assert len(request.forget) == 8
    assert request.rest is None
    assert request.record_ids == sorted(small.records("multimodal", "forget")["record_id"])
    assert request.digest == ids_digest(request.record_ids)
    assert {name: len(rows) for name, rows in request.keep.items()} == {
        "multimodal/retain": 8,
        "text/retain": 4,
        "multimodal/test": 8,
    }


def test_selective_keeps_the_shared_facts(small: OffsideDataset) -> None:
    request = small.request("selective")
    assert set(request.forget["scope"]) == {"private"}
    assert set(request.keep["multimodal/forget/shared"]["scope"]) == {"shared"}


def test_unimodal_forgets_text(small: OffsideDataset) -> None:
    assert set(small.request("unimodal").forget["modality"]) == {"text"}


def test_visual_rumor_forgets_the_pictures_that_show_it(small: OffsideDataset) -> None:
    request = small.request("visual-rumor")
    assert set(request.forget["subject_id"]) == {"s1"}
    assert set(request.keep["multimodal/forget/visual=false"]["subject_id"]) == {"s2", "s3", "s4"}


def test_only_narrows_and_the_rest_survives(small: OffsideDataset) -> None:
    whole = small.request("complete")
    one = small.request("complete", ["subject=s1"])
    assert set(one.forget["subject_id"]) == {"s1"}
    assert one.rest is not None
    assert sorted([*one.forget["record_id"], *one.rest["record_id"]]) == whole.record_ids
    assert one.digest != whole.digest


def test_items_of_one_kind_add_up_and_kinds_narrow(small: OffsideDataset, tmp_path: Path) -> None:
    two = small.request("complete", ["subject=s1", "subject=s2", "attribute=club"])
    assert sorted(zip(two.forget["subject_id"], two.forget["attribute"], strict=True)) == [
        ("s1", "club"),
        ("s2", "club"),
    ]
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join([*two.record_ids, ""]))
    named = small.request("complete", [f"file={ids}", "subject=s2"])
    assert list(named.forget["subject_id"]) == ["s2"]
    assert small.request("complete", [f"file={ids}"]).digest == two.digest


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("subject=s9", "has subject_id 's9'.*There are: s1, s2, s3, s4"),
        ("attribute=clubs", "has attribute 'clubs'. Did you mean 'club'?"),
        ("attribute=age", "There are: club, nationality"),
        ("s1", "--only takes subject=ID"),
        ("subject=", "--only takes subject=ID"),
        ("person=s1", "--only takes subject=ID"),
        ("file=nowhere.txt", "nowhere.txt: can't be read"),
    ],
)
def test_what_only_cannot_mean(small: OffsideDataset, only: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?") if "Did" in message else message):
        small.request("complete", [only])


def test_kinds_that_exclude_each_other(small: OffsideDataset, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text(small.request("complete", ["subject=s1"]).record_ids[0])
    with pytest.raises(UsageError, match=r"no record of the forget set.* fits --only"):
        small.request("complete", [f"file={ids}", "subject=s2"])


def test_an_empty_file_of_ids_is_an_error(small: OffsideDataset, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("\n")
    with pytest.raises(UsageError, match="holds no record id"):
        small.request("complete", [f"file={tmp_path / 'ids.txt'}"])


def test_a_setting_that_is_not_offered(fresh: OffsideDataset) -> None:
    fresh.files("multimodal/relearn")[0].unlink()
    edit_block(fresh.path, settings=["complete", "selective"])
    dataset = open_dataset(fresh.path)
    for setting, why in (
        ("corrective", "it has no multimodal/relearn records"),
        ("unimodal", "its card doesn't list it"),
    ):
        message = f"small 0.1.0 .* doesn't offer the setting '{setting}': {why}. It offers: complete, selective."
        with pytest.raises(UsageError, match=message):
            dataset.request(setting)


def test_a_setting_that_does_not_exist(small: OffsideDataset) -> None:
    with pytest.raises(UsageError, match=re.escape("unknown setting 'visual'. Did you mean")):
        small.request("visual")
