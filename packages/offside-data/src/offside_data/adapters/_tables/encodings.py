"""Which encoding a text file is in: said, told by its first bytes, UTF-8, or guessed by the letters that it gives.

A wrong guess isn't seen for long: `Łukasz` becomes `£ukasz`, and that is a name like any other to a program. So a file
that is nearly UTF-8 is refused with the place of what isn't, and a guess says what it rests on. General detectors weigh
how often letters follow one another, for which a table of names is too short; here a letter counts if a language has
it, in a word where it can stand. `encodings.yaml` lists the encodings and the languages.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import yaml

from offside_data.errors import SourceError, UsageError

_PIECE = 2**20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks; those of UTF-32 first, for one of UTF-16 begins alike."""
_HALF_EMPTY = 0.3
"""Share of null bytes in one half of a file, odd or even places, that makes it UTF-16 without a mark."""
_BY_CHANCE = 0.2
"""Share of bytes above 127 that may look like UTF-8 by chance in a script of its own, such as Cyrillic."""
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_MOST_ODD = 20
"""A guess stands if one in so many characters is out of place: a table has more signs than are listed."""
_SAMPLE = 4_000
"""Different words with bytes above 127 that a guess looks at."""
_SHOWN = 4


class Encoding(NamedTuple):
    """How to read a file, and what a person should know about that."""

    name: str
    notes: tuple[str, ...] = ()


def encoding_of(path: Path, said: str = "", *, size: int = -1) -> Encoding:
    """The encoding of a text file, all of which can be read in it.

    Args:
        path: The file.
        said: The encoding that the user names; guessed if empty.
        size: Look at so many bytes alone; what they cut in two is left out.

    Raises:
        SourceError: If it can't be read in the encoding said, is nearly UTF-8, or nothing fits; says where.
        UsageError: If there is no such encoding.
    """
    if said:
        return _as_said(path, said, size)
    head = first_lines(path, _PIECE if size < 0 else size)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return _as_said(path, name, size)
    wide = _utf_16(head)
    if wide:
        return Encoding(wide, (f"read as {wide}, for every other byte is null; say --set encoding=… if that is wrong",))
    if _first_fault(path, "utf-8-sig", size) is None:
        return Encoding("utf-8-sig")
    return _guess(path, size)


def _as_said(path: Path, name: str, size: int) -> Encoding:
    try:
        codecs.lookup(name)
        "".encode(name)
    except LookupError as error:
        raise UsageError(f"there is no encoding {name!r}; usual ones: utf-8, cp1252, utf-16.") from error
    fault = _first_fault(path, name, size)
    if fault:
        other = "" if codecs.lookup(name) == codecs.lookup("utf-8-sig") else ", or say --set encoding=… as it is"
        raise SourceError(f"{path}: isn't {name}: {fault}. Save it in that encoding{other}.")
    return Encoding(name)


