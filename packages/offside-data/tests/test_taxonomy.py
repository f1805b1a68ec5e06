from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from offside_data.errors import TaxonomyError
from offside_data.taxonomy import (
    Taxonomy,
    load_taxonomy,
    parse_taxonomy,
    shipped_taxonomies,
    shipped_taxonomy_text,
)

ONE = """
name: tiny
attributes:
  - name: post
    scope: private
    kind: name
    questions: ["Which post?"]
    text_questions: ["At {occasion}, which post did {subject} hold?"]
    answers: ["It was {value}."]
"""


def test_football_has_the_fourteen_attributes(taxonomy: Taxonomy) -> None:
    shared = ["name", "age", "position", "nationality", "birth_date", "height", "foot", "birth_place"]
    private = ["club", "previous_club", "transfer_date", "fee", "market_value", "trophies"]
    assert taxonomy.names("shared") == shared
    assert taxonomy.names("private") == private
    assert taxonomy.names() == shared + private


@pytest.mark.parametrize("name", shipped_taxonomies())
def test_shipped_taxonomies_are_complete(name: str) -> None:
    loaded = load_taxonomy(name)
    assert loaded.name == name
    for attribute in loaded.attributes:
        # A picture's name can't be asked for in a text question that already says it.
        assert bool(attribute.text_questions) == (attribute.name != "name"), attribute.name
        assert attribute.kind != "choice" or len(attribute.options) > 1


def test_looking_up(taxonomy: Taxonomy) -> None:
    assert taxonomy["fee"].kind == "amount"
    assert "fee" in taxonomy
    assert "shoe_size" not in taxonomy
    assert None not in taxonomy
    with pytest.raises(TaxonomyError, match=r"unknown attribute 'fe'. Did you mean 'fee'.*taxonomy\.yaml"):
        taxonomy["fe"]


def test_a_file_is_loaded_by_path(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(ONE)
    assert load_taxonomy(tmp_path / "t.yaml").names() == ["post"]
    assert load_taxonomy(str(tmp_path / "t.yaml")).subject_noun == "subject"


def test_unknown_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"unknown taxonomy 'footbal'. Did you mean 'football'"):
        load_taxonomy("footbal")
    with pytest.raises(TaxonomyError, match="unknown taxonomy"):
        shipped_taxonomy_text("../secrets")
    with pytest.raises(TaxonomyError, match=r"gone\.yaml: can't be read"):
        load_taxonomy(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (ONE, "a: [", "not valid YAML"),
        (ONE, "- 3", "must be a mapping with name"),
        (ONE, "attributes: [3]", "attribute 1: must be a mapping"),
        ("kind: name", "kindd: name", "unknown key 'kindd'. Did you mean 'kind'"),
        ("    kind: name\n", "", "'kind' is missing"),
        ('["Which post?"]', "[]", "'questions' is missing or empty"),
        ("scope: private", "scope: secret", "scope is 'secret'; allowed: shared, private"),
        ("name: post", "name: 2024", "the name 2024 is read as another thing than text; put it in quotes"),
        ("kind: name", "kind: colour", "kind is 'colour'; allowed: date"),
        ("{value}", "that", "answers must hold {value}, got 'It was that.'"),
        ("Which post?", "Which {post}?", "questions must hold no placeholder"),
        ("At {occasion}, w", "W", "text_questions must hold {occasion}, {subject}"),
        ("scope: private", "scope: shared", "text_questions must hold {subject}"),
        ("kind: name", "kind: count\n    plausible: 3", "plausible must be a mapping of least, most, small_change"),
        ("kind: name", "kind: count\n    plausible: {mst: 3}", "plausible must be a mapping"),
        ("kind: name", "kind: count\n    plausible: {most: many}", "plausible most must be a number, got 'many'"),
        ("kind: name", "kind: date\n    plausible: {most: soon}", "plausible most must be a day"),
        ("kind: name", "kind: name\n    plausible: {most: 3}", "values of kind name have no limits"),
    ],
)
def test_malformed_taxonomies_are_told_where(old: str, new: str, message: str) -> None:
    with pytest.raises(TaxonomyError, match=f"here: .*{message}"):
        parse_taxonomy(ONE.replace(old, new), where="here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in ("questions", "answers", "text_questions") for value in (7, True, {"a": 1}, [[1]])),
        *(("tolerance", value) for value in (None, True, [1], {}, "much", -1.5, float("nan"), 10**400)),
        *(("options", value) for value in (7, {"a": 1}, [3], [None], [[None]], [[[1]]])),
        *(("plausible", {"least": value}) for value in (None, [1], {}, "x", float("inf"))),
        *(("scope", value) for value in ([1], {}, 3)),
        *(("kind", value) for value in ([1], {}, True)),
        ("name", [1]),
        ("answers", ["It was {value"]),
        ("questions", ["}"]),
    ],
    ids=str,
)
def test_a_wrong_type_is_told_and_never_a_traceback(key: str, value: object) -> None:
    raw = yaml.safe_load(ONE)
    raw["attributes"][0]["kind"] = "count"
    raw["attributes"][0][key] = value
    with pytest.raises(TaxonomyError, match=rf"here: attribute 1.*{key}"):
        parse_taxonomy(yaml.safe_dump(raw), where="here")


def test_an_attribute_defined_twice() -> None:
    twice = ONE + ONE[ONE.index("  - name") :]
    with pytest.raises(TaxonomyError, match="'post' is defined 2 times"):
        parse_taxonomy(twice, where="here")
