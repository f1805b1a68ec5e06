"""Options in a study's plan, read as the commands will read them: one that is wrong is found now, not hours later."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from offside_data.config import parse_assignments
from offside_data.errors import PluginError, UsageError
from offside_data.plugins import require_known
from offside_data.run_curve import parse_point
from offside_data.schema import SPLITS
from offside_unlearn.study import PlannedAttacks, PlannedModel, StudyPlan, Values, sets


def check_options(plan: StudyPlan) -> None:
    """Read the options of all training as the commands will: one that is wrong is found now, not hours later.

    Raises:
        UsageError: If one is unknown or doesn't fit, naming where it stands.
    """
    from offside_unlearn.finetuning import FinetuneConfig
    from offside_unlearn.options import build_configs
    from offside_unlearn.relearning import RelearnConfig
    from offside_unlearn.tune import LoraOptions
    from offside_unlearn.unlearning import has_doses, read_options

    curve = sorted(plan.curve_steps)
    for method, own in plan.methods.items():
        with _told_where(f"methods: {method}"):
            doses = (curve, plan.until) if has_doses(method) else ((), None)
            read_options(method, _typed({**plan.options, **(own or {})}), *doses)
    for name, made in plan.controls.items():
        if isinstance(made, PlannedModel):
            with _told_where(f"controls: {name}"):
                build_configs(_typed(made.options), FinetuneConfig, LoraOptions)
                require_known("split", made.splits, SPLITS)
                if not made.splits:
                    raise UsageError("splits is empty: there is nothing to learn.")
    if plan.relearn is not None:
        with _told_where("relearn"):
            build_configs(_typed(plan.relearn.options), RelearnConfig, LoraOptions)
            _check_point(plan, plan.relearn.point)
            _require_weights(plan.relearn.methods)
            if any(step < 1 for step in plan.relearn.curve_steps):
                raise UsageError("curve_steps start at 1; the model before is evaluated besides.")
    if plan.attack is not None:
        with _told_where("attack"):
            _check_attack(plan, plan.attack)


def _check_attack(plan: StudyPlan, attack: PlannedAttacks) -> None:
    from offside_unlearn.options import build_configs
    from offside_unlearn.relearning import ATTACKS, RelearnConfig, attack_steps
    from offside_unlearn.tune import LoraOptions

    _require_weights(attack.methods)
    options = _typed(attack.options)
    build_configs(options, RelearnConfig, LoraOptions)
    attack_steps(options, attack.rates, attack.steps)
    if not attack.kinds:
        raise UsageError("kinds is empty: there is nothing to do.")
    for kind in attack.kinds:
        ATTACKS.load(kind.replace("-", "_"))
    if "limit" in plan.arguments:  # The attack on retain-only couldn't be told of which records.
        raise UsageError(
            "an attack must know what was to be forgotten, and arguments: limit draws it. Use only: there."
        )
    _check_point(plan, attack.point)
    if (attack.retain_only or attack.never_saw) and "retain_only" not in plan.controls:
        raise UsageError("retain_only and never_saw stand beside controls: retain_only, which is missing.")


def _require_weights(methods: Sequence[str]) -> None:
    from offside_unlearn.unlearning import changes_weights

    for method in methods:
        if not changes_weights(method):
            raise UsageError(f"methods: {method} changes no weights, so there is nothing to train on.")


def _check_point(plan: StudyPlan, point: str | None) -> None:
    if point is None:
        return
    wanted = parse_point(point)
    if isinstance(wanted, int) and wanted not in plan.curve_steps:
        raise UsageError(f"point: {wanted} is none of the study's curve_steps.")
    if isinstance(wanted, float) and plan.until is None:
        raise UsageError(f"point: {point}: what a point had forgotten is looked at where the study says until.")


def _typed(options: Values) -> dict[str, str]:
    return parse_assignments(word for word in sets(options) if word != "--set")


@contextlib.contextmanager
def _told_where(place: str) -> Iterator[None]:
    try:
        yield
    except (UsageError, PluginError) as error:
        raise UsageError(f"{place}: {error}") from error
