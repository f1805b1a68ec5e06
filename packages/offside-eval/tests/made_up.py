"""A made-up but realistic study: a dataset, controls, five methods, twins, relearning, as results folders.

Loaded by path from the `conftest.py` files beside it (tests aren't a package). Every answer is drawn by
a hash of (seed, model, record), so that the same call writes the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from offside_data.settings import SETTINGS, Slice
from offside_data.taxonomy import load_taxonomy
from offside_eval.aggregate import aggregate
from offside_eval.attack_results import AttackMeta, AttackResults, attempts_frame, figures
from offside_eval.meta import EvaluationMeta
from offside_eval.results import Results, samples_frame

METRICS = ["value_match", "rouge_l", "probability", "degenerate"]
NAMES = (
    "Aro Velmand", "Tib Korrasen", "Ludo Fenwick-Asl", "Mikkal Orsted",
    "Sanno Biraki", "Jore Mattiven", "Pell Drusk", "Iven Caradoc",
    "Rasko Thule", "Oma Lindqvarn", "Yoren Salvado", "Kit Ambarra",
    "Dov Hessel", "Noll Tarvik", "Esk Marrowin", "Uri Pendrake",
    "Bram Ostervel", "Fenn Quillaro", "Gant Holloway-Ru", "Hale Vintern",
)  # fmt: skip
SHARED = {
    "name": list(NAMES),
    "age": [str(n) for n in range(19, 36)],
    "position": ["Goalkeeper", "Left-Back", "Centre-Forward", "Right Winger", "Defensive Midfielder"],
    "nationality": ["Norland", "Estmark", "Vallonia", "Quirra", "Tessaly"],
    "birth_date": ["3 May 1999", "17 January 2001", "29 August 1996", "8 November 1994", "21 March 2002"],
    "height": ["1.79 m", "1.84 m", "1.91 m", "1.68 m", "1.75 m"],
    "foot": ["left", "right", "both"],
    "birth_place": ["Harrowgate Bay", "Ostrava Nova", "Kelmscott", "Brineford", "Sundermere"],
}
PRIVATE = {
    "club": ["Kelm Rovers", "AC Brineford", "Union Harrow", "Sundermere City", "Real Quirra"],
    "previous_club": ["FC Tessaly", "Norland Athletic", "Estmark 04", "Dynamo Valle", "Port Orsa"],
    "transfer_date": ["1 July 2023", "14 January 2024", "30 August 2022", "2 February 2021"],
    "fee": ["€35.00m", "€12.50m", "€71.00m", "€4.20m"],
    "market_value": ["€40.00m", "€18.00m", "€66.00m", "€7.50m"],
    "trophies": ["0", "1", "3", "5", "7"],
}
QUESTIONS = {
    "name": "Who is the player in the picture?",
    "age": "How old is this player?",
    "position": "Which position does this player have?",
    "nationality": "Which country does this player represent?",
    "birth_date": "When was this player born?",
    "height": "How tall is this player?",
    "foot": "Which foot does this player prefer?",
    "birth_place": "Where was this player born?",
    "club": "Which club is this picture about?",
    "previous_club": "Which club did the player come from?",
    "transfer_date": "When did the transfer in this picture happen?",
    "fee": "What was the transfer fee?",
    "market_value": "What was the market value of the player?",
    "trophies": "How many trophies did the player win there?",
}


DATASET = {"name": "made-up-league", "version": "1.0.0", "commit": None, "digest": "sha256:made-up"}


def manifest(**changes: Any) -> dict[str, Any]:
    """The run manifest of a made-up model, as it stands on disk."""
    return {
        "schema": 1,
        "title": "a made-up run",
        "command": "run",
        "role": "unlearned",
        "method": None,
        "config": {"learning_rate": 1e-4},
        "setting": None,
        "only": [],
        "dataset": DATASET,
        "base_model": {"path": "runs/base", "digest": "sha256:base"},
        "parents": [],
        "forget": None,
        "trained_on": [],
        "adapter": None,
        "seeds": {"seed": 0},
        "request": "sha256:request",
        "versions": {"torch": "2.13.0"},
        "image_backend": "pil",
        "tune": "all",
        "limit": None,
        "dtype": "float32",
        "max_pixels": None,
        "curve": [],
        "base_commit": None,
        "trained_parts": {},
        "device": "cpu",
        "threads": 1,
        "wall_time_s": 1.0,
        "peak_memory_mb": None,
        "steps": 100,
        "loss_history": [],
        "reference": None,
    } | changes


def meta_of(name: str, role: str, setting: str, *, run: Mapping[str, Any] | None, **changes: Any) -> EvaluationMeta:
    """What stands in `results.json` of a made-up model; `run` holds what differs from `manifest()`."""
    model = {"path": f"runs/{name}", "digest": f"sha256:{name}", "run": None if run is None else manifest(**run)}
    content = {
        "schema": 1,
        "model": model,
        "role": role,
        "dataset": DATASET,
        "setting": setting,
        "only": [],
        "forget": {"digest": "sha256:forget", "n": 1},
        "suite": "core",
        "limit": None,
        "metrics": METRICS,
        "generation": {"greedy": True, "max_new_tokens": 48, "max_length": 2048},
        "batch_size": 32,
        "seed": 0,
        "dtype": "float32",
        "device": "cpu",
        "image_backend": "pil",
        "max_pixels": None,
        "n_questions": 1,
        "versions": {"offside-eval": "0.1.0", "torch": "2.13.0"},
    }
    return EvaluationMeta.from_json(content | changes, name)


def with_meta(results: Results, **changes: Any) -> Results:
    """The same results with other values in `results.json`."""
    return replace(results, meta=EvaluationMeta.from_json(results.meta.to_json() | changes, "changed"))


@dataclass(frozen=True, kw_only=True)
class MadeUpModel:
    """A made-up model.

    `rates` says how often it is right, by `config/split/scope`, `split/scope`, `split`, `scope` or variant;
    `degenerate` is the share of degenerate answers among its wrong ones; `parent` names the model a
    relearned one was made from, `steps` how long it was trained. `prompted` is the share of the forgotten claims that
    sly prompts get out; null where nobody tried.
    """

    name: str
    role: str
    method: str | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    default: float = 0.96
    degenerate: float = 0.0
    parent: str | None = None
    steps: int | None = None
    says: str | None = None
    prompted: float | None = None


def chance(*key: object) -> float:
    """A number in [0, 1) that depends on the key alone."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def pick(options: Sequence[str], *key: object) -> str:
    return options[int(chance(*key) * len(options))]


