"""Evaluate one model in one setting: plan, ask, score, aggregate, write."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.errors import UsageError
from offside_data.progress import log, process_count, process_number
from offside_data.run_manifest import DatasetReference
from offside_eval import depth, model_scores, provenance
from offside_eval.aggregate import aggregate
from offside_eval.attacking import AttackFolder, make_attacks, run_attack, said_of
from offside_eval.config import DEFAULT_SUITE, LIGHT_METRICS, EvaluationConfig, Suite
from offside_eval.lending import donor_values
from offside_eval.membership import candidates_of, members_frame
from offside_eval.meta import EarlierRequest, EvaluatedModel, EvaluationMeta, ForgottenRecords, Generation
from offside_eval.metrics import Need, SampleMetric, load_metrics, metric_names
from offside_eval.mismatch import check_request
from offside_eval.model import TargetModel, run_of
from offside_eval.model_metrics import load_model_metrics, model_metric_names
from offside_eval.output import OutputFolder
from offside_eval.plan import EARLIER, Plan, make_plan
from offside_eval.results import Results, counted, samples_frame
from offside_eval.scoring import sample_rows
from offside_eval.weighings import weighings_frame

if TYPE_CHECKING:
    import polars as pl

    from offside_data.dataset.folder import OffsideDataset
    from offside_data.earlier import EarlierRecords
    from offside_data.run_manifest import RunManifest
    from offside_data.vlm import Collator
    from offside_eval.attacks import AttackTarget, Attempt, RecoveryAttack
    from offside_eval.compare import Comparison
    from offside_eval.inference.asking import Item
    from offside_eval.inference.cache import AnswerCache
    from offside_eval.inference.engine import Answers, Engine
    from offside_eval.membership import MembershipClaim

ALWAYS = "degenerate"
"""The metric that belongs to every evaluation in which answers are generated: it marks a collapse."""

_WITHOUT_CONTROLS = ("retain_only", "base")
"""Roles of models that are no closer or further from retain-only by anything that was unlearned."""


@dataclass(frozen=True, repr=False)
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
        suite: `core` takes every metric but those that cost further answers, `full` these and all variants too, `light`
            a few, `utility` asks only what has nothing to do with the subjects.
        controls: Results of control models by role (`vanilla`, `retain_only`, `base`): the results then hold a
            `comparison` with them, and metrics of the model that need them are computed.
        config: Everything else; null takes the defaults.
        out: Folder to write to; an interrupted evaluation goes on there, a finished one is reused.

    Raises:
        UsageError: If a name or option is wrong, or `out` holds something else.
        RecordError: If a record can't be asked: no answer, no readable picture, too long.
        ModelError: If the model's folder can't be used.
        DigestMismatchError: If the dataset isn't what its card says.
        MismatchError: If the model was unlearned on other records or another dataset, and the config doesn't allow it.
    """
    config = config or EvaluationConfig()
    session = Session.of(data, setting, suite, config, run=run_of(model))
    beside = {role: _loaded(control) for role, control in (controls or {}).items()}
    target = TargetModel.of(model, processor, config)
    if target.role not in _WITHOUT_CONTROLS:
        for line in model_scores.said_of_lacking(session.model_metrics, beside, out):
            log(f"note: {line}")
    wanted = "depth" in session.needs() and target.role not in depth.ROLES
    lacks = depth.why_not(beside) if wanted else None
    if lacks is not None:
        log(f"note: {lacks}")
    results = session.evaluate(target, out)
    if process_number() == 0:
        if wanted and lacks is None:
            results = depth.deepen(results, target, beside, plan=session.plan, data=session.data, config=config)
        session.measure(results, beside)
    return _compared(results, beside)


