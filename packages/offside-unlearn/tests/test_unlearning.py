"""Unlearning requests, end to end on a tiny model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from killed_runs import KilledRuns
from peft import PeftModel
from transformers import AutoModelForImageTextToText

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import PluginError, UsageError
from offside_data.seeding import draw_records
from offside_data.vlm import Collator, Encoder, forward, load_model, load_processor
from offside_data.vlm.digest import model_digest, weights_digest
from offside_unlearn import METHODS, Run, RunOptions, merge, unlearn
from offside_unlearn.methods import EditingMethod
from offside_unlearn.plan import plan
from offside_unlearn.task import draw_refusals, refusals
from offside_unlearn.unlearning import has_doses, plan_run

CONFIG: dict[str, Any] = {"max_steps": 2, "batch_size": 2, "lr": 1e-3, "retain_ratio": 1}
OPTIONS = RunOptions(device="cpu")
NUMBERS = "stored: log-probability of each forget answer"
DISTRIBUTIONS = "stored: distributions of the answer tokens"


def logits_of(model: Any, folder: Path, league: OffsideDataset) -> torch.Tensor:
    processor = load_processor(folder)
    rows = [Encoder(processor).encode(row) for row in league.records("multimodal", "forget")]
    with torch.no_grad():
        return forward(model.eval(), Collator(processor)(rows)).logits


@pytest.fixture(scope="module")
def logits_at_first(tiny: Path, league: OffsideDataset) -> torch.Tensor:
    return logits_of(load_model(tiny, device="cpu"), tiny, league)


@pytest.mark.parametrize("method", METHODS.names())
def test_every_method_does_what_its_plan_says_and_makes_an_adapter_that_plain_peft_loads(
    method: str, tiny: Path, logits_at_first: torch.Tensor, league: OffsideDataset, tmp_path: Path
) -> None:
    kind = METHODS.load(method).Method
    options = dataclasses.replace(OPTIONS, full=kind.needs_full)
    config = CONFIG if has_doses(method) else {"batch_size": 2}
    planned = plan(method, tiny, league, "complete", config, options)
    run = unlearn(method, tiny, None, league, "complete", config, tmp_path / "run", options)
    assert not list(tmp_path.glob(".*")), "nothing is left beside the run"
    training = run.manifest.training
    assert training is not None
    assert (planned.tune, planned.parts) == (training.tune, training.trained_parts)
    assert sum(phase.steps for phase in planned.phases) == training.steps
    assert ("gradients" in planned.memory) is not issubclass(kind, EditingMethod)
    assert planned.total >= planned.memory["weights"] > 0
    manifest = run.manifest.to_json()
    assert manifest["role"] == "unlearned"
    assert manifest["method"] == method
    assert manifest["setting"] == "complete"
    request = league.request("complete")
    assert manifest["forget"] == {"digest": request.digest, "record_ids": request.record_ids}
    assert manifest["base_model"]["path"] == str(tiny)
    if kind.needs_full or kind.whole:
        return
    plain = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(tiny), run.path)
    ours = load_model(run.path, device="cpu")
    logits = logits_of(ours, run.path, league)
    assert torch.equal(logits_of(plain, run.path, league), logits)
    assert not torch.allclose(logits, logits_at_first)
    assert manifest["trained_parts"]["vision"]["trained"] == 0
    assert set(manifest["loss_history"][0]) >= {"step", "loss", "learning_rate"}


@pytest.mark.parametrize(
    ("setting", "records", "retain"),
    [
        ("complete", 6, {"multimodal/retain": 12}),
        ("selective", 3, {"multimodal/retain": 12}),
        ("unimodal", 3, {"text/retain": 6}),
    ],
)
def test_a_setting_decides_what_is_forgotten_and_what_is_kept(
    setting: str, records: int, retain: dict[str, int], tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    config = {**CONFIG, "max_steps": 1}
    run = unlearn("grad_diff", tiny, None, league, setting, config, tmp_path / "run", OPTIONS)
    assert len(run.manifest.forget.record_ids) == records
    assert run.manifest.training.retain == retain


def test_a_request_can_be_narrowed(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    options = RunOptions(device="cpu", only=("subject=s1", "attribute=club"))
    config = {**CONFIG, "max_steps": 1, "retain_slices": "multimodal/retain,rest"}
    run = unlearn("grad_diff", tiny, None, league, "complete", config, tmp_path / "run", options)
    assert len(run.manifest.forget.record_ids) == 1
    assert run.manifest.only == ("subject=s1", "attribute=club")
    assert run.manifest.training.retain == {"multimodal/retain": 12, "rest": 5}


def test_requests_follow_one_another(
    tiny: Path, league: OffsideDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three in a row, the second one merged, and one again: every receipt stays, and nothing of it is held."""

    def run(model: Path, only: str, out: str, **more: Any) -> Run:
        options = RunOptions(device="cpu", only=(f"subject={only}",))
        config = {**CONFIG, "max_steps": 1, "retain_slices": "multimodal/retain,rest", **more}
        return unlearn("grad_diff", model, None, league, "complete", config, tmp_path / out, options)

    first = run(tiny, "s1", "first")
    second = run(first.path, "s2", "second")
    merged = merge(second.path, tmp_path / "merged")
    third = run(merged.path, "s3", "third", retain_slices="multimodal/retain")
    made = third.manifest.earlier
    assert [parent.only for parent in made] == [("subject=s1",), ("subject=s2",)]
    assert [parent.forget for parent in made] == [first.manifest.forget, second.manifest.forget]
    assert [parent.request for parent in made] == [first.manifest.request, merged.manifest.request]
    assert [parent.dataset for parent in made] == [first.manifest.dataset] * 2
    assert made[0].digest == model_digest(first.path)
    assert (first.manifest.earlier, merged.manifest.earlier) == ((), second.manifest.earlier)
    assert first.manifest.training.retain == {"multimodal/retain": 12, "rest": 4}
    assert second.manifest.training.retain == {"multimodal/retain": 12, "rest": 2}, "what the first forgot isn't held"
    capsys.readouterr()
    again = run(first.path, "s1", "again")
    assert "2 of them are to be forgotten again" in capsys.readouterr().err
    assert [parent.forget for parent in again.manifest.earlier] == [again.manifest.forget]
    with pytest.raises(UsageError, match="rest: nothing is left that must stay"):
        run(merged.path, "s3", "none")
    last = RunOptions(device="cpu", only=("subject=s3",))
    whole = plan_run("prior_match", league, "complete", {}, last, before=merged.manifest).tasks[0].retain
    assert set(whole) == {"multimodal/retain", "text/retain"}, "a slice that nobody named, and is used up, is left out"
    text = plan_run("grad_diff", league, "unimodal", {"retain_slices": "multimodal/forget,text/retain"}, OPTIONS)
    after = plan_run(
        "grad_diff",
        league,
        "unimodal",
        {"retain_slices": "multimodal/forget,text/retain"},
        OPTIONS,
        before=first.manifest,
    )
    left = [{name: len(rows) for name, rows in plan.tasks[0].retain.items()} for plan in (text, after)]
    assert left == [{"multimodal/forget": 6, "text/retain": 6}, {"multimodal/forget": 4, "text/retain": 6}]