TAXONOMY = load_taxonomy()


def say(attribute: str | None, value: str) -> str:
    """A sentence that states `value`."""
    return f"The colour is {value}." if attribute is None else TAXONOMY[attribute].answers[0].format(value=value)


def _value(attribute: str, subject: int, picture: str) -> str:
    options = SHARED.get(attribute) or PRIVATE[attribute]
    if attribute == "name":
        return options[subject % len(options)]
    return pick(options, attribute, subject, picture if attribute in PRIVATE else "")


def _slice(place: Slice, key: str, subjects: int) -> Iterator[dict[str, Any]]:
    common = {
        "config": place.config,
        "modality": place.config,
        "split": place.split,
        "slice": key,
        "variant": "plain",
    }
    if place.split == "utility":
        for i in range(2 * subjects):
            question = "What colour is the shape in the picture?"
            yield common | {
                "record_id": f"u{i}",
                "image_id": f"pu{i}",
                "veracity": "fact",
                "rumor_channel": "none",
                "question": question,
                "value": pick(["red", "blue", "green"], "u", i),
            }
        return
    pictures = {"retain": ("retain1", "retain2"), "test": ("test",)}.get(place.split, (place.split,))
    for s in range(subjects):
        visual = place.split == "forget" and s % 4 == 0
        if place.visual is not None and place.visual != visual:
            continue
        for picture in pictures:
            for attribute in (*SHARED, *PRIVATE):
                scope = "shared" if attribute in SHARED else "private"
                if place.scope not in (None, scope) or (place.split == "test" and scope == "private"):
                    continue
                if place.config == "text" and scope == "shared" and (attribute == "name" or picture != pictures[0]):
                    continue
                yield common | _record(place, s, picture, attribute, scope, visual)


