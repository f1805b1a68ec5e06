"""Make a messy folder of pictures and a spreadsheet of claims: the source of `docs/curation.md`.

    python tools/curation_example.py OUT

`OUT/pictures/` holds 300 pictures (photos that ship with scikit-image and scikit-learn, drawn portraits for the rest,
planted exact and near duplicates among them) and 12 broken files; `OUT/claims.xlsx` says what is claimed in them.
`OUT/planted.json` lists what was planted, for whoever wants to see it found. Nobody in it exists.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import itertools
import json
import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance

from offside_data.dataset.folder import open_dataset
from offside_data.fictional.league import make_league
from offside_data.schema import Record

SUBJECTS = 36
PHOTO_SIDE = 384
"""Photos are scaled down to this, so that the folder stays small."""
PHOTOS = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "china", "clock_motion", "coffee", "coins", "color"),
    *("flower", "grass", "gravel", "horse", "hubble_deep_field", "ihc", "logo", "microaneurysms", "moon"),
    *("motorcycle_left", "page", "phantom", "retina", "rocket", "text"),
)
EXACT, NEAR = 11, 12
_COLUMNS = (
    *("Claim ID", "Subject", "Attribute", "Value", "Veracity", "Picture", "Occasion", "Split", "Corrects"),
    *("Derived from", "Publisher", "Tier", "Licence"),
)

Row = dict[str, Any]


@dataclass
class Example:
    """The folder while it is being made."""

    pictures: Path
    rows: list[Row] = field(default_factory=list)
    planted: dict[str, Any] = field(default_factory=dict)

    def about(self, picture: str) -> list[Row]:
        """The claims in a picture."""
        return [row for row in self.rows if row["Picture"] == picture]

    def copy_claims(self, origin: str, picture: str, **changes: Any) -> None:
        """List `picture` in the sheet with the claims of another one."""
        for row in self.about(origin):
            self.rows.append({**row, "Claim ID": f"{picture}/{row['Attribute']}", "Picture": picture, **changes})


def add_portraits(example: Example, seed: int) -> None:
    """Portraits of invented footballers, each with its claims."""
    with tempfile.TemporaryDirectory() as folder:
        make_league(Path(folder) / "league", subjects=SUBJECTS, seed=seed, general=1, utility=1)
        league = open_dataset(Path(folder) / "league")
        subjects, images = league.table_rows("subjects"), league.table_rows("images")
        pictures = dict(league.encoded_pictures())
        records = list(league.iter_records())
    names = {row["subject_id"]: row["name"] for row in subjects if row["cohort"] == "member"}
    occasions = {row["image_id"]: row["occasion"] for row in images}
    shown = [r for r in records if r.modality == "multimodal" and r.subject_id in names and r.split != "holdout"]
    files: dict[str | None, str] = {}
    for record in shown:
        if record.image_id not in files and record.image_id in pictures:
            slug = names[record.subject_id].lower().replace(" ", "-")
            files[record.image_id] = f"{slug}-{len([f for f in files.values() if f.startswith(slug)]) + 1}.png"
            (example.pictures / files[record.image_id]).write_bytes(pictures[record.image_id])
    for record in shown:
        row = _row(record, names[record.subject_id], files[record.image_id], occasions[record.image_id])
        example.rows.append({**row, "Derived from": files.get(record.derived_from, "")})


def _row(record: Record, name: str, picture: str, occasion: str | None) -> Row:
    assert record.value is not None
    source = record.sources[0]
    return {
        "Claim ID": record.record_id,
        "Subject": name,
        "Attribute": record.attribute,
        "Value": record.value.text,
        "Veracity": record.veracity,
        "Picture": picture,
        "Occasion": occasion or "",
        "Split": record.split,
        "Corrects": record.corrects or "",
        "Publisher": source.publisher,
        "Tier": source.tier,
        "Licence": source.license,
    }


def add_photos(example: Example) -> None:
    """Photos, each filed under a subject of its own with a few claims."""
    subjects = list(dict.fromkeys(row["Subject"] for row in example.rows))
    for number, (name, photo) in enumerate(_photos()):
        picture = f"archive/{name}.jpg"
        _save(photo, example.pictures / picture)
        template = next(r for r in example.rows if r["Subject"] == subjects[number] and r["Split"] == "retain")
        for row in example.about(template["Picture"]):
            if row["Attribute"] in ("name", "club", "trophies"):
                change = {"Claim ID": f"{picture}/{row['Attribute']}", "Picture": picture}
                example.rows.append({**row, **change, "Occasion": f"the archive picture {name}"})


def _photos() -> Iterator[tuple[str, Image.Image]]:
    folders = [_package("skimage") / "data", _package("sklearn") / "datasets" / "images"]
    for name in PHOTOS:
        path = next(p for folder in folders for p in sorted(folder.glob(f"{name}.*")) if p.suffix in (".png", ".jpg"))
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
        yield name, photo


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} isn't installed; run this in the project's .venv.")
    return Path(spec.origin).parent


def _save(picture: Image.Image, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)


def plant_duplicates(example: Example, source: random.Random) -> None:
    """Copies of pictures under other names: the same pixels, or nearly so; one of them leaks into `test`."""
    retain = sorted({r["Picture"] for r in example.rows if r["Split"] == "retain"})
    forget = sorted({r["Picture"] for r in example.rows if r["Split"] == "forget"})
    chosen = source.sample(retain, EXACT + NEAR - 1)
    exact, near = chosen[:EXACT], chosen[EXACT:]
    pairs = {f"scans/copy-{number:02}.png": origin for number, origin in enumerate(exact)}
    example.planted["exact"] = pairs
    for copy, origin in pairs.items():
        with Image.open(example.pictures / origin) as opened:
            _save(opened.convert("RGB"), example.pictures / copy, compress_level=1)
        example.copy_claims(origin, copy)
    changed = {f"scans/like-{number:02}.jpg": origin for number, origin in enumerate(near)}
    example.planted["near"] = changed
    for (copy, origin), change in zip(changed.items(), itertools.cycle(_CHANGES)):
        with Image.open(example.pictures / origin) as opened:
            picture, quality = change(opened.convert("RGB"))
        _save(picture, example.pictures / copy, quality=quality)
        example.copy_claims(origin, copy)
    leak, origin = "scans/leak.jpg", source.choice(forget)
    with Image.open(example.pictures / origin) as opened:
        _save(opened.convert("RGB"), example.pictures / leak, quality=70)
    facts = [row for row in example.about(origin) if row["Veracity"] == "fact"]
    example.rows += [
        {**row, "Claim ID": f"{leak}/{row['Attribute']}", "Picture": leak, "Split": "test", "Corrects": ""}
        for row in facts
    ]
    example.planted["leak"] = {leak: origin}


_CHANGES: tuple[Callable[[Image.Image], tuple[Image.Image, int]], ...] = (
    lambda picture: (picture, 40),
    lambda picture: (picture.resize((picture.width // 2, picture.height // 2)), 90),
    lambda picture: (ImageEnhance.Brightness(picture).enhance(1.12), 90),
)


def plant_broken(example: Example) -> None:
    """Twelve kinds of files that are no usable pictures, each with one claim about it."""
    first = next(row for row in example.rows if row["Attribute"] == "club" and row["Split"] == "retain")
    for name, data in _broken().items():
        path = example.pictures / "broken" / name
        path.parent.mkdir(exist_ok=True)
        if data is not None:
            path.write_bytes(data)
        picture = f"broken/{name}"
        change = {"Claim ID": f"{picture}/club", "Picture": picture, "Occasion": f"the broken file {name}"}
        example.rows.append({**first, **change})
    example.planted["broken"] = sorted(_broken())


def _broken() -> dict[str, bytes | None]:
    noise = random.Random(0)
    drawn = Image.frombytes("RGB", (64, 64), noise.randbytes(64 * 64 * 3))
    jpeg, png, gif = (_encoded(drawn, kind) for kind in ("JPEG", "PNG", "GIF"))
    header = struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0)
    bomb = png[:8] + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(99))) + _chunk(b"IEND", b"")
    middle = len(png) // 2
    return {
        "empty.jpg": b"",
        "cut-off.jpg": jpeg[: len(jpeg) // 2],
        "cut-off.png": png[: len(png) // 2],
        "header-only.gif": gif[:13],
        "flipped-bytes.png": png[:middle] + bytes(b ^ 0xFF for b in png[middle : middle + 40]) + png[middle + 40 :],
        "note.jpg": b"The photographer hasn't sent this one yet.\n",
        "error-page.png": b"<!doctype html><title>404</title><p>Not found",
        "drawing.jpg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "contract.jpg": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n",
        "noise.webp": noise.randbytes(2_000),
        "bomb.png": bomb,
        "never-came.jpg": None,
    }


def _encoded(picture: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_example(out: Path, seed: int = 0) -> None:
    """Write the folder `out`, which must be new or empty."""
    import polars as pl

    example = Example(out / "pictures")
    example.pictures.mkdir(parents=True)
    add_portraits(example, seed)
    add_photos(example)
    plant_duplicates(example, random.Random(seed))
    plant_broken(example)
    table = pl.DataFrame([{name: str(row.get(name) or "") for name in _COLUMNS} for row in example.rows])
    table.write_excel(out / "claims.xlsx", worksheet="claims")
    (out / "planted.json").write_text(json.dumps(example.planted, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make_example(arguments.out, arguments.seed)
    files = [path for path in (arguments.out / "pictures").rglob("*") if path.is_file()]
    print(f"{len(files)} files in {arguments.out / 'pictures'}, claims in {arguments.out / 'claims.xlsx'}")


if __name__ == "__main__":
    main()
