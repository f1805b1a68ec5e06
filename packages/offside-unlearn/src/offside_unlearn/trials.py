"""The trials of a sweep: what one came to, which options the next one has, and the folder that holds them."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from offside_data.errors import OutputExistsError, UsageError
from offside_data.files import write_json, write_text
from offside_data.outputs import not_ours, others_in
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_unlearn.space import SearchChoices, Space, distribution, rounded

ASKED, TRIALS, RUNS, BEST = "sweep.json", "study.db", "runs", "best.yaml"

Outcome = Literal["reached", "short", "collapsed", "failed"]
Keep = Literal["best", "all", "none"]

_COLLAPSED, _FAILED = -2.0, -3.0
"""Values of trials of which nothing may be taken; one that fell short is above them, one that reached it above 0."""

_DRAWS = 20
"""So often is drawn again what a trial had already."""


@dataclass(frozen=True)
class Trial:
    """One trial.

    Args:
        number: From 0.
        options: Those that were searched.
        outcome: `reached`: forgot enough; `short`: didn't; `collapsed`: too little is left, or too much is broken;
            `failed`: there is no model.
        found: `forgetting`, `keeping` and `broken` on the validation part; empty if it failed.
        why: What the run said, if it failed.
    """

    number: int
    options: Mapping[str, Any]
    outcome: Outcome
    found: Mapping[str, float] = field(default_factory=dict)
    why: str | None = None

    @property
    def name(self) -> str:
        """Of its run's folder."""
        return f"trial-{self.number:04d}"

    def value(self, level: float) -> float:
        """What the search makes as large as it can."""
        if self.outcome == "reached":
            return self.found["keeping"]
        if self.outcome == "short":
            return max(self.found["forgetting"] - level, _COLLAPSED + 0.1)
        return _COLLAPSED if self.outcome == "collapsed" else _FAILED

    def rank(self, level: float) -> tuple[float, float, int]:
        """Larger is better; of equal ones that which forgot more, then the earlier one."""
        return self.value(level), self.found.get("forgetting", -1.0), -self.number


def in_words(values: Mapping[str, Any]) -> str:
    """`lr=0.0001, max_steps=40`, or of what was found `forgetting 0.82, …`."""
    if "forgetting" in values:
        return ", ".join(f"{name} {value:.2f}" for name, value in values.items())
    return ", ".join(f"{name}={'null' if value is None else value}" for name, value in values.items())


