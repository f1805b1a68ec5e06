"""Names in texts: what gives a subject away, and how it is found however it is written.

A *trace* is a short text that gives a subject away: `name orlovantis` for a name or an id that can be nothing else,
`id player-001` for an id, `picture <hash>` for a picture by its bytes or its pixels. It doesn't matter where a name is
broken: the letters of neighbouring words are put together before they are compared (`key_of`), so that `Orlo Vantis`,
`@OrloVantis`, `orlo-vantis` and `Orlo Van-tis` are one. A short name, whose letters may
meet by chance, keeps its words.

*Near traces* (`initials`, `surname`, `typo`, `given`) tell what may be the name: a person has to look at it. So it is
with a name of one word (`alone`) that is written as the common word would be: *Will*, "he will join".

`Traces` looks for them, in the clear while a subject is being removed, by salted hashes ever after (`tombstones`).
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from offside_data.tagging.words import folded_words, tokenize
from offside_data.takedown.common_words import is_written_as_common
from offside_data.takedown.spelling import Word, letters, plain_words, views, words_of

REMOVED = "(removed)"
"""Stands where a name stood; means nothing in YAML and Markdown."""
NEAR_KINDS: Mapping[str, str] = {
    "initials": "initials beside a part of a name",
    "surname": "a surname, or the last part of a name, alone",
    "typo": "a name but for a letter",
    "ending": "a name with an ending",
    "word": "a name of one word, written as a common word is",
    "inside": "a name within a longer word",
}
"""What is no name for sure, in words."""
_NAMED = {"ending": "name"}
"""What is looked for of a kind that has no traces of its own."""
_JOINED_FROM = 7
"""Letters from which on a name is recognised wherever it is broken."""
_TELLING = 8
"""An id of letters and digits, or of several words, that is as long is looked for in any text; others among ids."""
_SURNAME_FROM = 4
_TYPO_FROM = 5
"""Letters of a surname that is looked for alone, or but for a letter."""
_CAPITAL_UP_TO = 5
"""A surname that is no longer may be a common word (Best, Young): alone, it counts if it is capitalised."""
_ENDING = 3
"""Letters that a name may have in its end besides: cases of Finnish, Polish, Russian, Turkish, …"""
_LONGEST_WORD = 64
_MOST_TRACES = 512
"""Of one name: enough for four words with two letters of other alphabets each."""
_KNOWN_TEXTS = 2**16
_SHORT_TEXT = 1_000
"""Characters of a text that is remembered."""


def key_of(words: Iterable[str]) -> str:
    """What is compared of a name: its letters; the words of a short one."""
    kept = list(words)
    joined = "".join(kept)
    return joined if len(joined) >= _JOINED_FROM else " ".join(kept)


def name_traces(name: str) -> set[str]:
    """The traces of a whole name, in any order and spelling; of one word, whether it may be a common one as well.

    A name that is given in lower case is meant so: a handle.
    """
    keys = {key for words in _written(name) for key in (*map(key_of, _orders(words)), "".join(words)) if key}
    kept = sorted(keys, key=lambda key: (len(key), key))[:_MOST_TRACES]
    kinds = ("name", "alone") if len(words_of(name)) == 1 and not name.islower() else ("name",)
    return {f"{kind} {key}" for key in kept for kind in kinds}


def near_traces(name: str) -> set[str]:
    """The traces of what may be a name."""
    found = set()
    particles = letters()["particles"]
    for words in itertools.islice(_written(name), 16):
        bare = [word for word in words if word not in particles] or list(words)
        surname, given = bare[-1], bare[:-1]
        whole = "".join(words)
        if given:
            initials = "".join(word[0] for word in given)
            for short in {given[0][0], initials}:
                for order in ([short, surname], [surname, short]):
                    found |= {f"initials {key_of(order)}"}
                found.add(f"given {short}")
            if len(given[0]) > 1:
                found.add(f"initials {key_of([given[0], surname[0]])}")
            found.add(f"given {given[0]}")
            if len(surname) >= _SURNAME_FROM:
                found.add(f"surname {surname}")
            if len(bare) < len(words) or len(bare) > 2:  # Without particles and middle names.
                found |= {f"initials {key_of(order)}" for order in ([given[0], surname], [surname, given[0]])}
            if len(surname) >= _TYPO_FROM:
                found |= {f"typo {text}" for text in _without_a_letter(surname)}
        if len(whole) >= _JOINED_FROM:
            found |= {f"typo {text}" for text in _without_a_letter(whole)}
    return found


def id_traces(name: str) -> set[str]:
    """The traces of an id: where ids stand and, if it can't be anything else, in any text."""
    words = folded_words(name)
    mixed = any(c.isalpha() for c in name) and (any(c.isdigit() for c in name) or len(words) > 1)
    return {f"id {name}", *({f"name {key_of(words)}"} if mixed and len(name) >= _TELLING else ())}


