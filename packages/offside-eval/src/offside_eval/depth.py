"""`depth.parquet`: what states of the model under test and of retain-only do to vanilla, layer by layer.

Asked for by the metric `depth`, where results of vanilla and retain-only are given and their models still lie where
they did: all three models are in memory at once. Members are as in `offside_eval.membership`, at most `MOST` of them.
One row a claim: `record_id`, `subject_id`, `held_out`, lists of drops by layer (`retain_only`, `own`; empty where the
answer doesn't say its value in these words), and the digests of the two models, `of_vanilla` and `of_retain_only`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.errors import ModelError
from offside_data.files import whole_file
from offside_data.progress import log
from offside_data.seeding import draw_records
from offside_eval.membership import MEMBER, candidates_of
from offside_eval.model import TargetModel
from offside_eval.results import DEPTH, Results

if TYPE_CHECKING:
    import polars as pl

    from offside_data.dataset.folder import OffsideDataset
    from offside_eval.config import EvaluationConfig
    from offside_eval.inference.patching import Drops
    from offside_eval.plan import Plan, Question

MOST = 200
"""Claims that are patched at most, drawn by seed: each takes two passes a layer."""
ROLES = ("vanilla", "retain_only")


def why_not(controls: Mapping[str, Results]) -> str | None:
    """Why no states can be patched with these controls, null if they can."""
    missing = [role for role in ROLES if role not in controls]
    if missing:
        said = " and ".join(role.replace("_", "-") for role in missing)
        options = " ".join(f"--{role.replace('_', '-')} RESULTS" for role in missing)
        return (
            f"depth needs the model of {said} itself: give {options} when evaluating (a finished evaluation goes on)."
        )
    for role in ROLES:
        place = controls[role].meta.model.path
        if not Path(place).is_dir():
            return (
                f"depth needs the model of {role.replace('_', '-')}, which its results say lies in {place}: there is "
                "none. Put it back there and start the same command again."
            )
    return None


def deepen(
    results: Results,
    target: TargetModel,
    controls: Mapping[str, Results],
    *,
    plan: Plan,
    data: OffsideDataset,
    config: EvaluationConfig,
) -> Results:
    """Patch states and keep what comes of it beside the results, unless that is there already.

    Args:
        results: Of the model.
        target: The model.
        controls: Results of vanilla and retain-only (`why_not` says null of them).
        plan: What was asked.
        data: The dataset.
        config: Of the evaluation.

    Raises:
        ModelError: If a control's model isn't the one that its results are of, or is of another architecture.
    """
    known = results.depths
    wanted = {f"of_{role}": controls[role].meta.model.digest for role in ROLES}
    if known is not None and all(set(known[name]) == {digest} for name, digest in wanted.items()):
        return results
    if target.intervention is not None and target.intervention.instructs:
        log("note: depth isn't told of a model that is told something before each question: its places differ.")
        return results
    members = [c.question for c in candidates_of(plan, data, seed=config.seed) if c.group == MEMBER]
    members = [members[i] for i in draw_records([q.row["record_id"] for q in members], MOST, seed=config.seed)]
    if not members:
        return results
    found = _patched(members, results, target, controls, config)
    held_out = target.run.not_counted if target.run else ()
    frame = _frame(members, found, held_out, wanted)
    if results.path is not None:
        with whole_file(results.path / DEPTH) as partial:
            frame.write_parquet(partial, compression="zstd")
    return replace(results, patched=frame)


def _patched(
    members: list[Question],
    results: Results,
    target: TargetModel,
    controls: Mapping[str, Results],
    config: EvaluationConfig,
) -> Mapping[str, Drops]:
    from offside_eval.inference.engine import Engine, asking_collator
    from offside_eval.inference.patching import Patching, value_places
    from offside_eval.inference.saved import SavedBatches

    others = []
    for role in ("retain_only", "vanilla"):
        meta = controls[role].meta
        other = TargetModel.of(meta.model.path, target.processor, config)
        if other.digest != meta.model.digest:
            raise ModelError(
                f"{meta.model.path}: not the model that the results of {role.replace('_', '-')} are of; it changed "
                "since. Evaluate it again, or leave depth out (--metrics)."
            )
        others.append(other)
    keep = None
    if results.path is not None:
        of = "".join([target.digest, *(other.digest for other in others), f"{config.batch_size} {config.seed}"])
        keep = results.path / f".depth-{hashlib.sha256(of.encode()).hexdigest()[:12]}"
    collate = asking_collator(target.processor)
    engine = Engine(
        model=target.load(),
        processor=target.processor,
        batch_size=config.batch_size,
        max_length=config.max_length,
        saved=SavedBatches(keep) if keep else None,
    )
    items = engine.encode(members, frozenset({"likelihood"}))
    tokenizer = target.processor.tokenizer
    places = {
        item.key: value_places(tokenizer, item.answers[0][: item.n_content], q.value.text if q.value else "")
        for item, q in zip(items, members, strict=True)
    }
    retain_only, vanilla = (other.load() for other in others)
    patching = Patching(engine.model, retain_only, vanilla, collate, places, target.intervention)
    found = engine.patch([item for item in items if places[item.key]], patching)
    if keep is not None:
        shutil.rmtree(keep, ignore_errors=True)
    return found


def _frame(
    members: list[Question], found: Mapping[str, Drops], held_out: Collection[str], digests: Mapping[str, str]
) -> pl.DataFrame:
    import polars as pl

    rows = []
    for question in members:
        drops = found.get(question.key)
        rows.append(
            {
                "record_id": question.row["record_id"],
                "subject_id": question.row["subject_id"],
                "held_out": question.row["record_id"] in held_out,
                "retain_only": list(drops.retain_only) if drops else [],
                "own": list(drops.own) if drops else [],
                **digests,
            }
        )
    schema = {"record_id": pl.String(), "subject_id": pl.String(), "held_out": pl.Boolean()}
    schema |= dict.fromkeys(("retain_only", "own"), pl.List(pl.Float64)) | dict.fromkeys(digests, pl.String())
    return pl.DataFrame(rows, schema=schema, orient="row")
