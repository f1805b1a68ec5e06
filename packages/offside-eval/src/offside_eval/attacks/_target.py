"""The model under attack: asked in batches, each of which is saved, so that nothing is asked twice."""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig

from offside_data.errors import AnswerTooLongError
from offside_data.progress import track
from offside_data.vlm import Encoded, Encoder, answer_logprobs, base_model_of, decode, forward
from offside_data.vlm.encode import IGNORED
from offside_data.vlm.generation import end_token_ids
from offside_data.vlm.pictures import picture_bytes
from offside_data.vlm.vision_once import model_inputs
from offside_eval.attacks._base import LEARNT_ON, Ask, AttackedClaim, Attempt, Sampling, halves
from offside_eval.inference.engine import OUT_OF_MEMORY, asking_collator, halving
from offside_eval.inference.generation import WITHIN_ROUNDING, Generator, Reply
from offside_eval.inference.layers import decoder_layers

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset
    from offside_data.vlm import Batch, Collator, Intervention
    from offside_eval.attacks._claims import ClaimSet
    from offside_eval.inference.saved import SavedBatches
    from offside_eval.plan import Question

Change = Callable[["Batch"], "Batch"]
"""What is done to a batch on its way into the model."""


@dataclass(kw_only=True, eq=False)
class AttackTarget:
    """What an attack is made on.

    Args:
        model: The model, in eval mode.
        processor: Its processor.
        data: The dataset.
        drawn: The claims.
        batch_size: Questions at once; greedy answers don't depend on it.
        max_new_tokens: Where an answer that doesn't end is cut.
        max_length: Tokens that a question may have; a longer one isn't asked.
        saved: Where finished batches are kept; null keeps nothing.
        intervention: What is done while the model answers.
        left_out: Why claims were left out, by record; attacks add to it.
        n_too_long: Questions that weren't asked, because they are longer than `max_length`.
        pictures: What puts questions into batches, padded on the left; attacks that share it process each picture once.
        known: What the model answered to claims' own questions, by record; attacks on one model share it.
    """

    model: Any
    processor: Any
    data: OffsideDataset
    drawn: ClaimSet
    batch_size: int = 32
    max_new_tokens: int = 48
    max_length: int = 2048
    saved: SavedBatches | None = None
    intervention: Intervention | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    n_too_long: int = 0
    pictures: Collator | None = None
    known: dict[str, Attempt] = field(default_factory=dict)
    _encoder: Encoder | None = None
    _calls: int = 0

    def __post_init__(self) -> None:
        self.left_out = dict(self.drawn.left_out)

    @property
    def claims(self) -> Sequence[AttackedClaim]:
        """What is attacked: forgotten claims, and those of the control set."""
        return [claim for claim in self.drawn.claims if claim.record_id not in self.left_out]

    @property
    def collate(self) -> Collator:
        """Puts questions into batches, padded on the left."""
        if self.pictures is None:
            self.pictures = asking_collator(self.processor)
        return self.pictures

    @property
    def encoder(self) -> Encoder:
        """Turns questions into tokens, with what the intervention says before them."""
        if self._encoder is None:
            instruct = self.intervention.instruction if self.intervention is not None else None
            self._encoder = Encoder(self.processor, max_length=self.max_length, instruct=instruct)
        return self._encoder

    def leave_out(self, claim: AttackedClaim, reason: str) -> None:
        """Say that a claim isn't attacked: it is counted as not scored."""
        self.left_out.setdefault(claim.record_id, reason)

    def halved(self, seed: int) -> tuple[list[AttackedClaim], list[AttackedClaim]]:
        """Claims to learn an attack on and claims to try it on; what isn't tried is left out."""
        learn, tried = halves(self.claims, seed)
        kept = {claim.record_id for claim in tried}
        for claim in self.claims:
            if claim.record_id not in kept:
                self.leave_out(claim, LEARNT_ON)
        return learn, tried

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """The block in which the model's intervention acts."""
        with contextlib.nullcontext() if self.intervention is None else self.intervention.attached(self.model):
            yield

    def plain(self, claim: AttackedClaim, name: str = "plain") -> Ask:
        """A claim's own question on its own picture."""
        return own_question(claim, claim.question, name)

    def ask_plainly(self) -> list[Attempt]:
        """Every claim's own question, once: what another attack asked isn't asked again."""
        saved, self.saved = self.saved, None  # What is new depends on which attacks came before.
        try:
            new = self.ask([self.plain(claim) for claim in self.claims if claim.record_id not in self.known])
        finally:
            self.saved = saved
        self.known |= {attempt.claim.record_id: attempt for attempt in new}
        known = ((claim, self.known.get(claim.record_id)) for claim in self.claims)
        return [replace(attempt, claim=claim) for claim, attempt in known if attempt is not None]

    def ask(
        self, asks: Sequence[Ask], *, sampling: Sampling | None = None, change: Change | None = None
    ) -> list[Attempt]:
        """Ask the model, in batches.

        Args:
            asks: What to ask. A question that is too long isn't asked, and has no attempt.
            sampling: Draw answers instead of taking the likeliest token each time.
            change: Done to each batch on its way into the model.

        Returns:
            One attempt each, in the same order.
        """
        self._calls += 1
        encoded = [(place, prompt) for place, ask in enumerate(asks) if (prompt := self.encode(ask)) is not None]
        self.n_too_long += len(asks) - len(encoded)
        encoded.sort(key=lambda item: (_bucket(item[1]), item[1].image_key or "", item[0]))
        batches = [encoded[i : i + self.batch_size] for i in range(0, len(encoded), self.batch_size)]
        stage, replies = f"call{self._calls}", dict[int, Reply]()
        answering = self._drawing(sampling, change) if sampling else self._greedy(change)
        for number, batch in enumerate(track(batches, "attacking", total=len(batches))):
            outcomes = self.saved.load(stage, number, Reply) if self.saved else None
            if outcomes is None:
                outcomes = halving(answering(number), [prompt for _, prompt in batch])
                if self.saved:
                    self.saved.save(stage, number, outcomes)
            for (place, _), outcome in zip(batch, outcomes, strict=True):
                if outcome is None:
                    self.leave_out(asks[place].claim, OUT_OF_MEMORY)
                else:
                    replies[place] = outcome
        return [_attempt(ask, replies[place]) for place, ask in enumerate(asks) if place in replies]

    def encode(self, ask: Ask) -> Encoded | None:
        """What is asked as tokens, up to where the model goes on; null if that is too long."""
        try:
            prompt = self.encoder.encode_prompt(
                ask.claim.question.row, question=ask.question, image=ask.image, turns=ask.turns
            )
        except AnswerTooLongError:
            return None
        if not ask.begun:
            return prompt
        begun = self.processor.tokenizer(ask.begun, add_special_tokens=False)["input_ids"]
        extra = {name: [*values, *[0] * len(begun)] for name, values in prompt.extra.items()}
        ids = [*prompt.input_ids, *begun]
        return replace(prompt, input_ids=ids, labels=[IGNORED] * len(ids), prompt_length=len(ids), extra=extra)

    def batch(self, prompts: Sequence[Encoded], change: Change | None = None) -> Batch:
        """Prompts as one batch on the model's device."""
        batch = self.collate(prompts).to(self.model.device)
        return batch if change is None else change(batch)

    @torch.inference_mode()
    def states(self, asks: Sequence[Ask]) -> tuple[list[Ask], torch.Tensor]:
        """Hidden states behind each layer, where the answer would go on.

        Returns:
            What was asked (a question that is too long isn't), and float32 of shape `(asks, layers, width)` on the CPU.

        Raises:
            ModelError: If the model has no list of layers.
        """
        read = [(ask, prompt) for ask in asks if (prompt := self.encode(ask)) is not None]
        self.n_too_long += len(asks) - len(read)
        found, layers = [], decoder_layers(self.model)
        starts = range(0, len(read), self.batch_size)
        for start in track(starts, "reading hidden states", total=len(starts)):
            batch = self.batch([prompt for _, prompt in read[start : start + self.batch_size]])
            inputs, seen = model_inputs(self.model, batch), list[torch.Tensor]()
            # Hooks of our own: what `output_hidden_states` hooks to a model stays there.
            with _watched(layers, seen):
                self.model(**inputs, use_cache=False, logits_to_keep=1, return_dict=True)
            found.append(torch.stack(seen, dim=1))
        return [ask for ask, _ in read], torch.cat(found)

    def loss(self, rows: Sequence[Encoded], change: Change | None = None) -> torch.Tensor:
        """Mean cross-entropy a token of the rows' answers, averaged over rows; differentiable in what `change` did.

        Args:
            rows: With answers (`answered`).
            change: Done to the batch.
        """
        output = forward(self.model, self.batch(rows, change), keep="answer")
        logprobs, mask = answer_logprobs(output.logits, output.labels)
        return -((logprobs * mask).sum(1) / mask.sum(1)).mean()

    def answered(self, ask: Ask, answer: str) -> Encoded | None:
        """A question with an answer to be weighed; null if that is too long."""
        try:
            return self.encoder.encode(ask.claim.question.row, question=ask.question, answer=answer, image=ask.image)
        except AnswerTooLongError:
            return None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """The block in which no weight takes a gradient: those of inputs cost less."""
        trainable = [weight for weight in self.model.parameters() if weight.requires_grad]
        for weight in trainable:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in trainable:
                weight.requires_grad_(True)

    def _greedy(self, change: Change | None) -> Callable[[int], Callable[[list[Encoded]], list[Reply]]]:
        dtype = str(self.model.dtype).removeprefix("torch.")
        generator = Generator(
            self.model,
            self.processor,
            lambda prompts: self.batch(prompts, change),  # type: ignore[arg-type]
            max_new_tokens=self.max_new_tokens,
            within_rounding=WITHIN_ROUNDING[dtype],
        )
        return lambda number: generator

    def _drawing(
        self, sampling: Sampling, change: Change | None
    ) -> Callable[[int], Callable[[list[Encoded]], list[Reply]]]:
        def of(number: int) -> Callable[[list[Encoded]], list[Reply]]:
            return lambda prompts: self._draw(prompts, sampling, number, change)

        return of

    @torch.inference_mode()
    def _draw(self, prompts: Sequence[Encoded], sampling: Sampling, number: int, change: Change | None) -> list[Reply]:
        batch = self.batch(prompts, change)
        base, ends = base_model_of(self.model), end_token_ids(self.model)
        own = base.generation_config
        pad = own.pad_token_id if own.pad_token_id is not None else (ends or [0])[0]
        drawn = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(zlib.crc32(f"{sampling.seed}:{self._calls}:{number}".encode()))
            base.generation_config = GenerationConfig(**drawn, eos_token_id=ends or None, pad_token_id=pad)
            try:
                out = self.model.generate(**model_inputs(self.model, batch), max_new_tokens=self.max_new_tokens)
            finally:
                base.generation_config = own
        tokens = out[:, batch["input_ids"].shape[1] :]
        return [
            Reply(text, next((i for i, t in enumerate(row) if t in ends), len(row)), any(t in ends for t in row))
            for text, row in zip(decode(self.processor, tokens), tokens.tolist(), strict=True)
        ]


@contextlib.contextmanager
def _watched(layers: Sequence[torch.nn.Module], seen: list[torch.Tensor]) -> Iterator[None]:
    """The block in which each layer's state at the last position is noted, in float32."""

    def note(module: torch.nn.Module, args: object, output: Any) -> None:
        state = output[0] if isinstance(output, tuple) else output
        seen.append(state[:, -1].float().cpu())

    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def own_question(claim: AttackedClaim, question: Question, name: str) -> Ask:
    """A question of the evaluation as it is asked there."""
    image = picture_bytes(question.row) if question.row["modality"] == "multimodal" else None
    return Ask(claim=claim, name=name, question=str(question.row["question"]), image=image)


def _attempt(ask: Ask, reply: Reply) -> Attempt:
    said = "\n".join([*(said for said, _ in ask.turns), ask.question, ask.typeset, ask.begun])
    answer = f"{ask.begun} {reply.text}" if ask.begun else reply.text
    return Attempt(
        claim=ask.claim,
        name=ask.name,
        said=said,
        question=ask.question,
        answer=answer,
        ended=reply.ended,
        code=ask.code,
    )


def _bucket(prompt: Encoded) -> int:
    return int(math.log(max(1, len(prompt.input_ids)), 1.25))