def picture_traces(*hashes: str | None) -> set[str]:
    """The traces of a picture, by SHA-256 of its bytes and of its pixels."""
    return {f"picture {hash_}" for hash_ in hashes if hash_}


def lengths_of(traces: Iterable[str]) -> dict[str, list[int]]:
    """How many letters the traces of each kind have that are looked for in texts."""
    found: dict[str, set[int]] = {}
    for trace in traces:
        kind, _, key = trace.partition(" ")
        if kind not in ("id", "picture"):
            found.setdefault(kind, set()).add(len(key.replace(" ", "")))
    return {kind: sorted(lengths) for kind, lengths in sorted(found.items())}


def _written(name: str) -> Iterator[tuple[str, ...]]:
    """The words of a name in all spellings, as the words of a text are told apart."""
    words: list[list[str]] = []
    for view in itertools.islice(views(name), 1):
        for word in words_of(view):
            if word.begins:
                words.append([""])
            words[-1] = [before + form for before in words[-1] for form in word.forms][:_MOST_TRACES]
    yield from itertools.islice((each for each in itertools.product(*words) if each), _MOST_TRACES)


def _orders(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The last words first: `Vantis, Orlo`, `van Tis, Orlo`."""
    for cut in range(len(words)):
        yield (*words[cut:], *words[:cut])


def _without_a_letter(word: str) -> set[str]:
    return {word[:place] + word[place + 1 :] for place in range(len(word))}


# ---------------------------------------------------------------------------------------------
# Looking for traces


@dataclass(frozen=True, slots=True)
class Hit:
    """Where something stands in a text, and what: a key of `NEAR_KINDS`, or `name` for a name or an id."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Traces:
    """Looks for traces.

    Args:
        known: Whether a text is one of the traces.
        lengths: How many letters those have that stand in texts, by their kind.
        before: How many words the longest run has of those made before names were put together; 0 if there are none.
        spared: Keys in which no trace is looked for: longer names of others, e.g. of somebody whose first name is the
            only name of whom was removed.
        spared_ids: Ids that are no trace any more, because something else has them now.
        exist: Whether there are any.
    """

    known: Callable[[str], bool]
    lengths: Mapping[str, Collection[int]] = field(default_factory=dict)
    before: int = 0
    spared: frozenset[str] = frozenset()
    spared_ids: frozenset[str] = frozenset()
    exist: bool = True

    @classmethod
    def of(cls, traces: Collection[str]) -> Traces:
        """Look for traces that are known in the clear."""
        return cls(frozenset(traces).__contains__, lengths_of(traces), exist=bool(traces))

    def sparing(self, names: Iterable[str]) -> Traces:
        """The same without what stands in the names of others, if it is but a part of one."""
        spared = set()
        for name in names:
            if self.search(name) and not self.is_name(name):
                spared |= {key_of(words) for words in itertools.islice(_written(name), 16)}
        return dataclasses.replace(self, spared=self.spared | spared)

    def sparing_ids(self, ids: Iterable[str]) -> Traces:
        """The same without some ids, wherever they stand."""
        some = frozenset(ids)
        keys = {key_of(words) for each in some for words in _written(each)}
        return dataclasses.replace(self, spared_ids=self.spared_ids | some, spared=self.spared | keys)

    def __bool__(self) -> bool:
        return self.exist

    @property
    def knows_near(self) -> bool:
        """Whether near traces are looked for, too."""
        return any(kind in NEAR_KINDS for kind in self.lengths)

    def is_name(self, name: str) -> bool:
        """Whether a text is a name as a whole."""
        words = folded_words(name)
        old = {words, (*words[-1:], *words[:-1]), ("".join(words),)} if self.before else ()
        return any(map(self.known, (*name_traces(name), *(f"words {' '.join(run)}" for run in old if run))))

    def has_id(self, name: str | None) -> bool:
        """Whether an id is a trace."""
        return name is not None and name not in self.spared_ids and self.known(f"id {name}")

    def has_picture(self, *hashes: str | None) -> bool:
        """Whether a picture is one, by the SHA-256 of its bytes or of its pixels."""
        return any(self.known(trace) for trace in picture_traces(*hashes))

    def names_in(self, text: str) -> bool:
        """Whether a name or an id stands in a text."""
        return bool(self.spans(text))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where names and ids stand in a text: start and end of each, without overlaps."""
        return [(hit.start, hit.end) for hit in self.search(text) if hit.kind == "name"]

    def redact(self, text: str, *, near: bool = False) -> str:
        """The text with each of them replaced, and with what may be a name, too, if `near`."""
        while found := [hit for hit in self.search(text) if near or hit.kind == "name"]:
            for hit in reversed(found):
                text = text[: hit.start] + REMOVED + text[hit.end :]
        return text

    def redact_all(self, value: Any, *, near: bool = False) -> Any:
        """A plain value (as JSON has them) in whose strings names are replaced."""
        if isinstance(value, str):
            return self.redact(value, near=near)
        if isinstance(value, dict):
            return {self.redact_all(key, near=near): self.redact_all(item, near=near) for key, item in value.items()}
        if isinstance(value, list):
            return [self.redact_all(item, near=near) for item in value]
        return value

    @functools.cached_property
    def search(self) -> Callable[[str], list[Hit]]:
        """Everything in a text, names and what is near one, in order, without overlaps."""
        searcher = _Searcher(self)
        again = functools.lru_cache(_KNOWN_TEXTS)(searcher.search)
        return lambda text: again(text) if len(text) <= _SHORT_TEXT else searcher.search(text)


class _Searcher:
    """Looks through texts, each run of neighbouring words whose letters may be those of a trace."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        # Whether a text is in a set is told faster than remembered; whether its hash is one, isn't.
        in_the_clear = isinstance(getattr(traces.known, "__self__", None), frozenset)
        self._known = traces.known if in_the_clear else functools.lru_cache(_KNOWN_TEXTS)(traces.known)
        self._genitives = frozenset(letters()["genitives"])
        self._spared = traces.spared
        self._probes = _probes(traces.lengths)
        spared_lengths = {len(key.replace(" ", "")) for key in traces.spared}
        self._longest = max([*self._probes, *spared_lengths], default=0)
        self._typos = {n for length in traces.lengths.get("typo", ()) for n in (length, length + 1, length + 2)}
        names = {length + 1 for length in traces.lengths.get("typo", ())}  # Other than ids, they have typos.
        self._names = sorted(n for n in names & {*traces.lengths.get("name", ())} if n >= _TELLING)
        longer = range(min(self._names) + 1, _LONGEST_WORD + 1) if self._names else ()
        self._odd = frozenset({*self._typos, *longer}) if traces.knows_near else frozenset()
        self._word = functools.lru_cache(_KNOWN_TEXTS)(self._look_at_word)

    def search(self, text: str) -> list[Hit]:
        found = [Hit(start, end, "name") for start, end in self._old_spans(text)]
        if self._longest:
            for view in views(text):
                lines = plain_words(view)
                if lines is None or any(map(self._may_hold, lines)):
                    words = words_of(view)
                    found += self._runs(words, view)
                    if self._traces.knows_near:
                        found += self._long_words(words)
        return [hit for hit in _without_overlaps(found) if hit.kind] if found else found

    def _may_hold(self, words: list[str]) -> bool:
        """Whether there may be anything in words of one spelling each; tells of most texts in little time that not."""
        known, probes, longest, odd = self._known, self._probes, self._longest, self._odd
        genitives = self._genitives
        for place, joined in enumerate(words):
            length = len(joined)
            if length in odd and self._word(joined):
                return True
            last = place
            while length <= longest:
                for kind, cut in probes.get(length, ()):
                    if cut and kind != "ending" and joined[-cut:] not in genitives:
                        continue
                    if length - cut < _JOINED_FROM:
                        key = " ".join(words[place : last + 1])
                        key = key[:-cut] if cut else key
                    elif cut:
                        key = joined[:-cut]
                    else:
                        key = joined
                    if known(f"{_NAMED.get(kind, kind)} {key}"):
                        return True
                last += 1
                if last == len(words):
                    break
                joined += words[last]
                length = len(joined)
        return False

    def _runs(self, words: list[Word], view: str) -> Iterator[Hit]:
        place, count = 0, len(words)
        while place < count:
            best = self._longest_run(words, place, view)
            if best is None:
                place += 1
                continue
            last, kind = best
            yield Hit(words[place].start, words[last].end, kind)
            # A near one may be the beginning of a name: `Tamsvik K. Tamsvik`.
            place = last + 1 if kind in ("", "name") else place + 1

    def _longest_run(self, words: list[Word], place: int, view: str) -> tuple[int, str] | None:
        """The last word of the longest run from a place that is a trace, and its kind; no kind if it is spared."""
        runs: list[tuple[str, str]] = [("", "")]
        best: tuple[int, str] | None = None
        for last in range(place, len(words)):
            word = words[last]
            gap = " " if word.begins and last > place else ""
            forms = word.forms
            if len(forms) == 1 and len(runs) == 1:
                joined, spaced = runs[0]
                runs = [(joined + forms[0], spaced + gap + forms[0])]
            else:
                runs = [
                    (joined + form, spaced + gap + form)
                    for joined, spaced in runs
                    for form in forms
                    if len(joined) + len(form) <= self._longest
                ][:_MOST_TRACES]
            if not runs or len(runs[0][0]) > self._longest:
                break
            whole = words[place].begins and (word.ends or _is_handle(words, last))
            for joined, spaced in runs:
                kind = self._kind(joined, spaced, len(forms[0]), whole)
                if kind == "name" and last == place and self._is_a_word(word, joined, view):
                    kind = "word"
                if kind is None or (best is not None and _rank(kind) > _rank(best[1])):
                    continue
                if not _is_common(kind, joined, view[words[place].start : word.end]):
                    best = last, kind
        return best

    def _kind(self, joined: str, spaced: str, tail: int, whole: bool) -> str | None:
        """What a run is, by its letters, the same with blanks between words, and the length of its last word."""
        length = len(joined)
        if self._spared and (joined if length >= _JOINED_FROM else spaced) in self._spared:
            return ""
        for kind, cut in self._probes.get(length, ()):
            if length - cut < _JOINED_FROM:
                if not whole:
                    continue
                key = spaced[:-cut] if cut else spaced
            else:
                key = joined[:-cut] if cut else joined
            if cut and (cut >= tail - 1 or (kind != "ending" and joined[-cut:] not in self._genitives)):
                continue
            if kind == "surname" and not whole:
                continue
            if self._known(f"{_NAMED.get(kind, kind)} {key}"):
                return kind
        return None

    def _is_a_word(self, word: Word, joined: str, view: str) -> bool:
        """Whether a name of one word is written as the common word that it may be, too: `young`, `Will he join?`."""
        if not (word.begins and word.ends and is_written_as_common(view, word.start, word.end)):
            return False
        cuts = (cut for cut in range(len(joined)) if not cut or joined[-cut:] in self._genitives)
        return any(self._known(f"alone {joined[: len(joined) - cut]}") for cut in cuts)

    # -----------------------------------------------------------------------------------------
    # Words by themselves

    def _long_words(self, words: list[Word]) -> Iterator[Hit]:
        """Words with a letter wrong, and such in which a name stands."""
        place = 0
        while place < len(words):
            last = place
            while not words[last].ends and last + 1 < len(words):
                last += 1
            text = "".join(word.forms[0] for word in words[place : last + 1])
            kind = self._word(text) if len(text) >= _TYPO_FROM else ""
            if (
                kind == "inside"
                or (kind == "typo" and len(text) > self._surname_typo)
                or (kind == "typo" and self._beside_given(words, place, last))
            ):
                yield Hit(words[place].start, words[last].end, kind)
            place = last + 1

    @functools.cached_property
    def _surname_typo(self) -> int:
        """No word is longer that is a surname but for a letter."""
        return max(self._traces.lengths.get("surname", ()), default=0) + 1

    def _beside_given(self, words: list[Word], first: int, last: int) -> bool:
        around = [words[place] for place in (first - 2, first - 1, last + 1) if 0 <= place < len(words)]
        return any(self._known(f"given {form}") for word in around for form in word.forms)

    def _look_at_word(self, word: str) -> str:
        if len(word) in self._typos:
            shorter = _without_a_letter(word)
            if self._known(f"typo {word}") or any(
                self._known(f"{kind} {text}") for text in shorter for kind in ("typo", "surname", "name")
            ):
                return "typo"
        if len(word) <= _LONGEST_WORD and sum(map(str.isdigit, word)) * 4 <= len(word):  # Else it is a hash.
            for length in self._names:
                for start in range(len(word) - length + 1 if len(word) > length else 0):
                    if self._known(f"name {word[start : start + length]}"):
                        return "inside"
        return ""

    # -----------------------------------------------------------------------------------------
    # Tombstones from before

    def _old_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Runs of words by traces as they were made first: folded words with blanks between them."""
        longest = self._traces.before
        tokens = tokenize(text) if longest else []
        words, place = [token.folded for token in tokens], 0
        while place < len(words):
            for n in range(min(longest, len(words) - place), 0, -1):
                if self._known(f"words {' '.join(words[place : place + n])}"):
                    if key_of(words[place : place + n]) not in self._spared:
                        yield tokens[place].start, tokens[place + n - 1].end
                    place += n - 1
                    break
            place += 1


def _is_handle(words: list[Word], last: int) -> bool:
    """Whether nothing but a number follows in the same word: `Rodri16`."""
    number = words[last + 1]  # There is one: the word goes on.
    return len(words[last].forms[0]) >= _SURNAME_FROM and number.ends and number.forms[0].isdigit()


def _is_common(kind: str, joined: str, text: str) -> bool:
    """Whether everyday words may look like that: `a vest`, for A. Vest."""
    alone = (kind == "surname" and len(joined) <= _CAPITAL_UP_TO) or (kind == "initials" and not text[1:2].isalnum())
    return alone and text[0].islower()


def _probes(lengths: Mapping[str, Collection[int]]) -> dict[int, tuple[tuple[str, int], ...]]:
    """By the letters of a run: which kinds of traces it may be, and how many letters of its end are no part of it."""
    found: dict[int, list[tuple[str, int]]] = {}
    longest = max(map(len, letters()["genitives"]))
    for kind in ("name", "initials", "surname"):
        for length in lengths.get(kind, ()):
            for cut in range(longest + 1):
                found.setdefault(length + cut, []).append((kind, cut))
    for length in {length + 1 for length in lengths.get("typo", ())} & {*lengths.get("name", ())}:
        for cut in range(1, _ENDING + 1):
            if length >= _JOINED_FROM:
                found.setdefault(length + cut, []).append(("ending", cut))
    return {length: tuple(sorted(probes, key=lambda probe: _rank(probe[0]))) for length, probes in found.items()}


def _rank(kind: str) -> int:
    """What counts more stands first."""
    return ["", "name", "initials", "ending", "surname", "word", "typo", "inside"].index(kind)


def _without_overlaps(hits: Iterable[Hit]) -> list[Hit]:
    kept: list[Hit] = []
    for hit in sorted(set(hits), key=lambda hit: (_rank(hit.kind), hit.start - hit.end, hit.start)):
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.start)
