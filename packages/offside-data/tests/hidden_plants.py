"""More plants: what programs that open a file pass over without a word, and yet stands in it."""

from __future__ import annotations

import base64
import bz2
import json
import lzma
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from takedown_plants import NAME, PLAIN, PLANTS, picture, plant, tarred, zipped

__all__ = ["PLANTS"]

_OTHER = b"Nothing to see here. " * 50
plant("two.zip", zipped(("a.txt", PLAIN)) + zipped(("b.txt", "x")))
plant("before.zip", PLAIN.encode() + zipped(("a.txt", "x")))
plant("after.zip", zipped(("a.txt", "x")) + PLAIN.encode())
plant("two.tar", tarred("a.txt", b"x") + tarred("b.txt", PLAIN.encode()))
plant("after.tar", tarred("a.txt", b"x") + PLAIN.encode())
plant("after.bz2", bz2.compress(_OTHER) + PLAIN.encode())
plant("after.xz", lzma.compress(_OTHER) + PLAIN.encode())
for _packed, _pack in {"bz2": bz2.compress, "xz": lzma.compress, "tar": lambda data: tarred("a", data)}.items():
    plant(f"base64_{_packed}.json", json.dumps({"a": base64.b64encode(_pack(PLAIN.encode())).decode()}))
plant("base64_wide.txt", base64.b64encode(PLAIN.encode("utf-16-le")))
plant("base64_western.txt", base64.b64encode(f"År {PLAIN}".encode("cp1252")))
plant("base64_lines.txt", b"\r\n".join(base64.b64encode(b"x" * 50 + PLAIN.encode())[n : n + 76] for n in (0, 76)))


def _unlisted(path: Path) -> None:
    """An archive that lists no member any more."""
    data = zipped(("a.txt", PLAIN))
    start = data.index(b"PK\1\2")
    path.write_bytes(data[:start] + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0, 0, 0, start, 0))


def _extra(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("a.txt")
        member.extra = struct.pack("<HH", 0x6375, len(PLAIN)) + PLAIN.encode()
        archive.writestr(member, "x")


plant("unlisted.zip", _unlisted, "unread")
plant("extra.zip", _extra)
_UNUSED = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.array(["Ada Vest", NAME]))
plant("unused.parquet", lambda path: pq.write_table(pa.table({"a": _UNUSED}), path))
plant("unused.feather", lambda path: pa.feather.write_feather(pa.table({"a": _UNUSED}), path))
_NOTED = pa.field("b", pa.int64(), metadata={"by": NAME})
_WITHIN = pa.table({"a": pa.array([{"b": 1}], pa.struct([_NOTED]))})
plant("metadata_within.parquet", lambda path: pq.write_table(_WITHIN, path))
_TAG = b"text\0\0\0\0" + PLAIN.encode()
_PROFILE = b"\0" * 36 + b"acsp" + b"\0" * 88 + struct.pack(">I4sII", 1, b"cprt", 144, len(_TAG)) + _TAG
for _kind in ("JPEG", "PNG", "WEBP", "TIFF"):
    plant(f"profile.{_kind.lower()}", picture(_kind, icc_profile=struct.pack(">I", len(_PROFILE) + 4) + _PROFILE))
