"""Ask a handful of questions in every way there is before thousands are asked in the quickest one.

What an evaluation relies on holds for the families that are tested here; another checkpoint, device or version of a
library may break it without a word. Each check compares two ways on the same few records and says both values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from offside_data.errors import UsageError
from offside_data.figures import counted
from offside_data.seeding import rng
from offside_eval.config import EvaluationConfig
from offside_eval.metrics import Need

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset
    from offside_data.vlm import Collator
    from offside_eval.inference.asking import Item
    from offside_eval.inference.engine import Answers, Engine
    from offside_eval.inference.plain import PlainPath
    from offside_eval.plan import Plan, Question

Outcome: TypeAlias = Literal["passed", "warning", "failed", "skipped"]
_NEEDS: frozenset[Need] = frozenset({"generation", "likelihood", "choices", "alternatives"})
TOLERANCE = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
"""By how much a log-probability may differ between two ways, by the weights' type; of one beyond -1 relative to it."""
_CHANGES = 10
"""A picture counts where another one moves a log-probability by so many tolerances."""
_SHORT = 60
_POOL = 64
"""Records a slice from which is drawn, at least."""


@dataclass(frozen=True)
class Check:
    """One comparison.

    Args:
        name: What is compared.
        outcome: `failed` where results can't be trusted; `warning` where they can and something is to be known.
        looked_at: On what.
        found: What came out; for numbers the largest difference.
        allowed: What would have passed.
        where: The record that differs most, if any does.
        values: What the two ways say of it.
    """

    name: str
    outcome: Outcome
    looked_at: str
    found: str
    allowed: str = ""
    where: str | None = None
    values: tuple[str, str] | None = None


@dataclass(frozen=True)
class SelfCheck:
    """All checks of one model.

    Args:
        model: Its folder.
        setting: Whose questions were drawn.
        records: Keys of the questions.
        device: Where it ran.
        dtype: Type of its weights.
        checks: What was compared.
    """

    model: str
    setting: str
    records: tuple[str, ...]
    device: str
    dtype: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(check.outcome != "failed" for check in self.checks)


def selfcheck(
    model: Any,
    processor: Any,
    data: OffsideDataset | str | Path,
    setting: str | None = None,
    *,
    n: int = 8,
    config: EvaluationConfig | None = None,
) -> SelfCheck:
    """Compare batch sizes and ways of asking on a few records.

    Args:
        model: A model, or the path of a model folder, adapters included.
        processor: Its processor; null loads it from the model's folder.
        data: A dataset or a reference to one.
        setting: Whose questions; null takes the first that the dataset's card offers.
        n: How many; half of them with pictures, where there are as many.
        config: Device, type of the weights, seed of the draw, and lengths, as for `evaluate`.

    Raises:
        UsageError: If the dataset offers no such setting, or `n` is below 1.
        RecordError: If a drawn record can't be asked.
        ModelError: If the model's folder can't be used.
    """
    from offside_data.dataset.folder import open_dataset
    from offside_eval.inference.engine import asking_collator
    from offside_eval.inference.plain import PlainPath
    from offside_eval.model import TargetModel
    from offside_eval.plan import make_plan

    if n < 1:
        raise UsageError(f"n must be at least 1, got {n}.")
    config = config or EvaluationConfig()
    dataset = open_dataset(data) if isinstance(data, (str, Path)) else data
    if setting is None:
        if not dataset.settings():
            raise UsageError(f"{dataset.path}: its card offers no setting, so there are no questions to draw from.")
        setting = dataset.settings()[0]
    plan = make_plan(dataset, setting, limit=max(_POOL, n), seed=config.seed)
    questions = draw(plan, n, config.seed)
    target = TargetModel.of(model, processor, config)
    loaded = target.load()
    plain = None if target.intervention is not None else PlainPath(loaded, target.processor)
    ways = _Ways(loaded, target, config, asking_collator(target.processor), questions, plain)
    keys = tuple(question.key for question in questions)
    return SelfCheck(target.path, setting, keys, target.device, target.dtype, tuple(ways.checks()))


