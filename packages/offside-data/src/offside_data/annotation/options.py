"""What is pushed, and how: the one place where the defaults stand; light, for the command reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PictureMode = Literal["base64", "local", "upload"]


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """What is sent, and how.

    Args:
        where: Which records, as `edit --template --where`.
        only: `disagreements` for a further round about what annotators disagree on.
        limit: At most so many new tasks: the first that aren't there yet, so that a further push sends the next.
        proposals: Whether annotators see what the dataset says, chosen already; they tend to leave it so.
        pictures: `base64`: within each task, works everywhere; `local`: from a folder that the server serves;
            `upload`: as files of the project.
        document_root: The folder that the server serves, for `local`, as this machine sees it.
        server_root: The same folder as the server sees it, where that is another path.
        overlap: How many annotators are to see each task.
        update: Also make tasks that nobody has annotated what their records are now.
        replace_interface: Whether a labelling interface that a person changed on the server is replaced by ours.
        project: Number of the project, if it isn't to be found by its mark.
    """

    where: tuple[str, ...] = ()
    only: str | None = None
    limit: int | None = None
    proposals: bool = True
    pictures: PictureMode = "base64"
    document_root: str | None = None
    server_root: str | None = None
    overlap: int = 2
    update: bool = False
    replace_interface: bool = False
    project: int | None = None

    def __post_init__(self) -> None:
        if self.overlap < 1 or (self.limit is not None and self.limit < 1):
            raise ValueError("overlap and limit must be at least 1.")
        if self.pictures == "local" and not self.document_root:
            raise ValueError("--pictures local needs --document-root, the folder that the server serves.")
