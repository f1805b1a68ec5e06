"""Navigation: a folder in mkdocs.yml stands for its pages, so that a new page needs no line there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def expanded(entries: Iterable[Any], pages: Iterable[str]) -> list[Any]:
    """The navigation with each folder replaced by its pages.

    Args:
        entries: As mkdocs.yml has them; a text that ends with `/` is a folder.
        pages: Paths of all pages, below docs.

    Raises:
        ValueError: If a folder holds no page.
    """
    known = sorted(pages)
    done: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            ((title, value),) = entry.items()
            inner = [value] if isinstance(value, str) else value
            full = expanded(inner, known)
            done.append({title: full[0] if isinstance(value, str) and not value.endswith("/") else full})
        elif entry.endswith("/"):
            done += in_folder(entry, known)
        else:
            done.append(entry)
    return done


def in_folder(folder: str, pages: Iterable[str]) -> list[Any]:
    """Pages of a folder, its first page first; folders in it are sections named as they are.

    Args:
        folder: With `/` at its end.
        pages: Paths of all pages, sorted.

    Raises:
        ValueError: If it holds none.
    """
    below = [page for page in pages if page.startswith(folder)]
    if not below:
        raise ValueError(f"mkdocs.yml names the folder docs/{folder}, which has no page: mend its name, or add one.")
    here = [page for page in below if "/" not in page.removeprefix(folder)]
    first = [page for page in here if page.rsplit("/", 1)[1] in ("index.md", "README.md")]
    inner = sorted({page.removeprefix(folder).split("/")[0] for page in below if page not in here})
    sections = [{name: in_folder(f"{folder}{name}/", below)} for name in inner]
    return [*first, *(page for page in here if page not in first), *sections]
