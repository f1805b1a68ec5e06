"""The page in a real browser: it opens from disk, draws its charts, complains of nothing, fetches nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
pytestmark = pytest.mark.full


@pytest.fixture(scope="session")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


def visit(browser: str, page: Path, tmp_path: Path, *options: str) -> tuple[str, str, set[str]]:
    """Open a page; the document after its scripts ran, the browser's log, and every URL it asked for."""
    net = tmp_path / "net.json"
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-component-update", "--disable-background-networking", "--disable-sync", "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=10000",
        f"--log-net-log={net}", "--window-size=1300,2000", *options, "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    asked = set(re.findall(r'"url":"([^"]+)"', net.read_text(encoding="utf-8", errors="replace")))
    return done.stdout, done.stderr, asked


@pytest.fixture(scope="session")
def visited(browser: str, report: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, set[str]]:
    return visit(browser, report / "report.html", tmp_path_factory.mktemp("browser"))


def test_every_chart_is_drawn(visited: tuple[str, str, set[str]], report: Path) -> None:
    document = visited[0]
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', document, re.DOTALL)[1])  # type: ignore[index]
    assert len(charts) >= 6
    for chart in charts:
        place = document.split(f'data-chart="{chart}"')[1].split("data-chart=")[0]
        assert 'class="main-svg"' in place, chart
    assert "var(--" not in re.findall(r'<svg class="main-svg".*?</svg>', document, re.DOTALL)[0]


def test_the_console_is_silent(visited: tuple[str, str, set[str]]) -> None:
    complaints = [line for line in visited[1].splitlines() if ":CONSOLE" in line]
    assert complaints == []


def test_nothing_is_asked_of_the_network(visited: tuple[str, str, set[str]]) -> None:
    # A browser may phone home on its own account; the page's own requests are what counts here.
    own = [url for url in visited[2] if url.startswith(("http://", "https://", "ws"))]
    assert [url for url in own if not re.search(r"google|gstatic|gvt1|chrome", url)] == []


def test_script_in_an_answer_does_not_run(browser: str, report: Path, tmp_path: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "Content-Security-Policy" in page
    smuggled = page.replace("</main>", '<img src="https://example.invalid/x.png"></main>')
    (tmp_path / "smuggled.html").write_text(smuggled, encoding="utf-8")
    _, log, asked = visit(browser, tmp_path / "smuggled.html", tmp_path)
    assert "Content Security Policy" in log
    assert not any("example.invalid" in url for url in asked)
