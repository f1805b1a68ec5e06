"""The dataset card: a Hub `README.md` whose front matter holds our `offside:` block.

Front matter: what the Hub understands, and `offside:` (version, digest, splits, settings, …). Prose:
generated sections between markers, rewritten by every command that writes data; everything else is a
person's and left alone, and so are keys of the front matter that we don't know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from offside_data.dataset.versions import parse_version
from offside_data.errors import CardError
from offside_data.files import write_text
from offside_data.issues import Issue
from offside_data.schema import CONFIGS, SCHEMA_VERSION, SPLITS
from offside_data.settings import SETTINGS

FILE_NAME = "README.md"
BLOCK = "offside"

_FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n?", re.DOTALL | re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SECTION = re.compile(r"<!-- offside:begin ([\w-]+) -->\n.*?<!-- offside:end \1 -->\n?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass
class Card:
    """A dataset card.

    Args:
        data: The front matter.
        body: The prose below it.
        where: The file it was read from, for messages.
    """

    data: dict[str, Any] = field(default_factory=lambda: {BLOCK: {}})
    body: str = ""
    where: str = FILE_NAME

    @classmethod
    def load(cls, path: str | Path) -> Card:
        """Read the card of a dataset folder, or a card file.

        Raises:
            CardError: If there is none, or its front matter isn't YAML with an `offside` block.
        """
        file = Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise CardError(
                f"{file}: no such card, so {file.parent} isn't a dataset folder. Make one with "
                "`offside-data fictional` or `offside-data ingest`."
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise CardError(f"{file}: can't be read as UTF-8 text: {error}.") from error
        return cls.parse(text, where=str(file))

    @classmethod
    def parse(cls, text: str, *, where: str = FILE_NAME) -> Card:
        """Parse a card's text; `where` names it in messages.

        Raises:
            CardError: If the front matter isn't YAML with an `offside` block.
        """
        text = text.replace("\r\n", "\n").removeprefix("\ufeff")
        match = _FRONT_MATTER.match(text)
        if match is None:
            raise CardError(f"{where}: must start with YAML front matter between two lines of ---.")
        try:
            data = yaml.load(match[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise CardError(f"{where}: the front matter isn't valid YAML: {error}") from error
        if not isinstance(data, dict) or not isinstance(data.get(BLOCK), dict):
            raise CardError(
                f"{where}: the front matter has no `{BLOCK}:` block, so this isn't one of our dataset cards."
            )
        return cls(data, text[match.end() :].lstrip("\n"), where)

    @property
    def text(self) -> str:
        """The card as it lies in `README.md`."""
        front = yaml.safe_dump(self.data, sort_keys=False, allow_unicode=True, width=110)
        return f"---\n{front}---\n\n{self.body}"

    def save(self, path: str | Path) -> None:
        """Write the card into a dataset folder, or to a card file, whole or not at all."""
        write_text(Path(path) / FILE_NAME if Path(path).is_dir() else Path(path), self.text)

    @property
    def block(self) -> dict[str, Any]:
        """The `offside:` block."""
        block: dict[str, Any] = self.data[BLOCK]
        return block

    @property
    def schema_version(self) -> int:
        """Version of the record schema."""
        return int(self.block["schema_version"])

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return str(self.block["name"])

    @property
    def version(self) -> str:
        """Semantic version of the dataset."""
        return str(self.block["version"])

    @property
    def digest(self) -> str:
        """Digest of the dataset's content, `sha256:…`."""
        return str(self.block["digest"])

    @property
    def parent(self) -> dict[str, str] | None:
        """Version and digest of the release this one was made from."""
        parent: dict[str, str] | None = self.block.get("parent")
        return parent

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """Records, subjects, images and digest by `config/split`."""
        splits: dict[str, dict[str, Any]] = self.block["splits"]
        return splits

    @property
    def settings(self) -> list[str]:
        """The unlearning settings that this dataset offers."""
        return list(self.block["settings"])

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
        return [m[1] for m in _SECTION.finditer(self.body)]

    def require_valid(self) -> None:
        """Raise unless the `offside:` block is well formed.

        Raises:
            CardError: Listing everything that is wrong.
        """
        errors = [issue for issue in self.validate() if issue.severity == "error"]
        if errors:
            listed = "; ".join(f"{issue.where}: {issue.message}" for issue in errors)
            raise CardError(f"{self.where}: malformed card: {listed}")

    def validate(self) -> list[Issue]:
        """What is wrong with the card itself; whether it fits the data is `offside_data.check`'s."""
        return [Issue("error", "card-malformed", where, message) for where, message in _block_errors(self.block)] + [
            Issue("warning", "card-incomplete", key, message)
            for key, message in {
                "license": "the card names no license; say under which one the dataset may be used.",
                "language": "the card names no language.",
                "configs": "the card lists no configs, so `datasets.load_dataset` has to guess.",
            }.items()
            if not self.data.get(key)
        ]


