"""Make attacks on a model that is evaluated, and write what came out beside its results.

Each attack is finished or not by itself: one can be added to an evaluation that is finished, and one that was
interrupted goes on where it was. An attack that can't be made on this model or dataset says why, and the rest go on.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.config import build
from offside_data.errors import OutputExistsError, UsageError
from offside_data.figures import counted
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.plugins import require_known
from offside_data.progress import log
from offside_data.reading import read_small
from offside_eval.attack_results import (
    GIVEN_AWAY,
    AttackMeta,
    AttackResults,
    attempts_frame,
    figures,
    outcomes,
)
from offside_eval.attacks import ATTACKS
from offside_eval.provenance import differences

if TYPE_CHECKING:
    from offside_eval.attacks import AttackTarget, Attempt, RecoveryAttack

ALL = "all"
_IDENTITY = "attack.json"


def attack_names(asked: Sequence[str]) -> list[str]:
    """The attacks that are asked for; `all` stands for every one.

    Raises:
        UsageError: If there is no such attack.
    """
    known = ATTACKS.names()
    require_known("attack", asked, [*known, ALL])
    return known if ALL in asked else list(dict.fromkeys(asked))


def make_attacks(asked: Sequence[str], assignments: Sequence[str], seed: int = 0) -> dict[str, RecoveryAttack]:
    """The attacks with their options.

    Args:
        asked: Names, or `all`.
        assignments: `ATTACK.OPTION=VALUE`.
        seed: Of all of them, unless an option says otherwise.

    Raises:
        UsageError: If a name, an option or a value is wrong.
    """
    names = attack_names(asked)
    given: dict[str, dict[str, str]] = {name: {} for name in names}
    for assignment in assignments:
        place, equals, value = assignment.partition("=")
        name, dot, option = place.strip().partition(".")
        if not (equals and dot and option):
            raise UsageError(f"--set takes ATTACK.OPTION=VALUE, e.g. sampling.draws=20; got {assignment!r}.")
        if name not in names:
            require_known("attack", [name], ATTACKS.names(), where="--set")
            raise UsageError(f"--set {assignment}: the attack {name!r} isn't asked for with --attacks.")
        given[name][option] = value.strip()
    return {name: build(ATTACKS.load(name).Attack, {"seed": seed}, given[name]) for name in names}


def run_attack(name: str, attack: RecoveryAttack, target: AttackTarget, identity: Mapping[str, Any]) -> AttackResults:
    """Make one attack and judge what came of it.

    Args:
        name: Of the attack.
        attack: It, with its options.
        target: What it is made on.
        identity: What is attacked in which evaluation, for the record.
    """
    started = time.monotonic()
    facts: dict[str, Any] = {
        "attack": name,
        "access": attack.access,
        "options": _options(attack),
        "identity": dict(identity),
    }
    if not target.claims:
        why: str | None = "no claim of this request can be attacked: " + (
            "; ".join(sorted(set(target.left_out.values()))) or "there is no private one"
        )
    else:
        why = attack.unfit(target)
    if why is not None:
        return AttackResults(AttackMeta(**facts, unfit=why), attempts_frame([]))
    with target.attached():
        plain = target.ask_plainly()
        found = list(attack.attempts(target))
    rows = list(_rows([*plain, *found], target.left_out))
    frame = attempts_frame(rows)
    per_claim = outcomes(frame)
    unscored = per_claim.filter(per_claim["before"].is_null())
    left_out = {**target.left_out, **dict.fromkeys(unscored["record_id"], GIVEN_AWAY)}
    asked = {row["record_id"] for row in rows if row["name"] != "plain"}
    left_out |= {
        claim.record_id: "the attack asked nothing about it" for claim in target.claims if claim.record_id not in asked
    }
    control = {claim.record_id for claim in target.drawn.claims if claim.group == "control"}
    absent = set(target.left_out) - control
    meta = AttackMeta(
        **facts,
        no_control=target.drawn.no_control,
        left_out=left_out,
        n_too_long=target.n_too_long,
        seconds=round(time.monotonic() - started, 1),
        figures=figures(frame, len(absent)),
    )
    return AttackResults(meta, frame)


def _options(attack: RecoveryAttack) -> dict[str, Any]:
    options: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(attack)))
    return options


def _rows(attempts: Iterable[Attempt], left_out: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    from offside_eval.attacks._judging import judge

    for attempt in attempts:
        claim = attempt.claim
        if claim.record_id in left_out:
            continue
        judged, row = judge(attempt), claim.question.row
        yield {
            "group": claim.group,
            "record_id": claim.record_id,
            "subject_id": row["subject_id"],
            "image_id": row["image_id"],
            "config": row["modality"],
            "attribute": row["attribute"],
            "variant": claim.question.variant,
            "name": attempt.name,
            "said": attempt.said,
            "answer": attempt.answer,
            "kind": judged.kind,
            "states": judged.states,
            "given_away": judged.given_away,
            "decoy": judged.decoy,
        }


class AttackFolder:
    """Where the attacks of one evaluation lie: `attacks/` in its results folder.

    Args:
        folder: That folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def finished(self, name: str, attack: RecoveryAttack, identity: Mapping[str, Any]) -> AttackResults | None:
        """This very attack, if it is finished.

        Raises:
            OutputExistsError: If one with other options is there.
        """
        file = self._folder / f"{name}.json"
        if not file.is_file():
            return None
        found = AttackResults.load(file)
        wanted = {"options": _options(attack), "identity": dict(identity)}
        differing = differences({"options": found.meta.options, "identity": found.meta.identity}, wanted)
        if differing:
            raise OutputExistsError(
                f"{file} holds this attack with something else ({'; '.join(differing)}). Delete that file, choose "
                "another output folder, or pass --force to evaluate and attack anew."
            )
        return found

    def progress(self, name: str, attack: RecoveryAttack, identity: Mapping[str, Any]) -> Path:
        """Where the batches of an attack are kept while it is made; those of another attack are dropped."""
        place = self._folder / f".{name}"
        wanted = {"options": _options(attack), "identity": dict(identity)}
        try:
            begun = parse_json(read_small(place / _IDENTITY))
        except (OSError, ValueError):
            begun = None
        if begun == wanted:
            log(f"attack {name}: going on where it was interrupted.")
        else:
            self.drop(name)
            write_json(place / _IDENTITY, wanted)
        return place

    def drop(self, name: str) -> None:
        """Delete what is kept of an attack while it is made."""
        place = self._folder / f".{name}"
        for pattern in ("*-??????.json", ".*.partial", _IDENTITY):
            for path in place.glob(pattern):
                path.unlink(missing_ok=True)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def said_of(found: AttackResults) -> str:
    """What came of an attack, in a sentence."""
    meta = found.meta
    if meta.unfit is not None:
        return f"attack {meta.attack}: not made: {meta.unfit}"
    got = next((f for f in meta.figures if (f.group, f.measure, f.family) == ("forget", "recovered", None)), None)
    told = "nothing scored" if got is None else f"{got.value:.2f} of {counted(got.n_scored, 'claim')} recovered"
    return f"attack {meta.attack}: {told} ({meta.seconds:.0f} s)"
