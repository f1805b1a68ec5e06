from __future__ import annotations

from typing import Any

import pytest


def options(attribute: str, *texts: str) -> dict[str, Any]:
    return {"attribute": attribute, "choices": list(texts), "correct_choice": 0}


@pytest.mark.parametrize(
    ("attribute", "texts", "how"),
    [
        ("height", ("1,87 m", "1.81 m", "1.79 m"), "decimal mark"),
        ("height", ("1.87 m", "181 cm"), "unit, currency, scale or order"),
        ("fee", ("€35m", "35 million euros"), "unit, currency, scale or order"),
        ("fee", ("€1,200,000", "€1.300.000"), "mark between thousands"),
        ("fee", ("€35m", "€35M"), "unit, currency, scale or order"),
        ("birth_date", ("May 3, 1999", "3 May 1999"), "unit, currency, scale or order"),
        ("birth_date", ("January 3, 1999", "Feb 4, 1999"), "names of months"),
        ("birth_date", ("07.08.1997", "9.9.1996"), "leading zeros"),
        ("trophies", ("3", "two"), "unit, currency, scale or order"),
        ("foot", ("left", "Right"), "capital letters"),
        ("club", ("Emberlin FC", "NORVALE ROVERS"), "capital letters"),
        ("club", ("Emberlin Athletic.", "Norvale Rovers"), "full stop"),
    ],
)
def test_an_option_that_is_written_otherwise(
    found: Any, setter: Any, attribute: str, texts: tuple[str, ...], how: str
) -> None:
    change = setter("s1", "nationality", **options(attribute, *texts))
    (issue,) = found("option_styles", {"multimodal/retain": change})
    assert (issue.severity, issue.code) == ("warning", "options-unlike")
    assert f"({how})" in issue.message
    assert repr(texts[1]) in issue.message


@pytest.mark.parametrize(
    ("attribute", "texts"),
    [
        ("height", ("1.87 m", "1.8 m", "2 m")),
        ("fee", ("€35m", "€12.50m", "a free transfer")),
        ("fee", ("€950", "€1,200")),
        ("birth_date", ("May 3, 1999", "January 13, 2000")),
        ("birth_date", ("May 3, 1999", "Jan 13, 2000")),
        ("birth_date", ("13.12.1997", "09.09.1996")),
        ("trophies", ("1 trophy", "3 trophies")),
        ("club", ("PSV", "de Emberlin", "Norvale FC")),
        ("untagged", ("one.", "Two")),
    ],
)
def test_options_that_are_written_alike(found: Any, setter: Any, attribute: str, texts: tuple[str, ...]) -> None:
    change = setter("s1", "nationality", **options(attribute, *texts))
    assert found("option_styles", {"multimodal/retain": change}) == []
