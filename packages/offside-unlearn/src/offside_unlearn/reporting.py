"""Where a training's numbers go while it runs, besides the receipt: `--report-to`.

The callbacks are those of `transformers`. Nothing reaches the network unless the user's own environment says so.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from offside_data.errors import UsageError
from offside_data.plugins import require_known
from offside_unlearn import ranks

REPORTERS = {"none": (), "tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",)}
"""By name the packages of which one is needed."""

_OFFLINE = {
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",  # Offline, too, it would report errors of its own over the network.
    "WANDB_PROJECT": "offside",
    "WANDB_SILENT": "true",
}
"""What W&B is told where the user's environment says nothing of it."""


def require_reporter(name: str) -> None:
    """Refuse a reporter that isn't there, before anything takes time.

    Raises:
        UsageError: If it is unknown, or its package isn't installed.
    """
    require_known("reporter", [name], REPORTERS)
    packages = REPORTERS[name]
    if packages and not any(find_spec(package) for package in packages):
        raise UsageError(
            f"--report-to {name}: {' or '.join(packages)} isn't installed. pip install 'offside-unlearn[{name}]'"
        )


@contextlib.contextmanager
def reporting(name: str, folder: Path) -> Iterator[list[Any]]:
    """Give the callbacks of a reporter, one or none; only the first of several processes reports.

    Args:
        name: One of `REPORTERS`.
        folder: Where it writes.
    """
    if name == "none" or not ranks.is_main():
        yield []
    elif name == "tensorboard":
        from transformers.integrations import TensorBoardCallback

        callback = TensorBoardCallback()
        callback.logging_dir = str(folder)
        yield [callback]
    else:
        folder.mkdir(parents=True, exist_ok=True)
        ours = {name: value for name, value in {**_OFFLINE, "WANDB_DIR": str(folder)}.items() if name not in os.environ}
        os.environ.update(ours)
        from transformers.integrations import WandbCallback

        try:
            yield [WandbCallback()]
        finally:
            importlib.import_module("wandb").finish()  # Else the next run would go on in this one.
            for variable in ours:
                del os.environ[variable]
