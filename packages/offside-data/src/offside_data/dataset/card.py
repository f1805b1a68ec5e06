"""The dataset card: a Hub `README.md` whose front matter holds our `offside:` block.

Front matter: what the Hub understands, and `offside:` (version, digest, splits, settings, …). Prose:
generated sections between markers, rewritten by every command that writes data; everything else is a
person's and left alone, and so are keys of the front matter that we don't know.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from offside_data.dataset.card_block import CardBlock, CardIdentity
from offside_data.dataset.foreign import what_it_is
from offside_data.errors import CardError
from offside_data.files import write_text
from offside_data.issues import Issue
from offside_data.limits import CARD
from offside_data.notebook import html_form, short
from offside_data.parsing import parse_yaml
from offside_data.reading import read_small

FILE_NAME = "README.md"
BLOCK = "offside"

_FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n?", re.DOTALL | re.MULTILINE)
_SECTION = re.compile(  # Never over another one's beginning: with an end marker lost, what people wrote lies between.
    r"<!-- offside:begin ([\w-]+) -->\n(?:(?!<!-- offside:begin ).)*?<!-- offside:end \1 -->\n?", re.DOTALL
)
_MARKER = re.compile(r"^[ \t]*<!-- offside:(?:begin|end) ([\w-]+) -->[ \t]*\n?", re.MULTILINE)


@dataclass(repr=False)
class Card:
    """A dataset card.

    Args:
        block: The `offside:` block.
        data: The rest of the front matter.
        body: The prose below it.
        where: The file it was read from, for messages.
    """

    block: CardBlock
    data: dict[str, Any] = field(default_factory=dict)
    body: str = ""
    where: str = FILE_NAME

    @classmethod
    def load(cls, path: str | Path) -> Card:
        """Read the card of a dataset folder, or a card file.

        Raises:
            CardError: If there is none, its front matter isn't YAML with an `offside` block, or the block is malformed
                or of another schema version.
        """
        data, body = read_raw(path)
        return cls(CardBlock.read(data.pop(BLOCK), _file(path)), data, body, str(_file(path)))

    @property
    def text(self) -> str:
        """The card as it lies in `README.md`."""
        return card_text({**self.data, BLOCK: dataclasses.asdict(self.block)}, self.body)

    def save(self, path: str | Path) -> None:
        """Write the card into a dataset folder, or to a card file, whole or not at all."""
        write_text(_file(path), self.text)

    def __repr__(self) -> str:
        """What it is the card of; `text` is all of it."""
        return short("Card", self.facts())

    def _repr_html_(self) -> str:
        return html_form("Card", self.facts(), *self.part_table())

    def facts(self) -> list[tuple[str, str]]:
        """What a notebook shows of the dataset, by name."""
        parts = self.block.splits
        records = sum(part.records for part in parts.values())
        return [
            ("dataset", f"{self.name} {self.version}"),
            ("digest", self.digest),
            ("records", f"{records:,} in {len(parts):,} parts"),
            ("settings", ", ".join(self.block.settings)),
            ("license", str(self.data.get("license") or "none stated")),
        ]

    def part_table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of a table: how much there is of each part."""
        columns = ["part", "records", "subjects", "images"]
        parts = self.block.splits.items()
        return columns, [[name, f"{p.records:,}", f"{p.subjects:,}", f"{p.images:,}"] for name, p in parts]

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.block.name

    @property
    def version(self) -> str:
        """Semantic version of the dataset."""
        return self.block.version

    @property
    def digest(self) -> str:
        """Digest of the dataset's content, `sha256:…`."""
        return self.block.digest

    def replace_sections(self, sections: Mapping[str, str]) -> None:
        """Write generated sections between their markers; new ones go to the end, other prose stays."""
        for name, text in sections.items():
            generated = f"<!-- offside:begin {name} -->\n{text.strip()}\n<!-- offside:end {name} -->\n"
            found = [m for m in _SECTION.finditer(self.body) if m[1] == name]
            if found:
                self.body = self.body[: found[0].start()] + generated + self.body[found[0].end() :]
            else:
                self.body = f"{self.body.rstrip()}\n\n{generated}".lstrip("\n")

    def section_names(self) -> list[str]:
        """Names of the generated sections in the prose."""
        return section_names(self.body)

    def stated_sizes(self, of: str = "num_examples") -> dict[tuple[Any, Any], Any]:
        """How many rows (or `num_bytes`) `dataset_info` states, by name of config and split, whatever stands there."""
        infos = self.data.get("dataset_info") or []
        infos = [info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict)]
        listed = [(str(info.get("config_name")), info.get("splits")) for info in infos]
        splits = [(config, split) for config, told in listed if isinstance(told, list) for split in told]
        told = [(config, split) for config, split in splits if isinstance(split, dict)]
        return {(config, str(split.get("name"))): split.get(of) for config, split in told}

    def validate(self) -> list[Issue]:
        """What the card lacks for the Hub; whether it fits the data is `offside_data.check`'s."""
        return [
            Issue("warning", "card-incomplete", key, message)
            for key, message in {
                "license": "the card names no license; say under which one the dataset may be used.",
                "language": "the card names no language.",
                "configs": "the card lists no configs, so `datasets.load_dataset` has to guess.",
            }.items()
            if not self.data.get(key)
        ]


