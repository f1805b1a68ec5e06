"""Annotators' pseudonyms: the same for the same people, in a file of their own that `--force` leaves alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from offside_data.annotation.people import Annotator, KeyFile, people_of
from offside_data.dataset.replacing import replaced_files
from offside_data.errors import DatasetError


def person(user: str, email: str = "", server: str = "s", name: str = "") -> Annotator:
    return Annotator(server=server, user=user, email=email, name=name)


def test_the_same_people_keep_their_pseudonyms(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    assert [keys.pseudonym(person("7", "a@x")), keys.pseudonym(person("3")), keys.pseudonym(person("7", "a@x"))] == [
        "a1",
        "a2",
        "a1",
    ]
    keys.write_into(tmp_path)
    again = KeyFile(tmp_path)
    assert again.pseudonym(person("3")) == "a2"
    # Known by address on another server; the same number there is somebody else.
    assert again.pseudonym(person("99", "A@X", server="t")) == "a1"
    assert again.pseudonym(person("3", server="t")) == "a3"
    assert not KeyFile(tmp_path).changed


def test_names_go_from_comments(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    keys.pseudonym(person("1", "ana@example.com", name="Ana Curator"))
    keys.pseudonym(person("2", "bo@example.com", name="Bo"))
    told = "Ask ana curator, ANA@example.com; Bob stays, Analyse, too."
    assert keys.scrubber()(told) == "Ask a1, a1; Bob stays, Analyse, too."


def test_a_key_that_is_not_readable_is_not_replaced(tmp_path: Path) -> None:
    KeyFile(tmp_path).write_into(tmp_path)
    (tmp_path / ".offside/annotation/annotators.json").write_text("{")
    with pytest.raises(DatasetError, match="the same people would get other pseudonyms"):
        KeyFile(tmp_path)


def test_a_new_dataset_in_the_folder_leaves_the_key(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    keys.pseudonym(person("1"))
    keys.write_into(tmp_path)
    assert list(replaced_files(tmp_path)) == []


def test_users_as_a_server_lists_them() -> None:
    told = people_of([{"id": 4, "email": None, "first_name": "Bo", "last_name": ""}, {"email": "x"}, "odd"], "s")
    assert told == {"4": person("4", name="Bo")}


def test_a_changed_address_makes_nobody_else(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    ana = Annotator(server="s", user="7", email="ana@x", name="Ana Curator", joined="2026-01-01")
    assert keys.pseudonym(ana) == "a1"
    assert keys.pseudonym(dataclasses.replace(ana, email="ana.married@y")) == "a1"
    # The same number of another user: a server that was installed anew at the address.
    assert keys.pseudonym(dataclasses.replace(ana, email="bo@x", joined="2026-02-02")) == "a2"
    # The same name is nobody in particular.
    assert keys.pseudonym(dataclasses.replace(ana, user="8", email="other@x", joined="2026-01-03")) == "a3"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Jos\u00e9 Prado", "ask Jose\u0301 Prado", "ask a1"),
        ("\u674e\u660e", "\u674e\u660e\u8bf4\u9519\u4e86", "a1\u8bf4\u9519\u4e86"),
        ("Ben", "Ben bent it", "a1 bent it"),
        ("Ben", "ben is a mountain", "ben is a mountain"),
        ("Bo", "Bo knows", "Bo knows"),
        ("", "nothing", "nothing"),
        ("A.*", "A.* A. B", "a1 A. B"),
    ],
)
def test_names_of_every_kind_go(tmp_path: Path, name: str, text: str, found: str) -> None:
    keys = KeyFile(tmp_path)
    keys.pseudonym(person("1", name=name))
    assert keys.scrubber()(text) == found


def test_users_who_annotate_nothing_go_too(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    keys.pseudonym(person("1", "ana@example.com"))
    others = [person("1", "ana@example.com", name="Ana Curator"), person("2", "boss@example.com", name="Berta Boss")]
    assert keys.scrubber(others)("Berta Boss told Ana Curator, boss@example.com") == "somebody told a1, somebody"
