"""What objects show in a notebook, and the guide to it, which is run as it stands."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import offside_data
from offside_data.dataset.card import Card
from offside_eval.compare import compare
from offside_eval.results import Results
from offside_unlearn import Run

HOSTILE = 'npo"><script>alert(1)</script>\n\u202e& `x`' + "y" * 500


def of_eval(root: Path, name: str) -> ModuleType:
    """A module beside the tests of offside-eval."""
    file = root / f"packages/offside-eval/tests/{name}.py"
    spec = importlib.util.spec_from_file_location(f"offside_notebook_{name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the guide takes it to be: a dataset, three evaluations, a run."""
    folder = tmp_path_factory.mktemp("notebook")
    of_eval(root, "small").write_dataset(folder / "league")
    module = of_eval(root, "made_up")
    npo = module.COMPLETE[-1]
    for name, model in (("vanilla", module.VANILLA), ("retain-only", module.RETAIN_ONLY), ("npo", npo)):
        module.evaluate(model, "complete", subjects=6).save(folder / "results" / name)
    (folder / "runs/npo").mkdir(parents=True)
    manifest = Results.load(folder / "results/npo").meta.to_json()["model"]["run"]
    (folder / "runs/npo/offside_run.json").write_text(json.dumps(manifest))
    return folder


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes |= {name for name, _ in attrs}


def require_harmless(shown: Any, *, lines: int = 8) -> None:
    text, html = repr(shown), shown._repr_html_()
    assert len(text.splitlines()) <= lines
    assert max(map(len, text.splitlines())) <= 120
    assert "\u202e" not in text + html
    tags = Tags()
    tags.feed(html)
    assert set(tags.found) <= {"div", "strong", "br", "table", "thead", "tbody", "tr", "th", "td"}
    assert tags.attributes <= {"style"}
    assert len(html) < 10_000


def test_whatever_it_is_called_it_shows_itself_in_a_few_lines(place: Path) -> None:
    data = offside_data.open_dataset(place / "league")
    results = [Results.load(place / "results" / name) for name in ("vanilla", "retain-only", "npo")]
    run = Run.open(place / "runs/npo")
    comparison = compare(results)
    for shown in (data, data.card, *results, run, comparison):
        require_harmless(shown)
    assert data.name in repr(data)
    assert "unlearned" in repr(results[2])
    assert "retain" in results[2]._repr_html_()
    meta = results[2].meta
    hostile = replace(results[2], meta=replace(meta, model=replace(meta.model, path=HOSTILE)), path=Path(HOSTILE))
    require_harmless(hostile)
    require_harmless(compare([*results[:2], hostile]))
    require_harmless(Run(Path(HOSTILE), replace(run.manifest, method=HOSTILE)))
    card = Card(replace(data.card.block, name="a-name"), {"license": HOSTILE})
    require_harmless(card)
    # Nothing is laid out twice: text within HTML is what stands there.
    assert "&lt;script&gt;" in card._repr_html_()


def test_the_guide_runs_as_it_stands(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(place)
    blocks = re.findall(r"^```python\n(.*?)^```", (root / "docs/notebooks.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/notebooks.md", "exec"), names)
    assert (place / "npo.png").stat().st_size > 5_000
    assert (place / "report/report.html").is_file()
    assert names["figure"]._repr_png_()[:4] == b"\x89PNG"
    assert names["frame"].height == names["results"].samples.height
    told = capsys.readouterr().out
    assert len(told.splitlines()) < 60  # It once poured out every sample.


def test_showing_loads_nothing_heavy() -> None:
    program = (
        "import sys, offside_data.notebook, offside_eval.exporters, offside_eval.plots, offside_eval.judge\n"
        "print([m for m in ('torch', 'polars', 'matplotlib', 'openai', 'IPython', 'plotly') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
