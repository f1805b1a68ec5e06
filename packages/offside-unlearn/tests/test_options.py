"""One namespace of options, shared out among configs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from offside_data.errors import UsageError
from offside_unlearn.finetuning import FinetuneConfig
from offside_unlearn.options import RunOptions, build_configs
from offside_unlearn.relearning import RelearnConfig
from offside_unlearn.task import UnlearnConfig
from offside_unlearn.trainer import TrainConfig
from offside_unlearn.tune import LoraOptions


@dataclass(frozen=True, kw_only=True)
class Clashing:
    lr: float = 1.0


def test_each_config_takes_its_own() -> None:
    train, lora = build_configs({"lr": "1e-3", "r": "4", "max_steps": "none"}, TrainConfig, LoraOptions)
    assert train == TrainConfig(lr=1e-3)
    assert lora == LoraOptions(r=4)


def test_unknown_options_get_a_suggestion() -> None:
    with pytest.raises(UsageError, match="Did you mean 'epochs'"):
        build_configs({"epoch": 3}, TrainConfig, LoraOptions)


def test_an_option_in_two_configs_is_an_error() -> None:
    with pytest.raises(UsageError, match="'lr' is in both"):
        build_configs({}, TrainConfig, Clashing)


def test_values_that_do_not_fit_are_named() -> None:
    with pytest.raises(UsageError, match=r"TrainConfig\.batch_size: must be a valid integer"):
        build_configs({"batch_size": "many"}, TrainConfig)
    with pytest.raises(UsageError, match="warmup is a share"):
        build_configs({"warmup": 10}, TrainConfig)


def test_defaults_say_where_they_come_from() -> None:
    """Every option of ours that a paper or its code could have set names its source."""
    for config, inherited in ((TrainConfig, ()), (UnlearnConfig, ()), (LoraOptions, ())):
        assert "source:" in (config.__doc__ or ""), inherited
    assert (TrainConfig().lr, FinetuneConfig().lr, RelearnConfig().lr) == (1e-5, 1e-4, 1e-4)
    assert UnlearnConfig().retain_ratio == 3


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(seed: int) -> None:
    with pytest.raises(UsageError, match="a seed is a whole number from 0"):
        RunOptions(seed=seed)
