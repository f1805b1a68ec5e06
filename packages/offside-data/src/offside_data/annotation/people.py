"""Annotators: pseudonyms in the dataset, names and addresses in a key file that is never published.

The key file lies in the working area of the dataset folder (`.offside/annotation/`), which releases, exports and
uploads leave out, and can be read by nobody else on the machine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.journal import work_folder
from offside_data.dataset.replacing import ANNOTATION
from offside_data.errors import DatasetError
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.reading import read_small

_KEYS = "annotators.json"
_SHORTEST, _EXACT = 3, 4
"""Letters of a name from which on it is taken out of texts, and from which on however it is capitalized."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
"""Names in scripts that write no space around them (or add endings): two letters are a name, wherever they stand."""
_SOMEBODY = "somebody"
"""Stands for users of the server who have no pseudonym."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """Who somebody is.

    Args:
        server: Address of the server, or the file that the annotations came in.
        user: Number of the user there.
        email: Address, if it is known.
        name: Name, if it is known.
        joined: When they became a user of the server, if it is known: tells a changed address from another user.
    """

    server: str
    user: str
    email: str = ""
    name: str = ""
    joined: str = ""


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
        self._told: dict[Annotator, str] = {}
        self.changed = False

    def pseudonym(self, person: Annotator) -> str:
        """The pseudonym of an annotator: the one that the same user of the server, or the same address, had before."""
        if person not in self._told:  # Most annotations are by few.
            self._told[person] = self._noted(person)
        return self._told[person]

    def _noted(self, person: Annotator) -> str:
        found = self._known_as(person)
        if found is not None:
            known = self._known[found]
            news = {f: getattr(person, f) for f in ("email", "name", "joined") if getattr(person, f)}
            updated = dataclasses.replace(known, **news)
            self.changed = self.changed or updated != known
            self._known[found] = updated
            return found
        number = 1 + max((int(name[1:]) for name in self._known if name[1:].isdecimal()), default=0)
        self._known[f"a{number}"] = person
        self.changed = True
        return f"a{number}"

    def _known_as(self, person: Annotator) -> str | None:
        for same in (_same_user, _same_address):
            for pseudonym, known in self._known.items():
                if same(known, person):
                    return pseudonym
        return None

    def scrubber(self, others: Iterable[Annotator] = ()) -> Callable[[str], str]:
        """What replaces addresses and names in a free text, by their pseudonyms.

        Args:
            others: People who may have no pseudonym.
        """
        people = [(name, person) for name, person in self._known.items()]
        people += [(self._known_as(person) or _SOMEBODY, person) for person in others]
        told = {_composed(text): name for name, person in reversed(people) for text in (person.email, person.name)}
        rules = [(rule, told[text]) for text in sorted(told, key=len, reverse=True) for rule in _rules(text)]

        def scrub(text: str) -> str:
            composed = _composed(text)
            found = composed
            for rule, name in rules:
                found = rule.sub(name, found)
            return text if found == composed else found

        return scrub

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
                joined=str(user.get("date_joined") or ""),
            )
    return found


def _same_user(known: Annotator, person: Annotator) -> bool:
    """Whether they are one user of one server, whatever their address is by now."""
    at = (known.server, known.user, known.joined) == (person.server, person.user, person.joined)
    return at and bool(person.joined)


def _same_address(known: Annotator, person: Annotator) -> bool:
    if known.email and person.email:
        return _composed(known.email).casefold() == _composed(person.email).casefold()
    return (known.server, known.user) == (person.server, person.user)


def _composed(text: str) -> str:
    """A text with letters and accents in one piece each."""
    return unicodedata.normalize("NFC", text).strip()


def _rules(text: str) -> list[re.Pattern[str]]:
    """What finds a name or an address in a text; nothing where it is too short for that."""
    if _UNSPACED.search(text):
        return [re.compile(re.escape(text), re.IGNORECASE)]
    if len(text) < _SHORTEST:
        return []
    return [re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE if len(text) >= _EXACT else 0)]


def _read(path: Path) -> dict[str, Annotator]:
    if not path.is_file():
        return {}
    try:
        told = parse_json(read_small(path))["annotators"]
        return {str(pseudonym): Annotator(**person) for pseudonym, person in told.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
        raise DatasetError(
            f"{path}: the key of the annotators' pseudonyms can't be read ({error}). Put a copy of it back; without it "
            "the same people would get other pseudonyms."
        ) from error
