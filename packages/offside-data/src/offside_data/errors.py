"""Errors that a user can act on; every command line prints them without a traceback."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10
"""How many lines of a list a message has."""


def listed(lines: Sequence[object], *, of: int | None = None, shown: int = SHOWN, more: str = "") -> str:
    """A list as the lines of a message: the first ones, and how many more there are.

    Args:
        lines: What is listed, or at least its first lines.
        of: How many lines there are in all; default: those of `lines`.
        shown: How many are listed.
        more: What to say of those that aren't, e.g. where they are listed.
    """
    left = (len(lines) if of is None else of) - shown
    rest = f"\n  and {left:,} more{more}" if left > 0 else ""
    return "\n".join(f"  {line}" for line in lines[:shown]) + rest


class OffsideError(Exception):
    """Something the user can fix: the message says what, where, what is allowed and what to do.

    Command lines print the message and exit with `exit_code`: 1 when the work failed or a check
    found an error, 2 when the command was used wrongly.
    """

    exit_code = 1


class UsageError(OffsideError, ValueError):
    """A wrong option, name or value given by the caller."""

    exit_code = 2


class FileError(OffsideError, ValueError):
    """A small file can't be read: it is no regular file, too large, or no UTF-8 text; the message names it."""


class RecordError(OffsideError, ValueError):
    """A record breaks the data model; the message names the record."""


class TaxonomyError(OffsideError, ValueError):
    """A taxonomy file is malformed, or a record uses an attribute that it doesn't define."""


class CardError(OffsideError, ValueError):
    """A dataset card is missing or malformed."""


class DigestMismatchError(CardError):
    """A dataset's content isn't what its card says."""


class DatasetError(OffsideError, ValueError):
    """A dataset folder lacks something: a config, a split, a table."""


class FolderInUseError(DatasetError):
    """Another process changes the folder at the moment; the message says which."""


class DatasetChangedError(DatasetError):
    """A dataset was changed while it was read: what was read before and after doesn't fit together."""


class DatasetReferenceError(UsageError):
    """A dataset reference can't be parsed or resolved."""


class SourceError(OffsideError, ValueError):
    """A source given to `ingest` can't be read; the message names file and record."""


class PictureError(SourceError):
    """A picture can't be used.

    Args:
        where: The picture.
        kind: What sort of fault it is, one of `images.decode.PictureProblem`.
        reason: What is wrong and what to do, as sentences.

    Attributes:
        where, kind, reason: As given.
    """

    def __init__(self, where: str, kind: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.kind = kind
        self.reason = reason

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str, str]]:
        # So that one that is raised in another process arrives here.
        return PictureError, (self.where, self.kind, self.reason)


class MissingImagesError(OffsideError, FileNotFoundError):
    """Pictures that records refer to aren't there; the message says how many and where."""


class OutputExistsError(UsageError):
    """An output folder already holds something else."""


class ReleaseError(OffsideError):
    """A dataset can't be released, or not under this number; the message lists what stands against it."""


class HubError(OffsideError):
    """The Hub refused something, or couldn't be asked.

    Args:
        message: What was asked for, what came back, what to do.
        status: The HTTP status of the answer; null where there was none.
        passing: Whether the same may succeed later.
        wait: Seconds after which the Hub wants to be asked again, if it said so.

    Attributes:
        status, passing, wait: As given.
    """

    def __init__(
        self, message: str, *, status: int | None = None, passing: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.passing = passing
        self.wait = wait


class HubNotFoundError(HubError):
    """There is no such repository, or the token may not see it."""


class HubUnreachableError(HubError):
    """The Hub can't be reached, or isn't to be: `HF_HUB_OFFLINE`."""


class PluginError(UsageError):
    """A plugin name is unknown, defined twice, or its module breaks its contract."""


class ModelError(OffsideError, ValueError):
    """A model folder can't be used: no processor, no safetensors, an adapter that doesn't fit."""


class AnswerTooLongError(RecordError):
    """A record doesn't fit into `max_length`; nothing is ever cut silently."""


class AnnotationError(OffsideError):
    """The annotation server can't be reached, refuses, or answers something else than was asked for."""
