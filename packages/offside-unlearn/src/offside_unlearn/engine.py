"""What `finetune`, `run` and `relearn` share: from a start and a request to a finished run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import set_seed

from offside_data.dataset.folder import OffsideDataset
from offside_data.donors import describe_donors
from offside_data.errors import UsageError
from offside_data.figures import counted
from offside_data.files import whole_file, write_json
from offside_data.outputs import whole_folder
from offside_data.parsing import parse_json
from offside_data.progress import log
from offside_data.reading import read_small
from offside_data.run_curve import FOLDER, point_name
from offside_data.run_manifest import RunManifest
from offside_data.vlm import base_model_of, image_backend, save_processor
from offside_data.vlm.intervention import applied_in, write_intervention
from offside_unlearn import manifest as manifests
from offside_unlearn import ranks
from offside_unlearn.batches import BatchPlan
from offside_unlearn.editing import edit
from offside_unlearn.memory import begin_peak, peak_memory_mb
from offside_unlearn.methods import EditingMethod, InterveningMethod, UnlearningMethod
from offside_unlearn.options import RunOptions
from offside_unlearn.quiet import quietly
from offside_unlearn.reporting import require_reporter
from offside_unlearn.runs import Run, WorkFolder, finished, shared_work_folder
from offside_unlearn.start import NOTHING, Start, Trainable, check_tune, make_trainable
from offside_unlearn.trainer import Objective, Schedule, TrainConfig, TrainingError, require_shares, train
from offside_unlearn.tune import LoraOptions
from offside_unlearn.validation import Watch

LOGS = "logs"
"""Folder of a run for what `--report-to` writes."""


@dataclass(frozen=True)
class PreparedTraining:
    """What `Phase.prepare` makes.

    Args:
        plan: All batches.
        objective: What is minimised.
        facts: For the manifest.
        watch: What may stop it.
    """

    plan: BatchPlan
    objective: Objective
    facts: Mapping[str, Any] = field(default_factory=dict)
    watch: Watch | None = None


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One training of a run. Most runs have one; a later one goes on from the model of the one before.

    Args:
        config: How to train.
        prepare: Reads the records and makes the batches, given the trainable model as it is by then, its processor and
            the folder for what is kept in between.
        method: By which is unlearned.
        sharpness: As `train` takes it.
        steps: How many there will be, where that can be told before; of later phases it is.
    """

    config: TrainConfig
    prepare: Callable[[Trainable, Any, Path], PreparedTraining]
    method: UnlearningMethod[Any] | None = None
    sharpness: float = 0.0
    steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run, before it is done.

    Args:
        title: Of the model card.
        start: The model it starts from.
        out: The run folder.
        identity: The part of the manifest that says what is done.
        lora: Size of a new adapter.
        options: The rest.
        phases: What is done, one after the other; which weights are trained is for the first one's method to say.
        curve: Steps after which the model is kept besides, counted over all phases.
    """

    title: str
    start: Start
    out: Path
    identity: Mapping[str, Any]
    lora: LoraOptions
    options: RunOptions
    phases: tuple[Phase, ...]
    curve: tuple[int, ...] = ()


def dataset_facts(dataset: OffsideDataset) -> dict[str, Any]:
    """The dataset as manifests name it."""
    commit = dataset.ref.commit
    return {"name": dataset.name, "version": dataset.version, "commit": commit, "digest": dataset.digest}


def configs_of(*configs: Any) -> dict[str, Any]:
    """The resolved options of several configs as one mapping."""
    return {name: value for config in configs for name, value in dataclasses.asdict(config).items()}


def execute(job: Job) -> Run:
    """Do a run, go on with it if it was interrupted, or say that it is done already.

    Raises:
        OutputExistsError: If the output folder holds something else.
        UsageError: If the options don't fit the start.
    """
    options, method = job.options, job.phases[0].method
    check_tune(job.start, options, method)
    require_reporter(options.report_to)
    ranks.join(options.device)
    if ranks.count() > 1 and isinstance(method, EditingMethod):
        raise UsageError(
            "this method isn't trained, so there is nothing that several processes could share: run it in one, without "
            "accelerate launch or torchrun."
        )
    for phase in job.phases:
        require_shares(phase.config)  # Before anything takes time.
    intervenes = isinstance(job.phases[0].method, InterveningMethod)
    adapter = None if options.full or intervenes else job.start.adapter or dataclasses.asdict(job.lora)
    whole = adapter is None or _gives_whole(job)
    if adapter is not None and whole:  # What it was trained with counts, but there is no adapter in the end.
        job = dataclasses.replace(job, identity={**job.identity, "config": {**job.identity["config"], **adapter}})
    identity = {
        **job.identity,
        "base_model": {"path": job.start.path, "digest": job.start.digest} if whole else job.start.base,
        "parents": manifests.lineage(job.start.manifest, job.start.path, job.start.digest),
        "adapter": None if whole else adapter,
        "tune": NOTHING if intervenes else options.tune or options.default_tune,
        "limit": options.limit,
        "dtype": options.dtype,
        "max_pixels": options.max_pixels,
        "seeds": {"seed": options.seed},
        "curve": list(job.curve),
        **({"quantization": options.quantization} if options.quantization else {}),
    }
    with ranks.main_first():
        done = finished(job.out, identity, force=options.force)
    if done is not None:
        return done
    with shared_work_folder(job.out, identity, force=options.force) as work, quietly():
        return _train(job, identity, work)


def _train(job: Job, identity: Mapping[str, Any], work: WorkFolder) -> Run:
    begin_peak()
    set_seed(job.options.seed)
    model, processor = job.start.load(job.options)
    trainable = make_trainable(model, job.start, job.options, job.lora, job.phases[0].method)
    _print_parts(trainable)
    history: list[dict[str, float]] = []
    facts: dict[str, Any] = {}
    for number in range(len(job.phases)):
        done = _Finished(work.folder, number)
        if done.is_there():
            part, told = done.restore(trainable.model)
        else:
            part, told = _run_phase(job, number, trainable, processor, work, len(history))
            if number + 1 < len(job.phases) and ranks.is_main():
                done.keep(trainable.model, part, told)
        history += [{**entry, "step": entry["step"] + len(history)} for entry in part]
        facts = {**told, **facts}
        # A later phase starts from weights that have moved, so switching the adapter off doesn't give its start.
        trainable = dataclasses.replace(trainable, fresh_adapter=False)

    def fill(folder: Path) -> RunManifest:
        _save(job, trainable.model, processor, folder, job.out)
        tables = [table for place in ("", "phase-*/") for table in sorted(work.folder.glob(f"{place}*.parquet"))]
        for extra in (*tables, work.folder / FOLDER, work.folder / LOGS):
            if extra.is_dir():
                shutil.copytree(extra, folder / extra.name, ignore=_links)
            elif extra.is_file():
                shutil.copy2(extra, folder)
        whole = {
            "title": job.title,
            **facts,
            **_applied(job.phases[0].method, folder),
            **describe_donors(folder),
            "base_commit": getattr(trainable.model.config, "_commit_hash", None),
            "tune": trainable.tune,
            "trained_parts": trainable.parts,
            "image_backend": image_backend(processor),
            "device": _device(trainable.model),
            "threads": torch.get_num_threads(),
            **({"processes": ranks.count()} if ranks.count() > 1 else {}),
            "wall_time_s": round(work.seconds(), 2),
            "peak_memory_mb": peak_memory_mb(next(trainable.model.parameters()).device),
            "steps": int(history[-1]["step"]),
            "loss_history": manifests.thin(history),
        }
        manifest = manifests.complete(identity, whole)
        _describe_curve(folder / FOLDER, manifest, history, job.phases[0].method)
        return manifest

    with ranks.main_first():
        return work.finish(fill) if ranks.is_main() else Run.open(job.out)


def _run_phase(
    job: Job, number: int, trainable: Trainable, processor: Any, work: WorkFolder, before: int
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Train; gives the loss history and what the manifest is told. `before`: steps of the phases before."""
    phase = job.phases[number]
    folder = work.folder / f"phase-{number + 1}" if number else work.folder
    folder.mkdir(exist_ok=True)
    with ranks.main_first():  # The others find what was stored.
        training = phase.prepare(trainable, processor, folder)
    steps = training.plan.steps
    total = before + steps + sum(later.steps or 0 for later in job.phases[number + 1 :])
    if job.curve and max(job.curve) > total:
        raise UsageError(f"--curve-steps {max(job.curve)}: there are only {counted(total, 'step')}.")
    which = f"phase {number + 1} of {len(job.phases)}: " if len(job.phases) > 1 else ""
    log(f"{which}{counted(steps, 'step')}, {counted(phase.config.accumulation, 'micro-batch')} each")

    def keep(model: Any, step: int) -> None:
        name = point_name(before + step)
        with whole_folder(work.folder / FOLDER / name, force=True) as folder:
            _save(job, model, processor, folder, job.out / FOLDER / name)

    watch = training.watch
    if watch is not None:
        watch.begin(trainable.model)
    schedule = Schedule(
        folder=folder,
        checkpoint_seconds=job.options.checkpoint_seconds,
        save_at=[step - before for step in job.curve if before < step <= before + steps],
        save=keep,
        stop=watch,
        saved=work.note_seconds,
        report_to=job.options.report_to,
        logs=work.folder / LOGS / (folder.name if number else ""),
    )
    # Building a model and its batches may draw random numbers; training starts from the seed alone.
    model, seed, method = trainable.model, job.options.seed, phase.method
    if isinstance(method, EditingMethod):
        with contextlib.ExitStack() as stack:
            if isinstance(method, InterveningMethod):
                stack.callback(method.withdraw)
            history = edit(model, training.plan, method, seed, schedule)
    else:
        options = (training.plan, training.objective, phase.config, seed, schedule, method)
        history = train(model, *options, sharpness=phase.sharpness)
    return history, {**training.facts, **(watch.facts() if watch else {})}