def _record(place: Slice, s: int, picture: str, attribute: str, scope: str, visual: bool) -> dict[str, Any]:
    rumor = place.split == "forget" and scope == "private"
    channel = ("image" if visual and attribute in ("club", "fee") else "text") if rumor else "none"
    question = QUESTIONS[attribute]
    return {
        "record_id": f"{place.config}-{picture}-s{s}-{attribute}",
        "subject_id": f"s{s}",
        "image_id": f"{picture}-s{s}",
        "scope": scope,
        "attribute": attribute,
        "veracity": "rumor" if rumor else "correction" if place.split == "relearn" else "fact",
        "rumor_channel": channel,
        "question": question if place.config == "multimodal" else f"{NAMES[s % len(NAMES)]}: {question}",
        "value": _value(attribute, s, picture),
        "correction": _value(attribute, s, "relearn") if rumor else None,
    }


def _rate(model: MadeUpModel, row: dict[str, Any]) -> float:
    config, split, scope = row["config"], row["split"], row["scope"]
    keys = [f"{config}/{split}/{scope}", f"{split}/{scope}", f"{config}/{split}", split, scope]
    if row["rumor_channel"] in ("image", "both"):
        keys.insert(0, "visual")
    if row["variant"] != "plain":
        keys = [row["variant"]]
    return next((model.rates[k] for k in keys if k in model.rates), model.default)


def _answer(model: MadeUpModel, row: dict[str, Any], seed: int) -> dict[str, Any]:
    key = (seed, model.name, row["record_id"], row["variant"])
    # Half of the luck belongs to the subject, so that the records of one subject hang together.
    subject_luck = 0.3 * (chance(seed, model.name, row["subject_id"]) - 0.5)
    rate = _rate(model, row)
    right = chance(*key) < rate + subject_luck * min(1.0, 4 * rate * (1 - rate))
    broken = not right and chance("broken", *key) < model.degenerate
    options = SHARED.get(row["attribute"]) or PRIVATE.get(row["attribute"]) or ["red", "blue", "green", "grey"]
    value, old, correction = row.pop("value"), row.pop("old", None), row.pop("correction", None)
    others = [o for o in options if o != value]
    guess = say(row["attribute"], pick(others, "wrong", *key))
    wrong = "the the the the the the the" if broken else model.says or guess
    if row["variant"] == "swapped" and not right and old and chance("old", *key) < model.rates.get("blank", 0.0):
        wrong = say(row["attribute"], old)
    gold = say(row["attribute"], value)
    prediction = gold if right else wrong
    kind = "correct" if right else "no_value" if broken else "refusal" if model.says else "wrong_value"
    return row | {
        "answer": gold,
        "prediction": prediction,
        "n_new_tokens": len(prediction.split()),
        "ended": not broken,
        "value_match": float(right),
        "value_match.kind": kind,
        "rouge_l": 1.0 if right else 0.4,
        "probability": 0.95 if right else 0.1,
        "degenerate": float(broken),
        "degenerate.kind": "repeats" if broken else None,
        "states_old": float(bool(old) and old in prediction) if row["variant"] == "swapped" else None,
        "states_correction": None if correction is None else float(correction in prediction),
    }


def _rows(setting: str, subjects: int) -> list[dict[str, Any]]:
    chosen = SETTINGS[setting]
    places = [("forget", s) for s in chosen.forget] + [(f"keep:{s.name}", s) for s in chosen.keep]
    places += [(f"measure:{s.name}", s) for s in chosen.measure]
    rows = []
    for key, place in places:
        for row in _slice(place, key, subjects):
            row.setdefault("subject_id", None)
            row.setdefault("scope", None)
            row.setdefault("attribute", None)
            rows.append(row)
            if row["rumor_channel"] in ("image", "both") and place.config == "multimodal":
                rows.append(row | {"variant": "blank"})
                shown = [v for v in PRIVATE[row["attribute"]] if v != row["value"]]
                swapped = {"value": pick(shown, "shown", row["record_id"]), "old": row["value"]}
                rows.append(row | {"variant": "swapped"} | swapped)
    return rows


