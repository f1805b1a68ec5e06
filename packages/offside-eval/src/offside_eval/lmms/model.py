"""One of our models as `lmms-eval` asks it: adapters, merged ones, interventions, and any plain checkpoint.

It reads questions with at most one picture. Answers are greedy and don't depend on the batch. What else a task asks
for (videos, sound, several pictures, several rounds) is refused before anything is answered wrongly.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from lmms_eval.api.instance import GenerationResult
from lmms_eval.api.model import lmms
from PIL import Image

from offside_data.errors import UsageError
from offside_data.progress import log, process_count, track
from offside_data.vlm import Collator, Encoded, Encoder, answer_logprobs, forward
from offside_eval.config import EvaluationConfig
from offside_eval.inference.generation import WITHIN_ROUNDING, Generator
from offside_eval.model import TargetModel

if TYPE_CHECKING:
    from lmms_eval.api.instance import Instance

_PLACE = "<image>"
"""Where some tasks write that their picture stands; the chat template says that, too."""
_GREEDY: Mapping[str, tuple[Any, ...]] = {"do_sample": (False, None), "num_beams": (1, None), "temperature": (0, None)}
_MAX_NEW_TOKENS = 1024
"""Where a task names no limit of its own; that of lmms-eval's models."""


class OffsideModel(lmms):  # type: ignore[misc]  # lmms-eval has no types
    """A model of ours for `lmms_eval.evaluator.simple_evaluate`, or by name: `--model offside`.

    Args:
        pretrained: A model folder, an adapter folder, a run whose method acts while a model answers, or a Hub name.
        device: Null takes the best there is.
        dtype: Of the weights.
        batch_size: Questions at once; the answers don't depend on it.
        max_pixels: Upper bound on the pixels of a picture.
        max_length: Tokens that a question with its picture and answer may have; more is an error.
        max_batch_size: Of no meaning here; lmms-eval gives it to every model.
        target: A model that is loaded already, instead of `pretrained`.

    Raises:
        ModelError: If the folder can't be used.
        UsageError: If several processes were started.
    """

    is_simple = True

    def __init__(
        self,
        pretrained: str = "",
        device: str | None = None,
        dtype: str = "float32",
        batch_size: int | str = 8,
        max_pixels: int | None = None,
        max_length: int = 8192,
        max_batch_size: int | None = None,
        *,
        target: TargetModel | None = None,
    ) -> None:
        super().__init__()
        if process_count() > 1:
            raise UsageError("lmms-eval's tasks are run by one process here. Start it without accelerate or torchrun.")
        if target is None:
            if not pretrained:
                raise UsageError("name a model: --model_args pretrained=FOLDER.")
            config = EvaluationConfig(device=device, dtype=dtype, max_pixels=max_pixels)
            target = TargetModel.of(pretrained, None, config)
        if not str(batch_size).isdigit() or int(batch_size) < 1:
            raise UsageError(f"batch_size must be a number of questions, got {batch_size!r}.")
        self.batch_size = int(batch_size)
        self.told: set[str] = set()
        self._device = torch.device(target.device)
        self._intervention = target.intervention
        self._processor = target.processor
        self._model = target.load()
        instruct = target.intervention.instruction if target.intervention is not None else None
        self._encoder = Encoder(target.processor, max_length=max_length, instruct=instruct)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._device

    def generate_until(self, requests: Sequence[Instance]) -> list[str]:
        """Answer questions greedily, each up to its limit or the first text at which it is to stop."""
        rows, settings = [], []
        for number, request in enumerate(requests):
            context, given, doc_to_visual, doc_id, task, split = request.args
            self._warn_of_sampling(task, given)
            rows.append(self._encoder.encode_prompt(self._row(number, context, doc_to_visual, doc_id, task, split)))
            settings.append((int(given.get("max_new_tokens") or _MAX_NEW_TOKENS), tuple(_stops(given))))
        answers: dict[int, str] = {}
        collate = Collator(self._processor, padding_side="left")
        near = WITHIN_ROUNDING.get(str(self._model.dtype).removeprefix("torch."), max(WITHIN_ROUNDING.values()))
        with self._attached():
            for limit in sorted({limit for limit, _ in settings}):
                ask = Generator(self._model, self._processor, collate, max_new_tokens=limit, within_rounding=near)
                own = [i for i, (other, _) in enumerate(settings) if other == limit]
                batches = _by_length(own, rows, self.batch_size)
                for batch in track(batches, f"answers of up to {limit} tokens"):
                    for place, reply in zip(batch, ask([rows[i] for i in batch]), strict=True):
                        answers[place] = _until(reply.text, settings[place][1])
        return [answers[i] for i in range(len(rows))]

    @torch.inference_mode()
    def loglikelihood(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Loss of each answer, a mean over its tokens with the end of the turn, and whether it is the greedy one.

        A loss, as lmms-eval's own models return one: its tasks take the smallest. The two come wrapped: of a bare pair
        version 0.7.3 makes a text, at which its tasks stop.
        """
        rows = []
        for number, request in enumerate(requests):
            if len(request.args) != 6:
                raise UsageError("acc_mutual_info needs answers without a question, which a chat model can't weigh.")
            context, target, doc_to_visual, doc_id, task, split = request.args
            answer = target if isinstance(target, str) else target(self.task_dict[task][split][doc_id])
            row = self._row(number, context, doc_to_visual, doc_id, task, split)
            rows.append(self._encoder.encode(row, answer=str(answer).strip()))  # A turn begins without a blank.
        found: dict[int, GenerationResult] = {}
        collate = Collator(self._processor)
        with self._attached():
            for batch in track(_by_length(range(len(rows)), rows, self.batch_size), "likelihoods"):
                output = forward(self._model, collate([rows[i] for i in batch]).to(self._device), keep="answer")
                logprobs, mask = answer_logprobs(output.logits, output.labels)
                best = output.logits[:, : mask.shape[1]].argmax(-1) == output.labels[:, 1:]
                means = -logprobs.sum(1) / mask.sum(1)
                for place, loss, greedy in zip(batch, means.tolist(), (best | ~mask).all(1).tolist(), strict=True):
                    found[place] = GenerationResult(text=(loss, greedy))
        return [found[i] for i in range(len(rows))]

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[str]:
        """Refused: an evaluation here is one question, one answer."""
        raise UsageError(f"{requests[0].task_name}: asks in several rounds, which isn't done here. Leave it out.")

    def _attached(self) -> contextlib.AbstractContextManager[None]:
        return self._intervention.attached(self._model) if self._intervention else contextlib.nullcontext()

    def _row(self, number: int, context: str, doc_to_visual: Any, doc_id: int, task: str, split: str) -> dict[str, Any]:
        """A request as a record: its question, and its picture in bytes."""
        shown = (doc_to_visual(self.task_dict[task][split][doc_id]) if doc_to_visual else None) or []
        if len(shown) > 1 or not all(isinstance(one, Image.Image) for one in shown):
            kinds = ", ".join(sorted({type(one).__name__ for one in shown}))
            raise UsageError(
                f"{task}, question {doc_id}: shows {len(shown)} of {kinds}; here a question has one picture or none. "
                "Leave the task out."
            )
        question = context.replace(_PLACE, " ").strip() if shown else context
        return {
            "record_id": f"{task}/{doc_id}/{number}",
            "question": question,
            "image": {"bytes": _png(shown[0]), "path": None} if shown else None,
        }

    def _warn_of_sampling(self, task: str, given: Mapping[str, Any]) -> None:
        other = [f"{n}={given[n]}" for n, plain in _GREEDY.items() if n in given and given[n] not in plain]
        if other and task not in self.told:
            self.told.add(task)
            log(f"warning: {task} asks for {', '.join(other)}; answers are greedy here.")


def _stops(given: Mapping[str, Any]) -> list[str]:
    until = given.get("until") or []
    return [text for text in ([until] if isinstance(until, str) else until) if text]


def _until(text: str, stops: Sequence[str]) -> str:
    ends = [place for place in map(text.find, stops) if place >= 0]
    return text[: min(ends)] if ends else text


def _by_length(places: Sequence[int], rows: Sequence[Encoded], size: int) -> list[list[int]]:
    ordered = sorted(places, key=lambda i: (len(rows[i].input_ids), i))
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "PNG", compress_level=1)
    return stream.getvalue()
