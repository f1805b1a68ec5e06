"""Unlearn: one request, one method, one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.digest import ids_digest
from offside_data.dataset.folder import OffsideDataset
from offside_data.earlier import find_earlier, without_earlier
from offside_data.errors import UsageError
from offside_data.figures import counted
from offside_data.plugins import Registry
from offside_data.progress import log
from offside_data.request import Request
from offside_data.run_manifest import RunManifest
from offside_data.schema import CONFIGS
from offside_data.settings import Slice
from offside_unlearn.batches import Needs
from offside_unlearn.editing import OPTIONS as EDITING_OPTIONS
from offside_unlearn.engine import Job, configs_of, dataset_facts, execute
from offside_unlearn.finetuning import limited, opened
from offside_unlearn.methods import EditingMethod, InterveningMethod, MethodConfig, Paper, UnlearningMethod
from offside_unlearn.options import RunOptions, build_configs
from offside_unlearn.runs import Run
from offside_unlearn.space import Space
from offside_unlearn.start import check_lora, find_start, manifest_of
from offside_unlearn.task import UnlearnConfig, UnlearnTask, Watched
from offside_unlearn.tune import LoraOptions
from offside_unlearn.validation import ValidationConfig, hold_out, parse_until
from offside_unlearn.wrappers import UnlearningWrapper, WrapperConfig

METHODS = Registry(
    "offside_unlearn.methods",
    "method",
    needs={"__doc__": str, "PAPER": Paper, "Config": MethodConfig, "Method": UnlearningMethod},
    contract="offside_unlearn.methods._base",
)
"""All methods, third parties' included."""

WRAPPERS = Registry(
    "offside_unlearn.wrappers",
    "wrapper",
    needs={"__doc__": str, "PAPER": Paper, "Config": WrapperConfig, "Wrapper": UnlearningWrapper},
    contract="offside_unlearn.wrappers._base",
)
"""All that strengthens a method, third parties' included."""


_TRAINED_ON = ("forget", "retain")
"""Splits of subjects that a vanilla model learnt from; the others are for asking it."""


def unlearn(
    method: str,
    model: Any,
    processor: Any,
    data: str | Path | OffsideDataset,
    setting: str,
    config: Mapping[str, Any] | None,
    out: str | Path,
    options: RunOptions | None = None,
    *,
    curve_steps: Sequence[int] = (),
    until: str | None = None,
) -> Run:
    """Unlearn what a setting asks for, with one method.

    Args:
        method: One of `METHODS.names()`, with what strengthens it, of `WRAPPERS.names()`, behind it: `npo+sam`.
        model: A path, a Hub id, or a loaded model.
        processor: Of a loaded model; null with a path.
        data: A dataset or a reference to one.
        setting: One that the dataset's card offers.
        config: Options of the method, of `UnlearnConfig` and `LoraOptions` that differ from the defaults.
        out: The run folder.
        options: The rest.
        curve_steps: Keep the model after so many steps besides, in `OUT/curve/step-…`, each a run folder of its own.
            With them the learning rate stays as it is after the warm-up, and training ends at the last one, unless
            `config` says otherwise: then the model after n steps is what n steps make, whatever follows.
        until: `forgetting=LEVEL`: end at the first of these steps at which so much of a validation part is forgotten,
            or the model collapses; see `validation`.

    Raises:
        UsageError: If an option is unknown or the dataset doesn't offer the setting.
    """
    options = options or RunOptions()
    curve = tuple(sorted({int(step) for step in curve_steps}))
    before = manifest_of(model)
    asked = plan_run(method, data, setting, config, options, curve=curve, until=until, before=before)
    start = find_start(model, processor)
    check_lora(start, options, config or {}, asked.tasks[0].method)
    return execute(
        Job(
            title=f"{method} on {asked.dataset.name}, {setting}",
            start=start,
            out=Path(out),
            identity={
                "command": "run",
                "role": "unlearned",
                "method": method,
                "config": asked.resolved,
                "dataset": dataset_facts(asked.dataset),
                "setting": setting,
                "only": list(options.only),
                "forget": asked.forget,
                "trained_on": list(start.trained_on),
                **(asked.watched.identity() if asked.watched else {}),
            },
            lora=asked.lora,
            options=options,
            phases=tuple(task.phase(fixed=number > 0) for number, task in enumerate(asked.tasks)),
            curve=curve,
        )
    )


@dataclass(frozen=True)
class PlannedRun:
    """A run as it was asked for, before any model is looked at.

    Args:
        dataset: The data, verified.
        tasks: Its trainings, one unless a wrapper makes more.
        lora: Size of a new adapter.
        resolved: All options, for the manifest.
        forget: What is to be forgotten, for the manifest.
        watched: Its validation part; null if it has none.
    """

    dataset: OffsideDataset
    tasks: Sequence[UnlearnTask]
    lora: LoraOptions
    resolved: Mapping[str, Any]
    forget: Mapping[str, Any]
    watched: Watched | None = None


