"""Evaluate all points of a run: one loaded base model, one plan, one results folder a point.

`OUT/step-000005`, … are results folders like any other; `OUT/curve.json` lists them and is written last, so that its
presence means that all of them are finished. `compare` and `report` take OUT for all of its points.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.errors import OutputExistsError
from offside_data.figures import counted
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.progress import log, process_number
from offside_data.reading import read_small
from offside_data.run_curve import point_name, points_of
from offside_eval.config import CURVE_SUITE, EvaluationConfig, Suite
from offside_eval.evaluation import Session
from offside_eval.model import Shelf, TargetModel, run_of
from offside_eval.results import CURVE, META, Results

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

SCHEMA = 1


def evaluate_curve(
    run: str | Path,
    data: OffsideDataset | str | Path,
    setting: str,
    suite: Suite = CURVE_SUITE,
    *,
    config: EvaluationConfig | None = None,
    out: str | Path,
) -> dict[int, Results]:
    """Evaluate every point of a run, those that are finished excepted.

    Args:
        run: A run folder with a curve: of `offside-unlearn run` or `relearn` with `--curve-steps`.
        data: A dataset or a reference to one.
        setting: A setting that the dataset's card offers.
        suite: As in `evaluate`.
        config: Everything else; null takes the defaults.
        out: The folder to write to.

    Returns:
        The results by step.

    Raises:
        UsageError: If the run has no curve, or as `evaluate`.
        OutputExistsError: If `out` holds something else.
    """
    out, config = Path(out), config or EvaluationConfig()
    points = points_of(run)
    _require_ours(out)
    session = Session.of(data, setting, suite, config, run=run_of(run))
    shelf, processor = Shelf(), None
    results: dict[int, Results] = {}
    for step, folder in points.items():
        log(f"step {step}, {len(results) + 1} of {counted(len(points), 'point')}")
        target = TargetModel.of(folder, processor, config, shelf=shelf)
        processor = target.processor
        results[step] = session.evaluate(target, out / point_name(step))
        if process_number() == 0:
            session.measure(results[step], {})
    listed = [{"steps": step, "results": point_name(step)} for step in points]
    if process_number() == 0:
        write_json(out / CURVE, {"schema": SCHEMA, "setting": setting, "points": listed})
    return results


def _require_ours(out: Path) -> None:
    """Refuse a folder in which an evaluation of one model lies, or somebody else's list."""
    there: Any = None
    if (out / CURVE).exists():
        try:
            there = parse_json(read_small(out / CURVE))
        except ValueError:
            raise OutputExistsError(
                f"{out / CURVE} can't be read: it is no valid JSON. If an evaluation of a curve wrote it, delete that "
                "file and start this command again: what is finished beside it is used. Else choose another output "
                "folder."
            ) from None
        if not isinstance(there, dict) or not {"schema", "setting", "points"} <= there.keys():
            raise OutputExistsError(f"{out / CURVE} is nothing that we wrote. Choose another output folder.")
    if (out / META).exists():
        raise OutputExistsError(f"{out} holds the evaluation of one model. Choose another output folder for a curve.")
