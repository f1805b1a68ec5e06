"""What one run took isn't what an earlier one of the same process did."""

from __future__ import annotations

import sys

import pytest
import torch

from offside_unlearn.memory import begin_peak, peak_memory_mb

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process begin its high-water mark anew")
def test_what_was_given_back_before_does_not_count() -> None:
    filled = bytearray(200 << 20)
    before = peak_memory_mb(CPU)
    del filled
    begin_peak()
    after = peak_memory_mb(CPU)
    assert before is not None
    assert after is not None
    assert after <= before - 150
    filled = bytearray(300 << 20)
    again = peak_memory_mb(CPU)
    assert again is not None
    assert again >= after + 250
    del filled
