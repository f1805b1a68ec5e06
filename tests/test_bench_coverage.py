"""The bench of intervals and verdicts: its studies are what it says, and in the worst of its worlds goals are met."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

STUDIES = 1000


@pytest.fixture(scope="module")
def bench(root: Path) -> ModuleType:
    """The module `tools/bench/coverage.py`."""
    spec = importlib.util.spec_from_file_location("bench_coverage", root / "tools/bench/coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def draw_of(bench: ModuleType, world: str, k: int, studies: int = STUDIES) -> object:
    rng = np.random.default_rng(1)
    return bench.Draw(rng, world, bench.sizes(rng, False, (studies, k)))


@pytest.mark.parametrize("world", ["even", "spread", "all or nothing", "rare loss"])
def test_what_is_said_to_be_true_is_true_of_many_subjects(bench: ModuleType, world: str) -> None:
    for number, made in bench.NUMBERS.items():
        found, truth = made(draw_of(bench, world, 4000, studies=8), 0.9)
        centers = bench.estimated(found).centers[:, 0]
        assert centers.mean() == pytest.approx(truth, abs=0.02), number


@pytest.mark.parametrize("k", [6, 12, 24])
@pytest.mark.parametrize("number", ["mean", "ratio: loss", "ratio of differences: forgetting"])
def test_intervals_cover_where_plain_ones_do_not(bench: ModuleType, number: str, k: int) -> None:
    ours, plain, _ = bench.coverage(*bench.NUMBERS[number](draw_of(bench, "all or nothing", k), 0.9))
    assert ours >= 0.93
    assert plain < 0.9


@pytest.mark.parametrize("k", [6, 12, 24, 40])
def test_a_loss_at_the_threshold_is_hardly_ever_called_not_seen(bench: ModuleType, k: int) -> None:
    for world in ("all or nothing", "rare loss"):
        assert bench._verdicts(draw_of(bench, world, k), 0.1, 1, "not seen") <= 0.05
