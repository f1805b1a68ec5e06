"""What a file or folder is that no command of ours opens, and what to do with it."""

from __future__ import annotations

from pathlib import Path

_ARCHIVES = {
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an XZ archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
}
"""How archives begin."""
_ZIPPED = (".xlsx", ".xlsm", ".docx", ".ods", ".odt", ".pptx")
"""Endings of documents that are ZIP archives inside; whoever reads them says what they are."""
_TAR = (b"ustar", 257)
_SAVED = ("state.json", "dataset_dict.json")
"""What `datasets.save_to_disk` writes beside the data of one split, and of several."""


def what_it_is(path: Path) -> str | None:
    """What a source is that must be made something else first, as the end of a sentence; null if it may be read."""
    if path.is_dir():
        return _folder(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError:
        return None
    if not head:
        return "empty (0 bytes). Fetch or save it again."
    if path.suffix.lower() in _ZIPPED:
        return None
    found = next((name for start, name in _ARCHIVES.items() if head.startswith(start)), None)
    mark, at = _TAR
    found = found or ("a TAR archive" if head[at : at + len(mark)] == mark else None)
    return found and f"{found}. Unpack it, and give the folder or table that comes out."


def _folder(path: Path) -> str | None:
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError:
        return None
    if not names:
        return "an empty folder."
    if any(name in names for name in _SAVED) and "README.md" not in names:
        return (
            "a folder that `save_to_disk` of `datasets` wrote, whose Arrow files are a cache and no exchange format. "
            'Write it as Parquet: `datasets.load_from_disk("…").to_parquet("FILE.parquet")`, of a DatasetDict each '
            "split by itself, and give that file, or the folder that they lie in with --format hub."
        )
    archives = [name for name in names if Path(name).suffix.lower() in (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar")]
    if archives == [name for name in names if not name.startswith(".")]:
        return f"a folder that holds nothing but archives ({', '.join(archives[:3])}). Unpack them."
    return None
