from __future__ import annotations

import copy
import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard
from raw_card import edit_block

from offside_data.dataset.card import BLOCK, Card, read_identity, read_raw
from offside_data.dataset.card_block import CardIdentity
from offside_data.dataset.card_text import PURPOSE, SECTION_NAMES, write_sections
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import CardError
from offside_data.schema import SPLITS


@pytest.fixture
def card(small: OffsideDataset) -> Card:
    return copy.deepcopy(small.card)


def test_a_written_card_reads_back(card: Card, tmp_path: Path) -> None:
    card.save(tmp_path)
    again = Card.load(tmp_path)
    assert (again.block, again.data, again.body) == (card.block, card.data, card.body)
    assert Card.load(tmp_path / "README.md").text == card.text


def test_the_hub_understands_it(card: Card) -> None:
    hub = DatasetCard(card.text)
    assert hub.data.license == "cc0-1.0"
    assert hub.data.to_dict()["offside"] == json.loads(json.dumps(dataclasses.asdict(card.block)))
    assert card.body in hub.text


def test_properties(card: Card) -> None:
    assert (card.block.schema_version, card.name, card.version, card.block.parent) == (1, "small", "0.1.0", None)
    assert card.digest.startswith("sha256:")
    assert card.block.splits["text/forget"].records == 4
    assert "selective" in card.block.settings


def test_the_front_matter_has_what_people_look_for(card: Card) -> None:
    assert {
        "license",
        "language",
        "task_categories",
        "size_categories",
        "pretty_name",
        "tags",
        "configs",
        "dataset_info",
    } <= card.data.keys()
    assert [c["config_name"] for c in card.data["configs"]] == ["multimodal", "text", "subjects", "images"]
    assert [i["config_name"] for i in card.data["dataset_info"]] == [
        "images",
        "multimodal",
        "subjects",
        "text",
    ]


def test_the_prose_has_every_generated_section(card: Card) -> None:
    assert card.section_names() == list(SECTION_NAMES)
    for words in (
        "contains false claims on purpose",
        "| `multimodal` | `forget` | 8 | 4 | 4 |",
        "`visual-rumor`: Forget the pictures",
        'load_dataset("FOLDER or ORG/small", "multimodal", split="retain")',
        "What not to do",
        "Asking for removal",
        f"`small` 0.1.0, `{card.digest}`",
    ):
        assert words in card.body


def test_every_split_has_a_purpose() -> None:
    assert set(PURPOSE) == set(SPLITS)


def test_rewriting_leaves_a_person_s_prose_alone(card: Card) -> None:
    before, after = "Mine, above.\n\n", "\nMine, below.  \n\n* with a list\n"
    card.body = before + card.body + after
    card.block = dataclasses.replace(card.block, version="0.2.0")
    write_sections(card)
    assert card.body.startswith(before)
    assert card.body.endswith(after)
    assert "`small` 0.2.0" in card.body
    once = card.body
    write_sections(card)
    assert card.body == once


def test_a_missing_section_goes_to_the_end(card: Card) -> None:
    card.body = "Mine.\n"
    card.replace_sections({"notice": "Careful."})
    assert card.body == "Mine.\n\n<!-- offside:begin notice -->\nCareful.\n<!-- offside:end notice -->\n"


def test_backslashes_in_generated_text_are_text(card: Card) -> None:
    card.replace_sections({"notice": r"a \1 \g<0> b"})
    assert r"a \1 \g<0> b" in card.body


def test_windows_line_ends_and_marks_are_read(card: Card, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("\ufeff" + card.text, encoding="utf-8", newline="\r\n")
    again = Card.load(tmp_path)
    assert (again.block, again.data, again.body) == (card.block, card.data, card.body)


def test_front_matter_may_hold_a_rule_of_dashes(card: Card, tmp_path: Path) -> None:
    card.data["note"] = "a --- b"
    card.body = "text\n\n---\n\nmore\n"
    card.save(tmp_path)
    again = Card.load(tmp_path)
    assert (again.block, again.data, again.body) == (card.block, card.data, card.body)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# No front matter", "must start with YAML front matter"),
        ("---\na: [\n---\n", "isn't valid YAML"),
        ("---\n- a\n---\n", "must be a mapping"),
        ("---\nlicense: mit\n---\n", "no `offside:` block"),
        ("---\noffside: 3\n---\n", "no `offside:` block"),
    ],
)
def test_what_is_no_card(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.md"
    path.write_text(text)
    with pytest.raises(CardError, match=f"x.md: .*{message}"):
        Card.load(path)


def test_a_card_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match="can't be read as UTF-8"):
        Card.load(tmp_path)


