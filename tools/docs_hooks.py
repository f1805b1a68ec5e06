"""Hooks of mkdocs (`make docs`): pages that are made from the code, from notebooks and from the root's own pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "packages/offside-data/src"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "packages/offside-unlearn/src"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "packages/offside-eval/src"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from docs_site.api import api_pages
from docs_site.commands import PROGRAMS, program_page
from docs_site.navigation import expanded
from docs_site.notebooks import page_of

ROOT = Path(__file__).resolve().parent.parent
OF_THE_ROOT = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md"}
"""Pages that lie where people look for them, in the root, and are read here too."""
_LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)\)")


def made_pages(root: Path) -> dict[str, str]:
    """Every page that isn't written by hand below docs, by its path there.

    Args:
        root: The repository.
    """
    pages = {f"reference/commands/{program}.md": program_page(program) for program in PROGRAMS}
    pages |= api_pages(root)
    for notebook in sorted(root.glob("docs/**/*.ipynb")):
        pages[notebook.relative_to(root / "docs").with_suffix(".md").as_posix()] = page_of(notebook)
    for name, page in OF_THE_ROOT.items():
        pages[page] = _LINK.sub(_from_docs, (root / name).read_text(encoding="utf-8"))
    return pages


def _from_docs(link: re.Match[str]) -> str:
    target = link[1]
    return f"]({OF_THE_ROOT.get(target) or target.removeprefix('docs/')})"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages, then write out the navigation's folders."""
    for path, text in made_pages(ROOT).items():
        files.append(File.generated(config, path, content=text))
    config.nav = expanded(config.nav or [], [file.src_uri for file in files.documentation_pages()])
    return files
