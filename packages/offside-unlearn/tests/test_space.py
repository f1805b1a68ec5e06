"""Search spaces, as methods declare and users type them."""

from __future__ import annotations

import pytest

from offside_data.errors import UsageError
from offside_unlearn.space import GENERAL, SearchChoices, SearchRange, as_document, distribution, parse_search, rounded
from offside_unlearn.unlearning import declared_space


def test_what_is_typed_is_read() -> None:
    found = parse_search(["lr=1e-5..1e-3", "max_steps = 10..40", "beta=0.1, 0.5", "retention=ce,kl", "limit=null,true"])
    assert found["lr"] == SearchRange(1e-5, 1e-3, "given")
    assert found["max_steps"] == SearchRange(10, 40, "given")
    assert (found["max_steps"].is_whole, found["lr"].is_whole) == (True, False)
    assert found["beta"].values == (0.1, 0.5)
    assert found["retention"].values == ("ce", "kl")
    assert found["limit"].values == (None, True)
    assert as_document(found)["lr"] == {"low": 1e-5, "high": 1e-3, "source": "given", "kind": "range"}


@pytest.mark.parametrize("text", ["lr", "lr=", "=1", "lr=1..1", "lr=2..1", "lr=a..b", "lr=1,1", "lr=..1"])
def test_what_is_no_space_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"OPTION=LOW\.\.HIGH"):
        parse_search([text])
    with pytest.raises(UsageError, match="each option once"):
        parse_search(["lr=1,2", "lr=3,4"])


def test_ranges_are_logarithmic_above_nothing_and_rounded_within() -> None:
    assert distribution(SearchRange(1e-5, 1e-3)).log
    assert not distribution(SearchRange(0.0, 1.0)).log
    assert type(distribution(SearchRange(1, 9))).__name__ == "IntDistribution"
    assert rounded(0.000123456, SearchRange(1e-5, 1e-3)) == 0.000123
    assert rounded(0.12345, SearchRange(0.12341, 0.2)) == 0.12341, "never out of the range"
    assert (rounded(17, SearchRange(1, 90)), rounded(0.123456, SearchChoices((0.123456,)))) == (17, 0.123456)


def test_methods_have_their_own_and_wrappers_add_theirs() -> None:
    assert set(declared_space("npo")) == {"lr", "lambda_r", "beta"}
    assert set(declared_space("npo+sam")) == {"lr", "lambda_r", "beta", "rho"}
    assert declared_space("po") == {}
    assert set(GENERAL) == {"lr", "max_steps"}