def _links(folder: str, names: list[str]) -> list[str]:
    """Links in a folder: what they name is there already, or elsewhere on this machine."""
    return [name for name in names if (Path(folder) / name).is_symlink()]


class _Finished:
    """A phase that is finished, so that a run that is killed in a later one needn't begin again.

    Args:
        folder: The run's work folder.
        number: Of the phase, from 0.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._weights = folder / f"phase-{number + 1}.safetensors"
        self._told = folder / f"phase-{number + 1}.json"  # Written last: with it, the phase is finished.

    def is_there(self) -> bool:
        return self._told.is_file()

    def keep(self, model: Any, history: list[dict[str, float]], facts: Mapping[str, Any]) -> None:
        trained = {name: p.detach().contiguous() for name, p in model.named_parameters() if p.requires_grad}
        with whole_file(self._weights) as partial:
            save_file(trained, partial)
        write_json(self._told, {"history": history, "facts": facts})

    def restore(self, model: Any) -> tuple[list[dict[str, float]], dict[str, Any]]:
        weights = load_file(self._weights)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(weights.pop(name))
        told = parse_json(read_small(self._told))
        return told["history"], told["facts"]


def _gives_whole(job: Job) -> bool:
    return any(phase.method is not None and phase.method.whole for phase in job.phases)


def _save(job: Job, model: Any, processor: Any, folder: Path, final: Path) -> None:
    """Save the model, or what is done in its place, and the processor into `folder`, which will be moved to `final`."""
    base, method = job.start.base["path"], job.phases[0].method
    _require_finite(model)
    if isinstance(method, InterveningMethod):
        start = job.start
        assert method.applied is not None  # There is a step at least.
        write_intervention(method.applied, folder, base=start.path, base_digest=start.digest, final=final)
    elif hasattr(model, "peft_config") and _gives_whole(job):
        plain = base_model_of(model)
        own = {name: values for name, values in plain.state_dict().items() if ".lora_" not in name}
        plain.save_pretrained(folder, state_dict={name.replace(".base_layer.", "."): own[name] for name in own})
    elif hasattr(model, "peft_config"):
        if Path(base).is_dir():  # Relative, so that run and base can be moved together.
            base = os.path.relpath(Path(base).resolve(), final.resolve())
        model.peft_config[model.active_adapter].base_model_name_or_path = base
        model.save_pretrained(folder, save_embedding_layers=False)
    else:
        model.save_pretrained(folder)
    save_processor(processor, folder)


def _require_finite(model: torch.nn.Module) -> None:
    """Refuse to save a broken model: a loss is looked at before a step, and what a step made of it isn't.

    Raises:
        TrainingError: If a weight isn't a finite number.
    """
    broken = [name for name, parameter in model.named_parameters() if not bool(torch.isfinite(parameter).all())]
    if broken:
        raise TrainingError(
            f"not all weights are finite numbers any more (in {counted(len(broken), 'tensor')}, e.g. {broken[0]}), so "
            "the model isn't saved. Smaller steps (lr, or the method's own options) or --dtype float32 are the usual "
            "ways out."
        )


def _applied(method: UnlearningMethod[Any] | None, folder: Path) -> dict[str, Any]:
    """What a manifest says of the intervention in its folder; nothing of a run that has weights."""
    if not isinstance(method, InterveningMethod) or method.applied is None:
        return {}
    return {"intervention": dataclasses.asdict(applied_in(folder, method.applied.kind))}


def _describe_curve(
    curve: Path, manifest: RunManifest, history: list[dict[str, float]], method: UnlearningMethod[Any] | None
) -> None:
    for folder in sorted(curve.glob("step-*")):
        step = int(folder.name.split("-")[1])
        so_far = [entry for entry in history if entry["step"] <= step]
        whole = manifest.to_json()
        facts = {"steps": step, "loss_history": manifests.thin(so_far), "curve": [], "point_of": manifest.request}
        point = {
            **whole,
            **facts,
            **_applied(method, folder),
            "title": f"{manifest.title}, after {counted(step, 'step')}",
        }
        if "checks" in whole:
            point["checks"] = [check for check in whole["checks"] if check["step"] <= step]
            del point["stopped"]
        manifests.write(folder, RunManifest.from_json(point, folder))


def _print_parts(trainable: Trainable) -> None:
    for tower, row in trainable.parts.items():
        share = f"{counted(row['trained'], 'weight')} in {counted(row['modules'], 'module')}"
        unread = f"; at its end {counted(row['unread'], 'layer')} nothing reads: no target" if "unread" in row else ""
        log(f"{tower}: {share} are trained, beside {row['parameters']:,} of the model's own{unread}")


def _device(model: Any) -> str:
    device = next(model.parameters()).device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
