"""A language model as judge: how true its answers are, 0 to 10, by any endpoint that speaks OpenAI's chat completions.

Nothing else needs it, and nothing is asked anywhere unless an endpoint is named. `running.judge_results` is the whole
of it; `docs/judging.md` says what is sent and what is kept.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_eval.judge.config import JudgeConfig
    from offside_eval.judge.running import judge_results

__all__ = ["JudgeConfig", "judge_results"]

_MODULES = {"JudgeConfig": "config", "judge_results": "running"}


def __getattr__(name: str) -> Any:
    # Lazy: the command line needs only the defaults.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"offside_eval.judge.{_MODULES[name]}"), name)
