"""What must agree before models are compared, and what a reader should know when it doesn't."""

from __future__ import annotations

from collections.abc import Sequence

from offside_data.figures import counted as in_words
from offside_eval.compare.models import COMPARED, CONTROLS, NEVER_SAW, Model, ModelSet, name_of
from offside_eval.corrections import CORRECTIONS, told
from offside_eval.mismatch import MismatchError
from offside_eval.results import Results, counted
from offside_eval.statistics import MIN_SUBJECTS


def check_comparable(results: Sequence[Results], models: ModelSet, *, allow: bool) -> list[str]:
    """Compare the digests of what was forgotten in each setting, and of the datasets.

    The datasets of all settings: a control answers for those that it wasn't evaluated in, too.

    Args:
        results: All results.
        models: The models that they are of.
        allow: Return what differs as notes instead of raising.

    Raises:
        MismatchError: If digests differ; the message says which.
    """
    problems = []
    for setting in sorted({r.setting for r in results}):
        group = [(m, r) for m in models.members for r in m.results if r.setting == setting]
        asked = {name_of(r): forget_digest(m, r, models) for m, r in group if m.role in COMPARED}
        forgot = {place: digest for place, digest in asked.items() if digest is not None}
        problems += _differing(forgot, f"{setting}: models were unlearned on different forget records")
    data = {name_of(r): r.meta.dataset.digest for r in results}
    problems += _differing(data, "models were evaluated on different datasets")
    if problems and not allow:
        raise MismatchError(
            "\n".join(problems) + "\nTheir numbers don't mean the same. Leave some results out, or pass "
            "--allow-mismatch to compare them all the same."
        )
    return problems


def forget_digest(model: Model, results: Results, models: ModelSet) -> str | None:
    """Digest of the records a model was unlearned on: by its manifest, its parent's, or the evaluation.

    Null for a model that was never unlearned, such as retain-only after relearning.
    """
    parent = models.parents.get(model.digest)
    if parent is not None and parent.role in CONTROLS:
        return None
    for run in (model.run, parent.run if parent else None):
        if run is not None and run.forget is not None:
            return run.forget.digest
    return results.forget_digest


def _differing(digests: dict[str, str], what: str) -> list[str]:
    if len(set(digests.values())) < 2:
        return []
    return [what + ":" + "".join(f"\n  {digest}  {place}" for place, digest in digests.items())]


def notes_on(results: Sequence[Results], models: ModelSet) -> list[str]:
    """What doesn't forbid the comparison but belongs beside it."""
    notes = []
    for role in ("vanilla", "retain_only"):
        if role not in models.controls:
            notes.append(f"No {role.replace('_', '-')} model among the results: what needs it isn't scored.")
    for model in models.members:
        if model.role == "unknown":
            notes.append(f"{model.path} has no run manifest: taken for an unlearned model of unknown making.")
        if model.role == "relearned" and model.digest not in models.parents:
            notes.append(
                f"{model.path}: the model it was relearned from isn't among the results; "
                "add its results, or name them with --relearned CHILD=PARENT."
            )
        for r in model.results:
            own = model.run.forget.digest if model.run and model.run.forget else None
            if model.role in ("unlearned", NEVER_SAW) and own and own != r.forget_digest:
                notes.append(
                    f"{name_of(r)}: unlearned on other records ({own[:19]}…) than this evaluation "
                    f"asks to be forgotten ({r.forget_digest[:19]}…)."
                )
            learnt = model.run.dataset if model.run and model.run.role != "base" else None
            if learnt is not None and learnt.digest != r.meta.dataset.digest:
                notes.append(
                    f"{name_of(r)}: trained on {learnt.name} {learnt.version} ({learnt.digest[:19]}…), asked about "
                    f"{r.meta.dataset.name} {r.meta.dataset.version} ({r.meta.dataset.digest[:19]}…)."
                )
    notes += _few_subjects(results)
    notes += _doses(models)
    for key in ("generation", "dtype", "image_backend", "suite", "limit", "limit_kept"):
        seen = {str(r.meta.to_json().get(key)) for r in results}
        if len(seen) > 1:
            notes.append(f"The evaluations differ in {key}: {'; '.join(sorted(seen))}.")
    return notes


def correction_notes(results: Sequence[Results]) -> list[str]:
    """How many scores somebody corrected, and where it says what they were."""
    notes = []
    for r in results:
        found = told(r.corrections)
        if found["n"]:
            notes.append(
                f"{name_of(r)}: {in_words(found['n'], 'score')} of {', '.join(found['metrics'])} corrected by "
                f"{', '.join(found['by'])}; {CORRECTIONS} there says why, and what was measured."
            )
    return notes


def _few_subjects(results: Sequence[Results]) -> list[str]:
    """How little can be told where next to nobody is to be forgotten."""
    subjects: set[str] = set()
    for r in results:
        asked = counted(r.samples)
        subjects.update(asked.filter(asked["slice"] == "forget")["subject_id"].drop_nulls())
    if len(subjects) == 1:
        return ["One subject only is to be forgotten: its numbers have no interval and say nothing about another."]
    if 0 < len(subjects) < MIN_SUBJECTS:
        return [
            f"{len(subjects)} subjects only are to be forgotten: under {MIN_SUBJECTS} nothing is decided, and what is "
            "ahead may be so by chance."
        ]
    return []


def _doses(models: ModelSet) -> list[str]:
    """Methods that were run for different numbers of steps in different settings."""
    steps: dict[str, dict[str, set[int]]] = {}
    for model in models.members:
        if model.role == "unlearned" and model.method and model.run and model.run.setting and model.steps:
            steps.setdefault(model.method, {}).setdefault(model.run.setting, set()).add(model.steps)
    notes = []
    for method, by_setting in steps.items():
        alone = {setting: next(iter(found)) for setting, found in by_setting.items() if len(found) == 1}
        if len(set(alone.values())) > 1:
            doses = ", ".join(f"{in_words(n, 'step')} in {setting}" for setting, n in alone.items())
            notes.append(f"{method}: {doses}. Its settings can't be compared but where it forgot the same.")
    return notes
