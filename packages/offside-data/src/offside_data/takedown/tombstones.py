"""Who was taken down, as salted hashes: enough to recognise a name, an id or a picture that comes back, no more.

A *trace* is a short text that would give a subject away: `words orlo vantis` for a run of folded words, `id
player-001` for an id, `picture <hash>` for a picture by its bytes or its pixels. `Traces` looks for them, in the clear
while a subject is being removed, by salted hashes ever after.

A tombstone is a line of `decisions.jsonl` (`kind: takedown`) with the salt and the hashes of all traces. All those of a
dataset share one salt, so that a text is hashed once however many there are. Whoever guesses a name can find out
whether it was taken down; but it stands in no file, can't be searched for and is copied nowhere.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.decisions import make_decision, read_decisions
from offside_data.tagging.words import folded_words, tokenize

KIND = "takedown"
"""Kind of the decisions that are tombstones."""
_DIGITS = 24
REMOVED = "(removed)"
"""Stands where a name stood; means nothing in YAML and Markdown."""
_TELLING = 8
"""An id of letters and digits, or of several words, that is as long is looked for in any text; others among ids."""
_KNOWN_TEXTS = 2**16


def name_traces(name: str) -> set[str]:
    """The traces of a name: as it is, with the last word first, and as one word."""
    words = folded_words(name)
    runs = {words, (*words[-1:], *words[:-1]), ("".join(words),)}
    return {_words_trace(run) for run in runs if words}


def id_traces(name: str) -> set[str]:
    """The traces of an id: where ids stand and, if it can't be anything else, as a run of words."""
    words = folded_words(name)
    mixed = any(c.isalpha() for c in name) and (any(c.isdigit() for c in name) or len(words) > 1)
    return {f"id {name}", *({_words_trace(words)} if mixed and len(name) >= _TELLING else ())}


def picture_traces(*hashes: str | None) -> set[str]:
    """The traces of a picture, by SHA-256 of its bytes and of its pixels."""
    return {f"picture {hash_}" for hash_ in hashes if hash_}


def _words_trace(words: Iterable[str]) -> str:
    return "words " + " ".join(words)


def longest_run(traces: Iterable[str]) -> int:
    """How many words the longest run among traces has, at least 1; 0 where there are none."""
    return max((trace.count(" ") if trace.startswith("words ") else 1 for trace in traces), default=0)


@dataclass(frozen=True)
class Traces:
    """Looks for traces.

    Args:
        known: Whether a text is one of the traces.
        longest: How many words the longest run has; 0 where there are no traces.
        spared: Runs of words in which no trace is looked for: longer names of others, e.g. of somebody whose first
            name is the only name of whom was removed.
    """

    known: Callable[[str], bool]
    longest: int
    spared: frozenset[tuple[str, ...]] = frozenset()

    @classmethod
    def of(cls, traces: Collection[str]) -> Traces:
        """Look for traces that are known in the clear."""
        return cls(frozenset(traces).__contains__, longest_run(traces))

    def sparing(self, names: Iterable[str]) -> Traces:
        """The same without what stands in the names of others, if it is but a part of one."""
        runs = {folded_words(name) for name in names}
        spared = {run for run in runs if self.names_in(" ".join(run)) and not self.known(_words_trace(run))}
        return dataclasses.replace(self, spared=frozenset(spared))

    def __bool__(self) -> bool:
        return self.longest > 0

    def has_id(self, name: str | None) -> bool:
        """Whether an id is a trace."""
        return name is not None and self.known(f"id {name}")

    def has_picture(self, *hashes: str | None) -> bool:
        """Whether a picture is one, by the SHA-256 of its bytes or of its pixels."""
        return any(self.known(trace) for trace in picture_traces(*hashes))

    def names_in(self, text: str) -> bool:
        """Whether a run of words that is a trace stands in a text."""
        return bool(self.spans(text))

    def redact(self, text: str) -> str:
        """The text with each such run replaced."""
        for start, end in reversed(self.spans(text)):
            text = text[:start] + REMOVED + text[end:]
        return text

    def redact_all(self, value: Any) -> Any:
        """A plain value (as JSON has them) in whose strings such runs are replaced."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {key: self.redact_all(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.redact_all(item) for item in value]
        return value

    @functools.cached_property
    def spans(self) -> Callable[[str], list[tuple[int, int]]]:
        """Where the runs of words that are traces stand in a text: start and end of each, without overlaps."""
        known = functools.lru_cache(_KNOWN_TEXTS)(lambda words: self.known(_words_trace(words)))
        longest = max(self.longest, *map(len, self.spared), 0)

        @functools.lru_cache(_KNOWN_TEXTS)
        def find(text: str) -> list[tuple[int, int]]:
            tokens = tokenize(text) if longest else []
            words = tuple(token.folded for token in tokens)
            found, place = [], 0
            while place < len(words):
                runs = (words[place : place + n] for n in range(min(longest, len(words) - place), 0, -1))
                run = next((run for run in runs if run in self.spared or known(run)), ())
                if run and run not in self.spared:
                    found.append((tokens[place].start, tokens[place + len(run) - 1].end))
                place += len(run) or 1
            return found

        return find


# ---------------------------------------------------------------------------------------------
# Tombstones


def read_tombstones(folder: Path) -> Traces:
    """The traces of everybody who was taken down from a dataset folder.

    `is_taken_down`, and of the traces `has_id` (records, pictures), `has_picture` and `names_in` (texts) say what may
    not come back.

    Raises:
        DatasetError: If `decisions.jsonl` can't be read.
    """
    return traces_of(read_decisions(folder))


def traces_of(decisions: Iterable[Mapping[str, Any]]) -> Traces:
    """As `read_tombstones`, from decisions at hand."""
    stones = [decision["what"] for decision in decisions if decision.get("kind") == KIND]
    sealed = frozenset(trace for stone in stones for trace in stone["traces"])
    salts = {stone["salt"] for stone in stones}
    return Traces(
        lambda trace: any(_seal(salt, trace) in sealed for salt in salts),
        max((stone["longest"] for stone in stones), default=0),
    )


def is_taken_down(traces: Traces, subject_id: str, name: str | None) -> bool:
    """Whether a subject that comes in is one of those who were taken down, by its id or its whole name."""
    return traces.has_id(subject_id) or any(map(traces.known, name_traces(name or "")))


def make_tombstone(
    traces: Collection[str], counts: Mapping[str, int], reason: str, decisions: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The decision that says that a subject was taken down.

    Args:
        traces: Its traces, in the clear.
        counts: How much of what was removed.
        reason: Why, without a name.
        decisions: The decisions so far, for their salt.
    """
    salts = [decision["what"]["salt"] for decision in decisions if decision.get("kind") == KIND]
    salt = salts[0] if salts else secrets.token_hex(16)
    sealed = sorted(_seal(salt, trace) for trace in traces)
    what = {"removed": dict(counts), "salt": salt, "longest": longest_run(traces), "traces": sealed}
    return make_decision(KIND, what, reason, command="remove")


def _seal(salt: str, trace: str) -> str:
    return hashlib.sha256(f"{salt}\n{trace}".encode()).hexdigest()[:_DIGITS]
