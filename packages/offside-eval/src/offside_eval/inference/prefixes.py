"""Conversations that begin alike, packed into one row in which each beginning stands once.

Questions about one picture share the picture, answers to one question share the question, and answers in one sentence
share its first words. A row is the tree of these conversations, written out from its root: a token sees its ancestors
only, and its position is its place in its own conversation. So a row gives what each conversation alone would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from offside_data.vlm import Encoded
from offside_data.vlm.encode import IGNORED

if TYPE_CHECKING:
    from offside_eval.inference.asking import Item

ROOM = 192
"""About so many tokens stand in a row behind its picture. More would share no more than that picture, and attention to
what isn't seen costs the square of it."""

Leaf = tuple[int, ...]
"""Where in its row each token of an answer stands, the prompt's last token before them."""


@dataclass
class Row:
    """One tree of conversations.

    Args:
        first: The prompt that it began with.
        head: Its tokens up to the picture's last one; all of the row's prompts begin with them.
    """

    first: Encoded
    head: int
    tokens: list[int] = field(default_factory=list)
    extra: dict[str, list[int]] = field(default_factory=dict)
    depths: list[int] = field(default_factory=list)
    chains: list[tuple[int, int, int]] = field(default_factory=list)
    """Where tokens stand that follow each other: the first, the one behind the last, and which comes before (or -1)."""
    _next: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, tokens: Sequence[int], extra: dict[str, list[int]], at: int = -1) -> tuple[int, ...]:
        """Put tokens behind the one at `at`; tells where each stands."""
        places: list[int] = []
        for token in tokens:
            found = self._next.get((at, token))
            if found is None:
                break
            places.append(at := found)
        done, start, before = len(places), len(self.tokens), at
        if done < len(tokens):
            end = start + len(tokens) - done
            depth = self.depths[at] + 1 if at >= 0 else 0
            self.depths += range(depth, depth + end - start)
            self.chains.append((start, end, before))
            for place, token in zip(range(start, end), tokens[done:], strict=True):
                self._next[at, token] = at = place
            self.tokens += tokens[done:]
            for name, values in extra.items():
                self.extra.setdefault(name, []).extend(values[done : len(tokens)])
            places += range(start, end)
        return tuple(places)

    def add_item(self, item: Item) -> list[Leaf]:
        """Put a question and its answers in."""
        prompt = self.add(item.prompt.input_ids, item.prompt.extra)
        zeros = {name: [0] * max(map(len, item.answers)) for name in item.prompt.extra}
        return [(prompt[-1], *self.add(answer, zeros, prompt[-1])) for answer in item.answers]

    def encoded(self) -> Encoded:
        """As a collator takes it."""
        of = self.first
        labels = [IGNORED] * len(self.tokens)
        return Encoded(of.record_id, self.tokens, labels, len(self.tokens), self.extra, of.image, of.image_key)

    def sees(self) -> torch.Tensor:
        """Which tokens each sees, itself with them: shape (tokens, tokens), boolean."""
        n = len(self.tokens)
        seen = torch.zeros(n, n, dtype=torch.bool)
        for start, end, before in self.chains:
            if before >= 0:
                seen[start:end] = seen[before]
            seen[start:end, start:end] = torch.ones(end - start, end - start, dtype=torch.bool).tril()
        return seen


def in_rows(items: Sequence[Item], picture_token: int | None) -> tuple[list[Row], list[tuple[int, list[Leaf]]]]:
    """Pack questions with all of their answers.

    Args:
        items: The questions.
        picture_token: What stands in a prompt for a piece of its picture; null where there are no pictures.

    Returns:
        The rows, and for each question the number of its row and where its answers stand.
    """
    about: dict[tuple[str | None, tuple[int, ...]], list[int]] = {}
    for place, item in enumerate(items):
        ids = item.prompt.input_ids
        head = 0 if item.prompt.image_key is None else _head(ids, picture_token)
        about.setdefault((item.prompt.image_key, tuple(ids[:head])), []).append(place)
    rows: list[Row] = []
    found: dict[int, tuple[int, list[Leaf]]] = {}
    for (_, begun), places in about.items():
        for part in _parts([_size(items[place]) - len(begun) for place in places]):
            row = Row(items[places[0]].prompt, len(begun))
            found |= {places[nth]: (len(rows), row.add_item(items[places[nth]])) for nth in part}
            rows.append(row)
    return rows, [found[place] for place in range(len(items))]


def _size(item: Item) -> int:
    """Most tokens that a question takes with its answers."""
    return len(item.prompt.input_ids) + sum(map(len, item.answers))


def _parts(sizes: Sequence[int]) -> list[list[int]]:
    """Places in order, cut into rows of about the same size: what is shorter than the longest row is padding."""
    total = sum(sizes)
    n = max(1, round(total / ROOM))
    parts: list[list[int]] = [[] for _ in range(n)]
    before = 0
    for place, size in enumerate(sizes):
        parts[min(n - 1, (2 * before + size) * n // (2 * total or 1))].append(place)
        before += size
    return [part for part in parts if part]


def _head(ids: list[int], picture_token: int | None) -> int:
    """Tokens up to the picture's last one; all of them where it isn't known which these are."""
    known = picture_token is not None and picture_token in ids
    return len(ids) - ids[::-1].index(picture_token) if known and picture_token is not None else len(ids)
