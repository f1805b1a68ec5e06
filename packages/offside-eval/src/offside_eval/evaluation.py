"""Evaluate one model in one setting: plan, ask, score, aggregate, write."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.progress import log
from offside_data.run_manifest import DatasetReference
from offside_eval import provenance
from offside_eval.aggregate import aggregate
from offside_eval.attacking import AttackFolder, make_attacks, run_attack, said_of
from offside_eval.config import DEFAULT_SUITE, LIGHT_METRICS, EvaluationConfig, Suite
from offside_eval.lending import donor_values
from offside_eval.meta import EvaluatedModel, EvaluationMeta, ForgottenRecords, Generation
from offside_eval.metrics import Need, SampleMetric, load_metrics, metric_names
from offside_eval.model import TargetModel
from offside_eval.output import OutputFolder
from offside_eval.plan import Plan, make_plan
from offside_eval.results import Results, counted, samples_frame
from offside_eval.scoring import sample_rows

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset
    from offside_data.vlm import Collator
    from offside_eval.attacks import AttackTarget, RecoveryAttack
    from offside_eval.compare import Comparison
    from offside_eval.inference.asking import Item
    from offside_eval.inference.engine import Answers

ALWAYS = "degenerate"
"""The metric that belongs to every evaluation in which answers are generated: it marks a collapse."""


@dataclass(frozen=True)
class Evaluation(Results):
    """Results as `evaluate` returns them.

    Args:
        comparison: With the controls that were given; null if none were.
    """

    comparison: Comparison | None = None


def evaluate(
    model: Any,
    processor: Any,
    data: OffsideDataset | str | Path,
    setting: str,
    suite: Suite = DEFAULT_SUITE,
    controls: Mapping[str, Results | str | Path] | None = None,
    *,
    config: EvaluationConfig | None = None,
    out: str | Path | None = None,
) -> Evaluation:
    """Ask a model everything that a setting asks, score the answers, aggregate the scores.

    Args:
        model: A model, or the path of a model folder, adapters included.
        processor: Its processor; null loads it from the model's folder.
        data: A dataset or a reference to one.
        setting: A setting that the dataset's card offers.
        suite: `core` takes every metric, `full` their variants too, `light` a few, `utility` asks only
            what has nothing to do with the subjects.
        controls: Results of control models by role (`vanilla`, `retain_only`, `base`): the results then
            hold a `comparison` with them.
        config: Everything else; null takes the defaults.
        out: Folder to write to; an interrupted evaluation goes on there, a finished one is reused.

    Raises:
        UsageError: If a name or option is wrong, or `out` holds something else.
        RecordError: If a record can't be asked: no answer, no readable picture, too long.
        ModelError: If the model's folder can't be used.
        DigestMismatchError: If the dataset isn't what its card says.
    """
    config = config or EvaluationConfig()
    session = Session.of(data, setting, suite, config)
    return _compared(session.evaluate(TargetModel.of(model, processor, config), out), controls)


@dataclass
class Session:
    """What evaluations of several models in one setting share: the plan, its questions and pictures once encoded.

    Args:
        data: The dataset.
        plan: What is asked.
        suite: Which metrics and slices.
        metrics: By name.
        config: Everything else.
    """

    data: OffsideDataset
    plan: Plan
    suite: Suite
    metrics: dict[str, SampleMetric]
    config: EvaluationConfig
    _items: list[Item] | None = None
    _instructed: str = ""
    _collate: Collator | None = None
    attacks: Mapping[str, RecoveryAttack] = field(default_factory=dict)

    @classmethod
    def of(cls, data: OffsideDataset | str | Path, setting: str, suite: Suite, config: EvaluationConfig) -> Session:
        """Plan what is asked; raises as `evaluate`."""
        metrics = load_metrics(_metric_names(suite, config.metrics))
        attacks = make_attacks(config.attacks, config.attack_options, config.seed)
        data = _verified(data)
        plan = make_plan(
            data,
            setting,
            suite=suite,
            only=config.only,
            limit=config.limit,
            limit_kept=config.limit_kept,
            seed=config.seed,
        )
        return cls(data, plan, suite, metrics, config, attacks=attacks)

    def evaluate(self, target: TargetModel, out: str | Path | None) -> Results:
        """Evaluate one model and attack it; all those of a session must have the same processor."""
        meta = _meta(target, self.data, self.plan, self.suite, list(self.metrics), self.config)
        output = OutputFolder(Path(out), meta, force=self.config.force) if out is not None else None
        results = self._evaluated(target, meta, output)
        return self._attacked(results, target, output) if self.attacks else results

    def _evaluated(self, target: TargetModel, meta: EvaluationMeta, output: OutputFolder | None) -> Results:
        started, config, names = time.monotonic(), self.config, list(self.metrics)
        finished = output.finished() if output else None
        if finished is not None:
            log(f"{finished.path}: this evaluation is finished; nothing to do.")
            return finished

        from offside_eval.inference.engine import Engine, asking_collator

        if self._collate is None:
            self._collate = asking_collator(target.processor)
        engine = Engine(
            model=target.load(),
            processor=target.processor,
            batch_size=config.batch_size,
            max_new_tokens=config.max_new_tokens,
            max_length=config.max_length,
            saved=output.saved() if output else None,
            collate=self._collate,
            intervention=target.intervention,
        )
        needs = frozenset[Need]().union(*(metric.needs for metric in self.metrics.values()))
        # What one model is asked, the next one is asked, too, unless something is said before its questions.
        instructed = target.digest if target.intervention is not None and target.intervention.instructs else ""
        if self._items is None or instructed != self._instructed:
            self._items, self._instructed = engine.encode(self.plan.questions.values(), needs), instructed
            _warn_of_long_answers(self._items, config.max_new_tokens)
        prepared = time.monotonic()
        with output.alone() if output else contextlib.nullcontext():
            finished = output.finished() if output else None  # By another process meanwhile.
            if finished is not None:
                return finished
            if output:
                output.begin()
            answers = engine.ask(self._items, needs)
            asked = time.monotonic()
            held_out = target.run.not_counted if target.run else ()
            donors = donor_values(target, self.data)
            samples = samples_frame(sample_rows(self.plan, answers, self.metrics, held_out, donors), names)
            setting = self.plan.request.setting.name
            results = Results(samples, aggregate(counted(samples), names, setting=setting), meta)
            if output:
                seconds = {"prepare": prepared - started, **answers.seconds, "score": time.monotonic() - asked}
                results = output.finish(results, _timing(seconds, answers))
        return results

    def _attacked(self, results: Results, target: TargetModel, output: OutputFolder | None) -> Results:
        """Make every attack that isn't finished, the model loaded for the first of them."""
        identity = _attacked_identity(results.meta)
        place = AttackFolder(output.attacks) if output else None
        found = dict(results.attacks)
        with output.alone() if output else contextlib.nullcontext():
            missing = {}
            for name, attack in self.attacks.items():
                done = place.finished(name, attack, identity) if place else None
                if done is None:
                    missing[name] = attack
                else:
                    found[name] = done
            model = target.load() if missing else None
            for name, attack in missing.items():
                saved = place.progress(name, attack, identity) if place else None
                made = run_attack(name, attack, self._attack_target(attack, target, model, saved), identity)
                if place and output:
                    made.save(output.attacks)
                    place.drop(name)
                found[name] = made
                log(said_of(made))
        return replace(results, attacks=found)

    def _attack_target(
        self, attack: RecoveryAttack, target: TargetModel, model: Any, saved: Path | None
    ) -> AttackTarget:
        from offside_eval.attacks._claims import HELD_OUT, TAUGHT, claims_of
        from offside_eval.attacks._target import AttackTarget
        from offside_eval.inference.saved import SavedBatches

        run = target.run
        unfair = dict.fromkeys(run.not_counted, HELD_OUT) if run else {}
        unfair |= dict.fromkeys((run.taught or ()) if run else (), TAUGHT)
        drawn = claims_of(
            self.plan, self.data, claims=attack.claims, control=attack.control, seed=attack.seed, unfair=unfair
        )
        return AttackTarget(
            model=model,
            processor=target.processor,
            data=self.data,
            drawn=drawn,
            batch_size=self.config.batch_size,
            max_new_tokens=self.config.max_new_tokens,
            max_length=self.config.max_length,
            saved=SavedBatches(saved) if saved else None,
            intervention=target.intervention,
        )


