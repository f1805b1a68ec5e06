"""Sweep: try options of one method, and choose by the validation part those that forget enough and keep the most.

Each trial is a run like any other, and asked afterwards what it knows of the validation part: by that, and by nothing
that a report counts, is chosen. Which options a trial has follows from the seed, its number and what the trials before
it came to, so that a sweep that was killed goes on with the same ones.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from offside_data.errors import FolderInUseError, OffsideError, OutputExistsError, UsageError
from offside_data.figures import counted
from offside_data.progress import log
from offside_data.run_manifest import HeldOut
from offside_data.vlm import Encoder, load_model, load_processor
from offside_unlearn import ranks
from offside_unlearn.engine import dataset_facts
from offside_unlearn.finetuning import opened
from offside_unlearn.options import RunOptions, SweepOptions
from offside_unlearn.quiet import quietly
from offside_unlearn.runs import exclusive
from offside_unlearn.space import GENERAL, Space, as_document
from offside_unlearn.start import check_lora, check_tune, find_start, manifest_of
from offside_unlearn.trainer import TrainingError
from offside_unlearn.trials import (
    RUNS,
    TRIALS,
    Keep,
    Outcome,
    Trial,
    TrialFolder,
    TrialStudy,
    in_words,
    require_optuna,
)
from offside_unlearn.unlearning import (
    PlannedRun,
    changes_weights,
    declared_space,
    plan_run,
    read_options,
    trains,
    unlearn,
)
from offside_unlearn.validation import (
    ValidationConfig,
    ValidationPart,
    has_collapsed,
    parse_until,
    require_knowledge,
    since,
)

_VALIDATION = frozenset(f.name for f in dataclasses.fields(ValidationConfig))
_IDLE = frozenset({"force", "device", "checkpoint_seconds", "report_to"})
"""Of the options of a run those that don't change what a trial comes to."""
_DRAW = ("validation", "validation_seed")
"""The options that decide which records the validation part holds."""


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Args:
        path: Its folder.
        method: The method.
        level: Forgetting at which was chosen.
        space: What was searched.
        trials: All trials, in their order.
        held_out: The validation part.
        best: The one that forgot enough and kept the most; null if none forgot enough.
        config: `best.yaml`, for `--config`; null likewise.
        run: The best one's run, if it is kept.
    """

    path: Path
    method: str
    level: float
    space: Space
    trials: tuple[Trial, ...]
    held_out: HeldOut
    best: Trial | None
    config: Path | None
    run: Path | None

    @property
    def nearest(self) -> Trial:
        """The best trial, or what came nearest to the level."""
        return max(self.trials, key=lambda trial: trial.rank(self.level))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "method": self.method,
            "at": f"forgetting={self.level:g}",
            "space": as_document(self.space),
            "validation": dataclasses.asdict(self.held_out),
            "best": self.best.number if self.best else None,
            "nearest": self.nearest.number,
            "config": str(self.config) if self.config else None,
            "run": str(self.run) if self.run else None,
            "trials": [dataclasses.asdict(trial) for trial in self.trials],
        }


class SweepError(OffsideError):
    """No trial of a sweep forgot enough."""

    @classmethod
    def of(cls, found: Sweep) -> SweepError:
        """Say what came nearest."""
        nearest = found.nearest
        told = in_words(nearest.found) if nearest.found else nearest.why
        return cls(
            f"{found.path}: none of {counted(len(found.trials), 'trial')} forgot {found.level:g} of the validation "
            f"part without collapsing. Nearest: trial {nearest.number} ({in_words(nearest.options)}), "
            f"{nearest.outcome}: {told}. Search elsewhere with --search, ask for less with --at, or give it more "
            "--trials."
        )


def sweep(
    method: str,
    model: str | Path,
    data: Any,
    setting: str,
    config: Mapping[str, Any] | None,
    out: str | Path,
    options: RunOptions | None = None,
    *,
    search: Space | None = None,
    defaults: Mapping[str, Any] | None = None,
    at: str = SweepOptions.at,
    trials: int = SweepOptions.trials,
    timeout: float | None = SweepOptions.timeout,
    keep: Keep = SweepOptions.keep,
) -> Sweep:
    """Search a method's options for those that forget enough and keep the most of what must stay.

    Both are measured on the validation part alone: records to be forgotten and to stay that no report counts. A run
    with the options found (`best.yaml`) holds the same records out of its reports.

    Args:
        method: As `unlearn` takes it.
        model: A path or a Hub id.
        data: A dataset or a reference to one.
        setting: One that the dataset's card offers.
        config: Options that are fixed: they aren't searched.
        out: The sweep's folder: `sweep.json`, `study.db` (Optuna's, in SQLite), `best.yaml`, `runs/`.
        options: Of every run; its `seed` is also that of the search.
        search: Spaces that are added to the method's own, or take their place.
        defaults: Options that stand where they aren't searched, e.g. a preset's.
        at: `forgetting=LEVEL`: how much of what it knew a model must have forgotten.
        trials: How many there shall be in all, those of earlier calls included.
        timeout: Seconds after which no further trial is begun.
        keep: Which trials' runs stay in `runs/`: `best`, `all` or `none`.

    Raises:
        UsageError: If an option, a space or the level is wrong, Optuna isn't installed, the method changes no weights,
            or the model knows nothing of the validation part.
        OutputExistsError: If `out` holds something else.
    """
    require_optuna()
    if ranks.count() > 1:
        raise UsageError(
            "a sweep is made by one process, not by several together: start it without accelerate launch or torchrun."
        )
    options, level = options or RunOptions(), parse_until(at, "--at")
    if trials < 1:
        raise UsageError(f"--trials must be at least 1, got {trials}.")
    asked = _Asked.of(method, str(model), data, setting, dict(config or {}), dict(defaults or {}), search, options)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(out), quietly():
        folder = TrialFolder(out, keep)
        start = folder.begin(asked.identity(level), asked.ask_start, force=options.force)
        return _run(asked, folder, start, level, trials, timeout)


def _run(
    asked: _Asked, folder: TrialFolder, start: Mapping[str, float], level: float, trials: int, timeout: float | None
) -> Sweep:
    study = TrialStudy(folder.path / TRIALS, asked.space, level, asked.options.seed)
    began = time.monotonic()
    done = study.trials()
    folder.clear(done, level)
    while len(done) < trials:
        if done and timeout is not None and time.monotonic() - began >= timeout:
            log(f"{len(done)} of {trials} trials done; the time is up.")
            break
        number, chosen = len(done), study.ask(done)
        if chosen is None:
            log(f"{len(done)} of {trials} trials done: the space has no more.")
            break
        log(f"trial {number}, {number + 1} of {trials}: {in_words(chosen)}")
        trial = _try(asked, number, chosen, folder, start, level, first=all(t.outcome == "failed" for t in done))
        study.add(trial)
        done.append(trial)
        folder.clear(done, level)
        log(f"trial {number}: {trial.outcome}" + (f", {in_words(trial.found)}" if trial.found else f": {trial.why}"))
    ranked = max(done, key=lambda trial: trial.rank(level))
    best = ranked if ranked.outcome == "reached" else None
    kept = folder.path / RUNS / ranked.name
    place = folder.write_best(None if best is None else asked.best_text(best, level))
    return Sweep(
        folder.path,
        asked.method,
        level,
        asked.space,
        tuple(done),
        asked.held_out,
        best,
        place,
        kept if best is not None and kept.is_dir() else None,
    )


def _try(
    asked: _Asked,
    number: int,
    chosen: Mapping[str, Any],
    folder: TrialFolder,
    start: Mapping[str, float],
    level: float,
    *,
    first: bool,
) -> Trial:
    """Make a trial's run and ask its model.

    Raises:
        UsageError: If the run can't be made, and none before it could: then the request is at fault, not the options.
    """
    out = folder.path / RUNS / Trial(number, chosen, "failed").name
    place = dataclasses.replace(asked.options, force=False)
    try:
        run = unlearn(asked.method, asked.model, None, asked.data, asked.setting, asked.config(chosen), out, place)
    except (FolderInUseError, OutputExistsError):
        raise
    except (TrainingError, UsageError) as error:
        if first and not isinstance(error, TrainingError):
            raise
        return Trial(number, chosen, "failed", why=str(error))
    held_out = run.manifest.validation
    if held_out != asked.held_out:
        raise UsageError(
            f"{out}: with these options other records are held out, so that trials can't be compared. Fix what changes "
            "them (retain_slices) with --set."
        )
    found = asked.ask(str(run.path))
    found = {**since(start, found), "broken": found["broken"]}
    outcome: Outcome = "reached" if found["forgetting"] >= level else "short"
    return Trial(number, chosen, "collapsed" if has_collapsed(found, asked.validation) else outcome, found)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What all trials of a sweep have in common."""

    method: str
    model: str
    data: Any
    setting: str
    fixed: Mapping[str, Any]
    defaults: Mapping[str, Any]
    space: Space
    options: RunOptions
    plan: PlannedRun
    validation: ValidationConfig
    held_out: HeldOut
    digest: str

    @classmethod
    def of(
        cls,
        method: str,
        model: str,
        data: Any,
        setting: str,
        fixed: dict[str, Any],
        defaults: dict[str, Any],
        search: Space | None,
        options: RunOptions,
    ) -> _Asked:
        """Read what was asked for, and try the ends of the space on the options' own checks.

        Raises:
            UsageError: If something is wrong.
        """
        if not changes_weights(method):
            raise UsageError(f"{method} changes no weights, so there is nothing to sweep; give `run` its options.")
        space = _space(method, fixed, search)
        if "max_steps" in space:
            defaults = {name: value for name, value in defaults.items() if name != "epochs"}
        drawn = {name: value for name, value in (defaults | fixed).items() if name in _DRAW}
        drawn = dataclasses.asdict(ValidationConfig()) | drawn
        common = {name: drawn[name] for name in _DRAW} | defaults | fixed
        data = opened(data)
        plan = plan_run(method, data, setting, common, options, before=manifest_of(model))
        assert plan.watched is not None  # Its options were given.
        for name, dimension in space.items():
            for value in dimension.extremes:
                try:
                    read_options(method, {**common, name: value}, (), None)
                except UsageError as error:
                    raise UsageError(f"--search {name}={dimension.in_words()}: {error}") from error
        start = find_start(model)
        check_tune(start, options, plan.tasks[0].method)
        check_lora(start, options, {**common, **dict.fromkeys(space)}, plan.tasks[0].method)
        return cls(
            method=method,
            model=model,
            data=data,
            setting=setting,
            fixed=fixed,
            defaults={name: value for name, value in common.items() if name not in fixed},
            space=space,
            options=options,
            plan=plan,
            validation=plan.watched.config,
            held_out=plan.watched.held_out,
            digest=start.digest,
        )

    def config(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """All options of a trial's run that differ from the defaults."""
        return {**self.defaults, **self.fixed, **chosen}

    def best_text(self, best: Trial, level: float) -> str:
        """What stands in `best.yaml`."""
        head = [
            f"Options of {self.method} that a sweep chose at forgetting {level:g}: trial {best.number},",
            f"{in_words(best.found)} on the validation part. A run with them (--config) holds",
            "the same part out of reports.",
        ]
        text: str = yaml.safe_dump(self.config(best.options), sort_keys=True, allow_unicode=True)
        return "".join(f"# {line}\n" for line in head) + text

    def identity(self, level: float) -> dict[str, Any]:
        """What decides which trials there are and what they come to, as far as it goes into `sweep.json`."""
        own = self.options
        return {
            "schema": 1,
            "method": self.method,
            "model": self.digest,
            "dataset": dataset_facts(self.plan.dataset),
            "setting": self.setting,
            "forget": self.plan.forget["digest"],
            "fixed": dict(self.fixed),
            "defaults": dict(self.defaults),
            "space": as_document(self.space),
            "at": level,
            **{name: value for name, value in dataclasses.asdict(own).items() if name not in _IDLE},
        }

    def ask_start(self) -> dict[str, float]:
        """What the model knows of the validation part before anything is unlearned.

        Raises:
            UsageError: If it knows nothing of a side.
        """
        found = self.ask(self.model)
        require_knowledge(found, "no sweep can say what was forgotten. Start from a model that has learnt the records.")
        return found

    def ask(self, path: str) -> dict[str, float]:
        """What a model knows of the validation part."""
        own, train = self.options, self.plan.tasks[0].config
        assert self.plan.watched is not None
        processor = load_processor(path, max_pixels=own.max_pixels)
        encoder = Encoder(processor, max_length=train.max_length, cut=train.cut_long)
        model = load_model(path, device=own.device, dtype=own.dtype)
        part: ValidationPart = self.plan.watched.part(encoder)
        found = part.ask(model)
        del model
        gc.collect()  # The next trial's model may need the room.
        return found


def _space(method: str, fixed: Mapping[str, Any], search: Space | None) -> dict[str, Any]:
    """The method's own space and the general one, with what was given in their place, without what is fixed.

    Raises:
        UsageError: If an option is both fixed and searched, can't be searched, or nothing is left.
    """
    given = dict(search or {})
    both = sorted(given.keys() & fixed.keys())
    if both:
        raise UsageError(f"{', '.join(both)}: searched and fixed; leave one of the two out.")
    watching = sorted(given.keys() & _VALIDATION)
    if watching:
        raise UsageError(f"{', '.join(watching)}: says by what is chosen, so it can't be searched; fix it with --set.")
    general = dict(GENERAL) if trains(method) else {}
    if "epochs" in fixed:
        general.pop("max_steps", None)
    space = {**general, **declared_space(method), **given}
    space = {name: dimension for name, dimension in space.items() if name not in fixed}
    if not space:
        raise UsageError(f"{method}: nothing is left to search; name an option with --search OPTION=LOW..HIGH.")
    return {name: space[name] for name in sorted(space)}
