"""Relearning attacks: who is taught what, and runs that say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import DatasetError, PluginError, UsageError
from offside_data.run_manifest import read
from offside_unlearn import ATTACKS, Run, RunOptions, relearn, relearn_attack, unlearn
from offside_unlearn.attacks import Target, TaughtRecords
from offside_unlearn.batches import BatchPlan

OPTIONS = RunOptions(device="cpu")
CONFIG = {"batch_size": 2}


@pytest.fixture(scope="module")
def unlearned(tiny: Path, league: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "npo"
    return unlearn("npo", tiny, None, league, "selective", {"max_steps": 1, "batch_size": 2}, out, OPTIONS)


@pytest.fixture(scope="module")
def forgotten(league: OffsideDataset) -> frozenset[str]:
    return frozenset(league.request("complete").record_ids)


def test_benign_and_related_training_hold_nothing_that_was_to_be_forgotten(
    league: OffsideDataset, forgotten: frozenset[str]
) -> None:
    for name, split in (("benign", "retain"), ("related", "relearn")):
        found = ATTACKS.load(name).taught(Target(league, forgotten, 0))
        assert found.rows
        assert all(set(table["split"]) == {split} for table in found.rows.values())
        assert not found.forgotten
        assert not forgotten & {record for table in found.rows.values() for record in table["record_id"]}
    assert set(ATTACKS.load("benign").taught(Target(league, forgotten, 0)).rows) == {"multimodal/retain", "text/retain"}


@pytest.mark.parametrize(("name", "column"), [("direct_attribute", "attribute"), ("direct_subject", "subject_id")])
def test_direct_training_teaches_half_in_both_forms(
    name: str, column: str, league: OffsideDataset, forgotten: frozenset[str]
) -> None:
    found = ATTACKS.load(name).taught(Target(league, forgotten, 0))
    taught: dict[str, set[str]] = {part: set(table[column]) for part, table in found.rows.items()}
    every = set(league.records("multimodal", "forget")[column])
    half = taught["multimodal/forget"]
    assert len(half) == len(every) // 2
    other = {row["record_id"] for row in league.records("multimodal", "forget") if row[column] not in half}
    assert other == forgotten - found.forgotten, "the other half is asked for, all of it"
    in_text = {row["record_id"] for row in league.records("text", "forget") if row[column] in half}
    assert in_text <= found.forgotten, "no form of what was taught is counted"
    assert found.forgotten == {record for table in found.rows.values() for record in table["record_id"]}
    assert len({tuple(sorted(halves(name, league, forgotten, seed))) for seed in range(8)}) > 1, "drawn by seed"


def halves(name: str, league: OffsideDataset, forgotten: frozenset[str], seed: int) -> set[str]:
    table = ATTACKS.load(name).taught(Target(league, forgotten, seed)).rows["multimodal/forget"]
    return set(table["attribute" if name == "direct_attribute" else "subject_id"])


def test_what_was_not_to_be_forgotten_is_not_taught_directly(league: OffsideDataset) -> None:
    private = frozenset(league.request("selective").record_ids)
    found = ATTACKS.load("direct_subject").taught(Target(league, private, 0))
    assert {scope for table in found.rows.values() for scope in table["scope"]} == {"private"}
    with pytest.raises(UsageError, match="by attribute; but all of it is of club"):
        ATTACKS.load("direct_attribute").taught(Target(league, private, 0))


def test_an_attack_is_a_run_a_rate_with_a_point_after_each_number_of_steps(
    unlearned: Run, league: OffsideDataset, tmp_path: Path
) -> None:
    runs = relearn_attack(
        "direct-subject",
        unlearned.path,
        None,
        league,
        CONFIG,
        tmp_path / "a",
        rates=[1e-3, 3e-3],
        steps=[0, 1, 2],
        options=OPTIONS,
    )
    assert [run.path.name for run in runs] == ["rate-0.001", "rate-0.003"]
    for run, rate in zip(runs, (1e-3, 3e-3), strict=True):
        manifest = run.manifest
        assert (manifest.attack, manifest.role, manifest.method) == ("direct_subject", "relearned", "npo")
        assert manifest.forget == unlearned.manifest.forget
        assert (manifest.config["lr"], manifest.config["schedule"], manifest.config["max_steps"]) == (
            rate,
            "constant",
            2,
        )
        assert [path.name for path in sorted((run.path / "curve").iterdir())] == ["step-000001", "step-000002"]
        point = read(run.path / "curve" / "step-000001")
        assert point is not None
        assert point.taught == manifest.taught
        assert set(manifest.taught or ()) & set(unlearned.manifest.forget.record_ids)
        assert manifest.not_counted == set(manifest.taught or ())
    again = relearn_attack(
        "direct_subject",
        unlearned.path,
        None,
        league,
        CONFIG,
        tmp_path / "a",
        rates=[1e-3],
        steps=[1, 2],
        options=OPTIONS,
    )
    assert again[0].reused


def test_what_was_taught_once_is_counted_no_more(unlearned: Run, league: OffsideDataset, tmp_path: Path) -> None:
    once = {"rates": [1e-3], "steps": [1], "options": OPTIONS}
    (direct,) = relearn_attack("direct-subject", unlearned.path, None, league, CONFIG, tmp_path / "a", **once)
    (after,) = relearn_attack("benign", direct.path, None, league, CONFIG, tmp_path / "b", **once)
    corrected = relearn(
        direct.path, None, league, {**CONFIG, "max_steps": 1}, tmp_path / "c", options=RunOptions(device="cpu")
    )
    assert direct.manifest.taught
    assert after.manifest.taught == corrected.manifest.taught == direct.manifest.taught
    assert (after.manifest.attack, corrected.manifest.attack) == ("benign", None)


def test_the_batches_are_the_same_for_every_model(
    unlearned: Run, tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[str, ...]]] = []
    collate = BatchPlan.collate

    def watched(self: BatchPlan, planned: Any) -> Any:
        batch = collate(self, planned)
        seen[-1].append(batch.side("train").record_ids)
        return batch

    monkeypatch.setattr(BatchPlan, "collate", watched)
    for number, (model, more) in enumerate(((unlearned.path, {}), (tiny, {"setting": "selective"}))):
        for rate in (1e-3, 3e-3):
            seen.append([])
            relearn_attack(
                "direct-subject",
                model,
                None,
                league,
                CONFIG,
                tmp_path / f"{number}",
                rates=[rate],
                steps=[4],
                options=OPTIONS,
                **more,
            )
    assert len(seen[0]) == 4
    assert all(other == seen[0] for other in seen)


def test_what_does_not_fit_is_refused(unlearned: Run, tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def refused(
        error: type[Exception], message: str, kind: str = "benign", model: Path = tiny, config: Any = None, **more: Any
    ) -> None:
        with pytest.raises(error, match=message):
            relearn_attack(kind, model, None, league, config, tmp_path / "a", options=OPTIONS, **more)
        assert not list(tmp_path.iterdir())

    refused(PluginError, "unknown relearning attack 'benin'. Did you mean 'benign'", "benin")
    refused(UsageError, "say with --setting what the attack is after", "direct-subject")
    refused(UsageError, "Leave --setting and --only out", "direct-subject", unlearned.path, setting="complete")
    refused(UsageError, "lr: an attack takes --rates instead", config={"lr": 1e-3})
    refused(UsageError, "epochs: an attack takes --steps instead", config={"epochs": 1})
    refused(UsageError, "--rates takes positive numbers, each once", rates=[1e-3, 1e-3])
    refused(UsageError, "--rates takes positive numbers, each once", rates=[1e-3, float("nan")])
    refused(UsageError, "--rates takes positive numbers, each once", rates=[float("inf")])
    refused(UsageError, "--rates takes positive numbers, each once", rates=[1e-3, 1.0000001e-3])
    refused(UsageError, "--rates takes positive numbers, each once", rates=[])
    refused(UsageError, "--steps takes numbers of steps", steps=[0])
    refused(UsageError, "--steps takes numbers of steps", steps=[-1, 5])


def test_a_dataset_without_such_records_is_an_error(
    tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ATTACKS.load("related"), "taught", lambda target: TaughtRecords({}))
    with pytest.raises(DatasetError, match="no records that the attack related could train on"):
        relearn_attack("related", tiny, None, league, None, tmp_path / "a", options=OPTIONS)
