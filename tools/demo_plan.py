"""What the demo does: its sizes and its stages, as data.

Hyper-parameters were chosen so that the models learn what the story needs; docs/demo.md says how, and
what is wrong with the league that they learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from offside_unlearn.stages import Stage

METHODS = ("grad_ascent", "grad_diff", "kl_min", "po", "npo")
RELEARNED = "kl_min"
"""Relearned afterwards. It has a term that holds the rest in place: a wrecked model can't show what comes back."""
CONTROLS = ("base", "retain-only", "vanilla")


@dataclass(frozen=True)
class Size:
    """How large the demo is.

    Args:
        subjects: Members of the league.
        base: `--set` options of the base model, learnt on general pictures.
        retain_only: Of the model that never sees the forget set; goes on from base.
        vanilla: Of the model that learns everything; goes on from base.
        unlearn: Of every method, whatever the setting.
        relearn: Of corrective relearning.
        curve: Steps of relearning after which the model is evaluated besides.
        methods: Methods run in the complete and in the selective setting.
        budgets: Seconds by group of stages, on two cores.
    """

    subjects: int
    base: tuple[str, ...]
    retain_only: tuple[str, ...]
    vanilla: tuple[str, ...]
    unlearn: tuple[str, ...]
    relearn: tuple[str, ...]
    curve: tuple[int, ...]
    methods: tuple[str, ...]
    budgets: dict[str, int]


_LEARN = ("batch_size=24", "lr=2e-3", "schedule=cosine", "warmup=0.1", "beta2=0.98", "weight_decay=0.01")
_SUBJECTS = (*_LEARN, "augment=true")

SIZES = {
    "full": Size(
        subjects=12,
        base=("epochs=12", *_LEARN),
        retain_only=("epochs=24", *_SUBJECTS),
        vanilla=("epochs=34", *_SUBJECTS),
        unlearn=("epochs=4", "lr=1e-3", "batch_size=14", "r=16", "lora_alpha=32"),
        relearn=("epochs=6", "lr=1e-3", "batch_size=14"),
        curve=(5, 15, 40),
        methods=METHODS,
        budgets={"data": 30, "learn": 900, "unlearn": 300, "relearn": 60, "evaluate": 560, "report": 30},
    ),
    "quick": Size(
        subjects=6,
        base=("epochs=3", *_LEARN),
        retain_only=("epochs=8", *_SUBJECTS),
        vanilla=("epochs=8", *_SUBJECTS),
        unlearn=("epochs=1", "lr=1e-3", "batch_size=14", "r=16", "lora_alpha=32"),
        relearn=("epochs=1", "lr=1e-3", "batch_size=14"),
        curve=(2,),
        methods=("grad_ascent", "kl_min", "npo"),
        budgets={"data": 20, "learn": 120, "unlearn": 30, "relearn": 15, "evaluate": 120, "report": 20},
    ),
}


def _sets(options: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for option in options for word in ("--set", option))


def _learn(name: str, start: str, splits: str, options: tuple[str, ...]) -> Stage:
    out = f"models/{name}"
    command = ("offside-unlearn", "finetune", out, "--model", f"models/{start}", "--data", "league")
    return Stage(
        name,
        "learn",
        (*command, "--splits", splits, "--full", *_sets(options)),
        out,
        needs=("league", start),
        alone=name == "base",
        resumes=True,
    )


def _unlearn(name: str, method: str, setting: str, options: tuple[str, ...]) -> Stage:
    out = f"models/{name}"
    command = ("offside-unlearn", "run", method, out, "--model", "models/vanilla", "--data", "league")
    line = (*command, "--setting", setting, *_sets(options))
    return Stage(name, "unlearn", line, out, needs=("vanilla",), resumes=True)


def _relearn(name: str, start: str, size: Size) -> Stage:
    out = f"models/{name}"
    command = ("offside-unlearn", "relearn", out, "--model", f"models/{start}", "--data", "league")
    curve = ("--curve-steps", ",".join(map(str, size.curve)))
    return Stage(name, "relearn", (*command, *curve, *_sets(size.relearn)), out, needs=(start,), resumes=True)


def _evaluate(model: str, setting: str, needs: str, *, step: int | None = None) -> Stage:
    name = f"{model}.{setting}" if step is None else f"{model}-step-{step}.{setting}"
    folder = f"models/{model}" if step is None else f"models/{model}/curve/step-{step:06d}"
    out = f"results/{name}"
    command = ("offside-eval", "run", out, "--model", folder, "--data", "league", "--setting", setting)
    # A point of a curve needs one number only.
    metrics = () if step is None else ("--metrics", "value_match")
    return Stage(f"evaluate {name}", "evaluate", (*command, *metrics), out, needs=(needs,), resumes=True)


def _unlearned(size: Size) -> Iterator[tuple[str, str, str]]:
    """Name, method and setting of each unlearning request."""
    for setting in ("complete", "selective"):
        for method in size.methods:
            yield f"{method}-{setting}", method, setting
    yield "npo-unimodal", "npo", "unimodal"
    yield "npo-visual-rumor", "npo", "visual-rumor"


def _evaluations(size: Size) -> Iterator[Stage]:
    for control in CONTROLS:
        # The corrective setting asks everything that the others ask, so one evaluation serves them all.
        yield _evaluate(control, "corrective", control)
    for name, _, setting in _unlearned(size):
        yield _evaluate(name, setting, name)
    yield _evaluate(f"{RELEARNED}-complete", "corrective", f"{RELEARNED}-complete")
    for name in (f"{RELEARNED}-relearned", "retain-only-relearned"):
        yield _evaluate(name, "corrective", name)
        for step in size.curve:
            yield _evaluate(name, "corrective", name, step=step)


def plan(size: Size) -> list[Stage]:
    """All stages, each after those it needs."""
    stages = [
        Stage(
            "league",
            "data",
            ("offside-data", "fictional", "league", "--subjects", str(size.subjects)),
            "league",
            alone=True,
        ),
        Stage(
            "tiny",
            "data",
            ("offside-unlearn", "tiny", "models/tiny", "--data", "league"),
            "models/tiny",
            ("league",),
            alone=True,
        ),
        _learn("base", "tiny", "general", size.base),
        _learn("retain-only", "base", "general,retain", size.retain_only),
        # From base as well, not from retain-only: side by side the two take half as long.
        _learn("vanilla", "base", "general,retain,forget", size.vanilla),
    ]
    stages += [_unlearn(name, method, setting, size.unlearn) for name, method, setting in _unlearned(size)]
    stages += [
        _relearn(f"{RELEARNED}-relearned", f"{RELEARNED}-complete", size),
        _relearn("retain-only-relearned", "retain-only", size),
    ]
    evaluations = list(_evaluations(size))
    stages += evaluations
    results = tuple(stage.out for stage in evaluations if stage.out)
    after = tuple(stage.name for stage in evaluations)
    stages += [
        Stage("check", "data", ("offside-data", "check", "league"), None, ("league",)),
        Stage(
            "report",
            "report",
            ("offside-eval", "report", "report", *results, "--dataset", "league"),
            "report",
            after,
            alone=True,
        ),
        Stage("compare", "report", ("offside-eval", "compare", *results), None, after, alone=True),
    ]
    return stages
