"""The taxonomy: which attributes a subject has, what is shared and what is private. Data, not code.

A taxonomy is a YAML file that travels with its dataset (`taxonomy.yaml`); `football` ships with
the package. Placeholders in phrasings: `{value}` the claim's value, `{subject}` the subject's name,
`{occasion}` the occasion of a picture.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
import string
import typing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from offside_data.errors import TaxonomyError
from offside_data.limits import CARD
from offside_data.parsing import parse_yaml
from offside_data.plugins import require_known, unknown_name_message
from offside_data.reading import read_small
from offside_data.schema import Scope, ValueKind

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plausible:
    """The values that an attribute can have; others are kept as they are written, and doubtful.

    Args:
        least: The smallest number, or the earliest day as `YYYY-MM-DD`; null for no limit.
        most: The largest number or the latest day; `today` is the day on which an answer is read.
        small_change: Whether an amount may be as small as small change (`€12.50`) without being 0.
    """

    least: float | str | None = None
    most: float | str | None = None
    small_change: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a subject.

    Args:
        name: Identifier, e.g. `birth_date`.
        scope: `shared` facts hold for the subject in every picture; `private` claims belong to one picture.
        kind: How values are parsed and compared.
        tolerance: Largest difference of two equal values: relative for amounts, absolute in metres for
            lengths, in units for counts, in days for dates; ignored for names, places and choices.
        options: The allowed values of a `choice`, each with other spellings.
        plausible: Which numbers, amounts or days can be true; null for any.
        questions: Phrasings for a question about a picture; the first is the canonical one.
        text_questions: Phrasings for the text form. They hold `{subject}`, private ones also `{occasion}`.
        answers: Phrasings of the answer, holding `{value}`; the first is the canonical one.
        rumor_answers: The same where the claim is a rumour; empty = as `answers`.
    """

    name: str
    scope: Scope
    kind: ValueKind
    tolerance: float = 0.0
    options: tuple[tuple[str, ...], ...] = ()
    plausible: Plausible | None = None
    questions: tuple[str, ...]
    text_questions: tuple[str, ...] = ()
    answers: tuple[str, ...]
    rumor_answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """A named list of attributes, in the order in which records are listed."""

    name: str
    subject_noun: str
    attributes: tuple[Attribute, ...]

    def __getitem__(self, attribute: str) -> Attribute:
        """Look an attribute up.

        Raises:
            TaxonomyError: If the taxonomy doesn't define it; says which are there.
        """
        for candidate in self.attributes:
            if candidate.name == attribute:
                return candidate
        raise TaxonomyError(
            unknown_name_message("attribute", attribute, self.names())
            + f" Add it to the dataset's taxonomy.yaml (taxonomy {self.name!r}) or correct the record."
        )

    def __contains__(self, attribute: object) -> bool:
        return any(a.name == attribute for a in self.attributes)

    def names(self, scope: Scope | None = None) -> list[str]:
        """Attribute names, all or those of one scope, in order."""
        return [a.name for a in self.attributes if scope in (None, a.scope)]


def shipped_taxonomies() -> list[str]:
    """Names of the taxonomies that come with the package."""
    folder = resources.files("offside_data") / "taxonomies"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def shipped_taxonomy_text(name: str) -> str:
    """The YAML text of a shipped taxonomy.

    Raises:
        TaxonomyError: If there is none of that name.
    """
    require_known("taxonomy", [name], shipped_taxonomies(), error=TaxonomyError)
    return (resources.files("offside_data") / "taxonomies" / f"{name}.yaml").read_text(encoding="utf-8")


def load_taxonomy(source: str | Path = "football") -> Taxonomy:
    """Load a shipped taxonomy by name, or a taxonomy file by path.

    Raises:
        TaxonomyError: If it is unknown, unreadable or malformed; the message says where.
    """
    if isinstance(source, Path) or source.endswith((".yaml", ".yml")):
        path = Path(source)
        try:
            text = read_small(path, error=TaxonomyError, limit=CARD)
        except OSError as error:
            raise TaxonomyError(f"{path}: can't be read: {error.strerror}.") from error
        return parse_taxonomy(text, where=str(path))
    return parse_taxonomy(shipped_taxonomy_text(source), where=f"shipped taxonomy {source!r}")


@functools.lru_cache(maxsize=16)  # A taxonomy can't be changed, and commands ask for the same one again and again.
def parse_taxonomy(text: str, *, where: str) -> Taxonomy:
    """Parse a taxonomy's YAML text; `where` names it in messages.

    Raises:
        TaxonomyError: If a key is missing or unknown, a placeholder is wrong or a name stands twice.
    """
    try:
        raw = parse_yaml(text)
    except ValueError as error:
        raise TaxonomyError(f"{where}: not valid YAML: {error}.") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("attributes"), list):
        raise TaxonomyError(f"{where}: must be a mapping with name, subject_noun and a list of attributes.")
    attributes = tuple(
        _parse_attribute(item, f"{where}: attribute {number}") for number, item in enumerate(raw["attributes"], 1)
    )
    names = [a.name for a in attributes]
    for name in names:
        if names.count(name) > 1:
            raise TaxonomyError(f"{where}: attribute {name!r} is defined {names.count(name)} times.")
    return Taxonomy(
        name=str(raw.get("name", "unnamed")),
        subject_noun=str(raw.get("subject_noun", "subject")),
        attributes=attributes,
    )


