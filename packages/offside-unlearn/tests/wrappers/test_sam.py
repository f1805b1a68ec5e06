from __future__ import annotations

import dataclasses

import pytest

from offside_unlearn.task import UnlearnTask
from offside_unlearn.wrappers.sam import Config, Wrapper


def test_the_trainings_stay_as_they_are_but_for_their_gradients(task: UnlearnTask) -> None:
    (wrapped,) = Wrapper(Config(rho=0.2)).wrap([task])
    assert wrapped.phase().sharpness == 0.2
    assert dataclasses.replace(wrapped, sharpness=0.0) == task


@pytest.mark.parametrize("rho", [0, -0.1])
def test_no_way_at_all_is_refused(rho: float) -> None:
    with pytest.raises(ValueError, match="rho must be positive"):
        Config(rho=rho)
