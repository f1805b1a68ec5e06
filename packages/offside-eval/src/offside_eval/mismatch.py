"""Whether a model is asked about what it was unlearned on; where it isn't, its scores say nothing of its forgetting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.errors import UsageError
from offside_data.figures import counted
from offside_data.progress import log

if TYPE_CHECKING:
    from offside_data.run_manifest import DatasetReference, RunManifest
    from offside_eval.meta import EvaluationMeta


class MismatchError(UsageError):
    """Models were unlearned on other forget records than is asked about, or on another dataset."""


def check_request(meta: EvaluationMeta, *, allow: bool) -> None:
    """Compare what a model was unlearned on with what an evaluation asks, by digests.

    A model of which no request was made (a control, a plain checkpoint) is told about and never refused: a control
    may have learnt an earlier version.

    Args:
        meta: The evaluation that is about to be made.
        allow: Warn instead of raising.

    Raises:
        MismatchError: If they differ; the message names both digests.
    """
    run = meta.model.run
    found = [] if run is None else list(differing(run, meta))
    if not found:
        return
    told = f"{meta.model.path} isn't what this evaluation is about.\n" + "\n".join(found)
    if run is None or run.forget is None or allow:
        log(f"warning: {told}")
        return
    raise MismatchError(
        f"{told}\nWhat it forgot can't be told from such answers. Evaluate it on the data, in the setting and with the "
        "--only that it was unlearned with, or pass --allow-mismatch to evaluate it all the same, e.g. a trial with "
        "--limit."
    )


def differing(run: RunManifest, meta: EvaluationMeta) -> Iterator[str]:
    """What differs, each with both digests; nothing of the dataset of a base model, which may come from anywhere."""
    forget = run.forget
    if forget is not None and forget.digest != meta.forget.digest:
        yield (
            "It was unlearned on other forget records:"
            f"\n  {forget.digest}  unlearned on ({_asked(run.setting, run.only, len(forget.record_ids))})"
            f"\n  {meta.forget.digest}  asked about ({_asked(meta.setting, meta.only, meta.forget.n)})"
        )
    if run.role != "base" and run.dataset.digest != meta.dataset.digest:
        yield (
            "It was trained on another dataset, or another version of it:"
            f"\n  {run.dataset.digest}  trained on ({_named(run.dataset)})"
            f"\n  {meta.dataset.digest}  asked about ({_named(meta.dataset)})"
        )


def _asked(setting: str | None, only: tuple[str, ...] | None, n: int) -> str:
    return ", ".join([*filter(None, [setting, *(only or ())]), counted(n, "record")])


def _named(dataset: DatasetReference) -> str:
    return f"{dataset.name} {dataset.version}"
