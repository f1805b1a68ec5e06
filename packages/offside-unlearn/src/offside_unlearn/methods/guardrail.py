"""Guardrail: tell the model not to tell, wherever a question or its picture concerns those who are to be forgotten.

No weights are changed. A prompt concerns a subject if its question names it, or if its picture is near one of the
pictures to be forgotten; then an instruction comes before it, as the system's turn where the chat template has one,
that lists which attributes aren't to be told. Every other prompt is left alone.

`p(y|x) = p0(y | instruction(a(x)), x)` with `a(x)` the attributes to be forgotten of all that `x` concerns; without
any, `p = p0`.

Paper: Thaker et al., Guardrail Baselines for Unlearning in LLMs; the idea to unlearn by context is from Pawelczyk et
al., In-Context Unlearning (2310.07579). Built from a summary, not checked against the paper. Deviations: names are
matched by spelling and pictures by perceptual hash, where a deployed filter may ask a model; there are no examples with
other labels in the context, and answers aren't filtered; the instruction's words are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from offside_data.errors import UsageError
from offside_data.images.hashing import HASHES, perceptual_hash, require_radius
from offside_data.plugins import unknown_name_message
from offside_data.progress import log, track
from offside_data.tagging.words import contains, folded_words
from offside_data.vlm.interventions.guardrail import (
    ATTRIBUTES,
    GuardedPicture,
    GuardedSubject,
    Guardrail,
    instruction_about,
)
from offside_data.vlm.pictures import decode_picture, picture_bytes
from offside_unlearn.methods import (
    BatchPlan,
    InterveningMethod,
    MethodConfig,
    Needs,
    Paper,
    RequestRecords,
    SideRecords,
)

PAPER = Paper("Guardrail Baselines for Unlearning in LLMs", "https://arxiv.org/abs/2403.03329")
_NAME = "name"


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """What the model is told, and when.

    Args:
        instruction: What it is told; `{attributes}` stands for what isn't to be told. source: ours.
        by: Whether a question counts that names a subject, a picture that is near a forgotten one, or both.
            source: ours.
        hash: Perceptual hash of pictures. source: ours (as the search for duplicates).
        radius: In how many bits a picture's hash may differ from a forgotten one's. source: ours (as the search for
            duplicates).
    """

    instruction: str = (
        "The following must not be told about what this question concerns: {attributes}. If asked for any of it, "
        "answer that you don't know, and give no value. Answer everything else as usual."
    )
    by: Literal["both", "names", "pictures"] = "both"
    hash: str = "phash"
    radius: int = 8

    def __post_init__(self) -> None:
        """Refuse an instruction that doesn't say what it is about, and a hash that isn't there."""
        if ATTRIBUTES not in self.instruction:
            raise ValueError(f"instruction must hold {ATTRIBUTES}, got {self.instruction!r}")
        if self.hash not in HASHES.names():
            raise ValueError(unknown_name_message("hash", self.hash, HASHES.names()))
        if self.radius < 0:
            raise ValueError(f"radius must not be negative, got {self.radius}")


class Method(InterveningMethod[Config]):
    """Who is to be forgotten, found before anything is asked; there is one dose."""

    has_doses: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._records: RequestRecords | None = None
        self._guardrail: Guardrail | None = None
        self._said: dict[str, float] = {}

    def needs(self) -> Needs:
        """No batches: it reads the records as they are."""
        return Needs(forget=False)

    def sides(self, data: RequestRecords) -> Mapping[str, SideRecords]:
        """None of its own; the request is looked at in `begin`."""
        self._records = data
        return {}

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Collect names and hashes, and find out how many of the request's own prompts are recognised.

        Raises:
            UsageError: If more than one step is asked for, nothing can be recognised by, or the instruction would give
                a forgotten value away.
        """
        if plan.steps != 1:
            raise UsageError(f"guardrail has one dose: leave max_steps={plan.steps} out.")
        assert self._records is not None  # `sides` comes first.
        require_radius(self.config.radius, self.config.hash)
        data, config = self._records, self.config
        names = _names(data) if config.by != "pictures" else {}
        forgotten: dict[str, list[Mapping[str, Any]]] = {}
        for row in track(data.forget, "looking for what gives the forgotten away", total=len(data.forget)):
            forgotten.setdefault(str(row["subject_id"]), []).append(row)
        subjects = tuple(self._subject(names.get(who, ()), rows) for who, rows in forgotten.items())
        if not any(subject.names or subject.pictures for subject in subjects):
            raise UsageError(
                f"guardrail: with by={config.by} nothing tells whether a prompt concerns those to be forgotten: the "
                "table of subjects has no name for them, or their records have no picture. Choose another `by`, or "
                "fill in the table."
            )
        guardrail = Guardrail(config.instruction, config.hash, config.radius, subjects)
        self._guardrail = guardrail
        retained = (row for rows in data.retain.values() for row in rows)
        self._said = {
            "subjects": len(subjects),
            "named": sum(bool(subject.names) for subject in subjects),
            "pictures": sum(len(subject.pictures) for subject in subjects),
            "forget_concerned": _share(guardrail, data.forget),
            "retain_concerned": _share(guardrail, retained),
        }
        log(
            f"recognised: {self._said['forget_concerned']:.2f} of the prompts to be forgotten, "
            f"{self._said['retain_concerned']:.2f} of those that stay"
        )

    def intervention(self, step: int) -> tuple[Guardrail, dict[str, float]]:
        """The guardrail; the log says who is known, and how many of the request's prompts are recognised."""
        assert self._guardrail is not None  # `begin` comes first.
        return self._guardrail, self._said

    def _subject(self, names: tuple[str, ...], rows: list[Mapping[str, Any]]) -> GuardedSubject:
        attributes = tuple(dict.fromkeys(row["attribute"] for row in rows if row["attribute"]))
        _require_silence(instruction_about(self.config.instruction, attributes), rows)
        told: dict[str, list[str]] = {}
        for row in rows if self.config.by != "names" else ():
            data = picture_bytes(row)
            if data is not None:
                found = perceptual_hash(self.config.hash, decode_picture(data, row["record_id"]))
                told.setdefault(found, []).append(row["attribute"])
        pictures = tuple(GuardedPicture(hash=h, attributes=tuple(dict.fromkeys(a))) for h, a in told.items())
        return GuardedSubject(names=names, attributes=attributes, pictures=pictures)


