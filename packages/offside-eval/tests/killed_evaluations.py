"""A program for `test_evaluation_kills.py`: it kills an evaluation before its every step, and starts it again.

    python packages/offside-eval/tests/killed_evaluations.py MODEL DATA PLACE MOST     # MOST: of the places of a kill

It prints one JSON object a place: how the evaluation that came after ended, and in what its files differ from those of
one that nothing disturbed. It forks, so nothing may be at work in it but itself: that's why it is a program.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "offside-data" / "tests"))

import faults

USED = (
    *("torch", "polars", "datasets", "safetensors.torch", "scipy.stats", "offside_eval.evaluation"),
    *("offside_eval.inference.engine", "offside_data.vlm.models", "transformers.models.auto.modeling_auto"),
    *("offside_eval.attacks.sampling", "offside_eval.attacks.quantize", "offside_eval.attacks._target"),
)


_copied = faults._copy


def _copied_whole(folder: Path, to: Path, safe: set[int]) -> None:
    """As a kill leaves it: what was written is there. (A power cut would lose it: results aren't synced.)"""
    _copied(folder, to, {path.lstat().st_ino for path in folder.rglob("*")})


faults._copy = _copied_whole


def evaluated(model: str, data: str, folder: Path) -> None:
    from offside_eval import EvaluationConfig, evaluate

    config = EvaluationConfig(
        limit=2,
        max_new_tokens=3,
        batch_size=4,
        device="cpu",
        role="vanilla",
        metrics=("value_match", "probability"),
        attacks=("sampling", "quantize"),
        attack_options=("sampling.draws=1", "sampling.claims=3", "quantize.claims=3", "quantize.bits=8"),
        cache=str(folder / "cache"),
    )
    evaluate(model, None, data, "complete", config=config, out=folder / "out")


def forked(call: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            call()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files of the results but the one that says how long it took."""
    files = (p for p in (folder / "out").rglob("*") if p.is_file() and p.name != "timing.json")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)}


def _main(model: str, data: str, place: str, most: str) -> None:
    for name in USED:
        importlib.import_module(name)
    whole = Path(place) / "whole"
    whole.mkdir()
    assert forked(lambda: evaluated(model, data, whole)) == 0
    expected = contents(whole)
    left = Path(place) / "states"
    left.mkdir()
    steps = faults.killed_at_every_step(
        left, lambda folder: folder.mkdir(), lambda folder: evaluated(model, data, folder)
    )
    states: dict[str, int] = {}
    for number, folder in enumerate(steps):
        files = [(str(p.relative_to(folder)), p.is_file() and p.read_bytes()) for p in sorted(folder.rglob("*"))]
        told = hashlib.sha256(repr(files).encode()).hexdigest()
        if told not in states:
            states[told] = number
            shutil.copytree(folder, Path(place) / f"state-{len(states):04d}", symlinks=True)
    kept = sorted(Path(place).glob("state-*"))
    chosen = kept[:: max(1, len(kept) // int(most))]
    for number, folder in enumerate(chosen):
        there = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        code = forked(lambda folder=folder: evaluated(model, data, folder))  # type: ignore[misc]
        found = contents(folder)
        differing = sorted(name for name in {**expected, **found} if expected.get(name) != found.get(name))
        print(json.dumps({"place": number, "of": len(kept), "there": there, "code": code, "differing": differing}))
        sys.stdout.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
