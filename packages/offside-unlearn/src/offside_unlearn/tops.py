"""Distributions of the frozen model, stored before training in files that a killed run goes on with.

A file holds those of some dozens of records. It appears whole or not at all, and always holds the same records,
computed in the same batches, so that a run that was killed half-way computes the other files and ends with the same
bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from offside_data.files import whole_file
from offside_data.vlm import Encoded, Output
from offside_data.vlm.logprobs import answer_mask
from offside_unlearn import losses
from offside_unlearn.losses import TopLogprobs

FOLDER = "distributions"
"""In the folder of the training."""
RECORDS_A_FILE = 64
_NAMES = ("logprobs", "indices", "rest", "gold", "targets")


def joined(parts: Sequence[TopLogprobs]) -> TopLogprobs:
    """The distributions of several records, one after the other."""
    indices = [part.indices for part in parts if part.indices is not None]
    return TopLogprobs(
        torch.cat([part.logprobs for part in parts]),
        torch.cat(indices) if indices else None,
        torch.cat([part.rest for part in parts]),
        torch.cat([part.gold for part in parts]),
        torch.cat([part.targets for part in parts]),
    )


def split(whole: TopLogprobs, counts: Sequence[int]) -> list[TopLogprobs]:
    """The distributions of single records, given each one's number of answer tokens."""
    sizes = list(counts)
    logprobs, rest, gold, targets = (
        torch.split(tensor, sizes) for tensor in (whole.logprobs, whole.rest, whole.gold, whole.targets)
    )
    indices = torch.split(whole.indices, sizes) if whole.indices is not None else [None] * len(sizes)
    return [TopLogprobs(*parts) for parts in zip(logprobs, indices, rest, gold, targets, strict=True)]


def repeats_of(examples: Sequence[Encoded]) -> int:
    """How many examples each record of a side has."""
    return len(examples) // len({example.record_id for example in examples})


@dataclass
class StoredSide:
    """The distributions of one side, some of them in files already.

    Args:
        files: The records of each file, by its path; null in place of paths keeps them in memory.
        top: How many likeliest tokens.
        repeats: Examples of each record, one after the other: of several the mean distribution is stored.
        by_record: What is there.
    """

    files: list[tuple[Path | None, Sequence[Encoded]]]
    top: int
    repeats: int = 1
    by_record: dict[str, TopLogprobs] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, examples: Sequence[Encoded], *, top: int, folder: Path | None, batch: int) -> StoredSide:
        """What earlier attempts left of a side.

        Args:
            name: Of the side.
            examples: All of its records.
            top: How many likeliest tokens.
            folder: Of the training; null keeps all in memory.
            batch: Examples of a pass, a multiple of those of a record: a file holds whole passes.
        """
        repeats = repeats_of(examples)
        size = batch * max(1, RECORDS_A_FILE // batch)
        chunks = [examples[start : start + size] for start in range(0, len(examples), size)]
        places = (folder / FOLDER / f"{name}-{number:05d}.safetensors" if folder else None for number in range(10**5))
        stored = cls(list(zip(places, chunks, strict=False)), top, repeats)
        for path, chunk in stored.files:
            if path is not None and path.is_file():
                stored._read(path, chunk)
        return stored

    def missing(self) -> list[Encoded]:
        """The records whose distributions are still to be computed: those of whole files."""
        return [e for _, chunk in self.files for e in chunk if chunk[0].record_id not in self.by_record]

    def add(self, part: Sequence[Encoded], output: Output) -> None:
        """Take what the frozen model says on one pass, and write each file that is complete."""
        counts = answer_mask(output.labels).sum(dim=1).tolist()
        targets = torch.split(output.labels[:, 1:][answer_mask(output.labels)], counts)
        logprobs = torch.split(losses.token_logprobs(output.logits, output.labels), counts)
        for start in range(0, len(part), self.repeats):
            same = logprobs[start : start + self.repeats]
            # One example is left as it is, to the bit.
            mean = same[0] if len(same) == 1 else torch.stack(same).logsumexp(0) - math.log(len(same))
            top = TopLogprobs.of_logprobs(mean, targets[start], self.top)
            self.by_record[part[start].record_id] = top.to(torch.device("cpu"))
        for path, chunk in self.files:
            if path is not None and chunk[-1].record_id == part[-1].record_id:
                self._write(path, chunk)

    def _write(self, path: Path, chunk: Sequence[Encoded]) -> None:
        records = self._records(chunk)
        parts = [self.by_record[record] for record in records]
        whole = joined(parts)
        tensors = {name: getattr(whole, name) for name in _NAMES if getattr(whole, name) is not None}
        tensors["counts"] = torch.tensor([len(part.gold) for part in parts])
        told = {"top": str(self.top), "records": json.dumps(records)}
        with whole_file(path) as partial:
            save_file(tensors, partial, metadata=told)

    def _records(self, chunk: Sequence[Encoded]) -> list[str]:
        return [example.record_id for example in chunk[:: self.repeats]]

    def _read(self, path: Path, chunk: Sequence[Encoded]) -> None:
        records = self._records(chunk)
        with safe_open(str(path), framework="pt") as content:
            told = content.metadata() or {}
            if told.get("top") != str(self.top) or json.loads(told.get("records", "[]")) != records:
                return  # Of another order of the data: computed again.
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - no mapping
        counts = tensors.pop("counts").tolist()
        whole = TopLogprobs(**{"indices": None, **tensors})
        self.by_record |= dict(zip(records, split(whole, counts), strict=True))
