"""How many copies each perceptual hash finds at each radius, and how many false pairs: the tables of deduplication.md.

    python tools/bench/dedup_quality.py --page docs/deduplication.md

Photos are those that ship with scikit-image and scikit-learn, faces the hundred small ones of scikit-image, portraits
those of a fictional league of 80 subjects, once as the league has them and once as first drawn, when near duplicates
aren't drawn again. Everything random is seeded. Takes some minutes.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from offside_data.dataset.folder import open_dataset
from offside_data.dedup.dataset import DedupConfig
from offside_data.dedup.near import pairs_within
from offside_data.dedup.second_look import SecondLook, small_picture
from offside_data.fictional import distinct, make_league
from offside_data.images.decode import decode_image
from offside_data.images.hashing import HASHES, hamming, perceptual_hash
from offside_data.progress import track
from offside_data.seeding import rng

SEED = 0
RADII = (2, 4, 6, 8, 10, 12)
SLOW = ("crop_resistant",)
"""Hashes that take a fifth of a second and more: measured on fewer pictures."""
FEWER = 40
REQUIRED = ("JPEG 40", "half size", "brighter")
"""Copies of which the default must find at least 99 %."""
PHOTOS = (
    "astronaut brick camera cell chelsea clock_motion coffee coins color grass gravel hubble_deep_field ihc "
    "microaneurysms moon motorcycle_left motorcycle_right page retina rocket text"
)
START, END = "<!-- made by tools/bench/dedup_quality.py -->\n", "<!-- until here -->\n"

# ---------------------------------------------------------------------------------------------
# Pictures and their copies


def photos() -> dict[str, bytes]:
    """The photos of scikit-image and scikit-learn, without a download."""
    folder = _package("skimage") / "data"
    files = [next(folder.glob(f"{name}.[jp][pn]g")) for name in PHOTOS.split()]
    files += sorted((_package("sklearn") / "datasets" / "images").glob("*.jpg"))
    return {file.stem: file.read_bytes() for file in files}


def faces() -> dict[str, bytes]:
    """A hundred faces of 25 x 25 pixels, enlarged."""
    levels = np.load(_package("skimage") / "data" / "lfw_subset.npy")[:100]
    small = [Image.fromarray((face * 255).clip(0, 255).astype(np.uint8)) for face in levels]
    return {f"face-{n}": png(face.resize((200, 200), Image.Resampling.BICUBIC)) for n, face in enumerate(small)}


def portraits(folder: Path, *, drawn_again: bool) -> dict[str, bytes]:
    """The portraits of a league of 80 subjects, without declared copies."""
    radius = distinct.DUPLICATE_RADIUS
    distinct.DUPLICATE_RADIUS = radius if drawn_again else -1
    try:
        make_league(folder, subjects=80, seed=SEED)
    finally:
        distinct.DUPLICATE_RADIUS = radius
    dataset = open_dataset(folder)
    rows = (row for part in dataset.record_parts() if part.startswith("multimodal/") for row in dataset.rows(part))
    return {row["image_id"]: row["image"]["bytes"] for row in rows if row["subject_id"] and not row["derived_from"]}


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} isn't installed; it belongs to the development group of pyproject.toml.")
    return Path(spec.origin).parent


def png(picture: Image.Image) -> bytes:
    """Encoded without loss."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def recompressed(picture: Image.Image, source: random.Random) -> bytes:
    """As a JPEG of quality 40."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=40)
    return stream.getvalue()


def halved(picture: Image.Image, source: random.Random) -> bytes:
    """At half its size."""
    return png(picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS))


def brighter(picture: Image.Image, source: random.Random) -> bytes:
    """12 % brighter; what is white stays white."""
    return png(picture.point([min(255, round(level * 1.12)) for level in range(256)] * 3))


def cropped(picture: Image.Image, source: random.Random) -> bytes:
    """Without 5 % of its width and of its height, cut anywhere."""
    width, height = round(picture.width * 0.95), round(picture.height * 0.95)
    left, top = source.randint(0, picture.width - width), source.randint(0, picture.height - height)
    return png(picture.crop((left, top, left + width, top + height)))


def watermarked(picture: Image.Image, source: random.Random) -> bytes:
    """With a half-transparent box and a line in a corner, a quarter as wide as the picture."""
    marked = picture.copy()
    draw = ImageDraw.Draw(marked, "RGBA")
    width, height = picture.width // 4, picture.height // 12
    left, top = picture.width - width - 3, picture.height - height - 3
    draw.rectangle((left, top, left + width, top + height), fill=(255, 255, 255, 140))
    middle = top + height // 2
    draw.line((left, middle, left + width, middle), fill=(0, 0, 0, 180), width=max(1, height // 4))
    return png(marked)


def mirrored(picture: Image.Image, source: random.Random) -> bytes:
    """Left and right exchanged."""
    return png(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def turned(picture: Image.Image, source: random.Random) -> bytes:
    """Turned by 2 degrees, with black corners."""
    return png(picture.rotate(source.choice((-2, 2)), Image.Resampling.BICUBIC))


COPIES: dict[str, Callable[[Image.Image, random.Random], bytes]] = {
    "JPEG 40": recompressed,
    "half size": halved,
    "brighter": brighter,
    "crop 5 %": cropped,
    "watermark": watermarked,
    "mirrored": mirrored,
    "turned 2°": turned,
}

# ---------------------------------------------------------------------------------------------
# Measuring


@dataclass(frozen=True)
class Measured:
    """Of one picture: its hashes, and for each copy the distance by hash and whether the second look agrees."""

    hashes: dict[str, str]
    small: np.ndarray
    distances: dict[str, dict[str, int]]
    same: dict[str, bool]


def measure(name: str, data: bytes, hashes: tuple[str, ...]) -> Measured:
    """Hash a picture and its copies, and look at each copy a second time."""
    picture = decode_image(data)
    own = {hash_: perceptual_hash(hash_, picture) for hash_ in hashes}
    small = small_picture(data, name)
    distances: dict[str, dict[str, int]] = {}
    same: dict[str, bool] = {}
    for kind, copy in COPIES.items():
        copied = copy(picture, rng(SEED, kind, name))
        pixels = decode_image(copied)
        distances[kind] = {hash_: distance(own[hash_], perceptual_hash(hash_, pixels)) for hash_ in hashes}
        same[kind] = SecondLook().compare(small, small_picture(copied, name)).same
    return Measured(own, small, distances, same)


def distance(a: str, b: str) -> int:
    """Of the nearest parts of two hashes."""
    return min(hamming(first, second) for first in a.split(",") for second in b.split(","))


def measure_all(pictures: dict[str, bytes], hashes: tuple[str, ...], what: str) -> dict[str, Measured]:
    """All pictures, on all cores."""
    names = list(pictures)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(measure, names, pictures.values(), [hashes] * len(names))
        return dict(zip(names, track(done, what, total=len(names)), strict=True))


def near_by_hash(measured: list[Measured], hash_: str) -> dict[tuple[int, int], int]:
    """Pairs of different pictures within the largest radius, and their distance."""
    parts = [(text, place) for place, one in enumerate(measured) for text in one.hashes[hash_].split(",")]
    found: dict[tuple[int, int], int] = {}
    for i, j, bits in pairs_within([text for text, _ in parts], None, max(RADII)):
        a, b = sorted((parts[i][1], parts[j][1]))
        if a != b:
            found[a, b] = min(bits, found.get((a, b), bits))
    return found


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    hash: str
    radius: int
    by_hash: dict[str, float]
    confirmed: dict[str, float]
    near: int
    false: int
    pairs: int

    @property
    def required(self) -> float:
        """Share of the copies that the default must find which both steps do find."""
        return sum(self.confirmed[kind] for kind in REQUIRED) / len(REQUIRED)


def rows_of(measured: list[Measured], hashes: tuple[str, ...]) -> Iterator[Row]:
    """Recall and false pairs for each hash and radius."""
    verdicts: dict[tuple[int, int], bool] = {}
    for hash_ in hashes:
        near = near_by_hash(measured, hash_)
        for a, b in track(near.keys() - verdicts.keys(), f"second look, {hash_}"):
            verdicts[a, b] = SecondLook().compare(measured[a].small, measured[b].small).same
        for radius in RADII:
            within = [pair for pair, bits in near.items() if bits <= radius]
            hits = {kind: [m.distances[kind][hash_] <= radius for m in measured] for kind in COPIES}
            yield Row(
                hash=hash_,
                radius=radius,
                by_hash={kind: float(np.mean(hit)) for kind, hit in hits.items()},
                confirmed={
                    kind: float(np.mean([h and m.same[kind] for h, m in zip(hit, measured, strict=True)]))
                    for kind, hit in hits.items()
                },
                near=len(within),
                false=sum(verdicts[pair] for pair in within),
                pairs=len(measured) * (len(measured) - 1) // 2,
            )


# ---------------------------------------------------------------------------------------------
# Tables


def table(title: str, number: int, rows: list[Row]) -> str:
    """A Markdown table; a share by hash alone stands in brackets where the second look lowers it."""
    columns = ["hash", "radius", *COPIES, "false pairs"]
    lines = [f"### {title}", "", f"{number} pictures.", ""]
    lines += [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for row in rows:
        mark = "**" if row.radius == HASHES.load(row.hash).RADIUS else ""
        cells = [row.hash, f"{mark}{row.radius}{mark}"]
        cells += [share(row.confirmed[kind], row.by_hash[kind]) for kind in COPIES]
        cells.append(f"{row.false} ({row.near} of {row.pairs:,})" if row.near else "0")
        lines.append(f"| {' | '.join(cells)} |")
    for row in rows:
        if row.hash == DedupConfig().hash and row.radius == HASHES.load(row.hash).RADIUS:
            found = f"{share(row.required, row.required)} % of {', '.join(REQUIRED)} together, {row.false} false pairs"
            lines += ["", f"The default, {row.hash} and {row.radius} bits: {found}."]
    return "\n".join(lines) + "\n"


def share(confirmed: float, by_hash: float) -> str:
    """In percent; the share by hash alone in brackets if it is another."""
    first, second = (f"{value * 100:.1f}".removesuffix(".0") for value in (confirmed, by_hash))
    return first if first == second else f"{first} ({second})"


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="the page whose tables are to be replaced")
    options = parser.parse_args()
    fast = tuple(name for name in HASHES.names() if name not in SLOW)
    with tempfile.TemporaryDirectory() as folder:
        groups = {
            "Photos": photos(),
            "Faces": faces(),
            "Portraits of the league": portraits(Path(folder) / "league", drawn_again=True),
            "Portraits as first drawn": portraits(Path(folder) / "first", drawn_again=False),
        }
    tables = []
    for title, pictures in groups.items():
        measured = list(measure_all(pictures, fast, title).values())
        tables.append(table(title, len(measured), list(rows_of(measured, fast))))
        if title in ("Photos", "Portraits of the league"):
            chosen = rng(SEED, "slow", title).sample(sorted(pictures), min(FEWER, len(pictures)))
            few = list(measure_all({name: pictures[name] for name in chosen}, SLOW, f"{title}, slow hashes").values())
            tables.append(table(f"{title}, slow hashes", len(few), list(rows_of(few, SLOW))))
    text = "\n".join(tables)
    if options.page is None:
        print(text)
        return
    page = options.page.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    options.page.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
