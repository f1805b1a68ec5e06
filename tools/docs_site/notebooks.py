"""Notebooks as pages: their text and their code, without what came out of it."""

from __future__ import annotations

import json
from pathlib import Path

SHELL = "%%script bash -e\n"
"""How a cell of commands begins; one that fails ends the notebook."""


def page_of(notebook: Path) -> str:
    """A notebook as Markdown.

    Args:
        notebook: An `.ipynb` file; commands stand in cells that begin with `SHELL`.
    """
    parts = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"]).strip("\n")
        if cell["cell_type"] == "markdown":
            parts.append(text)
        elif text.startswith(SHELL):
            parts.append(f"```sh\n{text.removeprefix(SHELL)}\n```")
        else:
            parts.append(f"```python\n{text}\n```")
    parts.insert(1, f"Download [this page as a notebook]({notebook.name}).")
    return "\n\n".join(parts) + "\n"