@dataclass
class Session:
    """What evaluations of several models in one setting share: the plan, its questions and pictures once encoded.

    Args:
        data: The dataset.
        plan: What is asked.
        suite: Which metrics and slices.
        metrics: By name.
        model_metrics: Names of the metrics of the whole model that are prepared and computed.
        config: Everything else.
    """

    data: OffsideDataset
    plan: Plan
    suite: Suite
    metrics: dict[str, SampleMetric]
    model_metrics: tuple[str, ...]
    config: EvaluationConfig
    _items: list[Item] | None = None
    _instructed: str = ""
    _collate: Collator | None = None
    _candidates: list[MembershipClaim] | None = None
    _member_items: tuple[str, list[Item]] | None = None
    attacks: Mapping[str, RecoveryAttack] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: OffsideDataset | str | Path,
        setting: str,
        suite: Suite,
        config: EvaluationConfig,
        *,
        run: RunManifest | None = None,
    ) -> Session:
        """Plan what is asked; raises as `evaluate`. `run`: the receipt of the models, for what was asked of them."""
        names, of_model = _metric_names(suite, config.metrics)
        metrics = load_metrics(names)
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
            run=run,
        )
        return cls(data, plan, suite, metrics, of_model, config, attacks=attacks)

    def measure(self, results: Results, controls: Mapping[str, Results]) -> None:
        """Compute the metrics of the model beside its results, as far as controls are there."""
        without = {name for names in model_scores.lacking(self.model_metrics, controls).values() for name in names}
        names = [name for name in self.model_metrics if name not in without]
        if names and results.path is not None:
            model_scores.save(results, model_scores.measure(results, names, controls), controls)

    def evaluate(self, target: TargetModel, out: str | Path | None) -> Results:
        """Evaluate one model and attack it; all those of a session must have the same processor."""
        meta = _meta(target, self.data, self.plan, self.suite, list(self.metrics), self.model_metrics, self.config)
        check_request(meta, allow=self.config.allow_mismatch)
        output = OutputFolder(Path(out), meta, force=self.config.force) if out is not None else None
        if process_count() > 1:
            _prepare_sharing(output, self.config)
        results = self._evaluated(target, meta, output)
        return self._attacked(results, target, output) if self.attacks and process_number() == 0 else results

    def _evaluated(self, target: TargetModel, meta: EvaluationMeta, output: OutputFolder | None) -> Results:
        started, config, names = time.monotonic(), self.config, list(self.metrics)
        finished = output.finished() if output else None
        if finished is not None:
            log(f"{finished.path}: this evaluation is finished; nothing to do.")
            return finished

        donors = donor_values(target, self.data)  # Before anything is asked: its table may be another one.

        from offside_eval.inference.engine import Engine, asking_collator

        if self._collate is None:
            self._collate = asking_collator(target.processor)
        model = target.load()
        engine = Engine(
            model=model,
            processor=target.processor,
            batch_size=config.batch_size,
            max_new_tokens=config.max_new_tokens,
            max_length=config.max_length,
            saved=output.saved() if output else None,
            collate=self._collate,
            intervention=target.intervention,
            seed=config.seed,
            cache=_cache(model, target, meta, config),
            share=(process_number(), process_count()),
        )
        needs = self.needs()
        # What one model is asked, the next one is asked, too, unless something is said before its questions.
        instructed = target.digest if target.intervention is not None and target.intervention.instructs else ""
        if self._items is None or instructed != self._instructed:
            self._items, self._instructed = engine.encode(self.plan.questions.values(), needs), instructed
            _warn_of_long_answers(self._items, config.max_new_tokens)
        prepared = time.monotonic()
        if output and process_number() > 0:
            finished = output.begun()
            if finished is None:
                engine.ask(self._items, needs)
            return finished or output.awaited()
        with output.alone() if output else contextlib.nullcontext():
            finished = output.finished() if output else None  # By another process meanwhile.
            if finished is not None:
                return finished
            if output:
                output.begin()
            answers = engine.ask(self._items, needs)
            held_out = target.run.not_counted if target.run else ()
            tested = self._tested(engine, answers, instructed, held_out)
            asked = time.monotonic()
            rows = sample_rows(self.plan, answers, self.metrics, held_out, donors, config.seed)
            samples = samples_frame(rows, names)
            aggregates = aggregate(counted(samples), names, setting=self.plan.request.setting.name)
            results = Results(samples, aggregates, meta, weighed=weighings_frame(self.plan, answers), tested=tested)
            if output:
                seconds = {"prepare": prepared - started, **answers.seconds, "score": time.monotonic() - asked}
                results = output.finish(results, _timing(seconds, answers))
        return results

    def _tested(
        self, engine: Engine, answers: Answers, instructed: str, held_out: Collection[str]
    ) -> pl.DataFrame | None:
        """Weigh claims to be forgotten and ones that no model saw, where a metric of membership was asked for."""
        needs = self.needs()
        if not needs & {"membership", "gradients"}:
            return None
        if self._candidates is None:
            self._candidates = candidates_of(self.plan, self.data, seed=self.config.seed)
        if self._member_items is None or self._member_items[0] != instructed:
            questions = [c.question for c in self._candidates]
            self._member_items = instructed, engine.encode(questions, frozenset({"likelihood"}))
        items = self._member_items[1]
        # The first of several processes asks these alone: the others are done when the plan's questions are.
        found = replace(engine, share=(0, 1)).ask_members(items, needs)
        answers.seconds |= found.seconds
        answers.asked |= found.asked
        return members_frame(self._candidates, items, found, held_out)

    def needs(self) -> frozenset[Need]:
        """What the model must do for the metrics."""
        of_models = (metric.needs for metric in load_model_metrics(self.model_metrics).values())
        return frozenset[Need]().union(*(metric.asks for metric in self.metrics.values()), *of_models)

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
            known: dict[str, Attempt] = {}
            for name, attack in missing.items():
                saved = place.progress(name, attack, identity) if place else None
                attacked = self._attack_target(attack, target, model, saved, known)
                made = run_attack(name, attack, attacked, identity)
                if place and output:
                    made.save(output.attacks)
                    place.drop(name)
                found[name] = made
                log(said_of(made))
        return replace(results, attacks=found)

    def _attack_target(
        self,
        attack: RecoveryAttack,
        target: TargetModel,
        model: Any,
        saved: Path | None,
        known: dict[str, Attempt],
    ) -> AttackTarget:
        from offside_eval.attacks._claims import HELD_OUT, TAUGHT, claims_of
        from offside_eval.attacks._target import AttackTarget
        from offside_eval.inference.engine import asking_collator
        from offside_eval.inference.saved import SavedBatches

        if self._collate is None:  # Where the evaluation was finished before.
            self._collate = asking_collator(target.processor)
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
            pictures=self._collate,
            known=known,
        )


