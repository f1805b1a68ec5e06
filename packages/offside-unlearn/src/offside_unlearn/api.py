"""The public functions of the package; the commands are thin over them."""

from __future__ import annotations

from offside_unlearn.finetuning import finetune, relearn
from offside_unlearn.merging import merge
from offside_unlearn.options import RunOptions
from offside_unlearn.runs import Run
from offside_unlearn.tiny import make_tiny
from offside_unlearn.unlearning import METHODS, load_method, unlearn

__all__ = [
    "METHODS",
    "Run",
    "RunOptions",
    "finetune",
    "load_method",
    "make_tiny",
    "merge",
    "relearn",
    "unlearn",
]
