"""Both ways to `lmms-eval`: our questions as its tasks, and its tasks on our models.

`export` and `task_functions` need nothing of it; `model` needs it to be imported, `running` when it runs.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version

from offside_data.errors import UsageError

PACKAGE = "lmms-eval"
TESTED = "0.7.3"
"""The version whose files and interfaces these modules were written and tried with."""
_SERIES = "0.7."


def require_lmms_eval() -> str:
    """The version of `lmms-eval` that is installed.

    Raises:
        UsageError: If it isn't, or is one that is too different.
    """
    wanted = f"pip install {PACKAGE}=={TESTED} (it brings some sixty packages: an environment of its own is best)"
    try:
        found = version(PACKAGE)
    except PackageNotFoundError:
        found = None
    if found is None or importlib.util.find_spec("lmms_eval") is None:
        raise UsageError(f"{PACKAGE} isn't installed: {wanted}.")
    if not found.startswith(_SERIES):
        raise UsageError(
            f"{PACKAGE} {found} is installed; this was tried with {TESTED} and takes {_SERIES}x: {wanted}."
        )
    return found
