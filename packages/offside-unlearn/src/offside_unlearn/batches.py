"""Batches: which records each step sees, and what the model is given.

The order is a pure function of the seed and the position, so a resumed training goes on exactly
where it was. A `Stream` never ends: forget and retain sets of different sizes are both cycled, each
in its own fresh order a pass, and every step has full batches of both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch

from offside_data.errors import RecordError, UsageError
from offside_data.figures import counted
from offside_data.progress import log, track
from offside_data.seeding import rng
from offside_data.vlm import Batch, Collator, Encoded, Encoder
from offside_data.vlm.encode import FROM_ROW, IGNORED


@dataclass(frozen=True)
class Side:
    """One batch of records, e.g. the forget half of a pair.

    Args:
        inputs: What `offside_data.vlm.forward` takes, always as a whole.
        record_ids: The records, in the order of the rows.
        tokens: What a sum over answer tokens is divided by.
        records: What a sum over records is divided by.

    `tokens` and `records` are the batch's own numbers, averaged over the micro-batches of one
    optimizer step: with them, accumulated micro-batches equal one big batch.
    """

    inputs: Batch
    record_ids: tuple[str, ...]
    tokens: float
    records: float

    def to(self, device: torch.device) -> Side:
        """The same batch on another device."""
        return Side(self.inputs.to(device), self.record_ids, self.tokens, self.records)


@dataclass(frozen=True)
class PairedBatch:
    """The batches of one micro-step: `forget`, `retain`, `refusal`, `alternative`, and `train` when fine-tuning."""

    sides: Mapping[str, Side]

    def side(self, name: str) -> Side:
        """The batch called `name`.

        Raises:
            KeyError: If the method didn't ask for it.
        """
        if name not in self.sides:
            raise KeyError(
                f"no {name!r} batch here: say so in the method's needs() (there is: {', '.join(self.sides)})"
            )
        return self.sides[name]

    @property
    def forget(self) -> Side:
        """Records to be forgotten, with their answers."""
        return self.side("forget")

    @property
    def retain(self) -> Side:
        """Records that must stay."""
        return self.side("retain")

    @property
    def refusal(self) -> Side:
        """The records of `forget`, each answered by a refusal."""
        return self.side("refusal")

    @property
    def alternative(self) -> Side:
        """The records of `forget`, each answered wrongly by one of its `perturbed_answers`."""
        return self.side("alternative")

    def to(self, device: torch.device) -> PairedBatch:
        """The same batches on another device."""
        return PairedBatch({name: side.to(device) for name, side in self.sides.items()})


@dataclass(frozen=True)
class Needs:
    """What a method reads besides the model, so that nothing is prepared that nobody reads.

    Args:
        forget: The forget batch with its own answers.
        retain: The retain batch.
        refusal: The forget batch with a refusal in place of each answer.
        alternative: The forget batch with one of its record's `perturbed_answers` in place of each answer.
        record_reference: Batches (`forget`, `refusal`, `alternative`) of whose answers the frozen log-probability is
            needed: a number a record.
        token_reference: Batches (`forget`, `retain`, `refusal`, `alternative`) for whose answer tokens the frozen
            model's whole distribution is needed.
        top_reference: Sides for whose answer tokens the frozen model's likeliest next tokens and the rest's mass will
            do (`TopLogprobs`): small enough to be stored at any vocabulary.
        top_k: How many likeliest tokens.
        retain_whole: Without `retain_slices`, keep all of the request's that training may see (shared facts of the same
            pictures, retained records of both forms, what `only` left out) and the general records; else only the
            retained records in the form of what is forgotten.
        retain_evenly: Each slice of what stays has the same share of the batches, whatever its size; else each record.
        frozen_model: The frozen model itself, inside `reference.frozen()`.
        blind: The records of `forget` and `retain` without their pictures besides: `forget_blind`, `retain_blind`.
    """

    forget: bool = True
    retain: bool = False
    refusal: bool = False
    alternative: bool = False
    record_reference: frozenset[str] = field(default_factory=frozenset)
    token_reference: frozenset[str] = field(default_factory=frozenset)
    top_reference: frozenset[str] = field(default_factory=frozenset)
    top_k: int = 128
    retain_whole: bool = False
    retain_evenly: bool = False
    frozen_model: bool = False
    blind: bool = False


class Stream:
    """An endless order of a set's records, each pass shuffled afresh.

    Records of one picture stay together, a few at a time, because a batch pays for each distinct
    picture once; these little groups are what is shuffled. Within a stretch of a few batches, groups
    of similar length then come together, because a batch pays for its longest record in every row.

    A step that begins in one pass and ends in the next holds no record twice either, unless the set is smaller than
    the step.

    Args:
        examples: The encoded records.
        seed: Same seed, same order.
        name: Sets of different names are shuffled independently.
        per_picture: How many questions of one picture stand together; 0 = all of them.
        batch: How many records an optimizer step takes.
        stretch: In how many records those of similar length come together; 1 = not at all.
    """

    def __init__(
        self,
        examples: Sequence[Encoded],
        *,
        seed: int,
        name: str,
        per_picture: int = 1,
        batch: int = 1,
        stretch: int = 1,
    ) -> None:
        self.size = len(examples)
        self.batch = batch
        self._seed, self._name, self._per_picture, self._stretch = seed, name, per_picture, stretch
        self._lengths = [len(example.input_ids) for example in examples]
        grouped: dict[str, list[int]] = {}
        for index, example in enumerate(examples):
            grouped.setdefault(example.image_key or f"record {index}", []).append(index)
        self._groups = list(grouped.values())
        self._latest: tuple[int, list[int]] = (0, self._shuffled(0))
        self.order = lru_cache(maxsize=2)(self._order)

    def _order(self, epoch: int) -> list[int]:
        """The record numbers of one pass, each once, none of a step that began in the pass before."""
        if not 1 < self.batch <= self.size:
            return self._shuffled(epoch)
        # The end of a pass decides on the start of the next one. In a large set that start is far from its own end,
        # so that only the pass before matters; in a small one all passes up to here do.
        is_large = self.size >= 3 * self.batch
        at, order = (epoch - 1, self._shuffled(epoch - 1)) if is_large and epoch else self._latest
        if at > epoch:
            at, order = 0, self._shuffled(0)
        while at < epoch:
            at += 1
            order = self._after(order, self._shuffled(at), epoch=at)
        self._latest = (at, order)
        return order

    def _after(self, before: list[int], order: list[int], *, epoch: int) -> list[int]:
        """A pass of which the records of the step that it shares with the one before are put off."""
        shared = epoch * self.size % self.batch
        last = set(before[self.size - shared :]) if shared else set()
        first = self.batch - shared
        taken = [i for i in range(first) if order[i] in last]
        free = (i for i in range(first, self.size) if order[i] not in last)
        order = list(order)
        for i in taken:
            other = next(free)  # There is one: the set holds all records of a step.
            order[i], order[other] = order[other], order[i]
        return order

    def _shuffled(self, epoch: int) -> list[int]:
        """The record numbers of one pass, each once."""
        random = rng(self._seed, self._name, "order", epoch)
        chunks: list[list[int]] = []
        for group in self._groups:
            members = random.sample(group, len(group))
            size = self._per_picture or len(members)
            chunks += [members[i : i + size] for i in range(0, len(members), size)]
        random.shuffle(chunks)
        ordered: list[int] = []
        for stretch in self._stretches(chunks):
            if self._stretch > 1:
                stretch.sort(key=self._longest, reverse=random.random() < 0.5)
            ordered += [index for chunk in stretch for index in chunk]
        return ordered

    def _stretches(self, chunks: list[list[int]]) -> Iterator[list[list[int]]]:
        stretch: list[list[int]] = []
        for chunk in chunks:
            stretch.append(chunk)
            if sum(map(len, stretch)) >= self._stretch:
                yield stretch
                stretch = []
        yield stretch

    def _longest(self, chunk: list[int]) -> int:
        return max(self._lengths[index] for index in chunk)

    def take(self, start: int, count: int) -> list[int]:
        """The record numbers at positions `start` to `start + count`, across passes."""
        taken: list[int] = []
        while len(taken) < count:
            epoch, offset = divmod(start + len(taken), self.size)
            taken += self.order(epoch)[offset : offset + count - len(taken)]
        return taken


class Interleaved:
    """Several streams taken in turn, one record of each: equal shares, however many records each has.

    Args:
        parts: The streams; their records are numbered one stream after the other.
    """

    def __init__(self, parts: Sequence[Stream]) -> None:
        self.parts = parts
        self.size = sum(part.size for part in parts)
        self._first = list(itertools.accumulate([0, *(part.size for part in parts[:-1])]))

    def take(self, start: int, count: int) -> list[int]:
        """The record numbers at positions `start` to `start + count`."""
        taken = [0] * count
        for turn, part in enumerate(self.parts):
            places = [place for place in range(count) if (start + place) % len(self.parts) == turn]
            if places:
                drawn = part.take((start + places[0]) // len(self.parts), len(places))
                for place, number in zip(places, drawn, strict=True):
                    taken[place] = self._first[turn] + number
        return taken


class ExampleSource:
    """Where the batches of one side come from.

    Args:
        examples: The encoded records.
        stream: Their order.
        batch_size: How many a micro-batch takes.
    """

    def __init__(self, examples: Sequence[Encoded], stream: Stream | Interleaved, batch_size: int) -> None:
        self.examples = examples
        self.stream = stream
        self.batch_size = batch_size
        self.answer_tokens = [sum(label != IGNORED for label in example.labels[1:]) for example in examples]


@dataclass(frozen=True)
class _Planned:
    epoch: int
    sides: dict[str, tuple[list[Encoded], float]]


class BatchPlan(torch.utils.data.Dataset[_Planned]):
    """All micro-batches of a training, by number.

    Item `i` is micro-batch `i % accumulation` of optimizer step `i // accumulation`. The records of
    a step depend on `batch_size * accumulation` only, however it is divided.

    Args:
        sources: Where each side's batches come from; the first one decides the epoch.
        steps: Optimizer steps.
        accumulation: Micro-batches a step.
        collator: Makes the model's inputs.
    """

    def __init__(
        self, sources: Mapping[str, ExampleSource], *, steps: int, accumulation: int, collator: Collator
    ) -> None:
        self.sources = dict(sources)
        self.steps = steps
        self.accumulation = accumulation
        self.collator = collator

    def __len__(self) -> int:
        """Number of micro-batches."""
        return self.steps * self.accumulation

    def __getitem__(self, number: int) -> _Planned:
        """The records of one micro-batch, not yet collated."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        step, part = divmod(number, self.accumulation)
        sides = {}
        for name, source in self.sources.items():
            size = source.batch_size
            indices = source.stream.take(step * size * self.accumulation, size * self.accumulation)
            tokens = sum(source.answer_tokens[i] for i in indices) / self.accumulation
            sides[name] = ([source.examples[i] for i in indices[part * size : (part + 1) * size]], tokens)
        first = next(iter(self.sources.values()))
        epoch = step * first.batch_size * self.accumulation // first.stream.size
        return _Planned(epoch, sides)

    def share_of(self, process: int, processes: int) -> Sequence[int]:
        """The numbers of the micro-batches that one of several processes takes: of each step as many as the others.

        Args:
            process: Which, from 0.
            processes: How many there are, a divisor of `accumulation`.
        """
        own = self.accumulation // processes
        starts = range(process * own, len(self), self.accumulation)
        return [number for start in starts for number in range(start, start + own)]

    def collate(self, planned: Sequence[_Planned]) -> PairedBatch:
        """Make the model's inputs of one item; a `DataLoader` of batch size 1 calls this."""
        (item,) = planned
        self.collator.set_epoch(item.epoch)
        return PairedBatch(
            {
                name: Side(
                    self.collator(examples),
                    tuple(e.record_id for e in examples),
                    tokens,
                    float(len(examples)),
                )
                for name, (examples, tokens) in item.sides.items()
            }
        )

    def batches(self) -> Iterator[PairedBatch]:
        """All micro-batches in order, collated."""
        for number in range(len(self)):
            yield self.collate([self[number]])

    def once(self, side: str, size: int) -> Iterator[Side]:
        """All records of a side once, in their own order, `size` at a time."""
        source = self.sources[side]
        self.collator.set_epoch(0)
        for start in range(0, len(source.examples), size):
            examples = source.examples[start : start + size]
            tokens = sum(source.answer_tokens[start : start + size])
            ids = tuple(example.record_id for example in examples)
            yield Side(self.collator(examples), ids, float(tokens), float(len(examples)))


