"""Pairs in an order in which few pictures have to be held at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

AT_ONCE = 400
"""Pictures of a block, about; each takes up to a quarter of a megabyte."""

Pair = tuple[int, int]


def blocks_of(pairs: Iterable[Pair], at_once: int = AT_ONCE) -> Iterator[list[Pair]]:
    """The pairs in blocks, those of few pictures in each; within a block they keep their order.

    Pictures that hang together, directly or over others, stand in one block. Where they are too many, they are cut
    into parts and each part is paired with each, so that a picture is read once for each part.

    Args:
        pairs: Pairs of pictures.
        at_once: How many pictures a block has; a block that can't be cut further has up to as many.
    """
    from scipy.cluster.hierarchy import DisjointSet

    pairs = list(pairs)
    together = DisjointSet({picture for pair in pairs for picture in pair})
    for pair in pairs:
        together.merge(*pair)
    part_of: dict[int, tuple[int, int]] = {}
    for number, group in enumerate(sorted(sorted(group) for group in together.subsets())):
        size = at_once // 2 if len(group) > at_once else at_once
        part_of.update((picture, (number, place // size)) for place, picture in enumerate(group))
    parts: dict[tuple[int, ...], list[Pair]] = {}
    for a, b in pairs:
        first, second = sorted((part_of[a], part_of[b]))
        parts.setdefault((*first, second[1]), []).append((a, b))
    block: list[Pair] = []
    held: set[int] = set()
    for key in sorted(parts):
        shown = {picture for pair in parts[key] for picture in pair}
        if block and len(held | shown) > at_once:
            yield block
            block, held = [], set()
        block += parts[key]
        held |= shown
    if block:
        yield block
