"""The models that results are of: controls, unlearned and relearned ones, and which was made from which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.errors import UsageError
from offside_eval.results import Results, places_of

if TYPE_CHECKING:
    import polars as pl

    from offside_data.run_manifest import RunManifest

CONTROLS = ("vanilla", "retain_only", "base")
"""Roles of models shown beside every row."""
COMPARED = ("unlearned", "relearned", "unknown")
"""Roles of models that get a row of their own; `unknown` is a checkpoint without our manifest."""
NEVER_SAW = "never_saw"
"""Role of what a method made of retain-only, which never saw the claims: taught the same, with nothing to unlearn."""
KEY = ("record_id", "variant")
_NOT_TAUGHT = ("max_steps", "epochs", "workers", "activation_checkpointing")
"""Options of a training that don't change what so many steps teach."""


@dataclass(frozen=True, eq=False)
class Model:
    """One model with every evaluation of it.

    Args:
        digest: Digest of its weights: what makes two results belong to the same model.
        role: base, vanilla, retain_only, unlearned, relearned, never_saw or unknown.
        results: Its results folders, in the order given.
    """

    digest: str
    role: str
    results: tuple[Results, ...]

    @property
    def run(self) -> RunManifest | None:
        """Its run manifest; null for a plain checkpoint."""
        return self.results[0].meta.model.run

    @property
    def method(self) -> str | None:
        """The unlearning method, if one was used."""
        return self.run.method if self.run else None

    @property
    def title(self) -> str:
        """Its method or role, for people."""
        if self.role == NEVER_SAW:
            return f"never saw ({self.method})"
        return self.method or self.role.replace("_", "-")

    @property
    def path(self) -> str:
        """Where the model lay when it was evaluated."""
        return self.results[0].meta.model.path

    @property
    def run_folder(self) -> Path:
        """Folder of the run that made it; that of a curve's point lies two folders above."""
        path = Path(self.path)
        return path.parents[1] if path.parent.name == "curve" else path

    @property
    def steps(self) -> int | None:
        """Optimizer steps of the training that made it: the budget of a relearning attack."""
        return self.run.training.steps if self.run and self.run.training else None

    @cached_property
    def pool(self) -> pl.DataFrame:
        """All its answers, one row a record and variant, whichever setting they were asked in."""
        import polars as pl

        frames = [r.samples for r in self.results]
        return pl.concat(frames, how="diagonal_relaxed").unique(subset=list(KEY), keep="first", maintain_order=True)

    def parent_keys(self) -> set[str]:
        """Digest and path of the model it was made from (the last before any relearning), by its manifest."""
        if self.run is None:
            return set()
        line = [parent for parent in self.run.parents if parent.role != "relearned"]
        origin = line[-1] if line else self.run.base_model
        return {origin.digest, origin.path} if origin else set()


def load_all(results: Iterable[Results | str | Path]) -> list[Results]:
    """Load what isn't loaded yet; the folder of a curve stands for all its points.

    Raises:
        UsageError: If nothing was given.
        ResultsError: If a folder holds no finished evaluation.
    """
    loaded: list[Results] = []
    for given in results:
        loaded += [given] if isinstance(given, Results) else [Results.load(place) for place in places_of(given)]
    if not loaded:
        raise UsageError("no results to compare: give the folders that `offside-eval run` wrote.")
    return loaded


def without_held_out(results: Sequence[Results]) -> tuple[list[Results], int]:
    """Leave out what any of the runs was stopped by: from all results alike, so that all are about the same records.

    Returns:
        The results without these records and without the aggregates that counted them, and how many records that are.
    """
    import polars as pl

    runs = [r.meta.model.run for r in results]
    ids = frozenset[str]().union(*(run.held_out for run in runs if run))
    if not ids:
        return list(results), 0
    counted = ~pl.col("record_id").is_in(list(ids))
    return [replace(r, samples=r.samples.filter(counted), aggregates=[]) for r in results], len(ids)


def name_of(results: Results) -> str:
    """A results folder's name in messages."""
    return str(results.path or results.meta.model.path)


def gather(results: Sequence[Results], roles: Mapping[int, str]) -> list[Model]:
    """Bring the results of the same weights together.

    Args:
        results: All of them.
        roles: Roles given by hand, by `id()` of the results; others speak for themselves.

    Raises:
        UsageError: If the results of one model name different roles.
    """
    by_digest: dict[str, list[Results]] = {}
    for r in results:
        by_digest.setdefault(r.meta.model.digest, []).append(r)
    models = []
    for digest, group in by_digest.items():
        named = {roles.get(id(r), r.role) for r in group}
        given = {roles[id(r)] for r in group if id(r) in roles}
        if len(given or named) != 1:
            places = ", ".join(name_of(r) for r in group)
            raise UsageError(
                f"the same model has several roles ({', '.join(sorted(given or named))}): {places}. "
                "Say which one it is with --vanilla or --retain-only."
            )
        models.append(Model(digest, (given or named).pop(), tuple(group)))
    return models


@dataclass(frozen=True, eq=False)
class ModelSet:
    """All models of a comparison and how they belong together.

    Args:
        members: Every model.
        controls: The one model of each control role that is there. Further retain-only models among the members are
            controls of relearning attacks only.
        parents: Model a relearned one was made from, by digest.
    """

    members: tuple[Model, ...]
    controls: Mapping[str, Model]
    parents: Mapping[str, Model]

    def arms(self, model: Model) -> dict[str, Model | None]:
        """A model with the controls that its numbers are relative to, as `ScoreTable` takes them."""
        return {"self": model, **{role: self.controls.get(role) for role in ("vanilla", "retain_only")}}

    def relearned_control(self, model: Model) -> Model | None:
        """The retain-only model after the same relearning: so many steps, the same options, if possible the seed."""
        retain_only = self.controls.get("retain_only")
        children = [
            m
            for m in self.members
            if m.role == "relearned" and retain_only and self.parents.get(m.digest) is retain_only
        ]
        alike = [m for m in children if m.steps == model.steps and _options(m) == _options(model)]
        return next(
            (m for m in alike if m.run and model.run and m.run.seeds == model.run.seeds), next(iter(alike), None)
        )