def count_steps(records: int, *, batch_size: int, epochs: float, max_steps: int | None) -> int:
    """Optimizer steps that `epochs` passes over `records` take, or `max_steps` if that is given."""
    return max_steps if max_steps is not None else max(1, math.ceil(epochs * records / batch_size))


def say_cut(encoder: Encoder) -> None:
    """Say how many records were cut, if any: what was cut of an answer isn't learnt."""
    if encoder.n_cut:
        log(f"{counted(encoder.n_cut, 'record')} cut at max_length={encoder.max_length}, as asked for by cut_long.")


def encode_rows(
    encoder: Encoder,
    rows: Iterable[Mapping[str, Any]],
    what: str,
    *,
    answers: Mapping[str, str] | None = None,
    pictures: bool = True,
) -> list[Encoded]:
    """Encode records, with their own answers or those given by record id, and with their pictures or without.

    Raises:
        UsageError: If there are none.
        RecordError: If one can't be encoded; names it.
    """
    total = len(rows) if isinstance(rows, Sized) else None
    encoded = [
        encoder.encode(row, answer=answers[row["record_id"]] if answers else None, image=FROM_ROW if pictures else None)
        for row in track(rows, f"reading {what}", total=total)
    ]
    if not encoded:
        raise UsageError(f"there are no {what}: nothing to train on.")
    return encoded


def leave_out_first(example: Encoded, count: int) -> Encoded:
    """A record whose first `count` answer tokens count for nothing.

    Raises:
        RecordError: If it has no further one.
    """
    if count == 0:
        return example
    places = [place for place, label in enumerate(example.labels) if label != IGNORED]
    if len(places) <= count:
        raise RecordError(
            f"record {example.record_id}: its answer has {len(places)} tokens, and the first {count} are left out: "
            "none is left to learn from. Leave the record out."
        )
    labels = list(example.labels)
    for place in places[:count]:
        labels[place] = IGNORED
    return replace(example, labels=labels)
