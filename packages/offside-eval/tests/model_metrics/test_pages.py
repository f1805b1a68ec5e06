"""Every metric of the toolkit, of records and of models, has a page with the same headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from offside_eval.metrics import METRICS
from offside_eval.model_metrics import MODEL_METRICS

DOCS = Path(__file__).parents[4] / "docs" / "metrics"
HEADINGS = ("Definition", "Range", "Direction", "Source", "Example")
MODULES = {
    name: registry.load(name)
    for registry in (METRICS, MODEL_METRICS)
    for name in registry.names()
    if registry.load(name).__name__.startswith("offside_eval.")
}
"""Ours: a third party documents its own."""


@pytest.mark.parametrize("name", MODULES)
def test_a_page(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert not parts[0].strip()
    assert tuple(found) == (name, *HEADINGS)
    assert all(found[heading].strip() for heading in HEADINGS)
    assert max(map(len, text.splitlines())) <= 170
    paper, source = MODULES[name].PAPER, " ".join(found["Source"].split())
    assert f"[{paper.title}]({paper.url})" in source
    variants = getattr(MODULES[name].Metric, "variants", ())
    assert [v for v in variants if f"`{v}`" not in found["Definition"]] == []
    controls = getattr(MODULES[name].Metric, "controls", ())
    assert ("Needs the results of" in found["Definition"]) == bool(controls)
    words = {"better", "higher", "lower", "neither"}
    assert words & set(re.findall(r"\w+", found["Direction"])) - {"better"}


def test_the_list_has_a_line_for_each_and_no_other() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    expected = [f"* [{n}]({n}.md): {(m.__doc__ or '').strip().splitlines()[0]}" for n, m in MODULES.items()]
    assert re.findall(r"^\* \[.+?\]\(.+?\.md\): .+$", text, re.MULTILINE) == expected
    assert sorted(page.stem for page in DOCS.glob("*.md")) == sorted(
        [*MODULES, "index", "meta"]
    )  # meta: which of them can be believed
