from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hidden_plants import PLANTS
from takedown_plants import LIMIT, NAME, Plant

from offside_data.takedown.names import Traces, id_traces, name_traces, near_traces
from offside_data.takedown.proof import judge_by
from offside_data.takedown.search import Clue, FolderSearch

TRACES = Traces.of(name_traces(NAME) | near_traces(NAME) | id_traces("kt"))
READ_AT_ONCE = ("readers._base", "readers.database")


@pytest.fixture(scope="module")
def small_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for module in READ_AT_ONCE:
            patched.setattr(f"offside_data.takedown.{module}.MAX_BYTES", LIMIT)
        yield


@pytest.fixture(scope="module")
def found(small_limit: None, tmp_path_factory: pytest.TempPathFactory) -> list[Clue]:
    """What a search finds in a folder of all plants."""
    folder = tmp_path_factory.mktemp("plants") / "data"
    folder.mkdir()
    for plant in PLANTS:
        plant.write(folder / plant.name)
    return search(folder)


def search(folder: Path) -> list[Clue]:
    return list(FolderSearch(TRACES, judge_by(TRACES)).folder(folder))


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.name for plant in PLANTS])
def test_what_was_planted_is_found_or_listed(found: list[Clue], plant: Plant) -> None:
    if plant.name.endswith(".pdf"):
        pytest.importorskip("pypdf")
    starts = (plant.name, f"{plant.name}:", f"{plant.name}/")
    sorts = {f.sort for f in found if f.where == plant.name or f.where.startswith(starts[1:])}
    assert next((sort for sort in ("left", "near", "unread") if sort in sorts), "clean") == plant.owed


def test_messages_name_nobody(found: list[Clue]) -> None:
    assert not [finding.what for finding in found if TRACES.search(finding.what)]


def test_places_lead_there(found: list[Clue]) -> None:
    places = {finding.where for finding in found}
    assert {
        *("form_genitive.txt:2", "broken.jsonl:2", "nested.zip: b.zip: a.txt:1", "struct.parquet: a.b.c, row 1"),
        *("notes.db: table t, row 1", "second_comment.jpg: metadata of the picture", "folder/Kjell Tamsvik.txt"),
    } <= places


def test_a_folder_that_can_not_be_read_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("offside_data.takedown.search.os.scandir", scandir)
    assert search(tmp_path) == [Clue("unread", "closed", "a folder that can't be read: Permission denied.")]


def test_a_file_that_can_not_be_read_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed.txt").write_text("x")
    monkeypatch.setattr(
        "offside_data.takedown.readers._base.Blob.open", lambda self: (_ for _ in ()).throw(PermissionError(13, "No"))
    )
    assert {finding.sort for finding in search(tmp_path)} == {"unread"}


def test_a_history_is_not_searched_and_said_so(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "log").write_text(NAME)
    assert [(finding.sort, finding.where) for finding in search(tmp_path)] == [("unread", ".git")]


def test_links_within_the_folder_are_no_gap(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").symlink_to("a.txt")
    (tmp_path / "c.txt").hardlink_to(tmp_path / "a.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert search(tmp_path) == []


def test_many_places_are_counted(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{NAME}\n" * 100)
    found = search(tmp_path)
    assert len(found) == 21
    assert found[-1] == Clue("left", "list.txt", "and 80 more of this sort.")


def test_a_bomb_of_many_files_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from takedown_plants import zipped

    monkeypatch.setattr("offside_data.takedown.readers._base.Allowance.__init__.__defaults__", (1000, 3, 6))
    (tmp_path / "many.zip").write_bytes(zipped(*((f"{n}.txt", str(n)) for n in range(9))))
    (tmp_path / "big.zip").write_bytes(zipped(("a.txt", "a" * 5000)))
    assert [(f.sort, f.where) for f in search(tmp_path)] == [("unread", "big.zip"), ("unread", "many.zip")]


def test_a_text_that_goes_on_as_something_else_is_listed(tmp_path: Path) -> None:
    (tmp_path / "installer.sh").write_bytes(b"echo unpacking\n" * 300 + bytes(range(256)) * 20)
    assert [(f.sort, f.where) for f in search(tmp_path)] == [("unread", "installer.sh")]


def test_a_folder_of_ours_may_be_a_link_to_a_larger_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.txt").write_text(NAME)
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "data").symlink_to(tmp_path / "disk")
    (folder / "other").symlink_to(tmp_path / "disk")
    assert [(f.sort, f.where) for f in search(folder)] == [("unread", "other"), ("left", "data/a.txt:1")]


@pytest.mark.parametrize(
    ("name", "text", "encodings"),
    [
        ("Иван Кружалов", "Вчера {} забил гол.", "koi8-r cp866 iso8859-5 mac-cyrillic cp1251"),
        ("Νίκος Βαρδάκης", "Χθες ο {} έπαιξε.", "cp1253 iso8859-7"),
        ("Çağrı Şımarık", "Dün {} gol attı.", "cp1254 iso8859-9"),
        ("דוד כהנוביץ", "אתמול {} שיחק.", "cp1255 iso8859-8"),
        ("محمد الخضري", "سجل {} هدفا.", "cp1256 iso8859-6"),
        ("Łukasz Żółwiński", "Wczoraj {} strzelił.", "cp1250 cp852"),
        ("王小明", "昨天{}来了。", "gb18030 gbk"),
        ("王小明", "昨天{}去了。", "big5"),
        ("山田太郎", "昨日{}が来た。", "shift_jis euc-jp iso2022_jp"),
        ("김민수", "어제 {} 선수.", "cp949 euc-kr"),
    ],
)
def test_names_in_the_encodings_of_their_languages(tmp_path: Path, name: str, text: str, encodings: str) -> None:
    for encoding in encodings.split():
        (tmp_path / f"{encoding}.txt").write_bytes(text.format(name).encode(encoding))
    search = FolderSearch(Traces.of(name_traces(name)), lambda sha256, data: None)
    found = {clue.where.partition(":")[0] for clue in search.folder(tmp_path) if clue.sort == "left"}
    assert found == {f"{encoding}.txt" for encoding in encodings.split()}


@pytest.mark.parametrize(
    ("name", "text"),
    [("דוד כהן", "דָּוִד כֹּהֵן"), ("محمد الخضري", "مُحَمَّد الخُضَري"), ("محمد الخضري", "محمـــد الخضري"), ("王小明", "王・小明")],
)
def test_vowel_signs_and_what_stretches_a_name_do_not_count(name: str, text: str) -> None:
    assert Traces.of(name_traces(name)).names_in(text)