def _parse_attribute(raw: Any, where: str) -> Attribute:
    if not isinstance(raw, dict):
        raise TaxonomyError(f"{where}: must be a mapping, got {raw!r}.")
    require_known("key", map(str, raw), Attribute.__dataclass_fields__, where=where, error=TaxonomyError)
    for key in ("name", "scope", "kind", "questions", "answers"):
        if not raw.get(key):
            raise TaxonomyError(f"{where}: {key!r} is missing or empty.")
    if not isinstance(raw["name"], str):
        raise TaxonomyError(f"{where}: the name {raw['name']!r} is read as another thing than text; put it in quotes.")
    where = f"{where} ({raw['name']})"
    for key, hint in (("scope", Scope), ("kind", ValueKind)):
        if raw[key] not in list(typing.get_args(hint)):
            raise TaxonomyError(f"{where}: {key} is {raw[key]!r}; allowed: {', '.join(typing.get_args(hint))}.")
    options = tuple(
        (option,) if isinstance(option, str) else _texts(option or [[]], f"{where}: options", "texts or lists of them")
        for option in _listed(raw.get("options"), f"{where}: options", "a list")
    )
    phrasings = {
        key: _texts(raw.get(key), f"{where}: {key}", "a list of texts")
        for key in ("questions", "text_questions", "answers", "rumor_answers")
    }
    _check_placeholders(phrasings, raw["scope"], where)
    return Attribute(
        name=raw["name"],
        scope=raw["scope"],
        kind=raw["kind"],
        tolerance=_number(raw.get("tolerance", 0.0), f"{where}: tolerance"),
        options=options,
        plausible=_parse_plausible(raw.get("plausible"), raw["kind"], where),
        **phrasings,
    )


def _listed(value: Any, where: str, be: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise TaxonomyError(f"{where} must be {be}, got {value!r}.")
    return value or []


def _texts(value: Any, where: str, be: str) -> tuple[str, ...]:
    found = _listed(value, where, be)
    for text in found:
        if isinstance(text, (list, dict)) or text is None:
            raise TaxonomyError(f"{where} must be {be}, got {text!r}.")
    return tuple(map(str, found))


def _number(value: Any, where: str, *, least: float = 0.0) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TaxonomyError(f"{where} must be a number, got {value!r}.")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise TaxonomyError(f"{where} must be a number, got {str(value)[:50]!r}.") from None
    if not (math.isfinite(number) and number >= least):
        raise TaxonomyError(f"{where} must be a number of at least {least:g}, got {value!r}.")
    return number


def _parse_plausible(raw: Any, kind: str, where: str) -> Plausible | None:
    if raw is None:
        return None
    known = Plausible.__dataclass_fields__
    if not isinstance(raw, dict) or not set(raw) <= set(known):
        raise TaxonomyError(f"{where}: plausible must be a mapping of {', '.join(known)}, got {raw!r}.")
    limits = {key: _parse_limit(raw[key], kind, f"{where}: plausible {key}") for key in ("least", "most") if key in raw}
    return Plausible(**limits, small_change=bool(raw.get("small_change", False)))


def _parse_limit(raw: Any, kind: str, where: str) -> Any:
    if kind == "date":
        if isinstance(raw, datetime.date) or raw == "today" or _DAY.fullmatch(str(raw)):
            return str(raw)
        raise TaxonomyError(f"{where} must be a day (YYYY-MM-DD) or 'today', got {raw!r}.")
    if kind in ("amount", "length", "count"):
        return _number(raw, where, least=-math.inf)
    raise TaxonomyError(f"{where}: values of kind {kind} have no limits.")


def _check_placeholders(phrasings: dict[str, tuple[str, ...]], scope: str, where: str) -> None:
    needed = {
        "questions": set(),
        "text_questions": {"subject", "occasion"} if scope == "private" else {"subject"},
        "answers": {"value"},
        "rumor_answers": {"value"},
    }
    for key, texts in phrasings.items():
        for text in texts:
            try:
                found = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
            except ValueError as error:
                raise TaxonomyError(f"{where}: {key}: {error} in {text!r}.") from error
            if found != needed[key]:
                want = ", ".join(f"{{{n}}}" for n in sorted(needed[key])) or "no placeholder"
                raise TaxonomyError(f"{where}: {key} must hold {want}, got {text!r}.")
