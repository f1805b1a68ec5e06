"""How functions that take a dataset get at it: alone, where they change it; as one state, where they read it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from offside_data.dataset.folder import folder_of, own_folder
from offside_data.dataset.journal import changing, state_of
from offside_data.errors import OffsideError
from offside_data.progress import log

P = ParamSpec("P")
Result = TypeVar("Result")

_ATTEMPTS = 3


def changes(*, when: str = "", unless: str = "") -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Let a function hold the lock of the dataset that is its first argument, from its first read to its end.

    Args:
        when: Only where this argument is true; otherwise it is one that `reads`.
        unless: Only where this argument is false.
    """

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        signature = inspect.signature(function)
        reading = reads(function)

        @functools.wraps(function)
        def locked(*args: P.args, **kwargs: P.kwargs) -> Result:
            asked = signature.bind(*args, **kwargs)
            asked.apply_defaults()
            if (when and not asked.arguments[when]) or (unless and asked.arguments[unless]):
                return reading(*args, **kwargs)
            with changing(own_folder(next(iter(asked.arguments.values())))):
                return function(*args, **kwargs)

        return locked

    return decorate


def reads(function: Callable[P, Result]) -> Callable[P, Result]:
    """Let a function start again if the dataset that is its first argument was changed while it was reading.

    What it does before it has read everything must be without effect.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def reading(*args: P.args, **kwargs: P.kwargs) -> Result:
        folder = folder_of(next(iter(signature.bind(*args, **kwargs).arguments.values())))
        for _ in range(_ATTEMPTS - 1):
            before = state_of(folder)
            try:
                return function(*args, **kwargs)
            except (OffsideError, OSError):  # Whatever is half moved away looks like damage.
                if before == state_of(folder):
                    raise
            log(f"{folder} was changed by another command while it was read; reading it again.")
        return function(*args, **kwargs)

    return reading
