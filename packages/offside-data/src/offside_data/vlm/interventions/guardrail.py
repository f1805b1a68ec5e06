"""A guardrail: prompts that concern certain subjects are put behind an instruction not to tell some things of them.

A prompt concerns a subject if its question names it (in any spelling, see `takedown.names`), or if its picture is near
one of the subject's by perceptual hash.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from offside_data import strict
from offside_data.errors import ModelError
from offside_data.images.hashing import hamming, perceptual_hash
from offside_data.strict import Strict
from offside_data.takedown.names import Traces, name_traces
from offside_data.vlm.intervention import Intervention
from offside_data.vlm.pictures import Recent, decode_picture, picture_key

ATTRIBUTES = "{attributes}"
"""Stands in an instruction for what isn't to be told."""
_KNOWN_PICTURES = 4096


@dataclass(frozen=True, kw_only=True)
class GuardedPicture(Strict):
    """A picture by its perceptual hash, and what isn't to be told of it."""

    hash: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GuardedSubject(Strict):
    """A subject.

    Args:
        names: What it is called; empty if questions that name it don't count.
        attributes: What isn't to be told where a question names it.
        pictures: Its pictures; empty if pictures don't count.
    """

    names: tuple[str, ...]
    attributes: tuple[str, ...]
    pictures: tuple[GuardedPicture, ...]


@dataclass(frozen=True, kw_only=True)
class _Content(Strict):
    template: str
    hash: str
    radius: int
    subjects: tuple[GuardedSubject, ...]


class Guardrail(Intervention):
    """An instruction, and whom it is about.

    Args:
        template: The instruction; `{attributes}` stands for what isn't to be told.
        hash: Name of the perceptual hash.
        radius: In how many bits the hash of a picture may differ from a guarded one's.
        subjects: Whom it is about.
    """

    kind: ClassVar[str] = "guardrail"
    instructs: ClassVar[bool] = True

    def __init__(self, template: str, hash: str, radius: int, subjects: tuple[GuardedSubject, ...]) -> None:
        self._content = _Content(template=template, hash=hash, radius=radius, subjects=subjects)
        self._traces = [
            Traces.of(set[str]().union(*(name_traces(name) for name in subject.names))) for subject in subjects
        ]
        self._hashes: Recent[str, str] = Recent(_KNOWN_PICTURES)

    def concerned(self, question: str, picture: bytes | None) -> tuple[str, ...]:
        """What isn't to be told in answer to a question: names of attributes; empty if it concerns nobody."""
        found: list[str] = []
        for subject, traces in zip(self._content.subjects, self._traces, strict=True):
            if traces and traces.names_in(question):
                found += subject.attributes
        if picture is not None and any(subject.pictures for subject in self._content.subjects):
            seen = self._hash(picture)
            for subject in self._content.subjects:
                for guarded in subject.pictures:
                    if hamming(seen, guarded.hash) <= self._content.radius:
                        found += guarded.attributes
        return tuple(dict.fromkeys(found))

    def instruction(self, question: str, picture: bytes | None) -> str | None:
        """The instruction for a question that concerns one of the subjects."""
        attributes = self.concerned(question, picture)
        return instruction_about(self._content.template, attributes) if attributes else None

    def to_json(self) -> dict[str, Any]:
        """Template, hash, radius and subjects."""
        return dataclasses.asdict(self._content)

    def _hash(self, picture: bytes) -> str:
        name = self._content.hash
        return self._hashes.get(
            picture_key(picture), lambda: perceptual_hash(name, decode_picture(picture, "of a question"))
        )


def instruction_about(template: str, attributes: tuple[str, ...]) -> str:
    """An instruction in words."""
    return template.replace(ATTRIBUTES, ", ".join(name.replace("_", " ") for name in attributes))


def read(content: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Guardrail:
    """Make a guardrail of what `to_json` gave.

    Raises:
        ModelError: If it doesn't fit.
    """
    told = strict.read(_Content, content, "guardrail", ModelError, remedy="Make the run again.")
    return Guardrail(told.template, told.hash, told.radius, told.subjects)