def _attacked_identity(meta: EvaluationMeta) -> dict[str, Any]:
    """What decides, beside its options, what an attack finds."""
    content = meta.to_json()
    identity = {key: content[key] for key in ("setting", "limit", "generation", "dtype", "image_backend", "max_pixels")}
    return identity | {
        "model": meta.model.digest,
        "dataset": meta.dataset.digest,
        "forget": meta.forget.digest,
    }


def _metric_names(suite: Suite, asked: tuple[str, ...]) -> list[str]:
    of_suite = LIGHT_METRICS if suite == "light" else metric_names(variants=suite == "full")
    names = list(dict.fromkeys(asked)) or list(of_suite)
    generates = any("generation" in metric.needs for metric in load_metrics(names).values())
    return names if ALWAYS in names or not generates else [*names, ALWAYS]


def _verified(data: OffsideDataset | str | Path) -> OffsideDataset:
    from offside_data.dataset.folder import open_dataset

    opened = open_dataset(data) if isinstance(data, (str, Path)) else data
    opened.verify()
    return opened


def _meta(
    target: TargetModel,
    data: OffsideDataset,
    plan: Plan,
    suite: Suite,
    metrics: Sequence[str],
    config: EvaluationConfig,
) -> EvaluationMeta:
    from offside_data.vlm import image_backend

    return EvaluationMeta(
        model=EvaluatedModel(path=target.path, digest=target.digest, run=target.run, intervention=target.applied),
        role=target.role,
        dataset=DatasetReference(name=data.name, version=data.version, commit=data.ref.commit, digest=data.digest),
        setting=plan.request.setting.name,
        only=config.only,
        forget=ForgottenRecords(digest=plan.request.digest, n=len(plan.request.record_ids)),
        suite=suite,
        limit=config.limit,
        limit_kept=config.limit_kept,
        metrics=tuple(metrics),
        generation=Generation(greedy=True, max_new_tokens=config.max_new_tokens, max_length=config.max_length),
        batch_size=config.batch_size,
        seed=config.seed,
        dtype=target.dtype,
        device=target.device,
        image_backend=image_backend(target.processor),
        max_pixels=config.max_pixels,
        n_questions=len(plan.questions),
        versions=provenance.versions(),
    )


def _warn_of_long_answers(items: list[Item], max_new_tokens: int) -> None:
    longest = max(len(item.answers[0]) for item in items)
    n = sum(len(item.answers[0]) > max_new_tokens for item in items)
    if n:
        log(
            f"warning: {n} gold answers have more than {max_new_tokens} tokens (longest: {longest}), so the "
            f"model can't give them in full: pass --max-new-tokens {longest}."
        )


def _timing(seconds: dict[str, float], answers: Answers) -> dict[str, Any]:
    asked, asking = answers.asked.get("answering"), answers.seconds.get("answering")
    return {
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "asked": answers.asked,
        "answers_per_second": round(asked / asking, 1) if asked and asking else None,
        "asked_again_alone": answers.asked_again,
        "peak_memory_mb": provenance.peak_memory_mb(),
    }


def _compared(results: Results, controls: Mapping[str, Results | str | Path] | None) -> Evaluation:
    comparison = None
    if controls:
        from offside_eval.compare import compare

        comparison = compare(
            [results, *controls.values()],
            vanilla=controls.get("vanilla"),
            retain_only=controls.get("retain_only"),
        )
    return Evaluation(
        results.samples, results.aggregates, results.meta, results.path, results.attacks, comparison=comparison
    )
