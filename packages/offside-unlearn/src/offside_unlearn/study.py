"""Studies: a whole grid of runs from one plan, with its controls, relearning, evaluation, comparison and report.

The grid is methods x settings x seeds, each cell a trajectory of doses. Every cell is a command of `offside-unlearn` or
`offside-eval` in the study's folder (see `stages`), so that what one does by hand and what a study does are the same,
and a study that was killed goes on from the commands that were finished.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from offside_data.config import read_yaml
from offside_data.errors import UsageError
from offside_data.plugins import require_known
from offside_data.run_curve import parse_point
from offside_data.settings import SETTINGS
from offside_data.strict import Strict
from offside_data.strict import read as read_strictly
from offside_unlearn.options import rate_folder
from offside_unlearn.stages import Stage

CONTROLS = ("vanilla", "retain_only", "base")
Scalar = str | int | float | bool | None
Values = Mapping[str, Scalar | tuple[Scalar, ...]]


_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")


@dataclass(frozen=True, kw_only=True)
class PlannedModel(Strict):
    """A control that the study makes by fine-tuning.

    Args:
        start: A model folder, a Hub id, or the name of another control.
        splits: What it learns.
        options: As `--set`.
        arguments: Further options of `offside-unlearn finetune`, e.g. `full: true`.
    """

    start: str
    splits: tuple[str, ...]
    options: Values = field(default_factory=dict)
    arguments: Values = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlannedRelearning(Strict):
    """What is relearned, to see what comes back; retain-only is relearned alike.

    Args:
        methods: Whose models; empty = all of the study that have weights of their own.
        settings: In which they were unlearned; empty = all of the study.
        curve_steps: After how many steps the model is evaluated besides.
        point: Of which point of a run's curve, as `--point`: `forgetting=LEVEL` or steps; null = its end. What has
            collapsed by the end of a run can't show that anything comes back.
        options: As `--set`.
        arguments: Further options of `offside-unlearn relearn`.
    """

    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    curve_steps: tuple[int, ...] = ()
    point: str | None = None
    options: Values = field(default_factory=dict)
    arguments: Values = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlannedAttacks(Strict):
    """What is attacked by further training; retain-only is attacked alike.

    Args:
        kinds: Of attacks, as `offside-unlearn relearn --attack`.
        rates: Learning rates.
        steps: After how many steps the model is evaluated.
        methods: Whose models; empty = all of the study.
        settings: In which they were unlearned; empty = all of the study.
        point: Of which point of a run's curve, as in `relearn`.
        retain_only: Folders of further retain-only models, which are attacked alike: what a rise is measured against is
            their mean.
        never_saw: Whether the same method is run on retain-only as well, and what it makes attacked alike: for as many
            steps, as retain-only has nothing to forget that could end it (`until`).
        options: As `--set`.
        arguments: Further options of `offside-unlearn relearn`.
    """

    kinds: tuple[str, ...]
    rates: tuple[float, ...]
    steps: tuple[int, ...]
    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    point: str | None = None
    retain_only: tuple[str, ...] = ()
    never_saw: bool = False
    options: Values = field(default_factory=dict)
    arguments: Values = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlannedCells(Strict):
    """Cells beside the grid.

    Args:
        method: One of the study's methods.
        settings: In which it is run as well; empty = those of the study.
        seeds: With which; empty = those of the study.
    """

    method: str
    settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StudyPlan(Strict):
    """What stands in a plan's YAML file. Paths are taken from where that file is.

    Args:
        data: A dataset folder or reference.
        controls: By name (`vanilla`, `retain_only`, `base`) a model's folder or how it is made; `vanilla` is what is
            unlearned.
        methods: By name the options of each, as `--set`.
        settings: In which each is run.
        seeds: With which each is run.
        further: Cells beside this grid, e.g. more seeds of one method.
        options: Of every method, as `--set`; those of the method win.
        curve_steps: Doses: after how many steps each model is kept and evaluated.
        until: `forgetting=LEVEL`: where a run stops by itself.
        arguments: Further options of every `offside-unlearn run`, e.g. `tune: all`.
        relearn: What is relearned; null = nothing.
        attack: What is attacked; null = nothing.
        evaluate: Options of every `offside-eval run`, e.g. `suite: core`.
        device: Options of every command that runs a model: `device`, `dtype`, `max_pixels`.
        at: Shares of forgetting at which methods are compared.
    """

    data: str
    controls: Mapping[str, str | PlannedModel]
    methods: Mapping[str, Values | None]
    settings: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    further: tuple[PlannedCells, ...] = ()
    options: Values = field(default_factory=dict)
    curve_steps: tuple[int, ...] = ()
    until: str | None = None
    arguments: Values = field(default_factory=dict)
    relearn: PlannedRelearning | None = None
    attack: PlannedAttacks | None = None
    evaluate: Values = field(default_factory=dict)
    device: Values = field(default_factory=dict)
    at: tuple[float, ...] = ()


def read_plan(path: Path, methods: Sequence[str]) -> StudyPlan:
    """Read a plan.

    Args:
        path: The YAML file.
        methods: Names of the methods there are.

    Raises:
        UsageError: If it can't be read, a key or value doesn't fit, or it names what isn't there.
    """
    known = [f.name for f in fields(StudyPlan)]
    content = _numbers(read_yaml(path))
    plan = read_strictly(StudyPlan, content, path, UsageError, remedy="See docs/unlearning.md.", known=known)
    for name in ("methods", "settings", "seeds"):
        if not getattr(plan, name):
            raise UsageError(f"{path}: {name} is empty: there is nothing to do.")
    for kind, named, there in (
        ("method", [name.split("+")[0] for name in plan.methods], methods),
        ("control", plan.controls, CONTROLS),
        ("method of the study", plan.relearn.methods if plan.relearn else (), list(plan.methods)),
        ("method of the study", plan.attack.methods if plan.attack else (), list(plan.methods)),
        ("setting of the study", plan.attack.settings if plan.attack else (), plan.settings),
        ("method of the study", [cells.method for cells in plan.further], list(plan.methods)),
        ("setting of the study", plan.relearn.settings if plan.relearn else (), plan.settings),
    ):
        require_known(kind, named, there, where=path)
    for name, given in plan.controls.items():
        if not (given if isinstance(given, str) else given.start).strip():
            raise UsageError(f"{path}: controls: {name}: the model's name is empty.")
    if "vanilla" not in plan.controls:
        raise UsageError(f"{path}: controls: vanilla is missing, the model that is unlearned.")
    if plan.until is not None and not plan.curve_steps:
        raise UsageError(f"{path}: until is looked at after the steps of a curve: give curve_steps.")
    for key, listed in _lists(plan):
        twice = [item for item in listed if listed.count(item) > 1]
        if twice:
            raise UsageError(f"{path}: {key}: {twice[0]!r} stands there twice.")
    for seed in (*plan.seeds, *(seed for cells in plan.further for seed in cells.seeds)):
        if not 0 <= seed < 2**32:
            raise UsageError(f"{path}: a seed is a whole number from 0 to {2**32 - 1}, got {seed}.")
    if not all(0 < level <= 1 for level in plan.at):
        raise UsageError(f"{path}: at takes shares of forgetting above 0 and at most 1, got {list(plan.at)}.")
    return plan


def _numbers(value: Any) -> Any:
    """A YAML value with the `1e-3` of its lists as numbers: YAML 1.1 takes what has no point for text.

    What is an option's is read as `--set` reads it, and stays as it is written.
    """
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [float(v) if isinstance(v, str) and _EXPONENT.fullmatch(v) else _numbers(v) for v in value]
    return value


def _lists(plan: StudyPlan) -> Iterator[tuple[str, Sequence[Any]]]:
    """Lists whose items name cells or folders: twice the same would be two commands at work in one place."""
    for name in ("settings", "seeds", "curve_steps", "at"):
        yield name, getattr(plan, name)
    for name in ("methods", "settings", "curve_steps"):
        yield f"relearn: {name}", getattr(plan.relearn, name) if plan.relearn else ()
    for name in ("kinds", "rates", "steps", "methods", "settings", "retain_only"):
        yield f"attack: {name}", getattr(plan.attack, name) if plan.attack else ()
    for cells in plan.further:
        yield f"further: {cells.method}: settings", cells.settings
        yield f"further: {cells.method}: seeds", cells.seeds


class Study:
    """The stages of a plan.

    Args:
        plan: The plan.
        where: The folder that its paths are taken from.
        out: The study's folder.
        offered: Settings that the dataset offers.
    """

    def __init__(self, plan: StudyPlan, where: Path, out: Path, offered: Sequence[str]) -> None:
        from offside_unlearn.unlearning import changes_weights, has_doses

        further = [setting for cells in plan.further for setting in cells.settings]
        asked = (*plan.settings, *further, *(["corrective"] if plan.relearn else []))
        require_known("setting", asked, offered, where=plan.data)
        self._plan = plan
        self._where = where
        self._out = out
        # The corrective setting asks everything that the others ask, so one evaluation of a control serves them all.
        every = tuple(dict.fromkeys((*plan.settings, *further)))
        self._asked_of_controls = ("corrective",) if "corrective" in offered else every
        self._data = self._place(plan.data)
        self._has_doses = has_doses
        self._with_weights = [method for method in plan.methods if changes_weights(method)]

    def stages(self) -> list[Stage]:
        """All stages, each after those that it needs."""
        made = [*self._controls(), *self._cells(), *self._relearned(), *self._attacked()]
        results = tuple(stage.out for stage in made if stage.group == "evaluate" and stage.out)
        after = tuple(stage.name for stage in made)
        several = self._plan.attack is not None and bool(self._plan.attack.retain_only)
        main = ("--retain-only", f"results/retain_only.{self._asked_of_controls[0]}") if several else ()
        at = ("--at", "forgetting=" + ",".join(f"{level:g}" for level in self._plan.at)) if self._plan.at else ()
        report = ("offside-eval", "report", "report", *results, "--dataset", self._data, *main, *at)
        compare = ("offside-eval", "compare", *results, *main, *at)
        return [
            *made,
            Stage("report", "report", report, "report", after),
            Stage("compare", "report", compare, None, after),
        ]

    def _place(self, name: str) -> str:
        """A path as it is from the study's folder; what isn't there is a reference, e.g. to the Hub."""
        path = self._where / name
        return os.path.relpath(path.resolve(), self._out.resolve()) if path.exists() else name

    def _control(self, name: str) -> str:
        given = self._plan.controls[name]
        return self._place(given) if isinstance(given, str) else f"models/{name}"

    def _needs(self, name: str) -> tuple[str, ...]:
        """The stage that makes a control, if one does."""
        return () if isinstance(self._plan.controls.get(name, ""), str) else (name,)

    def _controls(self) -> Iterator[Stage]:
        plan, waiting = self._plan, [n for n, given in self._plan.controls.items() if not isinstance(given, str)]
        ready = set(plan.controls) - set(waiting)
        while waiting:
            name = next((n for n in waiting if _start(plan, n) not in waiting), None)
            if name is None:
                raise UsageError(f"controls: {', '.join(sorted(waiting))} start from one another.")
            waiting.remove(name)
            ready.add(name)
            yield self._finetune(name)
        for name in plan.controls:
            for setting in self._asked_of_controls:
                yield self._evaluate(f"{name}.{setting}", self._control(name), setting, self._needs(name))

    def _finetune(self, name: str) -> Stage:
        made, out = self._plan.controls[name], f"models/{name}"
        assert isinstance(made, PlannedModel)  # as in `_controls`
        named = made.start in self._plan.controls
        start = self._control(made.start) if named else self._place(made.start)
        command = ("offside-unlearn", "finetune", out, "--model", start, "--data", self._data)
        splits = ("--splits", ",".join(made.splits), "--role", name)
        options = (*sets(made.options), *_flags({**self._plan.device, **made.arguments}))
        needs = self._needs(made.start) if named else ()
        return Stage(name, "learn", (*command, *splits, *options), out, needs, resumes=True)

    def _cells(self) -> Iterator[Stage]:
        plan = self._plan
        grid = [(method, setting, seed) for setting in plan.settings for method in plan.methods for seed in plan.seeds]
        for cells in plan.further:
            for setting in cells.settings or plan.settings:
                grid += [(cells.method, setting, seed) for seed in cells.seeds or plan.seeds]
        for cell in dict.fromkeys(grid):
            yield from self._cell(*cell)

    def _cell(self, method: str, setting: str, seed: int) -> Iterator[Stage]:
        name, curve = f"{method}.{setting}.seed-{seed}", self._plan.curve_steps if self._has_doses(method) else ()
        yield self._unlearn(name, method, setting, seed, "vanilla", until=self._plan.until)
        yield self._evaluate(name, f"runs/{name}", setting, (name,), curve=bool(curve))

    def _unlearn(self, name: str, method: str, setting: str, seed: int, of: str, *, until: str | None) -> Stage:
        """Run a method on a control."""
        plan, out = self._plan, f"runs/{name}"
        model = ("--model", self._control(of), "--data", self._data, "--setting", setting)
        curve = plan.curve_steps if self._has_doses(method) else ()
        doses = _curve(curve) + (("--until", until) if until and curve else ())
        options = (*sets({**plan.options, **(plan.methods[method] or {})}), *_flags({**plan.device, **plan.arguments}))
        command = ("offside-unlearn", "run", method, out, *model, "--seed", str(seed), *doses, *options)
        return Stage(name, "unlearn", command, out, self._needs(of), resumes=True)

    def _relearned(self) -> Iterator[Stage]:
        plan, again = self._plan, self._plan.relearn
        if again is None:
            return
        starts = [
            f"{method}.{setting}.seed-{seed}"
            for setting in again.settings or plan.settings
            for method in again.methods or self._with_weights
            for seed in plan.seeds
        ]
        for start in starts:
            if start.split(".")[1] != "corrective":  # Else it was evaluated in this setting as it is.
                more: dict[str, Scalar] = {"point": again.point, "allow_mismatch": _asks_others(start)}
                yield self._evaluate(f"{start}.before", f"runs/{start}", "corrective", (start,), **more)
            of_run = start.rpartition("-")[2]
            yield from self._relearn(f"{start}.relearned", f"runs/{start}", of_run, (start,), point=again.point)
        if "retain_only" in plan.controls:
            for seed in plan.seeds:
                name = f"retain_only.seed-{seed}.relearned"
                yield from self._relearn(name, self._control("retain_only"), str(seed), self._needs("retain_only"))

    def _relearn(
        self, name: str, start: str, seed: str, needs: tuple[str, ...], *, point: str | None = None
    ) -> Iterator[Stage]:
        again, out = self._plan.relearn, f"runs/{name}"
        assert again is not None  # as in `_relearned`
        command = ("offside-unlearn", "relearn", out, "--model", start, "--data", self._data, "--seed", seed)
        options = (*sets(again.options), *_flags({"point": point, **self._plan.device, **again.arguments}))
        yield Stage(name, "relearn", (*command, *_curve(again.curve_steps), *options), out, needs, resumes=True)
        more: dict[str, Scalar] = {"curve": bool(again.curve_steps), "allow_mismatch": _asks_others(name)}
        yield self._evaluate(name, out, "corrective", (name,), **more)

    def _attacked(self) -> Iterator[Stage]:
        plan, attack = self._plan, self._plan.attack
        if attack is None:
            return
        for setting in attack.settings or plan.settings:
            for place in attack.retain_only:
                yield self._evaluate(f"{_further(attack, place)}.{setting}", self._place(place), setting, ())
            for seed in plan.seeds:
                for method in attack.methods or self._with_weights:
                    start = f"{method}.{setting}.seed-{seed}"
                    # A curve's last point is the run's end to the bit, but lies elsewhere and counts as another model.
                    if attack.point is not None or (plan.curve_steps and self._has_doses(method)):
                        yield self._evaluate(
                            f"{start}.attacked", f"runs/{start}", setting, (start,), point=attack.point
                        )
                    for kind in attack.kinds:
                        yield from self._attack(kind, start, f"runs/{start}", setting, seed, (start,), attack.point)
                if "retain_only" in plan.controls:
                    name, needs = f"retain_only.{setting}.seed-{seed}", self._needs("retain_only")
                    for kind in attack.kinds:
                        yield from self._attack(kind, name, self._control("retain_only"), setting, seed, needs)
                for place in attack.retain_only:
                    name = f"{_further(attack, place)}.{setting}.seed-{seed}"
                    for kind in attack.kinds:
                        yield from self._attack(kind, name, self._place(place), setting, seed, ())
                if attack.never_saw:
                    yield from self._never_saw(attack, setting, seed)

    def _never_saw(self, attack: PlannedAttacks, setting: str, seed: int) -> Iterator[Stage]:
        """What each method makes of retain-only, and what attacks make of that."""
        # There is no forgetting by which a point of its curve could be found.
        point = attack.point if attack.point and isinstance(parse_point(attack.point), int) else None
        for method in attack.methods or self._with_weights:
            name = f"{method}.{setting}.seed-{seed}.never_saw"
            yield self._unlearn(name, method, setting, seed, "retain_only", until=None)
            yield self._evaluate(name, f"runs/{name}", setting, (name,), point=point)
            for kind in attack.kinds:
                yield from self._attack(kind, name, f"runs/{name}", setting, seed, (name,), point)

    def _attack(
        self,
        kind: str,
        start: str,
        model: str,
        setting: str,
        seed: int,
        needs: tuple[str, ...],
        point: str | None = None,
    ) -> Iterator[Stage]:
        attack, name = self._plan.attack, f"{start}.{kind}"
        assert attack is not None  # as in `_attacked`
        out = f"runs/{name}"
        command = ("offside-unlearn", "relearn", out, "--model", model, "--data", self._data, "--seed", str(seed))
        how = ("--attack", kind, "--rates", _word(attack.rates), "--steps", _word(attack.steps), "--setting", setting)
        further = {"only": self._plan.arguments.get("only"), "point": point, **self._plan.device}
        options = (*sets(attack.options), *_flags({**further, **attack.arguments}))
        yield Stage(name, "attack", (*command, *how, *options), out, needs, resumes=True)
        for rate in attack.rates:
            folder = rate_folder(rate)
            yield self._evaluate(f"{name}.{folder}", f"{out}/{folder}", setting, (name,), curve=True)

    def _evaluate(self, name: str, model: str, setting: str, needs: tuple[str, ...], **more: Scalar) -> Stage:
        out = f"results/{name}"
        # The same suite for all, so that every model is asked what the points of the curves are.
        options = _flags({"suite": "light", **self._plan.device, **self._plan.evaluate, **more})
        command = ("offside-eval", "run", out, "--model", model, "--data", self._data, "--setting", setting, *options)
        return Stage(f"evaluate {name}", "evaluate", command, out, needs, resumes=True)


def _start(plan: StudyPlan, name: str) -> str:
    made = plan.controls[name]
    return made if isinstance(made, str) else made.start


def _asks_others(cell: str) -> bool:
    """Whether the corrective setting asks about other records than the cell's model was unlearned on."""
    setting = cell.split(".")[1]
    return setting in SETTINGS and SETTINGS[setting].forget != SETTINGS["corrective"].forget


def _further(attack: PlannedAttacks, place: str) -> str:
    """Name of a further retain-only model in a study: folders of the same name may lie in different places."""
    return f"retain_only-{attack.retain_only.index(place) + 2}"


def _curve(steps: Sequence[int]) -> tuple[str, ...]:
    return ("--curve-steps", ",".join(map(str, steps))) if steps else ()


def sets(options: Values) -> tuple[str, ...]:
    """Options as `--set` takes them."""
    return tuple(word for key, value in options.items() for word in ("--set", f"{key}={_word(value)}"))


def _flags(options: Values) -> tuple[str, ...]:
    """Options as they are typed: `full: true` as `--full`, false or null not at all."""
    words: list[str] = []
    for key, value in options.items():
        if value is True:
            words.append(f"--{key.replace('_', '-')}")
        elif value is not False and value is not None:
            words += [f"--{key.replace('_', '-')}", _word(value)]
    return tuple(words)


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_word, value))
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
