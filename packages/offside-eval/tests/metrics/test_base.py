from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from offside_data.errors import PluginError, UsageError
from offside_eval.metrics import Need, Sample, SampleMetric, Score, load_metric, metric_names, not_scored


@dataclass(frozen=True, kw_only=True)
class Fixed(SampleMetric):
    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    value: float

    def score(self, sample: Sample) -> Score:
        return Score(self.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, -0.1])
def test_a_metric_may_not_return_what_is_no_score(value: float, sample: Callable[..., Sample]) -> None:
    with pytest.raises(PluginError, match="outside its bounds 0 to 1"):
        Fixed(value=value).checked("fixed", sample())


def test_a_failed_sample_is_not_scored(sample: Callable[..., Sample]) -> None:
    assert Fixed(value=1.0).checked("fixed", sample(failure="out of memory")) == not_scored("out of memory")


def test_a_score_has_a_value_or_a_reason() -> None:
    for arguments in ((None, None, None), (1.0, None, "why")):
        with pytest.raises(ValueError, match="either"):
            Score(*arguments)


def test_names_and_variants() -> None:
    assert {"bleu", "value_match", "rouge_l"} <= set(metric_names())
    assert "bleu:paper" in metric_names(variants=True)
    with pytest.raises(PluginError, match="Did you mean 'value_match'"):
        load_metric("value_mach")
    with pytest.raises(UsageError, match="unknown variant of metric 'bleu'"):
        load_metric("bleu:papr")
