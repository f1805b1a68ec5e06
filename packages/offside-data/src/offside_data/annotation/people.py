"""Annotators: pseudonyms in the dataset, names and addresses in a key file that is never published.

The key file lies in the working area of the dataset folder (`.offside/annotation/`), which releases, exports and
uploads leave out, and can be read by nobody else on the machine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.journal import work_folder
from offside_data.dataset.replacing import ANNOTATION
from offside_data.errors import DatasetError
from offside_data.files import write_json
from offside_data.parsing import parse_json

_KEYS = "annotators.json"
_SHORTEST = 4
"""Letters of a name from which on it is taken out of comments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """Who somebody is.

    Args:
        server: Address of the server, or the file that the annotations came in.
        user: Number of the user there.
        email: Address, if it is known.
        name: Name, if it is known.
    """

    server: str
    user: str
    email: str = ""
    name: str = ""


class KeyFile:
    """Which annotator has which pseudonym.

    Args:
        folder: The dataset folder.

    Raises:
        DatasetError: If the file isn't readable.
    """

    def __init__(self, folder: Path) -> None:
        self._path = work_folder(folder, ANNOTATION, _KEYS)
        self._known = _read(self._path)
        self.changed = False

    def pseudonym(self, person: Annotator) -> str:
        """The pseudonym of an annotator: the one that the same address, or the same user of the server, had before."""
        for pseudonym, known in self._known.items():
            if _same(known, person):
                news = {f: getattr(person, f) for f in ("email", "name") if getattr(person, f)}
                updated = dataclasses.replace(known, **news)
                self.changed = self.changed or updated != known
                self._known[pseudonym] = updated
                return pseudonym
        number = 1 + max((int(name[1:]) for name in self._known if name[1:].isdigit()), default=0)
        self._known[f"a{number}"] = person
        self.changed = True
        return f"a{number}"

    def without_names(self, text: str) -> str:
        """A free text with annotators' addresses and names replaced by their pseudonyms."""
        for pseudonym, person in self._known.items():
            for told in (person.email, person.name):
                if len(told) >= _SHORTEST:
                    text = re.sub(rf"(?<!\w){re.escape(told)}(?!\w)", pseudonym, text, flags=re.IGNORECASE)
        return text

    def write_into(self, folder: Path) -> None:
        """Write it into a dataset folder, or what is staged for one."""
        path = work_folder(folder, ANNOTATION, _KEYS)
        told = {pseudonym: dataclasses.asdict(person) for pseudonym, person in self._known.items()}
        write_json(path, {"never publish this": "who the annotators are", "annotators": told})
        os.chmod(path, 0o600)


def people_of(users: Iterable[Any], server: str) -> dict[str, Annotator]:
    """Annotators by number of their user, as a server lists them."""
    found = {}
    for user in users:
        if isinstance(user, Mapping) and user.get("id") is not None:
            names = (str(user.get(part) or "").strip() for part in ("first_name", "last_name"))
            found[str(user["id"])] = Annotator(
                server=server,
                user=str(user["id"]),
                email=str(user.get("email") or ""),
                name=" ".join(filter(None, names)),
            )
    return found


def _same(known: Annotator, person: Annotator) -> bool:
    if known.email and person.email:
        return known.email.casefold() == person.email.casefold()
    return (known.server, known.user) == (person.server, person.user)


def _read(path: Path) -> dict[str, Annotator]:
    if not path.is_file():
        return {}
    try:
        told = parse_json(path.read_text(encoding="utf-8"))["annotators"]
        return {str(pseudonym): Annotator(**person) for pseudonym, person in told.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
        raise DatasetError(
            f"{path}: the key of the annotators' pseudonyms can't be read ({error}). Put a copy of it back; without it "
            "the same people would get other pseudonyms."
        ) from error
