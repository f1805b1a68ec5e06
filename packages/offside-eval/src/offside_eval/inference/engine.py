"""Ask a model all questions of a plan, batch by batch, saving each batch so that nothing is asked twice."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from offside_data.errors import ModelError
from offside_data.progress import track
from offside_data.vlm import Collator, Encoder, Intervention
from offside_data.vlm.generation import end_token_ids
from offside_eval.inference.asking import Item, encode_items
from offside_eval.inference.cache import AnswerCache
from offside_eval.inference.choices import Weigher, Weights
from offside_eval.inference.generation import WITHIN_ROUNDING, Generator, Reply
from offside_eval.inference.gradients import GradientNorm, Gradients
from offside_eval.inference.likelihood import TOP, Likelihood
from offside_eval.inference.ordering import in_batches
from offside_eval.inference.patching import Drops, Patching
from offside_eval.inference.saved import SavedBatches
from offside_eval.metrics import Need
from offside_eval.plan import Question

I = TypeVar("I")  # noqa: E741 - what goes in
T = TypeVar("T")
_CHOICES_WITHIN_ROUNDING = {"float32": 1e-4}
_CHOICES_WITHIN_ROUNDING_HALF = 0.02
_WEIGHED: frozenset[Need] = frozenset({"likelihood", "choices", "alternatives", "paraphrases", "hits", "distributions"})
_FORMS: tuple[Need, ...] = ("cloze", "letters")
_PICTURES_MB = 512
"""Room for processed pictures; 400 of 224 pixels square."""
OUT_OF_MEMORY = "the model ran out of memory on this record alone"


@dataclass
class Answers:
    """What a model did with every question, by the question's key, and what that took, by stage.

    A question that it couldn't be asked stands in `failures`; `asked` doesn't count what had been
    saved by an earlier attempt. `forms` has the replies to questions put otherwise, by the need that asked for them,
    `norms` how long the gradients are of what was asked for membership.
    """

    replies: dict[str, Reply] = field(default_factory=dict)
    weights: dict[str, Weights] = field(default_factory=dict)
    forms: dict[str, dict[str, Reply]] = field(default_factory=dict)
    norms: dict[str, GradientNorm] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    asked_again: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Asks a model.

    Args:
        model: From `load_model`.
        processor: Its processor.
        batch_size: Questions at once; the answers don't depend on it.
        max_new_tokens: Where an answer that doesn't end is cut.
        max_length: Tokens that a question with its answer may have.
        saved: Where finished batches are kept; null keeps nothing.
        collate: From `asking_collator`, where several models are asked: pictures that it has processed stay with it.
        intervention: What is done while it answers: before the questions, to its hidden states, or both.
        seed: Of the order of lettered choices.
        cache: Answers of earlier evaluations; what is there isn't asked.
        share: Number of this process and how many ask the same items: each asks its share of the batches and saves them
            where all do, the first one waits for the others' and has all answers. Needs `saved`.
    """

    model: Any
    processor: Any
    batch_size: int = 32
    max_new_tokens: int = 48
    max_length: int = 2048
    saved: SavedBatches | None = None
    collate: Collator | None = None
    intervention: Intervention | None = None
    seed: int = 0
    cache: AnswerCache | None = None
    share: tuple[int, int] = (0, 1)

    def encode(self, questions: Iterable[Question], needs: frozenset[Need]) -> list[Item]:
        """Encode all questions; see `encode_items`.

        Raises:
            ModelError: If answers are to be generated and none would end where the chat template ends them.
        """
        instruct = self.intervention.instruction if self.intervention is not None else None
        encoder = Encoder(self.processor, max_length=self.max_length, instruct=instruct)
        items = encode_items(questions, encoder, needs, seed=self.seed)
        if needs & {"generation", *_FORMS} and items:
            self._check_end(items[0].answers[0][-1])
        return items

    def _check_end(self, written: int) -> None:
        """Make sure that the token with which the chat template ends an answer ends a generated one, too."""
        ends = end_token_ids(self.model)
        if written in ends:
            return
        name = self.processor.tokenizer.convert_ids_to_tokens
        said = f"stops at {', '.join(repr(name(end)) for end in ends)}" if ends else "names no token to stop at"
        raise ModelError(
            f"the model's generation config {said}, but its chat template ends an answer with {name(written)!r}: every "
            f"answer would run on until it is cut. Set eos_token_id in the model's generation_config.json to {written} "
            "(or a list with it), or use the chat template that the model was trained with."
        )

    def ask(self, items: Sequence[Item], needs: frozenset[Need]) -> Answers:
        """Do with every item what the metrics need."""
        with contextlib.nullcontext() if self.intervention is None else self.intervention.attached(self.model):
            return self._ask(items, needs)

    def ask_members(self, items: Sequence[Item], needs: frozenset[Need]) -> Answers:
        """Weigh the gold answers of members and non-members with all moments, and differentiate if that is needed."""
        self.model.eval()
        answers = Answers()
        collate = self.collate or asking_collator(self.processor)
        batches = in_batches(items, self.batch_size, by_picture=True)
        with contextlib.nullcontext() if self.intervention is None else self.intervention.attached(self.model):
            likelihood = Likelihood(self.model, collate, moments=True)
            weigher = Weigher(likelihood, within_rounding=0.0)
            settings = {"moments": True}
            answers.weights = self._stage("membership", batches, weigher, Weights, answers, settings)
            if "gradients" in needs:
                gradients = Gradients(self.model, collate)
                answers.norms = self._stage("gradients", batches, gradients, GradientNorm, answers, {})
        return answers

    def patch(self, items: Sequence[Item], patching: Patching) -> dict[str, Drops]:
        """Patch the states of the model into another one; an item that doesn't fit into memory has no outcome."""
        alone = dataclasses.replace(self, cache=None)  # Other models decide these outcomes, too.
        return alone._stage("depth", in_batches(items, self.batch_size), patching, Drops, Answers(), {})

    def _ask(self, items: Sequence[Item], needs: frozenset[Need]) -> Answers:
        self.model.eval()
        answers = Answers()
        dtype = str(self.model.dtype).removeprefix("torch.")
        batches = in_batches(items, self.batch_size)
        collate = self.collate or asking_collator(self.processor)
        if "generation" in needs:
            answers.replies = self._generated("answering", batches, collate, answers)
        for form in _FORMS:
            if form in needs:
                put = [dataclasses.replace(i, prompt=prompt) for i in items for name, prompt in i.forms if name == form]
                answers.forms[form] = self._generated(form, in_batches(put, self.batch_size), collate, answers)
        if needs & _WEIGHED:
            close = _CHOICES_WITHIN_ROUNDING.get(dtype, _CHOICES_WITHIN_ROUNDING_HALF)
            top = TOP if "distributions" in needs else 0
            likelihood = Likelihood(self.model, collate, leads="hits" in needs, top=top)
            weigher = Weigher(likelihood, within_rounding=close)
            settings = {"leads": "hits" in needs, "top": top}
            batches = in_batches(items, self.batch_size, by_picture=True)
            answers.weights = self._stage("weighing", batches, weigher, Weights, answers, settings)
            answers.asked_again["weighing"] = weigher.asked_again
        return answers

    def _generated(
        self, stage: str, batches: Sequence[list[Item]], collate: Collator, answers: Answers
    ) -> dict[str, Reply]:
        generator = Generator(
            self.model,
            self.processor,
            collate,
            max_new_tokens=self.max_new_tokens,
            within_rounding=WITHIN_ROUNDING[str(self.model.dtype).removeprefix("torch.")],
        )
        settings = {"max_new_tokens": self.max_new_tokens}
        found = self._stage(stage, batches, lambda b: generator([i.prompt for i in b]), Reply, answers, settings)
        answers.asked_again[stage] = generator.asked_again
        return found

    def _stage(
        self,
        stage: str,
        batches: Sequence[list[Item]],
        work: Callable[[list[Item]], Sequence[T]],
        kind: type[T],
        answers: Answers,
        settings: Mapping[str, Any],
    ) -> dict[str, T]:
        started = time.monotonic()
        answers.asked[stage] = 0
        own, count = self.share
        found: dict[str, T] = {}
        awaited = []
        for number, batch in enumerate(track(batches, stage, total=len(batches))):
            outcomes = self.saved.load(stage, number, kind) if self.saved else None
            if outcomes is None and number % count != own:
                awaited.append(number)
                continue
            if outcomes is None:
                outcomes, asked = self._asked(stage, batch, work, kind, settings)
                answers.asked[stage] += len(asked)
                if self.saved:
                    self.saved.save(stage, number, outcomes)
                # Only now: a batch of which a kill had left a part in the cache would be asked in another one, and its
                # scores would differ in their last digits.
                self._keep(stage, settings, [(batch[place], outcomes[place]) for place in asked])
            _note(batch, outcomes, found, answers)
        for number in awaited if own == 0 else ():
            assert self.saved is not None  # Where there are several processes.
            _note(batches[number], self.saved.wait(stage, number, kind), found, answers)
            answers.asked[stage] += len(batches[number])
        answers.seconds[stage] = time.monotonic() - started
        return found

    def _asked(
        self,
        stage: str,
        batch: list[Item],
        work: Callable[[list[Item]], Sequence[T]],
        kind: type[T],
        settings: Mapping[str, Any],
    ) -> tuple[list[T | None], list[int]]:
        """The outcomes of a batch, those that the cache has and the others asked together; places of the others."""
        cache = self.cache
        outcomes: list[T | None] = [cache.load(stage, settings, i, kind) if cache else None for i in batch]
        missing = [place for place, outcome in enumerate(outcomes) if outcome is None]
        if missing:
            for place, outcome in zip(missing, halving(work, [batch[place] for place in missing]), strict=True):
                outcomes[place] = outcome
        return outcomes, missing

    def _keep(self, stage: str, settings: Mapping[str, Any], answered: Sequence[tuple[Item, T | None]]) -> None:
        for item, outcome in answered:
            if self.cache and outcome is not None:
                self.cache.save(stage, settings, item, outcome)


def _note(batch: Sequence[Item], outcomes: Sequence[T | None], found: dict[str, T], answers: Answers) -> None:
    for item, outcome in zip(batch, outcomes, strict=True):
        if outcome is None:
            answers.failures[item.key] = OUT_OF_MEMORY
        else:
            found[item.key] = outcome


def asking_collator(processor: Any) -> Collator:
    """What puts questions into batches: padded on the left, pictures processed once as long as there is room."""
    return Collator(processor, padding_side="left", cache_mb=_PICTURES_MB)


def halving(work: Callable[[list[I]], Sequence[T]], batch: list[I]) -> list[T | None]:
    """Do a batch; where it doesn't fit into memory, its halves; null for an item that doesn't fit alone."""
    try:
        return list(work(batch))
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
    if len(batch) == 1:
        return [None]
    middle = len(batch) // 2
    return [*halving(work, batch[:middle]), *halving(work, batch[middle:])]
