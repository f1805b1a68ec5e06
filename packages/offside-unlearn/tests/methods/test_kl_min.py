from __future__ import annotations

from typing import Any

import pytest

from offside_unlearn.methods.kl_min import Config, Method


def test_at_the_start_the_kl_is_zero(harness: Any) -> None:
    output = harness.loss("kl_min")
    assert output.terms["retain_kl"].item() == pytest.approx(0, abs=1e-5)
    assert output.loss.item() == pytest.approx(-harness.cross_entropy(harness.batch.forget), rel=1e-4)


def test_away_from_it_the_kl_counts_with_its_weight(harness: Any) -> None:
    output = harness.loss("kl_min", alpha=2.0, moved=True)
    kl = output.terms["retain_kl"].item()
    assert kl > 1e-4
    assert output.loss.item() == pytest.approx(-harness.cross_entropy(harness.batch.forget) + 2 * kl, rel=1e-4)


def test_the_published_script_adds_the_retain_cross_entropy(harness: Any) -> None:
    output = harness.loss("kl_min", alpha=0.1, lambda_r=1.0, moved=True)
    terms = {name: value.item() for name, value in output.terms.items()}
    assert terms["retain_ce"] == pytest.approx(harness.cross_entropy(harness.batch.retain), rel=1e-4)
    expected = -terms["forget_ce"] + 0.1 * terms["retain_kl"] + terms["retain_ce"]
    assert output.loss.item() == pytest.approx(expected, abs=1e-4)


def test_what_has_no_weight_is_not_prepared() -> None:
    assert not Method(Config(alpha=0)).needs().retain
    assert not Method(Config(alpha=0, lambda_r=1)).needs().token_reference
    with pytest.raises(ValueError, match="alpha"):
        Config(alpha=-1)