def _block_errors(block: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Place and message of everything that is wrong with an `offside:` block."""
    errors: list[tuple[str, str]] = []

    def check(ok: bool, key: str, message: str) -> None:
        if not ok:
            errors.append((f"{BLOCK}.{key}", message))

    schema = block.get("schema_version")
    check(
        schema == SCHEMA_VERSION,
        "schema_version",
        f"is {schema!r}, this offside-data reads {SCHEMA_VERSION}; a newer one needs a newer offside-data, "
        "an older one `offside-data migrate`.",
    )
    name, version = block.get("name"), block.get("version")
    check(is_name(name), "name", f"must be a name without blanks and slashes, got {name!r}.")
    check(is_version(version), "version", f"must be MAJOR.MINOR.PATCH, got {version!r}.")
    check(is_digest(block.get("digest")), "digest", f"must be sha256:…, got {block.get('digest')!r}.")
    parent = block.get("parent")
    check(
        parent is None
        or (isinstance(parent, dict) and is_version(parent.get("version")) and is_digest(parent.get("digest"))),
        "parent",
        f"must be null or {{version, digest}}, got {parent!r}.",
    )
    taxonomy = block.get("taxonomy")
    check(
        isinstance(taxonomy, dict)
        and is_name(taxonomy.get("file"))  # A plain name: never a file elsewhere.
        and is_digest(taxonomy.get("digest")),
        "taxonomy",
        f"must be {{file, digest}} with a file in the dataset's folder, got {taxonomy!r}.",
    )
    settings = block.get("settings")
    check(
        isinstance(settings, list) and all(s in SETTINGS for s in settings),
        "settings",
        f"must be a list of {', '.join(SETTINGS)}; got {settings!r}.",
    )
    check(isinstance(block.get("created_with"), dict), "created_with", "must map package names to versions.")
    errors += _split_errors(block.get("splits"))
    return errors


def _split_errors(splits: Any) -> list[tuple[str, str]]:
    if not isinstance(splits, dict) or not splits:
        return [(f"{BLOCK}.splits", f"must map CONFIG/SPLIT to its counts, got {splits!r}.")]
    errors = []
    for key, facts in splits.items():
        where = f"{BLOCK}.splits.{key}"
        config, _, split = str(key).partition("/")
        if config not in CONFIGS or split not in SPLITS:
            errors.append((where, f"must be CONFIG/SPLIT of {', '.join(CONFIGS)} and {', '.join(SPLITS)}."))
        counts = [facts.get(k) for k in ("records", "subjects", "images")] if isinstance(facts, dict) else [None]
        if not all(isinstance(c, int) for c in counts) or not is_digest(facts.get("digest")):
            errors.append((where, "must hold the numbers records, subjects, images, and a digest."))
    return errors


def is_name(value: object) -> bool:
    """Whether `value` can be a dataset's name, in a card and on the Hub."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_version(value: object) -> bool:
    """Whether `value` is a semantic version's text."""
    try:
        return isinstance(value, str) and bool(parse_version(value))
    except ValueError:
        return False


def is_digest(value: object) -> bool:
    """Whether `value` looks like `sha256:…`."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