def _utf_16(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: of Latin text, every other byte is null."""
    shares = [head[half::2].count(0) / max(1, len(head[half::2])) for half in (0, 1)]
    if min(shares) > _HALF_EMPTY / 2:
        return None
    return "utf-16-be" if shares[0] > _HALF_EMPTY else "utf-16-le" if shares[1] > _HALF_EMPTY else None


# ---------------------------------------------------------------------------------------------
# Bytes


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """The bytes of a file, or its first lines alone."""
    if size >= 0:
        yield first_lines(path, size)
        return
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from error


def first_lines(path: Path, size: int) -> bytes:
    """The first `size` bytes of a file, without the line that they cut in two.

    Raises:
        SourceError: If it can't be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(size)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from error
    whole = head[: head.rfind(b"\n") + 1] if len(head) == size else head
    return whole or head


@dataclass(frozen=True, slots=True)
class _Fault:
    """The first byte that an encoding doesn't have, and where a person finds it."""

    byte: int
    line: int
    column: int
    near: str

    def __str__(self) -> str:
        return f"byte 0x{self.byte:02X} at line {self.line}, column {self.column} ({self.near})"


def _first_fault(path: Path, encoding: str, size: int) -> _Fault | None:
    """Where a file can't be read in an encoding; null if all of it can."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, here = 1, ""
    for data, final in _with_last(_pieces(path, size), whole=size < 0):
        held = decoder.getstate()[0]
        try:
            text = decoder.decode(data, final=final)
        except UnicodeDecodeError as error:
            before, byte = _around(held + data, error.start, encoding)
            lines = (here + before).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            after = (held + data)[error.start + 1 : error.start + 13].decode("ascii", "replace")
            near = f"after {lines[-1][-16:]!r}" if lines[-1] else f"before {after!r}"
            return _Fault(byte, line + len(lines) - 1, len(lines[-1]) + 1, near)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        line += text.count("\n")
        here = (here + text).rpartition("\n")[2]
    return None


def _with_last(pieces: Iterator[bytes], *, whole: bool) -> Iterator[tuple[bytes, bool]]:
    for piece in pieces:
        yield piece, False
    if whole:
        yield b"", True


def _around(data: bytes, start: int, encoding: str) -> tuple[str, int]:
    return data[:start].decode(encoding, "replace"), data[start] if start < len(data) else 0


# ---------------------------------------------------------------------------------------------
# Letters


_CJK = r"\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_EAST_ASIAN = re.compile(rf"[{_CJK}]")
_NOT_EAST_ASIAN = re.compile(rf"[^\u0000-\u007f\u3000-\u303f\uff01-\uff9f{_CJK}]|[a-z][{_CJK}]|[{_CJK}][a-z]")
"""A character of another script, or one of theirs within a Latin word."""


@dataclass(frozen=True, slots=True)
class _Letters:
    titles: Mapping[str, str]
    languages: Mapping[str, frozenset[str]]
    signs: frozenset[str]
    pairs: tuple[str, ...]
    inside: frozenset[str]
    never_last: frozenset[str]
    east_asian: tuple[str, ...]


@functools.cache
def _letters() -> _Letters:
    data = yaml.safe_load((resources.files(__package__) / "encodings.yaml").read_text(encoding="utf-8"))
    return _Letters(
        titles={item["name"]: item["title"] for item in data["encodings"]},
        languages={
            name: frozenset(letters) | frozenset(letters.upper()) for name, letters in data["languages"].items()
        },
        signs=frozenset(data["signs"]),
        pairs=tuple(data["pairs"]),
        inside=frozenset(data["inside"]),
        never_last=frozenset(data["never_last"]),
        east_asian=tuple(data["east_asian"]),
    )


@dataclass(slots=True)
class _Reading:
    """What a file says in an encoding.

    Args:
        name: The encoding.
        odd: How many characters stand where none of them can.
        letters: How often each letter above 127 stands there.
        signs: The same of signs.
        languages: Languages that have all of the letters between them, as few as can be.
        latin: Whether it is written in Latin letters.
    """

    name: str
    odd: int
    letters: Counter[str]
    signs: Counter[str]
    languages: tuple[str, ...]

    @property
    def latin(self) -> bool:
        return all(map(_is_latin, self.letters))

    def rank(self) -> tuple[int, int]:
        """How little sense it makes."""
        return self.odd, len(self.languages)


def _guess(path: Path, size: int) -> Encoding:
    """The encoding in which the letters of a file make sense, with what that rests on.

    Raises:
        SourceError: If it is nearly UTF-8, or makes sense in none.
    """
    words, rest, sequences, high = Counter[bytes](), Counter[bytes](), 0, 0
    for piece in _pieces(path, size):
        for line in piece.splitlines():
            if _HIGH.search(line):
                other = _SEQUENCE.sub(_without_letter, line)
                sequences += len(_SEQUENCE.findall(line)) - len(_SEQUENCE.findall(other))
                high += len(_HIGH.findall(other))
                if len(words) < _SAMPLE:
                    words.update(_in_context(line))
                    rest.update(_in_context(other))
    readings = [reading for name in _letters().titles if (reading := _read_in(name, words)) is not None]
    ranked = sorted(readings, key=_Reading.rank)
    # Not all words were looked at, and trying takes as long as reading the file.
    best = next((reading for reading in ranked if _first_fault(path, reading.name, size) is None), None)
    east_asian = _east_asian(path, size) if best is None or best.odd or len(best.languages) > 1 else []
    if east_asian:
        raise SourceError(
            f"{path}: is no UTF-8, and seems to be Chinese, Japanese or Korean: it can be read as "
            f"{', '.join(east_asian)}. Save it as UTF-8, or say with --set encoding=… which of these it is."
        )
    if sequences and (best is None or best.latin or sequences > _BY_CHANCE * (sequences + high)):
        likely = min(
            filter(None, (_read_in(name, rest) for name in _letters().titles)), key=_Reading.rank, default=None
        )
        raise SourceError(
            f"{path}: is nearly UTF-8: {sequences} of its characters are, but {_first_fault(path, 'utf-8-sig', size)} "
            "isn't. It seems to be cut off, or put together of files in two encodings: write that place anew, or, if "
            f"the file is no UTF-8 at all, say --set encoding={likely.name if likely else 'cp1252'}."
        )
    if best is None or best.odd * _MOST_ODD > best.letters.total() + best.signs.total():
        near = f" Nearest is {best.name} ({_letters().titles[best.name]})." if best else ""
        raise SourceError(
            f"{path}: is no UTF-8 ({_first_fault(path, 'utf-8-sig', size)}), and in no encoding that is known here its "
            f"letters make sense.{near} Save it as UTF-8, or say --set encoding=…, e.g. cp1252."
        )
    return Encoding(best.name, (_what_it_rests_on(best, readings, words),))


def _east_asian(path: Path, size: int) -> list[str]:
    """The encodings of Chinese, Japanese and Korean in which all characters above 127 are theirs and stand so."""
    head = first_lines(path, _PIECE if size < 0 else size)
    found = []
    for name in _letters().east_asian:
        try:
            text = head.decode(name)
        except UnicodeDecodeError:
            continue
        if _EAST_ASIAN.search(text) and not _NOT_EAST_ASIAN.search(text) and _first_fault(path, name, size) is None:
            found.append(name)
    return found


def _without_letter(sequence: re.Match[bytes]) -> bytes:
    """Nothing in place of a letter or sign in UTF-8; what else looks like one came about by chance: `É”`."""
    character = sequence[0].decode("utf-8", "replace")
    letters = _letters()
    known = character in letters.signs or any(character in own for own in letters.languages.values())
    return b"" if known else sequence[0]


def _in_context(line: bytes) -> Iterator[bytes]:
    """The words of a line that have bytes above 127, each with what stands before and after it."""
    for word in _WORD.finditer(line):
        yield line[max(0, word.start() - 1) : word.end() + 1]


def _read_in(name: str, words: Counter[bytes]) -> _Reading | None:
    """What words say in an encoding; null if it hasn't all of their bytes."""
    letters, signs, odd = Counter[str](), Counter[str](), 0
    for data, count in words.items():
        try:
            word = data.decode(name)
        except UnicodeDecodeError:
            return None
        for place, character in enumerate(word):
            if character < "\u0080":
                continue
            if character.isalpha() and character not in _letters().signs:
                letters[character] += count
                odd += count * _is_misplaced(word, place)
            else:
                signs[character] += count
                odd += count * _is_odd_sign(word, place)
    odd += sum(abs(signs[pair[0]] - signs[pair[1]]) for pair in _letters().pairs)
    chosen, unknown = _fewest_languages(letters)
    return _Reading(name, odd + unknown, letters, signs, chosen)


def _is_misplaced(word: str, place: int) -> bool:
    """Whether a letter stands where none does: beside a digit, a capital after a small one, in another script."""
    before, after = word[max(0, place - 1) : place], word[place + 1 : place + 2]
    if before.isdigit() or after.isdigit() or (word[place].isupper() and before.islower()):
        return True
    if word[place] in _letters().never_last and not after.isalpha():
        return True
    # Latin letters stand in no word of another script.
    return not _is_latin(word[place]) and any(one.isalpha() and _is_latin(one) for one in before + after)


def _is_latin(letter: str) -> bool:
    return letter < "\u0250"


def _is_odd_sign(word: str, place: int) -> bool:
    """Whether a character is no sign of a table, or stands in a word."""
    before, after = word[place - 1 : place] if place else "", word[place + 1 : place + 2]
    if word[place] not in _letters().signs:
        return True
    if word[place] in _letters().inside:
        return False
    return (before.isalpha() and after.isalpha()) or (after.isalpha() and after.islower() and word[place] in "£¥¢¡¿ªº")


def _fewest_languages(letters: Counter[str]) -> tuple[tuple[str, ...], int]:
    """A few languages that have all of some letters between them, and how many letters none has."""
    left, chosen = set(letters), list[str]()
    while left:
        share = {name: sum(letters[one] for one in left & own) for name, own in _letters().languages.items()}
        best = max(share, key=lambda name: share[name])
        explained = left & _letters().languages[best]
        if not explained:
            return tuple(chosen), sum(letters[one] for one in left)
        left -= explained
        chosen.append(best)
    return tuple(chosen), 0


def _what_it_rests_on(best: _Reading, readings: list[_Reading], words: Counter[bytes]) -> str:
    found = best.letters or best.signs
    shown = ", ".join(character for character, _ in found.most_common(_SHOWN))
    kind = f"letters of {' and '.join(best.languages)}" if best.letters else "signs"
    texts = {reading.name: [word.decode(reading.name) for word in words] for reading in readings}
    rivals = [
        reading.name
        for reading in readings
        if reading.rank() == best.rank() and texts[reading.name] != texts[best.name]
    ]
    odd = f"; {best.odd} of them stand where none should" if best.odd else ""
    instead = f" {', '.join(rivals)} would make sense, too." if rivals else ""
    return (
        f"isn't UTF-8; read as {best.name} ({_letters().titles[best.name]}), in which its other characters are {kind} "
        f"({shown}){odd}.{instead} If names look wrong, say --set encoding=… (e.g. cp1250, cp850, mac_roman)"
    )
