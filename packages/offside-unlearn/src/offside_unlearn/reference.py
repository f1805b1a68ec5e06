"""The frozen model `p0`, as it was before unlearning, without a second copy where that can be avoided.

Three ways, the first that fits; which one ran stands in the run's manifest:

1. *stored*: what the method needs is computed once, before training: one number an answer, kept
   with the run as `reference.parquet` (npo, dpo), or under full fine-tuning the whole distributions of
   the answer tokens, in memory, if they fit. Where a method is content with the likeliest tokens
   (`TopLogprobs`), they are stored as the training's own files, of any size of vocabulary, and a run that
   was killed goes on with them;
2. *adapter off*: with a fresh LoRA adapter the base model is the reference: switch the adapter off;
3. *kept weights*: a copy of the weights that are trained, and only of those, put in place for the
   reference pass.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from offside_data.errors import ModelError
from offside_data.files import whole_file
from offside_data.progress import track
from offside_data.vlm import Collator, Encoded, Output, forward
from offside_data.vlm.logprobs import answer_mask, sequence_logprobs
from offside_unlearn import losses
from offside_unlearn.batches import Needs, Side
from offside_unlearn.losses import TopLogprobs
from offside_unlearn.tops import StoredSide, joined, repeats_of
from offside_unlearn.tune import tower_of

STORED_BYTES = 2**30
"""Distributions that would take more memory than this are not stored but computed when needed."""

FILE = "reference.parquet"


class ReferenceModel:
    """What the frozen model says. `of` of this module makes one; tests may fill it by hand.

    Args:
        model: The model being changed.
        live: How to turn it into the frozen model for one pass: `adapter off`, `kept weights`, or
            null if nothing is computed while training.
        records: Stored log-probability (summed over tokens) and number of answer tokens, by side
            (`forget`, `refusal`: other answers to the same records) and record.
        distributions: Stored log-probabilities, (answer tokens, vocabulary), by record.
        tops: Stored distributions by their likeliest tokens, by side and record.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        live: str | None = None,
        records: Mapping[str, Mapping[str, tuple[float, int]]] | None = None,
        distributions: Mapping[str, torch.Tensor] | None = None,
        tops: Mapping[str, Mapping[str, TopLogprobs]] | None = None,
    ) -> None:
        self.live = live
        self._model = model
        self._records = records
        self._distributions = distributions
        self._tops = tops or {}
        self._kept = (
            {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
            if live == "kept weights"
            else {}
        )

    @property
    def how(self) -> str | None:
        """For the manifest: where the reference came from; null if nothing was needed."""
        parts = [
            f"stored: log-probability of each {' and '.join(sorted(self._records))} answer" if self._records else None,
            "stored: distributions of the answer tokens" if self._distributions is not None else None,
            f"stored: likeliest tokens of the {' and '.join(sorted(self._tops))} answers" if self._tops else None,
            self.live,
        ]
        return "; ".join(p for p in parts if p) or None

    def record_logprobs(self, side: Side, *, of: str = "forget", mean: bool = False) -> torch.Tensor:
        """Frozen `log p0(y | x)` of each record: the sum over its answer tokens, or their mean.

        Args:
            side: The batch.
            of: Its name in the pair. The same records come with their own answers and with refusals.
            mean: Divide each sum by the answer's number of tokens.
        """
        if self._records is None or of not in self._records:
            output = self._said(side)
            return losses.record_logprobs(output.logits, output.labels, mean=mean)
        values = [self._records[of][record] for record in side.record_ids]
        numbers = [total / count if mean else total for total, count in values]
        return torch.tensor(numbers, dtype=torch.float32, device=side.inputs["input_ids"].device)

    def token_logprobs(self, side: Side) -> torch.Tensor:
        """Frozen distributions at the answer tokens of a batch, as `losses.token_logprobs` orders them."""
        if self._distributions is not None:
            device = side.inputs["input_ids"].device
            return torch.cat([self._distributions[record] for record in side.record_ids]).to(device)
        output = self._said(side)
        return losses.token_logprobs(output.logits, output.labels)

    def top_logprobs(self, side: Side, *, of: str) -> TopLogprobs:
        """Frozen distributions at the answer tokens of a batch; whole ones where nothing is stored.

        Args:
            side: The batch.
            of: The side whose prompts the frozen model saw, maybe another one with the same records and answers.
        """
        if of in self._tops:
            return joined([self._tops[of][record] for record in side.record_ids]).to(side.inputs["input_ids"].device)
        output = self._said(side)
        return TopLogprobs.of(output.logits, output.labels)

    def _said(self, side: Side) -> Output:
        with self.frozen():
            return forward(self._model, side.inputs, keep="answer", keep_features=self._sees_the_same)

    @cached_property
    def _sees_the_same(self) -> bool:
        """Whether pictures come to the language model as they do while training, so that one pass of them is enough."""
        vision = getattr(self._model.config, "vision_config", None)
        drops = vision is None or any(value for name, value in vision.to_dict().items() if "drop" in name)
        trained = (name for name, parameter in self._model.named_parameters() if parameter.requires_grad)
        return not drops and all(tower_of(name) == "language" for name in trained)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, the model is the frozen one: no gradients, no dropout.

        Raises:
            ModelError: If nobody asked for it before training.
        """
        if self.live is None:
            raise ModelError("the frozen model wasn't prepared: the method's needs() doesn't name what it reads.")
        training = self._model.training
        self._set_training(False)
        try:
            with torch.no_grad(), self._in_place():
                yield
        finally:
            self._set_training(training)

    @cached_property
    def _modules(self) -> list[torch.nn.Module]:
        return list(self._model.modules())

    def _set_training(self, mode: bool) -> None:
        """As `train(mode)`, which walks through the tree of modules and takes several times as long."""
        for module in self._modules:
            vars(module)["training"] = mode

    @contextlib.contextmanager
    def _in_place(self) -> Iterator[None]:
        if self.live == "adapter off":
            with self._adapter_off():
                yield
            return
        trained = {name: p for name, p in self._model.named_parameters() if name in self._kept}
        current = {name: p.data for name, p in trained.items()}
        try:
            for name, parameter in trained.items():
                parameter.data = self._kept[name]
            yield
        finally:
            for name, parameter in trained.items():
                parameter.data = current[name]

    @cached_property
    def _adapters(self) -> list[Any]:
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils import AuxiliaryTrainingWrapper

        return [module for module in self._modules if isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper))]

    @contextlib.contextmanager
    def _adapter_off(self) -> Iterator[None]:
        """As peft's `disable_adapter`, which looks through all modules for their state each time.

        On a model of 36 layers that takes a tenth of a second, in each step.
        """
        for layer in self._adapters:
            layer._disable_adapters = True
        if not self._adapters or not all(layer.disable_adapters for layer in self._adapters):
            raise ModelError(
                "the adapter can't be switched off with this version of peft, so there is no frozen model. Install one "
                "that constraints.txt names, or use --full."
            )
        try:
            yield
        finally:
            for layer in self._adapters:
                layer._disable_adapters = False


@dataclass(frozen=True)
class Preparation:
    """What is needed to prepare a reference before training.

    Args:
        collator: Makes batches of the examples.
        batch_size: Of the passes made beforehand.
        fresh_adapter: Whether the trained weights are a new adapter, which can be switched off.
        changing_pictures: Whether pictures are changed at random, so that nothing can be stored.
        folder: Where to keep what is stored; null keeps it in memory.
        only_frozen: Sides that stand in no batch: what the frozen model says of them is always stored.
    """

    collator: Collator
    batch_size: int
    fresh_adapter: bool
    changing_pictures: bool
    folder: Path | None
    only_frozen: frozenset[str] = frozenset()


def of(model: Any, needs: Needs, examples: Mapping[str, Sequence[Encoded]], preparation: Preparation) -> ReferenceModel:
    """Prepare what `needs` asks for; call before the first training step.

    Args:
        model: The model at its start.
        needs: What the method reads.
        examples: The encoded records by side.
        preparation: How.
    """
    live = "adapter off" if preparation.fresh_adapter else "kept weights"
    is_live = preparation.fresh_adapter or preparation.changing_pictures
    stored = preparation.only_frozen if is_live else needs.top_reference
    tops = _stored_tops(model, {side: examples[side] for side in sorted(stored)}, needs.top_k, preparation)
    if preparation.changing_pictures:
        wanted = needs.record_reference | needs.token_reference | (needs.top_reference - stored)
        return ReferenceModel(model, live=live if wanted or needs.frozen_model else None, tops=tops)
    answered = {side: examples[side] for side in sorted(needs.record_reference)}
    records = _stored_records(model, answered, preparation) if answered else None
    if needs.frozen_model:
        return ReferenceModel(model, live=live, records=records, tops=tops)
    if not needs.token_reference:
        return ReferenceModel(model, live=live if needs.top_reference - stored else None, records=records, tops=tops)
    chosen = [example for side in sorted(needs.token_reference) for example in examples[side]]
    one_answer_each = len(needs.token_reference) == 1
    if preparation.fresh_adapter or not one_answer_each or _bytes_to_store(model, chosen) > STORED_BYTES:
        return ReferenceModel(model, live=live, records=records, tops=tops)
    whole = _distributions(model, chosen, preparation)
    return ReferenceModel(model, records=records, distributions=whole, tops=tops)


def _bytes_to_store(model: Any, examples: Sequence[Encoded]) -> int:
    tokens = sum(len(example.input_ids) - example.prompt_length for example in examples)
    return tokens * int(model.config.get_text_config().vocab_size) * 4


def _passes(
    model: Any, examples: Sequence[Encoded], preparation: Preparation, what: str
) -> Iterator[tuple[Sequence[Encoded], Any]]:
    """The model's outputs on all examples, in batches, without gradients or dropout."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    with torch.no_grad():
        for start in track(range(0, len(examples), preparation.batch_size), what):
            part = examples[start : start + preparation.batch_size]
            yield part, forward(model, preparation.collator(part).to(device), keep="answer")
    model.train(training)


def _distributions(model: Any, examples: Sequence[Encoded], preparation: Preparation) -> dict[str, torch.Tensor]:
    stored: dict[str, torch.Tensor] = {}
    for part, output in _passes(model, examples, preparation, "frozen model"):
        counts = answer_mask(output.labels).sum(dim=1).tolist()
        rows = losses.token_logprobs(output.logits, output.labels).cpu()
        stored |= {example.record_id: row.clone() for example, row in zip(part, torch.split(rows, counts), strict=True)}
    return stored


def _stored_tops(
    model: Any, sides: Mapping[str, Sequence[Encoded]], top: int, preparation: Preparation
) -> dict[str, dict[str, TopLogprobs]]:
    """The distributions of some sides by record, of which those that an earlier attempt left aren't computed again."""
    found = {}
    for name, examples in sides.items():
        repeats = repeats_of(examples)
        whole = dataclasses.replace(preparation, batch_size=max(1, preparation.batch_size // repeats) * repeats)
        stored = StoredSide.of(name, examples, top=top, folder=whole.folder, batch=whole.batch_size)
        for part, output in _passes(model, stored.missing(), whole, f"frozen model, {name}"):
            stored.add(part, output)
        found[name] = stored.by_record
    return found


def _stored_records(
    model: Any, answered: Mapping[str, Sequence[Encoded]], preparation: Preparation
) -> dict[str, dict[str, tuple[float, int]]]:
    """Log-probability and number of answer tokens by side and record, read from the run's file if it is there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = preparation.folder / FILE if preparation.folder else None
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist() if file is not None and file.is_file() else []
    if {row.get("side") for row in rows} != set(answered):  # None yet, or one of before there were sides.
        rows = []
        for side, examples in answered.items():
            for part, output in _passes(model, examples, preparation, f"frozen model, {side} answers"):
                numbers = (n.tolist() for n in sequence_logprobs(output.logits, output.labels))
                rows += [
                    {"side": side, "record_id": example.record_id, "logprob": total, "tokens": count}
                    for example, total, count in zip(part, *numbers, strict=True)
                ]
        if file is not None:
            with whole_file(file) as partial:
                pq.write_table(pa.Table.from_pylist(rows), partial)
    return {
        side: {row["record_id"]: (row["logprob"], row["tokens"]) for row in rows if row["side"] == side}
        for side in answered
    }
