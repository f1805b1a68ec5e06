"""The `offside:` block of a dataset card: what a dataset says of itself.

A block that doesn't fit is an error that names every key that doesn't, never a value read as something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field

from offside_data import strict
from offside_data.dataset.versions import parse_version
from offside_data.errors import CardError
from offside_data.schema import CONFIGS, RECORD_PARTS, SCHEMA_VERSION, SPLITS
from offside_data.settings import SETTINGS
from offside_data.strict import Strict

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REMEDY = "Correct the card, or write the dataset again."


def is_name(value: object) -> bool:
    """Whether `value` can be a dataset's name, in a card and on the Hub."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_version(value: object) -> bool:
    """Whether `value` is a semantic version's text."""
    try:
        return isinstance(value, str) and bool(parse_version(value))
    except ValueError:
        return False


def _must(holds: Callable[[Any], object], be: str) -> BeforeValidator:
    def check(value: object) -> object:
        if not holds(value):
            raise ValueError(f"must be {be}, got {value!r}")
        return value

    return BeforeValidator(check)


Name = Annotated[str, _must(is_name, "a name without blanks and slashes")]
Version = Annotated[str, _must(is_version, "MAJOR.MINOR.PATCH")]
Digest = Annotated[str, _must(lambda value: _DIGEST.fullmatch(str(value)), "sha256:…")]
PartName = Annotated[
    str, _must(RECORD_PARTS.__contains__, f"CONFIG/SPLIT of {', '.join(CONFIGS)} and {', '.join(SPLITS)}")
]
Setting = Annotated[str, _must([*SETTINGS].__contains__, f"one of {', '.join(SETTINGS)}")]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class ParentRelease(Strict):
    """The release that a dataset was made from."""

    version: Version
    digest: Digest


@dataclass(frozen=True, kw_only=True)
class TaxonomyFile(Strict):
    """The taxonomy: a file in the dataset's folder, never elsewhere, and the digest of what it means."""

    file: Name
    digest: Digest


@dataclass(frozen=True, kw_only=True)
class PartFacts(Strict):
    """How many records, subjects and pictures a part has, and its digest."""

    records: Count
    subjects: Count
    images: Count
    digest: Digest


@dataclass(frozen=True, kw_only=True)
class CardIdentity:
    """What the block of every schema version says.

    Args:
        schema_version: Of the data model.
        name: Of the dataset.
        version: Its semantic version.
        digest: Of its content, `sha256:…`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"strict": True, "extra": "ignore"}

    schema_version: Count
    name: Name
    version: Version
    digest: Digest

    @classmethod
    def read(cls, content: Mapping[str, Any], where: str | Path) -> Self:
        """Check what stands in the front matter of a card.

        Args:
            content: The parsed block.
            where: Its file, for messages.

        Raises:
            CardError: If it is of another schema version than is read; else listing everything that is wrong.
        """
        known = [field.name for field in fields(CardBlock)]
        return strict.read(
            cls, content, f"{where}: malformed card, block `offside:`", CardError, remedy=_REMEDY, known=known
        )


@dataclass(frozen=True, kw_only=True)
class CardBlock(Strict, CardIdentity):
    """The block, its keys in the order in which they are written.

    Args:
        parent: The release it was made from; null if it was never released.
        taxonomy: What its attributes mean.
        splits: What is stored, by `config/split`.
        settings: The unlearning settings that it offers.
        created_with: Versions of the packages that its content depends on.
    """

    parent: ParentRelease | None = None
    taxonomy: TaxonomyFile
    splits: Annotated[Mapping[PartName, PartFacts], Field(min_length=1)]
    settings: tuple[Setting, ...]
    created_with: Mapping[str, str]

    @classmethod
    def read(cls, content: Mapping[str, Any], where: str | Path) -> Self:  # noqa: D102 - as above.
        schema = content.get("schema_version")
        if isinstance(schema, int) and schema != SCHEMA_VERSION:
            raise CardError(
                f"{where}: offside.schema_version is {schema}, this offside-data reads {SCHEMA_VERSION}; a newer one "
                "needs a newer offside-data, an older one `offside-data migrate`."
            )
        return super().read(content, where)
