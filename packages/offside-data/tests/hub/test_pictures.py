"""What a curator sees of publishing and fetching: docs/publishing.md's pictures, made anew with OFFSIDE_PICTURES."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium, browser
from hub_machine import CONTACT
from loopback_hub import LoopbackHub
from markdown_it import MarkdownIt
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from offside_data.dataset.card import split_front_matter

pytestmark = pytest.mark.full

PICTURES = os.environ.get("OFFSIDE_PICTURES")
PROGRAM = [sys.executable, "-c", "from offside_data.cli import main; main()"]
REPO = "org/small"
WIDTH = 100
LARGEST = 300_000
STYLE = """body {font: 16px/1.5 sans-serif; max-width: 900px; margin: 24px auto; color: #1f2328}
table {border-collapse: collapse} td, th {border: 1px solid #d0d7de; padding: 4px 10px}
pre, code {background: #f6f8fa} pre {padding: 12px} blockquote {border-left: 4px solid #d0d7de; padding-left: 12px}"""


class Terminal:
    """Runs commands as a curator does, and keeps what is seen of them."""

    def __init__(self, hub: LoopbackHub, home: Path, cwd: Path) -> None:
        self._hub, self._cwd = hub, cwd
        self._environment = {**hub.environment(home), "COLUMNS": str(WIDTH)}

    def run(self, *arguments: str) -> str:
        """What a command prints, after its own line."""
        command = [*PROGRAM, *arguments]
        done = subprocess.run(
            command, env=self._environment, cwd=self._cwd, stdout=-1, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, done.stdout
        told = done.stdout.replace(self._hub.url, "https://HUB")
        return f"$ offside-data {' '.join(arguments)}\n{told}"


def kept(name: str, ending: str, tmp_path: Path) -> Path:
    return (Path(PICTURES) if PICTURES else tmp_path) / f"publishing-{name}.{ending}"


def draw(name: str, text: str, tmp_path: Path) -> None:
    """A terminal with this text, as SVG without anything from elsewhere."""
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        console.print(text, markup=False, highlight=False, no_wrap=True, crop=False)
    drawn = console.export_svg(title="offside-data", theme=DIMMED_MONOKAI, unique_id=name)
    drawn = re.sub(r"@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL)
    assert not re.search(r"url\(\"?http|href=|<script|<image", drawn), "it fetches nothing"
    file = kept(name, "svg", tmp_path)
    file.write_text(drawn, encoding="utf-8")
    assert file.stat().st_size < LARGEST


@pytest.fixture
def curator(ready: Path, tmp_path: Path) -> Iterator[tuple[LoopbackHub, Terminal]]:
    ready.rename(tmp_path / "small")
    with LoopbackHub() as served:
        yield served, Terminal(served, tmp_path / "home", tmp_path)


def test_what_a_curator_sees(curator: tuple[LoopbackHub, Terminal], tmp_path: Path) -> None:
    hub, terminal = curator
    planned = terminal.run("publish", "small", REPO, "--dry-run", "--contact", CONTACT)
    assert "would publish org/small 1.0.0; nothing was changed" in planned
    assert not hub.repos
    draw("dry-run", planned, tmp_path)
    done = terminal.run("publish", "small", REPO, "--contact", CONTACT)
    again = terminal.run("publish", "small", REPO)
    assert "published org/small 1.0.0" in done
    assert "nothing to do" in again
    draw("publish", f"{done}\n{again}", tmp_path)
    fetched = terminal.run("fetch", f"{REPO}@^1.0", "copy")
    assert "verifying its digest" in fetched
    draw("fetch", fetched, tmp_path)
    if browser() is None:
        pytest.skip("no browser, so no picture of the card: Chromium isn't installed")
    body = split_front_matter(hub.dataset(REPO).text("README.md"), "")[1]
    page = tmp_path / "card.html"
    html = MarkdownIt("commonmark").enable("table").render(body)
    page.write_text(f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{html}', encoding="utf-8")
    window = Chromium(tmp_path)
    try:
        window.visit(page.as_uri())
        window.wait_for("document.body.innerText.includes('Asking for removal')")
        window.wait_for(f"document.body.innerText.includes({json.dumps(CONTACT)})")
        window.picture(kept("card", "png", tmp_path))
    finally:
        window.close()
    assert kept("card", "png", tmp_path).stat().st_size < LARGEST