def _options(model: Model) -> Mapping[str, object] | None:
    """What a model was trained with and on, but for how long and how fast; null where it isn't known."""
    if model.run is None:
        return None
    options = {k: v for k, v in model.run.config.items() if k not in _NOT_TAUGHT}
    return {**options, "attack": model.run.attack, "taught": model.run.taught}


def identify_models(
    results: Sequence[Results],
    *,
    vanilla: Results | None = None,
    retain_only: Results | None = None,
    relearned: Mapping[str, str] | None = None,
) -> ModelSet:
    """Find out which models the results are of, their roles and their parents.

    Args:
        results: All results, the controls' included.
        vanilla: What to take as vanilla, whatever its manifest says.
        retain_only: What to take as retain-only; others that say they are such are controls of attacks only.
        relearned: Results folder of a relearned model -> results folder of the model it came from,
            for models whose manifest doesn't say.

    Raises:
        UsageError: If a control is there twice or a relearned model is its own parent.
    """
    roles = {id(r): role for r, role in ((vanilla, "vanilla"), (retain_only, "retain_only")) if r is not None}
    by_hand = _by_hand(results, relearned or {})
    for child, _ in by_hand:
        roles[id(child)] = "relearned"
    models = _with_never_saw(gather(results, roles))
    chosen = {role: by_role for role in CONTROLS if (by_role := [m for m in models if m.role == role])}
    for r, role in ((vanilla, "vanilla"), (retain_only, "retain_only")):
        if r is not None:
            chosen[role] = [m for m in models if any(x is r for x in m.results)]
    for role, found in chosen.items():
        if len(found) > 1:
            places = ", ".join(name_of(m.results[0]) for m in found)
            way_out = "" if role == "base" else f", or choose one with --{role.replace('_', '-')}"
            way_out += "; the others are then controls of relearning attacks" if role == "retain_only" else ""
            raise UsageError(f"{len(found)} different {role} models: {places}. Leave one out{way_out}.")
    controls = {role: found[0] for role, found in chosen.items()}
    return ModelSet(tuple(models), controls, _parents(models, by_hand))


def _with_never_saw(models: Sequence[Model]) -> list[Model]:
    """The same, what was unlearned from a retain-only model with a role of its own."""
    roles = {model.digest: model.role for model in models}

    def never_saw(model: Model) -> bool:
        plain = [p for p in model.run.parents if p.role not in ("unlearned", "relearned")] if model.run else []
        return (
            model.role == "unlearned" and bool(plain) and roles.get(plain[-1].digest, plain[-1].role) == "retain_only"
        )

    return [replace(model, role=NEVER_SAW) if never_saw(model) else model for model in models]


def _by_hand(results: Sequence[Results], relearned: Mapping[str, str]) -> list[tuple[Results, Results]]:
    def find(place: str) -> Results:
        for r in results:
            if r.path is not None and Path(place).resolve() == r.path.resolve():
                return r
        raise UsageError(f"--relearned names {place}, which isn't among the results given.")

    return [(find(child), find(parent)) for child, parent in relearned.items()]


def _parents(models: Sequence[Model], by_hand: Sequence[tuple[Results, Results]]) -> dict[str, Model]:
    """The model that each relearned one was made from, as far as it is there."""
    parents: dict[str, Model] = {}
    for model in models:
        if model.role != "relearned":
            continue
        said = [parent for child, parent in by_hand if any(child is r for r in model.results)]
        keys = model.parent_keys()
        others = [other for other in models if other is not model]
        by_digest = [other for other in others if other.digest in keys]
        # Two studies have their runs in folders of the same names: a path counts only where no digest says more.
        named = by_digest or [other for other in others if other.path in keys]
        chosen = [other for other in others if any(p is r for p in said for r in other.results)] if said else named
        if chosen:
            parents[model.digest] = chosen[0]
    return parents


def on_curve(model: Model) -> bool:
    """Whether a model is a point of an unlearning run's trajectory."""
    training = model.run.training if model.run else None
    return model.role == "unlearned" and training is not None and bool(training.point_of or training.curve)


def told_apart(models: Sequence[Model]) -> list[str]:
    """The end of each model's folder, as long as it takes; of runs in one and the same folder that of its results."""
    runs = [model.run_folder.parts for model in models]
    results = [found.parts if (found := _results_folder(model)) else () for model in models]
    for folders in (runs, results):
        for n in range(1, max(map(len, folders)) + 1):
            ends = ["/".join(parts[-n:]) for parts in folders]
            if len(set(ends)) == len(ends):
                return ends
    return [f"{runs[i][-1]}, {i + 1}" for i in range(len(models))]


def _results_folder(model: Model) -> Path | None:
    """The results of a model; of a curve's point those of the curve."""
    path = model.results[0].path
    return path.parent if path is not None and on_curve(model) else path


__all__ = [
    "COMPARED",
    "CONTROLS",
    "KEY",
    "NEVER_SAW",
    "Model",
    "ModelSet",
    "gather",
    "identify_models",
    "load_all",
    "name_of",
    "on_curve",
    "told_apart",
]
