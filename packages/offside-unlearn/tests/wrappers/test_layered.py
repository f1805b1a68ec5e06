from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_unlearn import RunOptions, reference, unlearn
from offside_unlearn.task import UnlearnTask
from offside_unlearn.wrappers.layered import HELD, Config, Wrapper


@pytest.mark.parametrize("folds", [2, 3])
def test_each_fold_forgets_those_before_as_well_and_holds_those_to_come(task: UnlearnTask, folds: int) -> None:
    cut = Wrapper(Config(folds=folds)).wrap([task])
    assert len(cut) == folds
    whole = set(task.forget["record_id"])
    before: set[str] = set()
    for number, part in enumerate(cut):
        now = set(part.forget["record_id"])
        held = set(part.retain[HELD]["record_id"]) if HELD in part.retain else set()
        assert before < now, "a fold goes on from all before"
        assert now | held == whole
        assert not now & held
        assert not set(part.forget["subject_id"]) & set(part.retain.get(HELD, part.forget.select([]))["subject_id"])
        assert set(part.retain) - {HELD} == set(task.retain)
        assert (held == set()) == (number + 1 == folds)
        before = now
    assert sum(part.steps() for part in cut) == task.steps() == 6
    assert len({id(part.method) for part in cut} | {id(task.method)}) == folds + 1, "what a method finds out is its own"


def test_the_folds_are_drawn_by_seed(task: UnlearnTask) -> None:
    def first(seed: int) -> tuple[str, ...]:
        seeded = dataclasses.replace(task, options=dataclasses.replace(task.options, seed=seed))
        return tuple(Wrapper(Config(folds=3)).wrap([seeded])[0].forget["record_id"])

    assert first(1) == first(1)
    assert len({first(seed) for seed in range(12)}) == 3


def test_the_frozen_model_of_a_fold_is_the_one_that_it_starts_from(
    tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switching the adapter off gives the start of the first fold alone."""
    prepared = []

    def watched(model: Any, needs: Any, examples: Any, preparation: Any) -> Any:
        prepared.append(preparation.fresh_adapter)
        return of(model, needs, examples, preparation)

    of = reference.of
    monkeypatch.setattr(reference, "of", watched)
    config = {"max_steps": 2, "batch_size": 2, "retention": "kl"}
    unlearn("grad_diff+layered", tiny, None, league, "complete", config, tmp_path / "run", RunOptions(device="cpu"))
    assert prepared == [True, False]


def test_what_cannot_be_divided_is_refused(task: UnlearnTask) -> None:
    with pytest.raises(UsageError, match="of 3 subjects; 4 folds need at least as many"):
        Wrapper(Config(folds=4)).wrap([task])
    short = dataclasses.replace(task, config=dataclasses.replace(task.config, max_steps=1))
    with pytest.raises(UsageError, match="1 step can't be divided among 2 folds"):
        Wrapper(Config()).wrap([short])
    with pytest.raises(ValueError, match="folds must be at least 2"):
        Config(folds=1)
