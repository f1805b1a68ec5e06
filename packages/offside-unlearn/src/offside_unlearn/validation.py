"""Stop a run, or choose among runs, by what was done so far, on records that no report counts.

The validation part is drawn from the records that the run trains on, to be forgotten and to stay, and is trained on
like the rest: what it says is an unbiased guess of what a report will say of the others. It is drawn by a seed of its
own and by record id, so that runs of any method and seed hold the same records out and can be compared on the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from offside_data.errors import UsageError
from offside_data.files import write_json
from offside_data.progress import log
from offside_data.run_manifest import HeldOut
from offside_data.schema import ClaimValue
from offside_data.seeding import draw_records
from offside_data.tagging.values import how_stated
from offside_data.taxonomy import Taxonomy
from offside_data.vlm import Collator, Encoded, Encoder, decode, generate_with_margins
from offside_unlearn import ranks

CHECKS = "checks.json"
ONE_IN = 4
"""At most every fourth record of a set is held out, but always one: the rest is for reports."""
_COLUMNS = ("record_id", "scope", "attribute", "value")

Stop = Literal["forgetting", "collapse"]


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """How a run is watched that stops by itself, or is one of those among which is chosen.

    Args:
        validation: Records asked of each side, at most; never more than a quarter of it. source: ours.
        validation_seed: Of the draw; not the run's, so that all seeds of a run hold the same records out.
        validation_batch_size: Questions asked at once. source: ours.
        validation_tokens: Where an answer that doesn't end is cut. source: ours (as offside-eval).
        collapse_keeping: The run stops where less than this share of the retained answers is left. source: ours.
        collapse_broken: It stops where more than this share of the answers is empty or doesn't end. source: ours.
    """

    validation: int = 32
    validation_seed: int = 0
    validation_batch_size: int = 32
    validation_tokens: int = 48
    collapse_keeping: float = 0.2
    collapse_broken: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what can't be measured."""
        for name in ("validation", "validation_batch_size", "validation_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def parse_until(text: str, option: str = "--until") -> float:
    """`forgetting=0.95` to 0.95.

    Args:
        text: What was given.
        option: As what, for the message.

    Raises:
        UsageError: If it says anything else.
    """
    what, _, number = text.partition("=")
    try:
        level = float(number)
    except ValueError:
        level = -1.0
    if what.strip() != "forgetting" or not 0 < level <= 1:
        raise UsageError(f"{option} takes forgetting=LEVEL, a share above 0 and at most 1, got {text!r}.")
    return level


def hold_out(forget: Any, retain: Mapping[str, Any], config: ValidationConfig) -> HeldOut:
    """Draw the validation part of a request.

    Args:
        forget: Records to be forgotten; private claims are drawn where there are some, for forgetting is about them.
        retain: Records that stay, by slice.
        config: How many, and the seed.

    Raises:
        UsageError: If a side has too few records whose answer has a value that can be looked for.
    """
    return HeldOut(
        forget=_drawn([forget], config, "to be forgotten", private=True),
        retain=_drawn(list(retain.values()), config, "to stay", private=False),
        seed=config.validation_seed,
    )


def _drawn(tables: Sequence[Any], config: ValidationConfig, what: str, *, private: bool) -> tuple[str, ...]:
    rows = [row for table in tables for row in table.select_columns(list(_COLUMNS))]
    scorable = [row for row in rows if row["attribute"] and row["value"] and row["value"]["kind"]]
    chosen = [row for row in scorable if row["scope"] == "private"] if private else []
    ids = sorted({row["record_id"] for row in chosen or scorable})
    if len(ids) < 2:
        raise UsageError(
            f"{len(ids)} of the {len(rows)} records {what} have a value that can be looked for in an answer; at least "
            "2 are needed, so that one can be held out. Leave --until and options of the validation part out; without "
            "one a sweep has nothing to choose by."
        )
    n = min(config.validation, max(1, len(ids) // ONE_IN))
    return tuple(sorted(ids[i] for i in draw_records(ids, n, seed=config.validation_seed)))


@dataclass(frozen=True)
class ValidationQuestion:
    """A validation question: its prompt, and how its answer is judged."""

    prompt: Encoded
    value: ClaimValue
    attribute: str
    forget: bool


class ValidationPart:
    """The questions of a validation part, to be asked of a model.

    Args:
        questions: Of both sides.
        processor: The model's.
        taxonomy: How values are read.
        config: The rest.
    """

    def __init__(
        self,
        questions: Sequence[ValidationQuestion],
        processor: Any,
        taxonomy: Taxonomy,
        config: ValidationConfig,
    ) -> None:
        # Questions of similar length together: a batch pays for its longest in every row.
        self._questions = sorted(questions, key=lambda q: (len(q.prompt.input_ids), q.prompt.record_id))
        self._processor = processor
        self._taxonomy = taxonomy
        self._config = config
        self._collate = Collator(processor, padding_side="left")

    @classmethod
    def of(
        cls, held_out: HeldOut, tables: Sequence[Any], encoder: Encoder, taxonomy: Taxonomy, config: ValidationConfig
    ) -> ValidationPart:
        """Encode the questions of a validation part.

        Args:
            held_out: The part.
            tables: Where its records are.
            encoder: Of the model.
            taxonomy: How values are read.
            config: The rest.
        """
        wanted = dict.fromkeys(held_out.retain, False) | dict.fromkeys(held_out.forget, True)
        questions = {}
        for table in tables:
            for index, name in enumerate(table["record_id"]):
                if name in wanted and name not in questions:
                    row = table[index]
                    questions[name] = ValidationQuestion(
                        encoder.encode_prompt(row), ClaimValue(**row["value"]), row["attribute"], wanted[name]
                    )
        return cls(list(questions.values()), encoder.processor, taxonomy, config)

    def ask(self, model: Any) -> dict[str, float]:
        """What a model knows of each side, and how many of its answers are broken; its mode is left as it was.

        Returns:
            `knows_forget`, `knows_retain` and `broken`, shares of the questions.
        """
        training = model.training
        model.eval()
        known: dict[bool, list[bool]] = {True: [], False: []}
        broken = 0
        size = self._config.validation_batch_size
        for start in range(0, len(self._questions), size):
            batch = self._questions[start : start + size]
            for question, text, ended in zip(batch, *self._answers(model, batch), strict=True):
                attribute = self._taxonomy[question.attribute]
                known[question.forget].append(how_stated(text, question.value, attribute) == "stated")
                broken += not (text and ended)
        model.train(training)
        shares = {side: sum(answers) / len(answers) for side, answers in known.items()}
        return {"knows_forget": shares[True], "knows_retain": shares[False], "broken": broken / len(self._questions)}

    def _answers(self, model: Any, batch: Sequence[ValidationQuestion]) -> tuple[list[str], list[bool]]:
        device: torch.device = next(model.parameters()).device
        inputs = self._collate([question.prompt for question in batch]).to(device)
        generated = generate_with_margins(model, inputs, max_new_tokens=self._config.validation_tokens)
        return decode(self._processor, generated.tokens), generated.ended.tolist()


def require_knowledge(start: Mapping[str, float], told: str) -> None:
    """Refuse a model that knows nothing of a side: nothing can be forgotten, or be seen to survive.

    Args:
        start: What `ValidationPart.ask` found before the first step.
        told: What can't be done then, and what to do about it.

    Raises:
        UsageError: If it does.
    """
    for name, what in (("knows_forget", "to be forgotten"), ("knows_retain", "to stay")):
        if start[name] == 0:
            raise UsageError(f"the model answers none of the validation questions {what}, so {told}")


def since(start: Mapping[str, float], found: Mapping[str, float]) -> dict[str, float]:
    """What was forgotten and kept: `forgetting` = 1 - known now / known at the start, `keeping` likewise."""
    return {
        "forgetting": 1 - found["knows_forget"] / start["knows_forget"],
        "keeping": found["knows_retain"] / start["knows_retain"],
    }


def has_collapsed(found: Mapping[str, float], config: ValidationConfig) -> bool:
    """Whether too little is left (`keeping`), or too many answers are `broken`."""
    return found["keeping"] < config.collapse_keeping or found["broken"] > config.collapse_broken


class Watch:
    """Asks the validation part after some steps, and says when to stop.

    (An evaluation puts forgetting on a scale that ends at retain-only; a run has no such model at hand, so that here it
    is relative to the start: see `since`.) `broken` = share of answers that are empty or don't end.

    Args:
        part: What is asked.
        level: Forgetting at which the run stops.
        config: The rest.
        folder: Keeps what was found, so that a resumed run doesn't ask again.
    """

    def __init__(self, part: ValidationPart, *, level: float, config: ValidationConfig, folder: Path) -> None:
        self._part = part
        self._level = level
        self._config = config
        self._file = folder / CHECKS
        self.checks: list[dict[str, float]] = self._read()
        self.stopped: Stop | None = None

    def begin(self, model: Any) -> None:
        """Find out what the model knows before it is trained.

        Raises:
            UsageError: If it knows nothing of a side.
        """
        if not self.checks:
            self._note({"step": 0, **self._part.ask(model)})
        require_knowledge(
            self.checks[0],
            "its forgetting can't be followed by --until. Start from a model that has learnt the records, or leave "
            "--until out.",
        )

    def __call__(self, model: Any, step: int) -> bool:
        """Ask after `step`, and say whether training is to stop."""
        found = {"step": step, **self._part.ask(model)}
        found |= since(self.checks[0], found)
        self._note(found)
        log(
            f"step {step}: forgetting {found['forgetting']:.2f}, keeping {found['keeping']:.2f}, "
            f"broken answers {found['broken']:.2f} (validation part)"
        )
        if has_collapsed(found, self._config):
            self.stopped = "collapse"
        elif found["forgetting"] >= self._level:
            self.stopped = "forgetting"
        return self.stopped is not None

    def _note(self, found: dict[str, float]) -> None:
        # What an attempt that was killed found after its last checkpoint is found again.
        self.checks = [*(check for check in self.checks if check["step"] < found["step"]), found]
        if ranks.is_main():
            write_json(self._file, self.checks)

    def _read(self) -> list[dict[str, float]]:
        try:
            checks: list[dict[str, float]] = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # A power cut can leave a file without its content.
            return []
        return checks

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {"checks": self.checks, "stopped": self.stopped or "steps"}