def _prepare_sharing(output: OutputFolder | None, config: EvaluationConfig) -> None:
    """Of several processes each has a GPU of its own, and all must find each other's batches.

    Raises:
        UsageError: If they couldn't.
    """
    if output is None:
        raise UsageError(
            "several processes evaluate one model through its output folder: name one, or start one process."
        )
    if config.force:
        raise UsageError(
            "--force with several processes: one could still read what another one deletes. Delete the output folder, "
            "or choose another one."
        )
    import torch

    if torch.cuda.is_available() and config.device in (None, "cuda"):
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def _cache(model: Any, target: TargetModel, meta: EvaluationMeta, config: EvaluationConfig) -> AnswerCache | None:
    """Where answers of this model are shared with other evaluations."""
    if config.cache is None:
        return None
    from offside_eval.inference.cache import AnswerCache, identity_of

    identity = identity_of(
        model, target.processor, digest=target.digest, versions=meta.versions, backend=str(meta.image_backend)
    )
    return AnswerCache(Path(config.cache), identity)


def _attacked_identity(meta: EvaluationMeta) -> dict[str, Any]:
    """What decides, beside its options, what an attack finds."""
    content = meta.to_json()
    identity = {key: content[key] for key in ("setting", "limit", "generation", "dtype", "image_backend", "max_pixels")}
    return identity | {
        "model": meta.model.digest,
        "dataset": meta.dataset.digest,
        "forget": meta.forget.digest,
    }


def _loaded(results: Results | str | Path) -> Results:
    return results if isinstance(results, Results) else Results.load(results)


def _metric_names(suite: Suite, asked: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
    """The per-record metrics to score, those that metrics of the model read among them; and the latter."""
    known = model_metric_names()
    of_model = [n for n in dict.fromkeys(asked) if n in known] if asked else model_scores.names_of_suite(suite)
    names = [n for n in dict.fromkeys(asked) if n not in known]
    if not asked:
        names = list(LIGHT_METRICS) if suite == "light" else metric_names(variants=suite == "full")
        names = [n for n, metric in load_metrics(names).items() if suite in ("light", "full") or not metric.costly]
    names = list(dict.fromkeys([*names, *(n for m in load_model_metrics(of_model).values() for n in m.metrics)]))
    generates = any("generation" in metric.asks for metric in load_metrics(names).values())
    return (names if ALWAYS in names or not generates else [*names, ALWAYS]), tuple(of_model)


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
    model_metrics: Sequence[str],
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
        model_metrics=tuple(model_metrics),
        generation=Generation(greedy=True, max_new_tokens=config.max_new_tokens, max_length=config.max_length),
        batch_size=config.batch_size,
        seed=config.seed,
        dtype=target.dtype,
        device=target.device,
        image_backend=image_backend(target.processor),
        max_pixels=config.max_pixels,
        n_questions=len(plan.questions),
        versions=provenance.versions(),
        earlier=tuple(_earlier(number, found) for number, found in enumerate(plan.earlier, start=1)),
    )


def _earlier(number: int, found: EarlierRecords) -> EarlierRequest:
    made = found.made
    return EarlierRequest(
        slice=f"{EARLIER}{number}",
        digest=found.request.digest,
        n=len(found.request.record_ids),
        n_found=found.n_found,
        method=made.method,
        setting=made.setting,
        only=made.only or (),
        request=made.request,
        dataset=made.dataset,
        remark=found.remark,
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


def _compared(results: Results, controls: Mapping[str, Results]) -> Evaluation:
    comparison = None
    if controls:
        from offside_eval.compare import compare

        comparison = compare(
            [results, *controls.values()],
            vanilla=controls.get("vanilla"),
            retain_only=controls.get("retain_only"),
        )
    return Evaluation(
        results.samples,
        results.aggregates,
        results.meta,
        results.path,
        weighed=results.weighed,
        tested=results.tested,
        patched=results.patched,
        attacks=results.attacks,
        corrections=results.corrections,
        comparison=comparison,
    )