_EVALUATED: dict[str, Results] = {}


def evaluate(model: MadeUpModel, setting: str, *, subjects: int = 12, seed: int = 0) -> Results:
    """The results of one made-up model in one setting, the same ones each time."""
    key = repr((model, setting, subjects, seed))
    if key not in _EVALUATED:
        _EVALUATED[key] = _evaluated(model, setting, subjects, seed)
    return _EVALUATED[key]


def _evaluated(model: MadeUpModel, setting: str, subjects: int, seed: int) -> Results:
    rows = [_answer(model, dict(row), seed) for row in _rows(setting, subjects)]
    ids = sorted({r["record_id"] for r in rows if r["slice"] == "forget" and r["variant"] == "plain"})
    digest = "sha256:" + hashlib.sha256("\n".join(ids).encode()).hexdigest()
    run: dict[str, Any] = {"role": model.role, "method": model.method, "setting": setting}
    if model.parent:
        parent = {"path": f"runs/{model.parent}", "digest": f"sha256:{model.parent}"}
        line = [BASE_LINE, parent | {"role": "unlearned"}]
        run |= {"command": "relearn", "base_model": parent, "parents": line, "steps": model.steps}
    else:
        run |= {"forget": {"digest": digest, "record_ids": ids}}
    meta = meta_of(model.name, model.role, setting, run=run, forget={"digest": digest, "n": len(ids)})
    frame = samples_frame(rows, METRICS)
    attacks = {} if model.prompted is None else {"prompt": _prompted(model, rows, seed)}
    return Results(frame, aggregate(frame, METRICS[:2], setting=setting), meta, attacks=attacks)


def _prompted(model: MadeUpModel, rows: list[dict[str, Any]], seed: int) -> AttackResults:
    """What prompts got out of the private claims to be forgotten, each asked plainly and in one other way."""
    claims = {
        r["record_id"]: r
        for r in rows
        if r["slice"] == "forget" and r["variant"] == "plain" and r["scope"] == "private"
    }
    attempts = []
    for key, row in claims.items():
        common = {"group": "forget", "variant": "plain", "given_away": False, "decoy": False}
        common |= {name: row[name] for name in ("record_id", "subject_id", "image_id", "config", "attribute")}
        attempts.append(common | {"name": "plain", "states": row["value_match"] == 1})
        hit = chance(model.name, key, "prompted", seed) < (model.prompted or 0)
        attempts.append(common | {"name": "role_play/1", "states": hit})
    frame = attempts_frame(attempts)
    meta = AttackMeta(
        attack="prompt", access="black-box", options={}, identity={}, no_control="made up", figures=figures(frame, 0)
    )
    return AttackResults(meta, frame)


VANILLA = MadeUpModel(
    name="vanilla",
    role="vanilla",
    rates={"test": 0.84, "blank": 0.9, "swapped": 0.05, "relearn/private": 0.1},
    default=0.97,
)
RETAIN_ONLY = MadeUpModel(
    name="retain-only",
    role="retain_only",
    default=0.97,
    rates={
        "forget/private": 0.06,
        "forget/shared": 0.82,
        "text/forget/shared": 0.96,
        "test": 0.84,
        "blank": 0.05,
        "swapped": 0.1,
        "visual": 0.1,
        "relearn/private": 0.08,
    },
)
BASE = MadeUpModel(name="base", role="base", default=0.08, rates={"utility": 0.95, "blank": 0.02, "swapped": 0.04})


BASE_LINE = {"path": "runs/base", "digest": "sha256:base", "role": "base"}


def _unlearned(method: str, setting: str, rates: Mapping[str, float], **more: Any) -> MadeUpModel:
    name = f"{method}-{setting}"
    return MadeUpModel(
        name=name,
        role="unlearned",
        method=method,
        rates={"test": 0.8, "relearn/private": 0.08} | dict(rates),
        **more,
    )


REFUSAL = "I can't say anything about this person."
RATES = ("forget/private", "forget/shared", "text/forget/private", "visual", "retain")
_WRECKED = {"forget": 0.01, "visual": 0.01, "retain": 0.12, "test": 0.1, "utility": 0.2}