GOOD = f"sha256:{'0' * 64}"
FACTS = {"records": 1, "subjects": 1, "images": 1, "digest": GOOD}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema_version", None, "schema_version': .*valid integer, got None"),
        ("schema_version", True, "schema_version': .*valid integer, got True"),
        ("schema_version", "1", "schema_version': .*valid integer, got '1'"),
        ("name", "a b", "name': must be a name without blanks and slashes, got 'a b'"),
        ("name", datetime.date(2026, 1, 2), "name': must be a name"),
        ("version", "1.0", "version': must be MAJOR.MINOR.PATCH, got '1.0'"),
        ("version", 1.0, "version': must be MAJOR"),
        ("digest", "sha256:12", "digest': must be sha256"),
        ("digest", None, "digest': must be sha256"),
        ("parent", {"version": "1.0.0"}, "parent.digest' is missing"),
        ("parent", "1.0.0", "parent': .*, got '1.0.0'"),
        ("parent", {"version": "1.0.0", "digest": GOOD, "by": 1}, "unknown key 'parent.by'"),
        ("taxonomy", "taxonomy.yaml", "taxonomy': .*, got 'taxonomy.yaml'"),
        (
            "taxonomy",
            {"file": "../../secret.yaml", "digest": GOOD},
            "taxonomy.file': must be a name without .* slashes",
        ),
        ("settings", ["total"], "settings.0': must be one of complete, .*, got 'total'"),
        ("settings", [["total"]], "settings.0': must be one of complete"),
        ("settings", None, "settings': .*, got None"),
        ("created_with", None, "created_with': .*, got None"),
        ("created_with", {"numpy": 2.0}, "created_with.numpy': .*, got 2.0"),
        ("created_with", {datetime.date(2026, 1, 2): "1"}, "can't be read: keys must be str"),
        ("splits", {}, "splits': .*at least 1 item"),
        ("splits", [], r"splits': .*, got \[\]"),
        (
            "splits",
            {"image/forget": FACTS},
            "splits.image/forget': must be CONFIG/SPLIT of multimodal, text and retain",
        ),
        ("splits", {"text/forget": {**FACTS, "records": "1"}}, "splits.text/forget.records': .*integer, got '1'"),
        ("splits", {"text/forget": {**FACTS, "records": True}}, "splits.text/forget.records': .*integer, got True"),
        ("splits", {"text/forget": {**FACTS, "images": -1}}, "splits.text/forget.images': .*, got -1"),
        ("splits", {"text/forget": {"records": 1}}, "splits.text/forget.digest' is missing"),
        ("splits", {"text/forget": 3}, "splits.text/forget': .*, got 3"),
        ("setings", [], "unknown key 'setings'. Did you mean 'settings'"),
    ],
)
def test_a_malformed_block_is_an_error(card: Card, tmp_path: Path, key: str, value: Any, message: str) -> None:
    card.save(tmp_path)
    edit_block(tmp_path, **{key: value})
    with pytest.raises(CardError, match=rf"README\.md: malformed card, block `offside:`: .*{message}") as caught:
        Card.load(tmp_path)
    assert str(caught.value).endswith(". Correct the card, or write the dataset again.")


def test_all_that_is_wrong_is_told_at_once(card: Card, tmp_path: Path) -> None:
    card.save(tmp_path)
    edit_block(tmp_path, name="a b", version="1", digest="", settings=["total"], parent={"version": "x"})
    with pytest.raises(CardError) as caught:
        Card.load(tmp_path)
    for key in ("name", "version", "digest", "settings.0", "parent.version", "parent.digest"):
        assert f"key '{key}'" in str(caught.value)


@pytest.mark.parametrize("version", [0, 2])
def test_another_schema_version_is_told_before_anything_else(card: Card, tmp_path: Path, version: int) -> None:
    card.save(tmp_path)
    edit_block(tmp_path, schema_version=version, taxonomy=None, pictures=[])
    message = f"offside.schema_version is {version}, this offside-data reads 1; a newer one .* `offside-data migrate`"
    with pytest.raises(CardError, match=message):
        Card.load(tmp_path)
    assert read_identity(tmp_path) == CardIdentity(
        schema_version=version, name="small", version="0.1.0", digest=card.digest
    )
    edit_block(tmp_path, digest="md5:1")
    with pytest.raises(CardError, match="key 'digest': must be sha256"):
        read_identity(tmp_path)


def test_keys_lie_in_one_order(card: Card, tmp_path: Path) -> None:
    card.save(tmp_path)
    front, _ = read_raw(tmp_path)
    assert list(front)[-1] == BLOCK
    assert list(front[BLOCK]) == [
        *("schema_version", "name", "version", "digest", "parent"),
        *("taxonomy", "splits", "settings", "created_with"),
    ]
    assert list(front[BLOCK]["splits"]["text/forget"]) == ["records", "subjects", "images", "digest"]


def test_a_good_card_has_no_issues(card: Card) -> None:
    assert card.validate() == []


@pytest.mark.parametrize("key", ["license", "language", "configs"])
def test_what_the_hub_wants_is_only_warned_about(card: Card, key: str) -> None:
    del card.data[key]
    assert [(f.severity, f.code, f.where) for f in card.validate()] == [("warning", "card-incomplete", key)]


def test_prose_behind_a_lost_marker_stays(card: Card) -> None:
    card.body = card.body.replace("<!-- offside:end load -->\n", "Mine.\n", 1)
    for _ in range(2):
        write_sections(card)
    assert "Mine." in card.body
    assert {*SECTION_NAMES} <= {*card.section_names()}
