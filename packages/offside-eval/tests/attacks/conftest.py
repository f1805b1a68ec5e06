"""Claims of the small dataset with a control set, a model that is only a function, and a tiny real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import new_dataset
from offside_data.taxonomy import shipped_taxonomy_text
from offside_data.vlm import load_model, load_processor
from offside_eval.attack_results import AttackResults
from offside_eval.attacking import make_attacks, run_attack
from offside_eval.attacks._base import Ask, Attempt
from offside_eval.attacks._claims import ClaimSet, claims_of
from offside_eval.attacks._target import AttackTarget, _attempt
from offside_eval.inference.generation import Reply
from offside_eval.plan import make_plan


@pytest.fixture(scope="session")
def small(request: pytest.FixtureRequest) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("offside_eval_small_attacked", Path(__file__).parents[1] / "small.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def attacked_folder(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dataset, and for each person a picture that no model ever sees, with two claims."""
    path = tmp_path_factory.mktemp("attacked") / "data"
    with new_dataset(path, name="attacked", taxonomy=shipped_taxonomy_text("football"), license="cc0-1.0") as writer:
        writer.add_records(small.records())
        for subject in small.PEOPLE:
            n = int(subject[1])
            for attribute, texts in (("club", small.CLUBS), ("fee", small.FEES)):
                text = texts[(n + 3) % 4]
                writer.add_records([small._claim(subject, attribute, text, f"holdout-{subject}", "holdout")])
        writer.add_images(small.twins())
    return path


@pytest.fixture(scope="session")
def attacked_data(attacked_folder: Path) -> OffsideDataset:
    return open_dataset(attacked_folder)


@pytest.fixture(scope="session")
def drawn(attacked_data: OffsideDataset) -> ClaimSet:
    return claims_of(make_plan(attacked_data, "complete"), attacked_data, claims=8, control=4, seed=0)


class Lacking:
    """A dataset without some of its parts."""

    def __init__(self, data: OffsideDataset, *parts: tuple[str, str]) -> None:
        self._data, self._parts = data, parts

    def has(self, config: str, split: str) -> bool:
        return (config, split) not in self._parts and self._data.has(config, split)

    def records(self, config: str, split: str) -> Any:
        assert self.has(config, split)
        return self._data.records(config, split)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)


@pytest.fixture(scope="session")
def lacking() -> type[Lacking]:
    return Lacking


@dataclass(kw_only=True, eq=False)
class Talker(AttackTarget):
    """A model that is only a function from what it is asked to what it says."""

    reply: Callable[[Ask], str]
    heard: list[Ask] = field(default_factory=list)
    sampling: Any = None
    change: Any = None

    def ask(self, asks: Sequence[Ask], *, sampling: Any = None, change: Any = None) -> list[Attempt]:
        self.heard += asks
        self.sampling, self.change = sampling, change
        return [_attempt(ask, Reply(self.reply(ask), 4, True)) for ask in asks]


@pytest.fixture
def attack(attacked_data: OffsideDataset, drawn: ClaimSet) -> Callable[..., AttackResults]:
    """Attack a function: `attack("prompt", lambda ask: "No idea.", "prompt.per_family=2")`."""

    def run(
        name: str, reply: Callable[[Ask], str], *options: str, kind: type[Talker] = Talker, **fields: Any
    ) -> AttackResults:
        given = {"model": None, "processor": None, "data": attacked_data, "drawn": drawn} | fields
        target = kind(reply=reply, **given)
        return run_attack(name, make_attacks([name], options)[name], target, {})

    return run


def figure(found: AttackResults, group: str, measure: str, family: str | None = None) -> float:
    """One mean of an attack."""
    told = [f for f in found.meta.figures if (f.group, f.measure, f.family) == (group, measure, family)]
    assert len(told) == 1, (group, measure, family, found.meta)
    return told[0].value


@pytest.fixture(scope="session")
def talker() -> type[Talker]:
    return Talker


@pytest.fixture(scope="session")
def mean() -> Callable[..., float]:
    return figure


@pytest.fixture(scope="session")
def real(models: dict[str, Path], attacked_data: OffsideDataset) -> Callable[..., AttackTarget]:
    """The tiny model under attack, with a few claims of each group."""
    known: dict[str, Any] = {}

    def make(name: str = "trained", claims: int = 4, control: int = 2, **fields: Any) -> AttackTarget:
        if name not in known:
            known[name] = load_model(models[name], device="cpu")
        plan = make_plan(attacked_data, "complete")
        few = claims_of(plan, attacked_data, claims=claims, control=control, seed=0)
        options = {"max_new_tokens": 8, "batch_size": 16} | fields
        processor = load_processor(models[name])
        return AttackTarget(model=known[name], processor=processor, data=attacked_data, drawn=few, **options)

    return make
