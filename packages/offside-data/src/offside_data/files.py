"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import codecs
import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from offside_data.errors import OutputExistsError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: Path) -> str:
    """A text that should be in UTF-8 but may be in what Windows wrote; no byte is lost."""
    data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    return data.decode("latin-1")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def ensure_free(folder: Path, *, force: bool = False) -> None:
    """Refuse to write into a folder that already holds something.

    Raises:
        OutputExistsError: If `folder` is a file, or isn't empty and `force` is off.
    """
    if folder.is_file():
        raise OutputExistsError(f"{folder} is a file; give a folder to write to.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise OutputExistsError(
            f"{folder} already holds something else. Choose another output folder, or pass --force to replace it."
        )


@contextlib.contextmanager
def whole_folder(folder: Path, *, force: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder beside `folder`; move it there when the block ends well.

    What killed processes left beside `folder` is cleared away first.

    Raises:
        OutputExistsError: As `ensure_free`.
    """
    _clear_leftovers(folder)
    ensure_free(folder, force=force)
    with scratch_folder(folder) as partial:
        yield partial
        if folder.exists():
            # Moved aside, not deleted: a kill in between must not lose the old content before the new one is there.
            aside = partial.with_suffix(".replaced")
            os.replace(folder, aside)
            os.replace(partial, folder)
            shutil.rmtree(aside)
        else:
            os.replace(partial, folder)


@contextlib.contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """Give an empty hidden folder beside `beside`, on the same disk; it is deleted in the end.

    What killed processes left there is cleared away first.
    """
    _clear_leftovers(beside)
    beside.parent.mkdir(parents=True, exist_ok=True)
    partial = beside.with_name(f".{beside.name}.{_owner()}.{uuid.uuid4().hex[:8]}.partial")
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _owner() -> str:
    """Names this process on this machine; folders may be shared between machines."""
    return f"{socket.gethostname().replace('.', '-')}-{os.getpid()}"


def _clear_leftovers(folder: Path) -> None:
    """Delete what processes of this machine that don't run any more left beside `folder`; put back what they moved."""
    host = socket.gethostname().replace(".", "-")
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.{re.escape(host)}-(\d+)\.[0-9a-f]{{8}}\.(partial|replaced)")
    for path in folder.parent.glob(f".{glob.escape(folder.name)}.*"):
        match = pattern.fullmatch(path.name)
        if match and not _runs(int(match[1])):
            if match[2] == "replaced" and not folder.exists():
                os.replace(path, folder)
            else:
                shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It is somebody else's.
    return True


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def temporary_folder(owner: object) -> Path:
    """A folder of our own outside every dataset, deleted when `owner` goes or the program ends.

    Those of killed processes of this machine are cleared away first.
    """
    host = socket.gethostname().replace(".", "-")
    for left in Path(tempfile.gettempdir()).glob(f"offside-{glob.escape(host)}-*.*"):
        process = left.name.removeprefix(f"offside-{host}-").partition(".")[0]
        if process.isdigit() and not _runs(int(process)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"offside-{_owner()}."))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder
