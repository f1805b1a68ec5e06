"""Small files of a folder that anybody may have made: what isn't one is told, and never waited for or read on."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from offside_data.errors import FileError, TaxonomyError
from offside_data.limits import CARD, TEXT, all_limits
from offside_data.reading import read_small


def test_a_text_with_any_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffà\r\nb\rc\n".encode())
    assert read_small(file, encoding="utf-8-sig") == "à\nb\nc\n"


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    (tmp_path / "here").symlink_to("there")
    assert read_small(tmp_path / "here") == "x"


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a socket"])
def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "card"
    if kind == "a pipe":
        os.mkfifo(file)
    elif kind == "a device":
        file.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(file))
    with pytest.raises((FileError, OSError), match=f"{kind}, not a regular file" if kind != "a socket" else str(file)):
        read_small(file)


def test_the_limit_is_told_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "card"
    with file.open("wb") as stream:
        stream.truncate(CARD.most + 1)
    with pytest.raises(TaxonomyError, match=f"{file}: larger than 4 MiB, the most that is read of a card"):
        read_small(file, limit=CARD, error=TaxonomyError)
    assert len(read_small(file)) == CARD.most + 1 < TEXT.most


def test_what_is_no_text_and_no_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    with pytest.raises(FileError, match="UTF-8"):
        read_small(tmp_path / "a")
    with pytest.raises(FileError, match="null"):
        read_small(str(tmp_path / "a\0b"))
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        read_small(tmp_path)


def test_every_limit_is_in_the_guide() -> None:
    guide = Path(__file__).parents[3] / "docs" / "safety.md"
    text = guide.read_text(encoding="utf-8")
    assert [limit.of for limit in all_limits() if f"| {limit.of} | {limit} |" not in text] == []