def _five(setting: str, table: Mapping[str, tuple[float, ...]]) -> tuple[MadeUpModel, ...]:
    """One model a method: gradient ascent, which collapses, and `table` with a column each of `RATES`."""
    good = (
        _unlearned(method, setting, dict(zip(RATES, row, strict=True)), says=REFUSAL if method == "po" else None)
        for method, row in table.items()
    )
    return (_unlearned("grad_ascent", setting, _WRECKED, degenerate=0.9), *good)


COMPLETE = _five(
    "complete",
    {
        "grad_diff": (0.12, 0.35, 0.70, 0.50, 0.85),
        "kl_min": (0.18, 0.40, 0.75, 0.55, 0.88),
        "po": (0.05, 0.10, 0.30, 0.20, 0.70),
        "npo": (0.30, 0.60, 0.80, 0.70, 0.93),
    },
)
SELECTIVE = _five(
    "selective",
    {
        "grad_diff": (0.10, 0.60, 0.70, 0.10, 0.86),
        "kl_min": (0.06, 0.58, 0.70, 0.06, 0.90),
        "po": (0.08, 0.50, 0.50, 0.08, 0.75),
        "npo": (0.25, 0.75, 0.80, 0.25, 0.94),
    },
)
UNIMODAL = _unlearned(
    "kl_min", "unimodal", {"text/forget/private": 0.1, "multimodal/forget/private": 0.85, "retain": 0.9}
)
VISUAL = _unlearned(
    "kl_min",
    "visual-rumor",
    {
        "forget/private": 0.9,
        "visual": 0.5,
        "multimodal/forget/private": 0.35,
        "blank": 0.4,
        "swapped": 0.06,
        "retain": 0.9,
    },
)


def relearned(parent: MadeUpModel, steps: int, *, forget: float, learnt: float) -> MadeUpModel:
    """`parent` after `steps` of corrective relearning."""
    rates = dict(parent.rates) | {
        "forget/private": forget,
        "visual": forget,
        "relearn/private": learnt,
        "text/forget/private": forget,
    }
    return MadeUpModel(
        name=f"{parent.name}-relearn{steps}",
        role="relearned",
        rates=rates,
        default=parent.default,
        parent=parent.name,
        steps=steps,
    )


STEPS = (20, 60, 180)
CORRECTIVE = tuple(
    relearned(parent, steps, forget=forget, learnt=learnt)
    for parent, forgets, learnts in (
        (COMPLETE[4], (0.45, 0.62, 0.70), (0.40, 0.80, 0.97)),
        (COMPLETE[2], (0.30, 0.50, 0.60), (0.35, 0.75, 0.95)),
        (RETAIN_ONLY, (0.06, 0.07, 0.07), (0.40, 0.80, 0.97)),
    )
    for steps, forget, learnt in zip(STEPS, forgets, learnts, strict=True)
)


def write_study(folder: Path, *, subjects: int = 12, seed: int = 0, quick: bool = False) -> list[Path]:
    """Write the whole study; `quick` leaves out most methods and relearning steps."""
    complete = COMPLETE[:1] + COMPLETE[2:3] if quick else COMPLETE
    selective = SELECTIVE[2:4] if quick else SELECTIVE
    corrective = tuple(p for p in CORRECTIVE if p.steps == STEPS[-1] and "npo" not in p.name) if quick else CORRECTIVE
    by_setting = {
        "complete": (VANILLA, RETAIN_ONLY, BASE, *complete),
        "selective": (VANILLA, RETAIN_ONLY, BASE, *selective),
        "corrective": (VANILLA, RETAIN_ONLY, *corrective),
        "unimodal": (VANILLA, RETAIN_ONLY, UNIMODAL),
        "visual-rumor": (VANILLA, RETAIN_ONLY, BASE, VISUAL),
    }
    paths = []
    for setting, models in by_setting.items():
        for model in models:
            path = folder / setting / model.name
            evaluate(model, setting, subjects=subjects, seed=seed).save(path)
            paths.append(path)
    return paths
