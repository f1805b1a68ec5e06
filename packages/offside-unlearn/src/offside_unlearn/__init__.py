"""Train, unlearn and relearn vision-language models on datasets that carry a card.

```python
import offside_unlearn

run = offside_unlearn.unlearn("npo", "vanilla", None, "./league", "complete", {"lr": 1e-4}, "runs/npo")
run.path       # loads with plain peft, on run.manifest["base_model"]["path"]
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_unlearn.finetuning import finetune
    from offside_unlearn.merging import merge
    from offside_unlearn.options import RunOptions
    from offside_unlearn.relearning import ATTACKS, relearn, relearn_attack
    from offside_unlearn.runs import Run
    from offside_unlearn.sweeping import Sweep, sweep
    from offside_unlearn.tiny import make_tiny
    from offside_unlearn.unlearning import METHODS, WRAPPERS, unlearn

__all__ = [
    "ATTACKS",
    "METHODS",
    "WRAPPERS",
    "Run",
    "RunOptions",
    "Sweep",
    "finetune",
    "make_tiny",
    "merge",
    "relearn",
    "relearn_attack",
    "sweep",
    "unlearn",
]

_MODULES = {
    "ATTACKS": "relearning",
    "METHODS": "unlearning",
    "WRAPPERS": "unlearning",
    "Run": "runs",
    "RunOptions": "options",
    "Sweep": "sweeping",
    "finetune": "finetuning",
    "make_tiny": "tiny",
    "merge": "merging",
    "relearn": "relearning",
    "relearn_attack": "relearning",
    "sweep": "sweeping",
    "unlearn": "unlearning",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import: only who uses the functions pays.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"offside_unlearn.{_MODULES[name]}"), name)
