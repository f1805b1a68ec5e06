"""How many copies each perceptual hash finds at each radius, and how many false pairs: the tables of deduplication.md.

    python tools/bench/dedup_quality.py --page docs/deduplication.md
    python tools/bench/dedup_quality.py --page docs/deduplication.md --only Text     one of its tables

Photos are those that ship with scikit-image and scikit-learn, faces the hundred small ones of scikit-image, portraits
those of a fictional league of 80 subjects, once as the league has them and once as first drawn, when near duplicates
aren't drawn again. Everything random is seeded. Takes some minutes.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import io
import os
import random
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dedup_text_pairs import TextPair, text_pairs
from PIL import Image, ImageDraw

from offside_data.dataset.folder import open_dataset
from offside_data.dedup.dataset import DedupConfig
from offside_data.dedup.near import pairs_within
from offside_data.dedup.second_look import SecondLook, Seen, see
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
TEXT_PAIRS = 30
"""Pairs of each kind that differ only in their text."""
START, END = "<!-- made by tools/bench/dedup_quality.py: {} -->\n", "<!-- until here -->\n"

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


def as_webp(picture: Image.Image, source: random.Random) -> bytes:
    """As a WebP of quality 60."""
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=60)
    return stream.getvalue()


def smaller_jpeg(picture: Image.Image, source: random.Random) -> bytes:
    """At 77 % of its size, as a JPEG of quality 60."""
    size = (round(picture.width * 0.77), round(picture.height * 0.77))
    stream = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=60)
    return stream.getvalue()


def as_it_is(picture: Image.Image, source: random.Random) -> bytes:
    """Unchanged."""
    return png(picture)


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
    "WebP": as_webp,
    "brighter": brighter,
    "crop 5 %": cropped,
    "watermark": watermarked,
    "mirrored": mirrored,
    "turned 2°": turned,
}

AFTERWARDS: dict[str, Callable[[Image.Image, random.Random], bytes]] = {
    "as it is": as_it_is,
    "JPEG 40": recompressed,
    "half size": halved,
    "WebP": as_webp,
    "77 %, JPEG 60": smaller_jpeg,
    "crop 5 %": cropped,
}
"""What becomes of the second picture of a pair that differs only in its text."""

# ---------------------------------------------------------------------------------------------
# Measuring


@dataclass(frozen=True)
class Measured:
    """Of one picture: its hashes, and for each copy the distance by hash and what the second look says."""

    hashes: dict[str, str]
    seen: Seen
    distances: dict[str, dict[str, int]]
    same: dict[str, bool]
    look_alike: dict[str, bool]


def measure(name: str, data: bytes, hashes: tuple[str, ...]) -> Measured:
    """Hash a picture and its copies, and look at each copy a second time."""
    picture = decode_image(data)
    own = {hash_: perceptual_hash(hash_, picture) for hash_ in hashes}
    seen = see(data, name)
    distances: dict[str, dict[str, int]] = {}
    same: dict[str, bool] = {}
    look_alike: dict[str, bool] = {}
    for kind, copy in COPIES.items():
        copied = copy(picture, rng(SEED, kind, name))
        pixels = decode_image(copied)
        distances[kind] = {hash_: distance(own[hash_], perceptual_hash(hash_, pixels)) for hash_ in hashes}
        found = SecondLook().compare_closely(seen, see(copied, name))
        same[kind], look_alike[kind] = found.same, found.look_alike
    return Measured(own, seen, distances, same, look_alike)


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
    look_alike: dict[str, float]
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
            verdicts[a, b] = SecondLook().compare_closely(measured[a].seen, measured[b].seen).same
        for radius in RADII:
            within = [pair for pair, bits in near.items() if bits <= radius]
            hits = {kind: [m.distances[kind][hash_] <= radius for m in measured] for kind in COPIES}

            def shares(
                of: Callable[[Measured], dict[str, bool]], hits: dict[str, list[bool]] = hits
            ) -> dict[str, float]:
                pairs = {kind: zip(hit, measured, strict=True) for kind, hit in hits.items()}
                return {kind: float(np.mean([h and of(m)[kind] for h, m in pair])) for kind, pair in pairs.items()}

            yield Row(
                hash=hash_,
                radius=radius,
                by_hash={kind: float(np.mean(hit)) for kind, hit in hits.items()},
                confirmed=shares(lambda m: m.same),
                look_alike=shares(lambda m: m.look_alike),
                near=len(within),
                false=sum(verdicts[pair] for pair in within),
                pairs=len(measured) * (len(measured) - 1) // 2,
            )


def told_apart(pair: TextPair) -> tuple[dict[str, bool], dict[str, bool]]:
    """Whether a text pair is called the same, and whether a copy of its first picture is, by what became of it."""
    first = png(pair.first)
    own, seen = perceptual_hash("phash", pair.first), see(first, pair.kind)
    radius, look = HASHES.load("phash").RADIUS, SecondLook()
    verdicts: list[dict[str, bool]] = []
    for other in (pair.second, pair.first):
        same = {}
        for kind, change in AFTERWARDS.items():
            data = change(other, rng(SEED, kind, pair.kind))
            near = distance(own, perceptual_hash("phash", decode_image(data))) <= radius
            same[kind] = near and look.compare_closely(seen, see(data, pair.kind)).same
        verdicts.append(same)
    return verdicts[0], verdicts[1]


def text_table() -> str:
    """How many pairs that differ only in their text are taken for one picture, and how many copies are found."""
    pictures = {name: decode_image(data) for name, data in photos().items()}
    pairs = list(text_pairs(pictures, TEXT_PAIRS, rng(SEED, "text")))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(track(pool.map(told_apart, pairs, chunksize=4), "text", total=len(pairs)))
    shares: dict[str, list[dict[str, bool]]] = {pair.kind: [] for pair in pairs}
    for pair, (other_text, same_text) in zip(pairs, verdicts, strict=True):
        shares[pair.kind].append(other_text)
        shares.setdefault(f"nothing; {pair.kind.partition(',')[0]}", []).append(same_text)
    lines = [f"| {' | '.join(['what differs', *AFTERWARDS])} |", f"|{' --- |' * (len(AFTERWARDS) + 1)}"]
    for kind, found in shares.items():
        means = [float(np.mean([same[change] for same in found])) for change in AFTERWARDS]
        lines.append(f"| {kind} | {' | '.join(share(mean, mean) for mean in means)} |")
    return "\n".join([f"{TEXT_PAIRS} pairs of each kind, seed {SEED}.", "", *lines]) + "\n"


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
        cells += [found(row, kind) for kind in COPIES]
        cells.append(f"{row.false} ({row.near} of {row.pairs:,})" if row.near else "0")
        lines.append(f"| {' | '.join(cells)} |")
    for row in rows:
        if row.hash == DedupConfig().hash and row.radius == HASHES.load(row.hash).RADIUS:
            found = f"{share(row.required, row.required)} % of {', '.join(REQUIRED)} together, {row.false} false pairs"
            lines += ["", f"The default, {row.hash} and {row.radius} bits: {found}."]
    return "\n".join(lines) + "\n"


def found(row: Row, kind: str) -> str:
    """The share that is called the same, then that of look-alikes."""
    cell = share(row.confirmed[kind], row.by_hash[kind])
    return f"{cell} + {share(row.look_alike[kind], row.look_alike[kind])}" if row.look_alike[kind] else cell


def share(confirmed: float, by_hash: float) -> str:
    """In percent; the share by hash alone in brackets if it is another."""
    first, second = (f"{value * 100:.1f}".removesuffix(".0") for value in (confirmed, by_hash))
    return first if first == second else f"{first} ({second})"


def copies_table(title: str, make: Callable[[], dict[str, bytes]]) -> str:
    """The table of a group of pictures; a second one of the slow hashes where the group is a varied one."""
    pictures, fast = make(), tuple(name for name in HASHES.names() if name not in SLOW)
    measured = list(measure_all(pictures, fast, title).values())
    tables = [table(title, len(measured), list(rows_of(measured, fast)))]
    if title in ("Photos", "Portraits of the league"):
        chosen = rng(SEED, "slow", title).sample(sorted(pictures), min(FEWER, len(pictures)))
        few = list(measure_all({name: pictures[name] for name in chosen}, SLOW, f"{title}, slow hashes").values())
        tables.append(table(f"{title}, slow hashes", len(few), list(rows_of(few, SLOW))))
    return "\n".join(tables)


def made(names: Collection[str], folder: Path) -> Iterator[tuple[str, str]]:
    """The tables asked for, by name."""
    groups: dict[str, Callable[[], dict[str, bytes]]] = {
        "Photos": photos,
        "Faces": faces,
        "Portraits of the league": lambda: portraits(folder / "league", drawn_again=True),
        "Portraits as first drawn": lambda: portraits(folder / "first", drawn_again=False),
    }
    makers: dict[str, Callable[[], str]] = {
        "Text": text_table,
        **{title: functools.partial(copies_table, title, make) for title, make in groups.items()},
    }
    unknown = sorted(set(names) - makers.keys())
    if unknown:
        raise SystemExit(f"no table {unknown[0]!r}; there are: {', '.join(makers)}")
    yield from ((name, make()) for name, make in makers.items() if name in (names or makers))


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="the page whose tables are to be replaced")
    parser.add_argument("--only", action="append", default=[], help="make this table only; may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in made(options.only, Path(folder)):
            if options.page is None:
                print(text)
                continue
            page = options.page.read_text(encoding="utf-8")
            before, start, rest = page.partition(START.format(name))
            if not start:
                raise SystemExit(f"{options.page}: no place for the table {name}; write {START.format(name)}{END}")
            _, _, after = rest.partition(END)
            options.page.write_text(f"{before}{start}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
