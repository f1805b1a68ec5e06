"""All pairs of hashes that differ in few bits, found exactly, in flat memory.

Two ways lead to the same pairs; `near_pairs` counts beforehand which one compares less. *Everything*: each hash
with each, block by block. *Bands* (multi-index hashing): hashes are cut into `m` bands; two that differ in at most
`radius` bits differ in at most `radius // m` bits in one of the bands, so only those that nearly share a band are
compared. On 100,000 hashes of 64 bits at radius 8, bands take an eighth of the time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from offside_data.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = (128, 2048)
"""Hashes by hashes of one block: what is written for it fits into a core's cache."""
_CHUNK = 1 << 20
"""Comparisons of one step of the bands."""
_BAND_BITS = 16
"""Widest band: there is a counter for each value it can have."""
_BAND_COST = 9.0
"""Time of a comparison in a band, in comparisons of the other way."""
_JOIN_COST = 10.0
"""The same of a hash in each join."""


class NearPairs(NamedTuple):
    """Some pairs: positions on the left and on the right, and in how many bits they differ; shape (pairs,) each."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    distance: NDArray[np.int64]


def pairs_within(left: Sequence[str], right: Sequence[str] | None, radius: int) -> list[tuple[int, int, int]]:
    """All pairs of hashes that differ in at most `radius` bits, sorted.

    Args:
        left: Hashes as hex digits, all of one length.
        right: Hashes to compare with; null compares `left` within itself, each pair once (`i < j`).
        radius: In bits.

    Returns:
        `(i, j, distance)`: positions in `left` and in `right` (or `left` again).

    Raises:
        UsageError: If the hashes differ in length, one isn't hex or `radius` is negative.
    """
    blocks = near_pairs(left, right, radius)
    return sorted(tuple(row) for block in blocks for row in zip(*(column.tolist() for column in block), strict=True))


def near_pairs(left: Sequence[str], right: Sequence[str] | None, radius: int) -> Iterator[NearPairs]:
    """As `pairs_within`, block by block and in no order, for when there may be many.

    Raises:
        UsageError: As `pairs_within`.
    """
    if radius < 0:
        raise UsageError(f"radius {radius}: give the number of bits that may differ, 0 or more.")
    _require_one_length([*left, *(right or ())])
    if not left or (right is not None and not right):
        return
    a = _bytes_of(left)
    b = a if right is None else _bytes_of(right)
    if radius < a.shape[1] * 8:
        bands = _best_bands(a, b, radius)
        if bands is not None:
            yield from _by_bands(a, b, radius, bands, within=right is None)
            return
    yield from _by_blocks(a, b, radius, within=right is None)


def _require_one_length(hashes: Sequence[str]) -> None:
    lengths = sorted({len(text) for text in hashes})
    if len(lengths) > 1 or any(length % 2 for length in lengths) or 0 in lengths:
        raise UsageError(
            f"hashes of {', '.join(map(str, lengths))} hex digits can't be compared; all must come from one algorithm."
        )


def _bytes_of(hashes: Sequence[str]) -> NDArray[np.uint8]:
    """Hashes as bytes, shape (hashes, digits / 2)."""
    import numpy as np

    try:
        return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)
    except ValueError as error:
        raise UsageError(f"not all hashes are hex digits: {error}.") from error


def _words_of(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes as 64-bit words, shape (hashes, words)."""
    import numpy as np

    padded = np.zeros((hashes.shape[0], -(-hashes.shape[1] // 8) * 8), np.uint8)
    padded[:, : hashes.shape[1]] = hashes
    return padded.view(np.uint64)


# ---------------------------------------------------------------------------------------------
# Each with each


def _by_blocks(a: NDArray[np.uint8], b: NDArray[np.uint8], radius: int, *, within: bool) -> Iterator[NearPairs]:
    import numpy as np

    left, right = _words_of(a), _words_of(b)
    rows, columns = _BLOCK
    differing = np.empty(_BLOCK, np.uint64)
    counts = np.empty(_BLOCK, np.uint8)
    for top in range(0, len(left), rows):
        for start in range(top // columns * columns if within else 0, len(right), columns):
            x, y = left[top : top + rows], right[start : start + columns]
            shape = (slice(len(x)), slice(len(y)))
            total = np.zeros((len(x), len(y)), np.uint16) if left.shape[1] > 1 else None
            for word in range(left.shape[1]):
                np.bitwise_xor(x[:, None, word], y[None, :, word], out=differing[shape])
                np.bitwise_count(differing[shape], out=counts[shape])
                if total is not None:
                    total += counts[shape]
            distances = counts[shape] if total is None else total
            if distances.min() <= radius:
                i, j = np.nonzero(distances <= radius)
                near = distances[i, j].astype(np.int64)
                i, j = i + top, j + start
                keep = i < j if within else slice(None)
                yield NearPairs(i[keep], j[keep], near[keep])


# ---------------------------------------------------------------------------------------------
# Bands


class _Band(NamedTuple):
    """Part of the bits of a hash: values on either side, and by which masks two values may differ."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    masks: list[int]
    size: int

    def comparisons(self) -> float:
        """How many pairs nearly share the band."""
        import numpy as np

        on_left = np.bincount(self.left, minlength=self.size)
        on_right = np.bincount(self.right, minlength=self.size)
        values = np.arange(self.size)
        return sum(float(on_left @ on_right[values ^ mask]) for mask in self.masks)


def _best_bands(a: NDArray[np.uint8], b: NDArray[np.uint8], radius: int) -> list[_Band] | None:
    """The cheapest cut into bands; null if comparing everything is cheaper."""
    share = 0.5 if a is b else 1.0  # Within one side, each pair is looked at once.
    best, cheapest = None, len(a) * len(b) * share
    bits = a.shape[1] * 8
    for number in range(max(2, bits // 64), bits // 4):
        width = min(bits // number, _BAND_BITS)
        flips = radius // number
        joins = number * sum(math.comb(width, k) for k in range(flips + 1))
        joining = joins * (len(a) + len(b)) * _JOIN_COST
        if joins * len(a) * len(b) / 2**width * share * _BAND_COST + joining < cheapest:
            bands = _cut(a, b, number, width, flips)
            cost = sum(band.comparisons() for band in bands) * share * _BAND_COST + joining
            if cost < cheapest:
                best, cheapest = bands, cost
    return best


def _cut(a: NDArray[np.uint8], b: NDArray[np.uint8], number: int, width: int, flips: int) -> list[_Band]:
    import numpy as np

    masks = [
        sum(1 << bit for bit in bits) for k in range(flips + 1) for bits in itertools.combinations(range(width), k)
    ]
    weights = 1 << np.arange(width)
    bits = a.shape[1] * 8
    on_left = np.unpackbits(a, axis=1)
    on_right = on_left if a is b else np.unpackbits(b, axis=1)
    starts = [band * bits // number for band in range(number)]
    return [
        _Band(on_left[:, s : s + width] @ weights, on_right[:, s : s + width] @ weights, masks, 1 << width)
        for s in starts
    ]


def _by_bands(
    a: NDArray[np.uint8], b: NDArray[np.uint8], radius: int, bands: list[_Band], *, within: bool
) -> Iterator[NearPairs]:
    import numpy as np

    left, right = _words_of(a), _words_of(b)
    flips = np.bitwise_count(np.array(bands[0].masks)).max()
    for place, band in enumerate(bands):
        # In the order of the band's values, hashes to be compared lie side by side in memory.
        by_left, by_right = np.argsort(band.left, kind="stable"), np.argsort(band.right, kind="stable")
        sorted_left, sorted_right = left[by_left], right[by_right]
        for i, j in _sharing(band.left[by_left], band.right[by_right], band, within=within):
            distance = np.bitwise_count(sorted_left[i] ^ sorted_right[j])
            distance = distance[:, 0] if distance.shape[1] == 1 else distance.sum(axis=1, dtype=np.int64)
            near = np.flatnonzero(distance <= radius)
            if not len(near):
                continue
            i, j, distance = by_left[i[near]], by_right[j[near]], distance[near].astype(np.int64)
            if within:
                i, j = np.minimum(i, j), np.maximum(i, j)
            for earlier in bands[:place]:  # A pair that an earlier band gave isn't given again.
                new = np.bitwise_count(earlier.left[i] ^ earlier.right[j]) > flips
                i, j, distance = i[new], j[new], distance[new]
            yield NearPairs(i, j, distance)


def _sharing(
    left: NDArray[np.int64], right: NDArray[np.int64], band: _Band, *, within: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of positions in sorted values that differ by one of the band's masks; within one side, each pair once."""
    import numpy as np

    counts = np.bincount(right, minlength=band.size)
    starts = np.cumsum(counts) - counts
    for mask in band.masks:
        partner = left ^ mask
        sizes = counts[partner]
        if within:
            sizes = np.arange(len(left)) - starts[left] if mask == 0 else np.where(left < partner, sizes, 0)
        ends = np.cumsum(sizes)
        first = 0
        while first < len(left):
            done = ends[first] - sizes[first]
            last = max(first + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
            repeats = sizes[first:last]
            i = np.repeat(np.arange(first, last), repeats)
            shift = starts[partner[first:last]] - (ends[first:last] - repeats - done)
            yield i, np.arange(len(i)) + np.repeat(shift, repeats)
            first = last
