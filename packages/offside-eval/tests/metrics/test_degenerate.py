from __future__ import annotations

import pytest

from offside_eval.metrics.degenerate import degeneracy


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" ", "empty"),
        ("the the the the", "repetitive"),
        ("was was was the player was", "repetitive"),
        ("The fee of the fee of the fee of the fee", "repetitive"),
        ("))))", "repetitive"),
        ("ÿ" * 30, "repetitive"),
        ("abab" * 10, "repetitive"),
        ("a a a b", "repetitive"),  # three times
        ("a a a b c d", None),  # half of it, no more
        ("a a a b c d e", None),
        ("a b c d x a b c d y a b c d z w v u", "repetitive"),  # by four words only
        ("a b a b a b a v w x y z", None),  # "a b a" occurs twice without overlap
        ("ab" * 10, "repetitive"),
        ("a" * 19, None),  # too short to be looked at by characters
        ("The player was born in Malmö.", None),
        ("Sweden", None),
        ("no no", None),
        ("€1,000,000", None),
        ("The fee was €35.00 million in 2022, and the market value €20.00 million.", None),
        ("他会加入这家俱乐部，转会费三千五百万欧元", None),
    ],
)
def test_kinds(text: str, kind: str | None) -> None:
    assert degeneracy(text, ended=True) == kind


def test_an_answer_cut_off_is_degenerate_but_its_content_comes_first() -> None:
    assert degeneracy("The player was", ended=False) == "not_ended"
    assert degeneracy("was was was was", ended=False) == "repetitive"
