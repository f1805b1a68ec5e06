"""The points of a run's curve: models kept on the way, each a run folder of its own in `RUN/curve/step-…`.

`offside-unlearn run --curve-steps` writes them; whatever takes a model can be given one, by its steps or by how much it
had forgotten.
"""

from __future__ import annotations

from pathlib import Path

from offside_data import run_manifest
from offside_data.errors import UsageError
from offside_data.figures import counted, number
from offside_data.progress import log

FOLDER = "curve"
"""Folder of a run that holds its points."""


def point_name(step: int) -> str:
    """The folder's name of the point after so many steps."""
    return f"step-{step:06d}"


def points_of(run: str | Path) -> dict[int, Path]:
    """The model folders of a run's points by step, the run itself among them if no point is as far.

    Raises:
        UsageError: If it has no points, or one of them has lost its receipt.
        ModelError: If a manifest is broken.
    """
    run = Path(run)
    whole = run_manifest.read(run) if run.is_dir() else None
    if whole is None or whole.training is None:
        raise UsageError(f"{run}: no {run_manifest.FILE} of a training, so it has no curve. Give the folder of a run.")
    found: dict[int, Path] = {}
    for folder in sorted((run / FOLDER).glob("step-*")):
        manifest = run_manifest.read(folder)
        if manifest is None or manifest.training is None:
            raise UsageError(
                f"{folder}: a point of the curve without {run_manifest.FILE} of a training: it was damaged, or isn't "
                "of this run. Make the run again with --force, or take the folder away to leave this point out."
            )
        found[manifest.training.steps] = folder
    if not found:
        raise UsageError(
            f"{run}: has no curve. Make the run with --curve-steps, or take it without --curve or --point."
        )
    found.setdefault(whole.training.steps, run)
    return dict(sorted(found.items()))


def parse_point(text: str) -> int | float:
    """`30` to 30 steps, `forgetting=0.9` to the share 0.9.

    Raises:
        UsageError: If it says anything else.
    """
    what, equals, number = text.partition("=")
    try:
        if not equals and (steps := int(what)) >= 1:
            return steps
        if equals and what.strip() == "forgetting" and 0 < (level := float(number)) <= 1:
            return level
    except ValueError:
        pass
    raise UsageError(
        f"--point takes a number of steps, or forgetting=LEVEL with a share above 0 and at most 1, got {text!r}."
    )


def find_point(run: str | Path, point: str) -> Path:
    """The model folder of one point of a run.

    Args:
        run: A run folder with a curve.
        point: After how many steps; or `forgetting=LEVEL`: the first one that had forgotten so much of the run's
            validation part (`--until`), else the one that forgot most, which the log says.

    Raises:
        UsageError: If there is no such point, or it isn't known what the run's points had forgotten.
    """
    wanted, points = parse_point(point), points_of(run)
    if isinstance(wanted, int):
        if wanted not in points:
            raise UsageError(
                f"{run}: no point after {counted(wanted, 'step')}; there are {', '.join(map(str, points))}."
            )
        return points[wanted]
    manifest = run_manifest.read(run)
    checks = manifest.training.checks if manifest and manifest.training else None
    forgot = {int(check["step"]): check["forgetting"] for check in checks or () if "forgetting" in check}
    known = {step: forgot[step] for step in points if step in forgot}
    if not known:
        raise UsageError(
            f"{run}: nobody looked at what its points had forgotten. Make the run with --until forgetting=LEVEL, or "
            f"give --point a number of steps: {', '.join(map(str, points))}."
        )
    most = max(known.values())
    step = next(step for step, level in known.items() if level >= min(wanted, most))
    short = "" if most >= wanted else f": none had forgotten {wanted:g}, this one most"
    log(
        f"{run}: the point after {counted(step, 'step')}, which had forgotten {number(known[step])} of its "
        f"validation part{short}"
    )
    return points[step]