def test_the_manifest_counts_what_a_limit_left_of_the_records_that_stay(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    options = RunOptions(device="cpu", limit=4)
    run = unlearn("grad_diff", tiny, None, league, "complete", {**CONFIG, "max_steps": 1}, tmp_path / "run", options)
    assert run.manifest.training is not None
    assert run.manifest.training.retain == {"multimodal/retain": 4}


@pytest.mark.parametrize("method", METHODS.names())
def test_a_limit_holds_for_whatever_is_read_of_what_stays(
    method: str, loaded: tuple[Any, Any], league: OffsideDataset, tmp_path: Path
) -> None:
    """A method may choose records of its own, but only among those that the limit leaves."""
    task = plan_run(method, league, "complete", {}, RunOptions(device="cpu", limit=2)).tasks[0]
    _, examples = task.encode(Encoder(loaded[1]), tmp_path)
    staying = {example.record_id for side, read in examples.items() if side.startswith("retain") for example in read}
    assert len(staying) == (2 * len(task.retain) if task.method.needs().retain else 0)


def test_retain_slices_may_not_hold_what_is_forgotten(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def refused(setting: str, slices: str) -> Any:
        config = {**CONFIG, "retain_slices": slices}
        return unlearn("grad_diff", tiny, None, league, setting, config, tmp_path / "run", OPTIONS)

    with pytest.raises(UsageError, match="holds 6 of the records that are to be forgotten"):
        refused("complete", "multimodal/forget")
    with pytest.raises(UsageError, match="leaves nothing out"):
        refused("complete", "rest")
    with pytest.raises(UsageError, match="isn't CONFIG/SPLIT"):
        refused("complete", "retain")
    assert not (tmp_path / "run").exists()
    config = {**CONFIG, "max_steps": 1, "retain_slices": "multimodal/retain,multimodal/forget/shared"}
    run = unlearn("grad_diff", tiny, None, league, "selective", config, tmp_path / "run", OPTIONS)
    assert run.manifest.training.retain == {"multimodal/retain": 12, "multimodal/forget/shared": 3}


def test_mistakes_are_named(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(PluginError, match="Did you mean 'grad_ascent'"):
        unlearn("grad_asent", tiny, None, league, "complete", CONFIG, out)
    with pytest.raises(UsageError, match="doesn't offer the setting 'visual-rumor'"):
        unlearn("grad_ascent", tiny, None, league, "visual-rumor", CONFIG, out)
    with pytest.raises(UsageError, match="Did you mean 'beta2'"):
        unlearn("grad_ascent", tiny, None, league, "complete", {"beta": 0.5}, out)
    with pytest.raises(UsageError, match="beta must be positive"):
        unlearn("npo", tiny, None, league, "complete", {"beta": 0}, out)
    assert not out.exists()


def test_npo_keeps_its_reference_with_the_run(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    run = unlearn("npo", tiny, None, league, "complete", CONFIG, tmp_path / "run", OPTIONS)
    assert run.manifest.training.reference == NUMBERS
    assert (run.path / "reference.parquet").is_file()


@pytest.mark.parametrize(
    ("full", "how"), [(False, "adapter off"), (True, "stored: distributions of the answer tokens")]
)
def test_kl_min_says_which_reference_it_used(
    full: bool, how: str, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    options = RunOptions(device="cpu", full=full)
    run = unlearn("kl_min", tiny, None, league, "complete", CONFIG, tmp_path / "run", options)
    assert run.manifest.training.reference == how
    history = run.manifest.training.loss_history
    assert history[0]["retain_kl"] == pytest.approx(0, abs=1e-3)
    assert {"forget_ce", "retain_kl"} <= history[0].keys()


def test_requests_can_follow_one_another_on_one_model(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def request(subject: str, model: Path, out: str) -> Run:
        options = RunOptions(device="cpu", only=(f"subject={subject}",))
        config = {**CONFIG, "retention": "kl"}
        return unlearn("npo", model, None, league, "complete", config, tmp_path / out, options)

    first = request("s1", tiny, "first")
    second = request("s2", first.path, "second")
    assert first.manifest.training.reference == f"{NUMBERS}; adapter off"
    # The adapter holds the first request: switching it off would bring that knowledge back as the reference.
    assert (
        second.manifest.training.reference
        == "stored: log-probability of each forget answer; stored: distributions of the answer tokens"
    )
    parent = second.manifest.parents[-1]
    assert parent.digest == model_digest(first.path)
    assert parent.only == ("subject=s1",)
    assert parent.forget == first.manifest.forget
    assert second.manifest.base_model.path == str(tiny)
    load_model(second.path, device="cpu")


def test_po_teaches_refusals_that_name_nothing(league: OffsideDataset) -> None:
    ids = league.records("multimodal", "forget")["record_id"]
    drawn = draw_refusals(ids, seed=0)
    assert drawn == draw_refusals(list(reversed(ids)), seed=0) != draw_refusals(ids, seed=1)
    assert set(drawn.values()) <= set(refusals())
    assert len(refusals()) == len(set(refusals())) > 10


def test_limit_draws_the_records_to_be_forgotten_by_seed(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def forgotten(seed: int) -> tuple[str, ...]:
        options = RunOptions(device="cpu", limit=2, seed=seed)
        run = unlearn("grad_ascent", tiny, None, league, "complete", CONFIG, tmp_path / f"run-{seed}", options)
        return run.manifest.forget.record_ids

    ids = league.request("complete").forget["record_id"]
    for seed in (0, 1):
        assert forgotten(seed) == tuple(sorted(ids[i] for i in draw_records(ids, 2, seed=seed)))
    assert forgotten(0) != forgotten(1)


def test_gradient_ascent_makes_the_answers_unlikely(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    config = {"max_steps": 12, "batch_size": 6, "lr": 5e-3, "schedule": "constant"}
    run = unlearn("grad_ascent", tiny, None, league, "complete", config, tmp_path / "run", OPTIONS)
    history = run.manifest.training.loss_history
    assert history[-1]["forget_ce"] > history[0]["forget_ce"] + 1


@pytest.fixture(scope="module")
def killed_runs() -> Iterator[KilledRuns]:
    with KilledRuns() as runs:
        yield runs


# Stored numbers, a state of its own, one that is drawn before the first step, sides of its own, weights changed then.
@pytest.mark.parametrize(
    "method",
    ["npo", "pdu", *(pytest.param(m, marks=pytest.mark.full) for m in ("rmu", "prior_match", "mip_editor", "smfa"))],
)
def test_a_run_killed_at_any_point_ends_with_the_same_bits(
    method: str, tiny: Path, league: OffsideDataset, tmp_path: Path, killed_runs: KilledRuns
) -> None:
    """`kill -9` in the middle of training, then the same command again, against an undisturbed run."""
    config = {**CONFIG, "max_steps": 15}
    options = dataclasses.replace(OPTIONS, full=METHODS.load(method).Method.needs_full)
    undisturbed = unlearn(method, tiny, None, league, "complete", config, tmp_path / "undisturbed", options)
    out = tmp_path / "disturbed"
    arguments = [
        "run",
        method,
        str(out),
        "--model",
        str(tiny),
        "--data",
        str(league.path),
        "--setting",
        "complete",
    ]
    arguments += [part for key, value in config.items() for part in ("--set", f"{key}={value}")]
    arguments += ["--full"] if options.full else []
    arguments += ["--device", "cpu", "--checkpoint-seconds", "0"]
    work = tmp_path / ".disturbed.work"
    killed_runs.kill_when(lambda: any(work.glob("checkpoint-*/complete")), arguments, tmp_path / "said.txt")
    assert not out.exists()
    resumed = unlearn(method, tiny, None, league, "complete", config, out, options)
    assert not work.exists()
    assert weights_digest(load_model(out, device="cpu")) == weights_digest(load_model(undisturbed.path, device="cpu"))
    assert resumed.manifest.training.loss_history == undisturbed.manifest.training.loss_history
    assert resumed.manifest.request == undisturbed.manifest.request
    assert resumed.manifest.training.wall_time_s > 0
