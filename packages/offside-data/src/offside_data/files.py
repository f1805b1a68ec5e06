"""Files that appear whole or not at all; folders of our own outside every dataset."""

from __future__ import annotations

import codecs
import contextlib
import glob
import hashlib
import json
import os
import shutil
import socket
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SYNC_ONE_BY_ONE = 1_000
"""Files from which on the whole disk is synced at once: that is sooner done."""


@contextlib.contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends without an error.

    Args:
        path: The file.
        durable: Return only when it is safe on the disk, so that a power cut doesn't undo it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        if durable:
            sync(partial)
        os.replace(partial, path)
        if durable:
            sync(path.parent, deep=False)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write UTF-8 text, whole or not at all."""
    with whole_file(path, durable=durable) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: Path) -> str:
    """A text that should be in UTF-8 but may be in what Windows wrote; no byte is lost."""
    data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    return data.decode("latin-1")


def write_json(path: Path, value: Any, *, durable: bool = False) -> None:
    """Write indented JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", durable=durable)


def sync(*paths: Path, deep: bool = True) -> None:
    """Return when files and folders are safe on the disk.

    Args:
        paths: What; a path that isn't there is passed over.
        deep: With all that is in the folders. Without, only the names in them.
    """
    found = [path for path in paths if path.exists()]
    if deep:
        found += [below for path in paths if path.is_dir() for below in path.rglob("*")]
    if len(found) > _SYNC_ONE_BY_ONE and hasattr(os, "sync"):
        os.sync()
        return
    for path in found:
        if os.name == "posix" or path.is_file():  # Windows opens no folders, and syncs only what it may write.
            number = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
            try:
                os.fsync(number)
            finally:
                os.close(number)


def _owner() -> str:
    """Names this process on this machine; folders may be shared between machines."""
    return f"{socket.gethostname().replace('.', '-')}-{os.getpid()}"


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