def read_identity(path: str | Path) -> CardIdentity:
    """What the card of a folder says of itself in every schema version.

    Raises:
        CardError: If there is no card, or it doesn't say that.
    """
    return CardIdentity.read(read_raw(path)[0][BLOCK], _file(path))


def read_raw(path: str | Path) -> tuple[dict[str, Any], str]:
    """Front matter and prose of a card of any schema version, for steps of a migration: its block isn't checked.

    Raises:
        CardError: If there is no card, or its front matter isn't YAML with an `offside` block.
    """
    file = _file(path)
    try:
        text = read_small(file, error=CardError, limit=CARD, encoding="utf-8-sig")
    except FileNotFoundError as error:
        what = what_it_is(file.parent)
        raise CardError(
            f"{file}: no such card, so {file.parent} isn't a dataset folder"
            + (f", but {what}" if what else ". Make one with `offside-data fictional` or `offside-data ingest`.")
        ) from error
    except OSError as error:
        raise CardError(f"{file}: can't be read: {error.strerror}.") from error
    data, body = split_front_matter(text, file)
    if data is None:
        raise CardError(f"{file}: must start with YAML front matter between two lines of ---.")
    if not isinstance(data.get(BLOCK), dict):
        raise CardError(f"{file}: the front matter has no `{BLOCK}:` block, so this isn't one of our dataset cards.")
    return data, body


def split_front_matter(text: str, where: str | Path) -> tuple[dict[str, Any] | None, str]:
    """Front matter and prose of any card of the Hub; no front matter is null.

    Raises:
        CardError: If the front matter isn't a YAML mapping.
    """
    match = _FRONT_MATTER.match(text)
    if match is None:
        return None, text
    try:
        data = parse_yaml(match[1])
    except ValueError as error:
        raise CardError(f"{where}: the front matter isn't valid YAML: {error}.") from error
    if data is not None and not isinstance(data, dict):
        raise CardError(f"{where}: the front matter must be a mapping of names to values.")
    return data or {}, text[match.end() :].lstrip("\n")


def section_names(body: str) -> list[str]:
    """Names of the generated sections in a card's prose."""
    return [match[1] for match in _SECTION.finditer(body)]


def split_sections(body: str, names: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """A card's prose, cut at its generated sections.

    Args:
        body: The prose.
        names: Which sections are generated; others are somebody's own text.

    Returns:
        What people wrote, by the generated section that it follows (empty for what comes first); the generated
        sections, markers included, by name, in their order. Of one that is there twice the last counts.
    """
    pieces: list[tuple[str, str]] = []
    sections: dict[str, str] = {}
    place, name = 0, ""
    for match in _SECTION.finditer(body):
        if match[1] in names:
            pieces.append((name, body[place : match.start()].strip()))
            name, place = match[1], match.end()
            sections[name] = match[0].strip()
    pieces.append((name, body[place:].strip()))
    prose: dict[str, str] = {}
    for name, text in pieces:
        prose[name] = "\n\n".join(part for part in (prose.get(name), text) if part)
    return prose, sections


def without_markers(text: str, names: Collection[str]) -> str:
    """A text without the beginnings and ends of generated sections of these names, whose other half is gone."""
    return _MARKER.sub(lambda match: "" if match[1] in names else match[0], text).strip()


def generated_text(section: str) -> str:
    """What stands between the markers of a section."""
    return _MARKER.sub("", section).strip()


def card_text(data: Mapping[str, Any], body: str) -> str:
    """A card as it lies in `README.md`."""
    front = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=110)
    return f"---\n{front}---\n\n{body}"


def write_raw(path: str | Path, data: Mapping[str, Any], body: str) -> None:
    """Write what `read_raw` gave, changed."""
    write_text(_file(path), card_text(data, body))


def _file(path: str | Path) -> Path:
    return Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