def plan_run(
    method: str,
    data: str | Path | OffsideDataset,
    setting: str,
    config: Mapping[str, Any] | None,
    options: RunOptions,
    *,
    curve: Sequence[int] = (),
    until: str | None = None,
    before: RunManifest | None = None,
) -> PlannedRun:
    """Read the options and the request of a run; as `unlearn` takes them.

    What earlier requests were about isn't among what stays: `before` is the receipt of the model, which lists them.

    Raises:
        UsageError: If an option is unknown or the dataset doesn't offer the setting.
    """
    module, wrappers = _modules(method)
    (method_config, train_config, lora), watching, wrapping = read_options(method, config or {}, curve, until)
    dataset = opened(data)
    request = dataset.request(setting, options.only)
    forget = limited(request.forget, options)
    ids = sorted(forget["record_id"])
    built = module.Method(method_config)
    retain = _retain_rows(dataset, request, train_config, built.needs())
    retain = _still_retained(retain, dataset, set(ids), before, named=train_config.retain_slices)
    watched = _watched(forget, retain, dataset, watching, until, options) if watching else None
    tasks = [UnlearnTask(dataset, request, forget, retain, built, train_config, options, watched)]
    for wrapper, wrapper_config in zip(wrappers, wrapping, strict=True):
        try:
            tasks = wrapper.Wrapper(wrapper_config).wrap(tasks)
        except UsageError:
            raise
        except ValueError as error:  # What it makes of the options can't be trained with.
            raise UsageError(f"{method}: {error}") from error
    resolved = configs_of(method_config, train_config, *([watching] if watching else []), *wrapping)
    if isinstance(built, EditingMethod):
        resolved = _without_training(method, resolved, config or {})
    asked = {"digest": ids_digest(ids), "record_ids": ids}
    return PlannedRun(dataset, tasks, lora, resolved, asked, watched)