def draw(plan: Plan, n: int, seed: int) -> list[Question]:
    """Questions with pictures and without, short and long; of each picture its shortest and its longest one."""
    kinds: dict[bool, dict[str, list[Question]]] = {True: {}, False: {}}
    for question in plan.questions.values():
        if question.variant == "plain":
            shown = question.row["image"] is not None
            group = str(question.row["image_id"]) if shown else "text"
            kinds[shown].setdefault(group, []).append(question)
    ordered: dict[bool, list[Question]] = {}
    for shown, groups in kinds.items():
        names = sorted(groups)
        rng(seed, "selfcheck", str(shown)).shuffle(names)
        names.sort(key=lambda name: len(groups[name]) < 2)  # Pictures that questions share come first.
        ordered[shown] = [q for name in names for q in _ends_first(groups[name], len(names) == 1)]
    pictures = min(len(ordered[True]), max(n - n // 2, n - len(ordered[False])))
    return [*ordered[True][:pictures], *ordered[False][: n - pictures]]


def _ends_first(questions: Sequence[Question], whole: bool) -> list[Question]:
    """The shortest, the longest, and with `whole` the next of each in turn."""
    by_length = sorted(questions, key=lambda q: (len(str(q.row["question"])) + len(q.answer), q.key))
    turns = [by_length.pop(-(i % 2)) for i in range(len(by_length))]
    return turns if whole else turns[:2]


class _Ways:
    """A model and a few questions, asked in several ways.

    Args:
        model: Loaded.
        target: What is recorded about it.
        config: How it is asked.
        collate: From `asking_collator`.
        questions: What is asked.
        plain: The way without anything of ours; null where an intervention acts on ours alone.
    """

    def __init__(
        self,
        model: Any,
        target: Any,
        config: EvaluationConfig,
        collate: Collator,
        questions: Sequence[Question],
        plain: PlainPath | None,
    ) -> None:
        self._model, self._target, self._config = model, target, config
        self._collate, self._plain = collate, plain
        self._questions = {question.key: question for question in questions}
        self._near = TOLERANCE.get(target.dtype, max(TOLERANCE.values()))
        self._items = self._engine(1).encode(questions, _NEEDS)
        shown = sum(item.prompt.image is not None for item in self._items)
        pictures = len({item.prompt.image_key for item in self._items} - {None})
        texts = f"{len(self._items) - shown} without"
        self._all = f"{counted(shown, 'question')} about {counted(pictures, 'picture')}, {texts}"

    def checks(self) -> Iterator[Check]:
        """Make every check."""
        n = len(self._items)
        sizes = sorted({1, min(4, n), n})
        runs = {size: self._engine(size).ask(self._items, _NEEDS) for size in sizes}
        yield from self._batch_sizes(runs)
        yield self._shared_prompts()
        whole = runs[n]
        yield from self._against_plain(whole)
        yield self._twice(whole, self._engine(n).ask(self._items, _NEEDS))
        yield self._pictures(whole)

    def _engine(self, size: int) -> Engine:
        from offside_eval.inference.engine import Engine

        return Engine(
            model=self._model,
            processor=self._target.processor,
            batch_size=size,
            max_new_tokens=self._config.max_new_tokens,
            max_length=self._config.max_length,
            collate=self._collate,
            intervention=self._target.intervention,
            seed=self._config.seed,
        )

    def _batch_sizes(self, runs: Mapping[int, Answers]) -> Iterator[Check]:
        first, *others = runs
        said = f"{self._all}; batches of {', '.join(map(str, runs))}"
        pairs = [(runs[first], runs[size]) for size in others]
        yield _texts("batch sizes: answers", said, ((_replies(a), _replies(b)) for a, b in pairs))
        yield self._numbers("batch sizes: log-probabilities", said, ((_weights(a), _weights(b)) for a, b in pairs))

    def _shared_prompts(self) -> Check:
        from offside_eval.inference.likelihood import Likelihood

        packed, shared = (Likelihood(self._model, self._collate, pack=pack) for pack in (True, False))
        alone = Likelihood(self._model, self._collate, share_prompts=False)
        with self._attached():
            *found, plain = [_by_key(self._items, way(self._items)) for way in (packed, shared, alone)]
        said = f"{counted(sum(len(item.answers) for item in self._items), 'answer')} of {self._all}"
        pairs = [(one, plain) for one in found]
        check = self._numbers("one pass of the prompt for all answers: log-probabilities", said, pairs)
        if check.outcome == "passed" and not shared.shares and any(len(item.answers) > 1 for item in self._items):
            said = "this architecture can't share them: each answer gets a pass of its own, the same numbers, later"
            return dataclasses.replace(check, outcome="warning", found=said)
        return check

    def _against_plain(self, whole: Answers) -> Iterator[Check]:
        names = (
            "the processor's own inputs: tokens",
            "the processor's own inputs, one pass a question: log-probabilities",
            "the model's own `generate`, one question at a time: answers",
        )
        if self._plain is None:
            why = "an intervention acts on the model, which plain calls know nothing of"
            yield from (Check(name, "skipped", self._all, why) for name in names)
            return
        rows = {key: self._questions[key].row for key in whole.replies}
        theirs = {
            key: " ".join(map(str, self._plain.inputs(row)["input_ids"][0].tolist())) for key, row in rows.items()
        }
        tokens = {item.key: " ".join(map(str, item.prompt.input_ids)) for item in self._items}
        yield _texts(names[0], self._all, [(tokens, theirs)])
        plain = {item.key: self._plain.logprobs(rows[item.key], item.answers[0]) for item in self._items}
        ours = {key: weights.answer for key, weights in whole.weights.items()}
        yield self._numbers(names[1], f"gold answers of {self._all}", [(ours, plain)])
        limit = self._config.max_new_tokens
        said = {key: self._plain.answer(row, max_new_tokens=limit) for key, row in rows.items()}
        yield self._answers(names[2], _replies(whole), said)

    def _answers(self, name: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Check:
        """As `_texts`, but for answers at which two tokens were all but equally likely: either is right."""
        from offside_data.vlm import generate_with_margins
        from offside_eval.inference.generation import WITHIN_ROUNDING

        undecided = []
        for item in self._items:
            if ours[item.key] != theirs[item.key]:
                batch = self._collate([item.prompt]).to(self._model.device)
                limit = self._config.max_new_tokens
                margin = generate_with_margins(self._model, batch, max_new_tokens=limit).margins.item()
                if margin < WITHIN_ROUNDING.get(self._target.dtype, max(WITHIN_ROUNDING.values())):
                    undecided.append(item.key)
        decided = {key: text for key, text in theirs.items() if key not in undecided}
        said = f"{self._all}; {len(undecided)} left out, where two tokens were all but equally likely"
        if not decided:
            return Check(name, "warning", said, "rounding decided every answer that differs: nothing to compare")
        return _texts(name, said if undecided else self._all, [({key: ours[key] for key in decided}, decided)])

    def _twice(self, first: Answers, second: Answers) -> Check:
        said = f"{self._all}; the same twice"
        texts = _texts("twice the same", said, [(_replies(first), _replies(second))])
        if texts.outcome == "failed":
            return texts
        return self._numbers("twice the same", said, [(_weights(first), _weights(second))])

    def _pictures(self, whole: Answers) -> Check:
        """Whether answers depend on the picture; of a model without that, results are about its language part."""
        name = "another picture: log-probabilities change"
        shown = [item for item in self._items if item.prompt.image is not None]
        pictures = list(dict.fromkeys(item.prompt.image_key for item in shown))
        if len(pictures) < 2:
            return Check(name, "skipped", self._all, "fewer than two pictures, none to put in another's place")
        after = dict(zip(pictures, [*pictures[1:], pictures[0]], strict=True))
        image_of = {item.prompt.image_key: self._questions[item.key].row["image"] for item in shown}
        swapped = []
        for item in shown:
            question = self._questions[item.key]
            row = {**question.row, "image": image_of[after[item.prompt.image_key]]}
            swapped.append(dataclasses.replace(question, row=row))
        engine, needs = self._engine(len(shown)), frozenset[Need]({"likelihood"})
        found = engine.ask(engine.encode(swapped, needs), needs).weights
        changed = {item.key: _apart(whole.weights[item.key].answer, found[item.key].answer)[0] for item in shown}
        key = min(changed, key=changed.__getitem__)
        least, allowed = changed[key], _CHANGES * self._near
        outcome: Outcome = "passed" if least > allowed else "warning"
        unmoved = sum(change <= allowed for change in changed.values())
        told = f"least change {least:.1e}" + (f"; {unmoved} of {len(changed)} don't change" if unmoved else "")
        values = tuple(_mean(weights[key].answer) for weights in (whole.weights, found))
        return Check(name, outcome, self._all, told, f"more than {allowed:.0e}", key, (values[0], values[1]))

    def _numbers(
        self,
        name: str,
        looked_at: str,
        pairs: Iterable[tuple[Mapping[str, Sequence[float]], Mapping[str, Sequence[float]]]],
    ) -> Check:
        worst: tuple[float, str | None, tuple[str, str] | None] = (0.0, None, None)
        for ours, theirs in pairs:
            for key, values in ours.items():
                apart, a, b = _apart(values, theirs.get(key, ()))
                if apart > worst[0]:
                    worst = (apart, key, (f"{a:.7g}", f"{b:.7g}"))
        outcome: Outcome = "passed" if worst[0] <= self._near else "failed"
        where, values_ = (worst[1], worst[2]) if outcome == "failed" else (None, None)
        return Check(
            name, outcome, looked_at, f"largest difference {worst[0]:.1e}", f"{self._near:.0e}", where, values_
        )

    def _attached(self) -> contextlib.AbstractContextManager[Any]:
        intervention = self._target.intervention
        attached: contextlib.AbstractContextManager[Any] = (
            contextlib.nullcontext() if intervention is None else intervention.attached(self._model)
        )
        return attached


def _texts(name: str, looked_at: str, pairs: Iterable[tuple[Mapping[str, str], Mapping[str, str]]]) -> Check:
    compared, differing = 0, []
    for ours, theirs in pairs:
        compared += len(ours)
        differing += [(key, (text, theirs[key])) for key, text in ours.items() if text != theirs[key]]
    found = f"{len(differing)} of {compared} differ"
    if not differing:
        return Check(name, "passed", looked_at, found, "none")
    key, (ours_, theirs_) = differing[0]
    return Check(name, "failed", looked_at, found, "none", key, (_shortened(ours_), _shortened(theirs_)))


def _shortened(text: str) -> str:
    return repr(text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…")


def _replies(answers: Answers) -> dict[str, str]:
    return {key: reply.text for key, reply in answers.replies.items()}


def _weights(answers: Answers) -> dict[str, list[float]]:
    return {key: [*w.answer, *w.choices, *w.alternatives] for key, w in answers.weights.items()}


def _by_key(items: Sequence[Item], weighed: Sequence[Sequence[Any]]) -> dict[str, list[float]]:
    return {
        item.key: [x for answer in answers for x in answer.logprobs]
        for item, answers in zip(items, weighed, strict=True)
    }


def _apart(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """The largest difference, relative where a number is beyond 1, and both numbers; infinite where one is none."""
    if len(ours) != len(theirs):
        return math.inf, float(len(ours)), float(len(theirs))
    worst = (0.0, 0.0, 0.0)
    for a, b in zip(ours, theirs, strict=True):
        if math.isnan(a) and math.isnan(b):
            continue
        apart = abs(a - b) / max(1.0, abs(a), abs(b)) if math.isfinite(a) and math.isfinite(b) else math.inf
        apart = 0.0 if a == b else apart
        worst = max(worst, (apart, a, b), key=lambda one: one[0])
    return worst


def _mean(values: Sequence[float]) -> str:
    return f"{math.fsum(values) / len(values):.7g}"