def _names(data: RequestRecords) -> dict[str, tuple[str, ...]]:
    """What each subject to be forgotten is called: by the table of subjects, whose facts may hold further spellings."""
    wanted = {row["subject_id"] for row in data.forget.select_columns(["subject_id"])}
    return {
        row["subject_id"]: tuple(
            dict.fromkeys([row["name"], *(fact["text"] for fact in row["facts"] or () if fact["attribute"] == _NAME)])
        )
        for row in data.dataset.subjects().select_columns(["subject_id", "name", "facts"])
        if row["name"] and row["subject_id"] in wanted
    }


def _require_silence(instruction: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse an instruction that gives away what it is to keep.

    Raises:
        UsageError: If the value of a record stands in it; the message names the record, not the value.
    """
    said = folded_words(instruction)
    for row in rows:
        value = row["value"]["text"] if row["value"] and row["value"]["kind"] else row["answer"]
        if value and contains(said, folded_words(value)):
            raise UsageError(
                f"guardrail: the instruction holds the very value that record {row['record_id']} is to be forgotten "
                "for. Word it otherwise with --set instruction=…"
            )


def _share(guardrail: Guardrail, rows: Iterable[Mapping[str, Any]]) -> float:
    """Of how many records the guardrail finds that they concern somebody; 0 of none."""
    found = [bool(guardrail.concerned(row["question"], picture_bytes(row))) for row in rows]
    return sum(found) / max(1, len(found))