def _without_training(method: str, resolved: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a method that doesn't train: those of the training that count for nothing left out."""
    idle = {field.name for field in dataclasses.fields(UnlearnConfig)} - set(EDITING_OPTIONS)
    named = sorted(idle & given.keys())
    if named:
        log(f"{method} doesn't train: {', '.join(named)} count{'s' if len(named) == 1 else ''} for nothing.")
    return {name: value for name, value in resolved.items() if name not in idle}


def _modules(method: str) -> tuple[Any, list[Any]]:
    """The modules of `METHOD+WRAPPER+…`.

    Raises:
        UsageError: If a wrapper stands there twice, or doesn't go with the method.
        PluginError: If there is no such method or wrapper.
    """
    name, *wrappers = method.split("+")
    module, modules = METHODS.load(name), [WRAPPERS.load(wrapper) for wrapper in wrappers]
    twice = [wrapper for wrapper in wrappers if wrappers.count(wrapper) > 1]
    if twice:
        raise UsageError(f"{method}: {twice[0]} stands there twice.")
    if wrappers and issubclass(module.Method, EditingMethod):
        raise UsageError(f"{method}: {name} changes weights without training, and {wrappers[0]} wraps a training.")
    several = [wrapper for wrapper, found in zip(wrappers, modules, strict=True) if not found.Wrapper.one_training]
    if several and (module.Method.needs_full or module.Method.whole):
        raise UsageError(
            f"{method}: {name} changes weights beside those that are trained, and they don't go on from one training "
            f"of a run to the next, as {several[0]} has them."
        )
    return module, modules


def read_options(
    method: str, config: Mapping[str, Any], curve: Sequence[int], until: str | None
) -> tuple[tuple[Any, UnlearnConfig, LoraOptions], ValidationConfig | None, list[WrapperConfig]]:
    """The configs of a run: the method's, `UnlearnConfig` and `LoraOptions`; `ValidationConfig`; the wrappers'.

    That of the validation part is null where nothing asks for one: neither `until` nor an option of it. Options without
    `until` hold the part out of reports, as a sweep does with the records that it chose the others by.

    Args:
        method: As `unlearn` takes it.
        config: Options that differ from the defaults.
        curve: Steps of the curve, ascending.
        until: Where the run stops by itself.

    Raises:
        UsageError: If one is unknown or doesn't fit, or the method has no doses for a curve.
    """
    if until is not None:
        parse_until(until)
    if (curve or until) and not has_doses(method):
        raise UsageError(f"{method} has one dose, so that its run has no curve: leave --curve-steps and --until out.")
    module, wrappers = _modules(method)
    for name, wrapper in zip(method.split("+")[1:], wrappers, strict=True):
        if until is not None and not wrapper.Wrapper.one_training:
            raise UsageError(f"--until: a run with {name} is several trainings, and can't stop by itself in between.")
    held_out = until is not None or any(field.name in config for field in dataclasses.fields(ValidationConfig))
    types = (module.Config, UnlearnConfig, LoraOptions, *((ValidationConfig,) if held_out else ()))
    built = build_configs(with_curve(config, curve, until), *types, *(wrapper.Config for wrapper in wrappers))
    return built[:3], built[3] if held_out else None, list(built[len(types) :])


def has_doses(method: str) -> bool:
    """Whether a method's runs can have a curve: all but those of which there is only one dose."""
    kind = _modules(method)[0].Method
    return kind.has_doses if issubclass(kind, InterveningMethod) else True


def trains(method: str) -> bool:
    """Whether a method trains, so that learning rate and number of steps are its options."""
    return not issubclass(_modules(method)[0].Method, EditingMethod)


def declared_space(method: str) -> Space:
    """What a method and its wrappers say that a sweep should search."""
    module, wrappers = _modules(method)
    return {name: found for part in (module, *wrappers) for name, found in part.Config.search.items()}


def changes_weights(method: str) -> bool:
    """Whether a method's runs hold weights of their own, which can be relearned, merged and published."""
    return not issubclass(_modules(method)[0].Method, InterveningMethod)


def with_curve(config: Mapping[str, Any], curve: Sequence[int], until: str | None) -> dict[str, Any]:
    """Options with the defaults that a curve has: a constant learning rate, and no steps after its last one.

    Raises:
        UsageError: If a run is to stop by itself, and there are no steps at which it could.
    """
    if not curve:
        if until is not None:
            raise UsageError("--until is looked at after the steps of a curve: give them with --curve-steps.")
        return dict(config)
    if curve[0] < 1:
        raise UsageError(f"--curve-steps: {curve[0]} is no step; the model before the first one is the start itself.")
    length = {} if {"epochs", "max_steps"} & config.keys() else {"max_steps": curve[-1]}
    return {"schedule": "constant", **length, **config}


def _watched(
    forget: Any,
    retain: Mapping[str, Any],
    dataset: OffsideDataset,
    config: ValidationConfig,
    until: str | None,
    options: RunOptions,
) -> Watched:
    used = {name: limited(rows, options) for name, rows in retain.items()}
    tables = [forget, *used.values()]
    told = None if until is None else f"forgetting={parse_until(until):g}"
    return Watched(told, hold_out(forget, used, config), tables, dataset.taxonomy, config)


def _retain_rows(dataset: OffsideDataset, request: Request, config: UnlearnConfig, needs: Needs) -> dict[str, Any]:
    """The records that training keeps, by the name of their slice."""
    if needs.retain_whole and not config.retain_slices:
        return _all_that_stays(dataset, request)
    forms = sorted({part.config for part in request.setting.forget})
    names = config.retain_slices or tuple(f"{form}/retain" for form in forms)
    rows = {name: _slice_rows(dataset, request, name) for name in names}
    forgotten = set(request.record_ids)
    for name, part in rows.items():
        both = forgotten & set(part["record_id"])
        if both:
            raise UsageError(
                f"retain_slices: {name} holds {len(both)} of the records that are to be forgotten "
                f"(e.g. {min(both)}). Choose slices that don't overlap with the request."
            )
    return rows


def _still_retained(
    retain: Mapping[str, Any],
    dataset: OffsideDataset,
    asked: set[str],
    before: RunManifest | None,
    *,
    named: Sequence[str],
) -> dict[str, Any]:
    """What stays without what was to be forgotten before; says what the requests have in common.

    Raises:
        UsageError: If nothing is left of a slice that was `named`, or of all.
    """
    earlier = find_earlier(dataset, before.requests if before else ())
    for found in earlier:
        told = f"the model was to forget {counted(len(found.request.record_ids), 'record')} before ({found.in_words()})"
        again = len(asked.intersection(found.request.record_ids))
        log(f"{told}; {again} of them are to be forgotten again." if again else f"{told}; they aren't held.")
    left = {name: without_earlier(rows, earlier) for name, rows in retain.items()}
    gone = sorted(name for name, rows in left.items() if len(rows) == 0 < len(retain[name]))
    if set(gone) & set(named) or (gone and len(gone) == len(left)):
        raise UsageError(
            f"{', '.join(gone)}: nothing is left that must stay, for earlier requests of the model were about all of "
            "it. Name other slices with retain_slices."
        )
    return {name: rows for name, rows in left.items() if name not in gone}


def _all_that_stays(dataset: OffsideDataset, request: Request) -> dict[str, Any]:
    """All that the setting keeps, but for the records that only an evaluation sees, and the general records."""
    rows = {part.name: request.keep.get(part.name) for part in request.setting.keep if part.split in _TRAINED_ON}
    rows["rest"] = request.rest
    general = [form for form in CONFIGS if dataset.has(form, "general")]
    rows |= {f"{form}/general": dataset.records(form, "general") for form in general}
    return {name: part for name, part in rows.items() if part is not None and len(part)}


def _slice_rows(dataset: OffsideDataset, request: Request, name: str) -> Any:
    if name == "rest":
        if request.rest is None or len(request.rest) == 0:
            raise UsageError("retain_slices: 'rest' is what --only leaves out, and here it leaves nothing out.")
        return request.rest
    config, _, rest = name.partition("/")
    split, _, scope = rest.partition("/")
    if not split:
        raise UsageError(f"retain_slices: {name!r} isn't CONFIG/SPLIT, CONFIG/SPLIT/SCOPE or 'rest'.")
    return dataset.slice(Slice(config, split, scope or None))
