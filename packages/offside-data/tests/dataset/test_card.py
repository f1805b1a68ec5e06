from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard

from offside_data.dataset.card import Card
from offside_data.dataset.card_text import PURPOSE, SECTION_NAMES, write_sections
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import CardError
from offside_data.schema import SPLITS


@pytest.fixture
def card(small: OffsideDataset) -> Card:
    return Card(copy.deepcopy(small.card.data), small.card.body)


def test_a_written_card_reads_back(card: Card, tmp_path: Path) -> None:
    card.save(tmp_path)
    again = Card.load(tmp_path)
    assert (again.data, again.body) == (card.data, card.body)
    assert Card.load(tmp_path / "README.md").text == card.text


def test_the_hub_understands_it(card: Card) -> None:
    hub = DatasetCard(card.text)
    assert hub.data.license == "cc0-1.0"
    assert hub.data.to_dict()["offside"] == card.block
    assert card.body in hub.text


def test_properties(card: Card) -> None:
    assert (card.schema_version, card.name, card.version, card.parent) == (1, "small", "0.1.0", None)
    assert card.digest.startswith("sha256:")
    assert card.splits["text/forget"]["records"] == 4
    assert "selective" in card.settings


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
    card.block["version"] = "0.2.0"
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


def test_windows_line_ends_and_marks_are_read(card: Card) -> None:
    again = Card.parse("\ufeff" + card.text.replace("\n", "\r\n"))
    assert (again.data, again.body) == (card.data, card.body)


def test_front_matter_may_hold_a_rule_of_dashes(card: Card) -> None:
    card.data["note"] = "a --- b"
    card.body = "text\n\n---\n\nmore\n"
    again = Card.parse(card.text)
    assert (again.data, again.body) == (card.data, card.body)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# No front matter", "must start with YAML front matter"),
        ("---\na: [\n---\n", "isn't valid YAML"),
        ("---\n- a\n---\n", "no `offside:` block"),
        ("---\nlicense: mit\n---\n", "no `offside:` block"),
        ("---\noffside: 3\n---\n", "no `offside:` block"),
    ],
)
def test_what_is_no_card(text: str, message: str) -> None:
    with pytest.raises(CardError, match=f"x.md: .*{message}"):
        Card.parse(text, where="x.md")


def test_a_card_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match="can't be read as UTF-8"):
        Card.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema_version", 2, "this offside-data reads 1"),
        ("schema_version", None, "this offside-data reads 1"),
        ("name", "a b", "must be a name"),
        ("version", "1.0", "must be MAJOR"),
        ("version", 1.0, "must be MAJOR"),
        ("digest", "sha256:12", "must be sha256"),
        ("parent", {"version": "1.0.0"}, "must be null or"),
        ("taxonomy", "taxonomy.yaml", "must be {file, digest}"),
        (
            "taxonomy",
            {"file": "../../secret.yaml", "digest": f"sha256:{'0' * 64}"},
            "a file in the dataset's folder",
        ),
        ("settings", ["total"], "must be a list of complete"),
        ("settings", None, "must be a list of complete"),
        ("created_with", None, "must map package names"),
        ("splits", {}, "must map CONFIG/SPLIT"),
        (
            "splits",
            {"image/forget": {"records": 1, "subjects": 1, "images": 1, "digest": ""}},
            "must be CONFIG/SPLIT",
        ),
        ("splits", {"text/forget": {"records": "1"}}, "must hold the numbers"),
        ("splits", {"text/forget": 3}, "must hold the numbers"),
    ],
)
def test_a_malformed_block_is_an_error(card: Card, key: str, value: Any, message: str) -> None:
    card.block[key] = value
    assert any(f.severity == "error" and f.code == "card-malformed" for f in card.validate())
    with pytest.raises(CardError, match=rf"malformed card: offside\.{key}.*{message}"):
        card.require_valid()


def test_a_good_card_has_no_issues(card: Card) -> None:
    assert card.validate() == []


@pytest.mark.parametrize("key", ["license", "language", "configs"])
def test_what_the_hub_wants_is_only_warned_about(card: Card, key: str) -> None:
    del card.data[key]
    assert [(f.severity, f.code, f.where) for f in card.validate()] == [("warning", "card-incomplete", key)]
    card.require_valid()
