"""Work that several processes share."""

from __future__ import annotations

import signal
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import pytest

from offside_data.processes import Workers


def _double(context: int, item: int) -> int:
    return context + 2 * item


def test_an_interruption_cannot_reach_a_process_that_is_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    held = []
    submit = ProcessPoolExecutor.submit

    def watched(pool: ProcessPoolExecutor, *arguments: Any) -> Future[Any]:
        held.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set()))
        return submit(pool, *arguments)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", watched)
    with Workers(1, 2) as workers:
        assert list(workers.map(_double, range(3))) == [1, 3, 5]
    assert held == [True] * 3
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