def require_optuna() -> None:
    """Import Optuna, and have it keep quiet.

    Raises:
        UsageError: If it isn't installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            "a sweep needs Optuna, which isn't installed: pip install 'offside-unlearn[sweep]'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


class TrialStudy:
    """Trials in Optuna's storage, and which options the next one has.

    A trial comes into the storage when it is finished, so that one that was killed isn't there, and is asked for again:
    the sampler knows the trials before it, and has a seed of its own for each number. Nothing is pickled.

    Args:
        path: Of the SQLite file.
        space: What is searched.
        level: Of forgetting.
        seed: Of the search.

    Raises:
        UsageError: If something else has the place of the file, or it was damaged.
    """

    def __init__(self, path: Path, space: Space, level: float, seed: int) -> None:
        import optuna
        from sqlalchemy import URL
        from sqlalchemy.exc import SQLAlchemyError

        self._distributions = {name: distribution(dimension) for name, dimension in space.items()}
        self._space, self._level, self._seed = space, level, seed
        url = URL.create("sqlite", database=str(path)).render_as_string()
        self._path = path
        try:
            self._study = optuna.create_study(
                storage=optuna.storages.RDBStorage(url), study_name="sweep", direction="maximize", load_if_exists=True
            )
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError, RuntimeError) as error:
            raise self._unreadable(str(error).splitlines()[0]) from error

    def _unreadable(self, why: str) -> UsageError:
        return UsageError(
            f"{self._path}: the sweep's trials can't be read: {why}. Put the file back as it was, or delete it: then "
            "the trials are made again, but for those whose runs are there."
        )

    def trials(self) -> list[Trial]:
        """Those that are finished.

        Raises:
            UsageError: If one is of somebody else.
        """
        found = []
        for stored in self._study.get_trials(deepcopy=False):
            told = stored.user_attrs
            if not {"outcome", "found", "why"} <= told.keys():
                raise self._unreadable(f"trial {stored.number} wasn't made by this command")
            found.append(Trial(stored.number, _ordered(stored.params), told["outcome"], told["found"], told["why"]))
        return found

    def ask(self, done: list[Trial]) -> dict[str, Any] | None:
        """The options of the next trial, which no trial had; null where there are no more."""
        import optuna

        memory = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler())
        memory.add_trials([self._stored(trial) for trial in done])
        taken = [dict(trial.options) for trial in done]
        for draw in range(_DRAWS):
            told = f"{self._seed}:sweep:{len(done)}:{draw}".encode()
            memory.sampler = optuna.samplers.TPESampler(seed=int.from_bytes(hashlib.sha256(told).digest()[:4], "big"))
            drawn = memory.ask(self._distributions).params
            chosen = _ordered({name: rounded(value, self._space[name]) for name, value in drawn.items()})
            if chosen not in taken:
                return chosen
        return next((chosen for chosen in self._listed() if chosen not in taken), None)

    def _listed(self) -> Iterator[dict[str, Any]]:
        """All options that there are, where the space is finite."""
        if all(isinstance(dimension, SearchChoices) for dimension in self._space.values()):
            values = [self._space[name].extremes for name in sorted(self._space)]
            for chosen in itertools.product(*values):
                yield dict(zip(sorted(self._space), chosen, strict=True))

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        self._study.add_trial(self._stored(trial))

    def _stored(self, trial: Trial) -> Any:
        import optuna

        return optuna.trial.create_trial(
            params=dict(trial.options),
            distributions=self._distributions,
            value=trial.value(self._level),
            user_attrs={"outcome": trial.outcome, "found": dict(trial.found), "why": trial.why},
        )


def _ordered(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in sorted(values)}


class TrialFolder:
    """The folder of a sweep.

    Args:
        path: Where it is.
        keep: Which runs stay in it.
    """

    def __init__(self, path: Path, keep: Keep) -> None:
        self.path = path
        self._keep = keep

    def begin(
        self, identity: Mapping[str, Any], ask: Callable[[], dict[str, float]], *, force: bool
    ) -> dict[str, float]:
        """Take the folder; gives what the model knew at the start, which is asked once.

        Raises:
            OutputExistsError: If it holds something else.
        """
        asked = self._asked()
        if asked is not None and force and _differences(asked["asked"], identity):
            self._drop()
            asked = None
        if asked is not None:
            differing = _differences(asked["asked"], identity)
            if differing:
                raise OutputExistsError(
                    f"{self.path} holds another sweep (other {', '.join(differing)}). Choose another output folder, or "
                    "pass --force."
                )
            start: dict[str, float] = asked["start"]
            return start
        others = [name for name in others_in(self.path) if not name.startswith(f".{ASKED}.")]
        if others:
            raise not_ours(self.path, others, "another sweep")
        start = ask()
        write_json(self.path / ASKED, {"asked": identity, "start": start})
        return start

    def _asked(self) -> Any:
        try:
            content = parse_json(read_small(self.path / ASKED))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return content if isinstance(content, dict) and content.keys() == {"asked", "start"} else None

    def _drop(self) -> None:
        """Delete a sweep; what tells that it is one goes last."""
        shutil.rmtree(self.path / RUNS, ignore_errors=True)
        for name in (BEST, TRIALS, f"{TRIALS}-journal", ASKED):
            (self.path / name).unlink(missing_ok=True)

    def clear(self, done: list[Trial], level: float) -> None:
        """Delete the runs of finished trials that aren't to stay."""
        if self._keep == "all":
            return
        kept = max(done, key=lambda trial: trial.rank(level)).name if done and self._keep == "best" else None
        for trial in done:
            place = self.path / RUNS / trial.name
            if trial.name != kept and place.is_dir():
                shutil.rmtree(place)
        with contextlib.suppress(OSError):  # There are runs in it, or it isn't there.
            (self.path / RUNS).rmdir()

    def write_best(self, text: str | None) -> Path | None:
        """Write `best.yaml`; where no trial forgot enough (null) there is none."""
        place = self.path / BEST
        if text is None:
            place.unlink(missing_ok=True)
            return None
        write_text(place, text)
        return place


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Which parts of what was asked for differ."""
    plain = json.loads(json.dumps(now))
    return sorted(key for key in {*before, *plain} if before.get(key) != plain.get(key))
