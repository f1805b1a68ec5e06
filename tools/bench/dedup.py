"""How fast pictures are hashed and compared, in how much memory, and what an interruption costs.

Draws a folder of JPEGs (kept, so that the next run starts at once), of which every 50th has a copy: recompressed,
halved or brighter. Then, on this machine and in this run: a plain `imagehash.phash(Image.open(file))` loop, decoding
alone, and hashing and de-duplication in a process of its own, which is killed on the way and started again.

    python tools/bench/dedup.py --pictures 100000
    python tools/bench/dedup.py --hashes 100000     the search alone, over random hashes with a near one every 50th
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imagehash
from PIL import Image, ImageDraw

from offside_data.dedup.clusters import HashedPicture
from offside_data.dedup.find import Found, find_duplicates
from offside_data.dedup.near import pairs_within
from offside_data.images.hashing import HASHES, hash_files
from offside_data.progress import track
from offside_data.seeding import rng

SIZE = (640, 480)
QUALITY = 85
EVERY = 50
"""Every so many pictures, one is a copy of the one before it."""
SAMPLE = 2_000
"""Pictures of the loops that are only timed."""
HASH = "phash"


def show(what: str, value: str) -> None:
    """Print one figure."""
    print(f"{what:<66} {value:>18}", flush=True)


# ---------------------------------------------------------------------------------------------
# Pictures


def path_of(folder: Path, number: int) -> Path:
    """A picture's file; a thousand lie in a folder."""
    return folder / "pictures" / f"{number // 1_000:04d}" / f"{number:07d}.jpg"


def draw(number: int) -> Image.Image:
    """A picture, another one for each number."""
    source = rng(0, "bench", number)
    picture = Image.frombytes("RGB", (8, 6), source.randbytes(8 * 6 * 3)).resize(SIZE, Image.Resampling.BICUBIC)
    canvas = ImageDraw.Draw(picture)
    for _ in range(10):
        x, y = source.randrange(SIZE[0]), source.randrange(SIZE[1])
        red, green, blue = source.randbytes(3)
        canvas.ellipse((x, y, x + source.randrange(20, 180), y + source.randrange(20, 180)), fill=(red, green, blue))
    return picture


def draw_file(folder: Path, number: int) -> None:
    """Write a picture, or a copy of the one before it, unless it is there."""
    path = path_of(folder, number)
    if path.exists():
        return
    picture, quality = draw(number - number % EVERY // (EVERY - 1)), QUALITY
    if number % EVERY == EVERY - 1:
        kind = number // EVERY % 3
        if kind == 0:
            quality = 40
        elif kind == 1:
            picture = picture.resize((SIZE[0] // 2, SIZE[1] // 2), Image.Resampling.LANCZOS)
        else:
            picture = picture.point([min(255, round(level * 1.12)) for level in range(256)] * 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    picture.save(partial, "JPEG", quality=quality)
    os.replace(partial, path)


def draw_files(folder: Path, number: int, workers: int) -> list[Path]:
    """All pictures; those that are there aren't drawn again."""
    missing = [n for n in range(number) if not path_of(folder, n).exists()]
    with ProcessPoolExecutor(workers) as pool:
        drawn = pool.map(draw_file, [folder] * len(missing), missing, chunksize=100)
        for _ in track(drawn, "drawing", total=len(missing)):
            pass
    return [path_of(folder, n) for n in range(number)]


# ---------------------------------------------------------------------------------------------
# Loops that are only timed


def rate(work: Callable[[Path], object], paths: list[Path]) -> float:
    """Pictures a second."""
    started = time.perf_counter()
    for path in paths:
        work(path)
    return len(paths) / (time.perf_counter() - started)


def plain(path: Path) -> object:
    """What one writes without us."""
    return imagehash.phash(Image.open(path))


def decode(path: Path) -> object:
    """Decoding alone, whole."""
    with Image.open(path) as picture:
        return picture.convert("L")


def decode_reduced(path: Path) -> object:
    """Decoding alone, as small as the hash allows."""
    side = HASHES.load(HASH).DRAFT
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        picture.draft("L", (side, side))
        return picture.load()


# ---------------------------------------------------------------------------------------------
# The work, in a process of its own


def work(folder: Path, number: int, workers: int) -> None:
    """Hash all pictures, find duplicates, print what came out as JSON."""
    paths = [path_of(folder, n) for n in range(number)]
    kept = count_kept(folder)
    started = time.perf_counter()
    pictures = [
        HashedPicture(
            key=file.path,
            content=file.sha256,
            hashes=(file.hashes[HASH],),
            width=file.width,
            height=file.height,
        )
        for file in hash_files(paths, folder / "hashes", hashes=(HASH,), workers=workers)
    ]
    hashed = time.perf_counter()

    def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        yield from ((i, paths[i].read_bytes()) for i in positions)

    found = find_duplicates(pictures, read, radius=HASHES.load(HASH).RADIUS)
    done = time.perf_counter()
    own, of_workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    result = {
        "kept": kept,
        "hash_seconds": hashed - started,
        "find_seconds": done - hashed,
        "pairs": found.candidates,
        "refused": found.refusals,
        **judge(found, number),
        "peak_mb": own / 2**10,
        "peak_mb_of_a_worker": of_workers / 2**10,
    }
    print(json.dumps(result))


def compare_hashes(number: int) -> None:
    """Time the search for near hashes alone, and count the near ones that were put in."""
    source, radius = rng(0, "bench", "hashes"), HASHES.load(HASH).RADIUS
    hashes: list[int] = []
    for place in range(number):
        flipped = sum(1 << bit for bit in source.sample(range(64), radius))
        hashes.append(hashes[-1] ^ flipped if place % EVERY == EVERY - 1 else source.getrandbits(64))
    started = time.process_time()
    pairs = pairs_within([f"{value:016x}" for value in hashes], None, radius)
    show(f"{number:,} hashes of 64 bits, all pairs within {radius}", f"{time.process_time() - started:.1f} s (CPU)")
    put_in = {(place - 1, place) for place in range(EVERY - 1, number, EVERY)}
    found = sum(pair[:2] in put_in for pair in pairs)
    show("  near ones found; other pairs", f"{found:,} of {len(put_in):,}; {len(pairs) - found:,}")


def judge(found: Found, number: int) -> dict[str, int]:
    """How many of the copies were found, and how many clusters hold something else."""
    copies = {n for n in range(number) if n % EVERY == EVERY - 1}
    right = wrong = 0
    for cluster in found.clusters:
        numbers = sorted(int(Path(picture.key).stem) for picture in cluster.pictures)
        if len(numbers) == 2 and numbers[1] in copies and numbers[0] == numbers[1] - 1:
            right += 1
        else:
            wrong += 1
    return {"copies": len(copies), "found": right, "wrong": wrong}


def count_kept(folder: Path) -> int:
    """Hashes that an interrupted run left."""
    return sum(part.read_bytes().count(b"\n") for part in (folder / "hashes").glob("part-*.jsonl"))


def interrupted(command: list[str], folder: Path, enough: int) -> int:
    """Start the work, kill it once so many pictures are hashed; returns how many are kept."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.2)
        kept = count_kept(folder)
        if kept >= enough:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return kept
    raise SystemExit("the work ended before it could be interrupted")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5_000)
    parser.add_argument("--hashes", type=int, help="compare so many random hashes, and nothing else")
    parser.add_argument(
        "--folder", type=Path, default=Path("bench-pictures"), help="where pictures and hashes are kept"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that hash")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hashes:
        compare_hashes(options.hashes)
        return
    if options.pictures < 3_000:
        parser.error("--pictures: 3000 or more, so that there is time to interrupt the work.")
    if options.work:
        work(options.folder, options.pictures, options.workers)
        return
    paths = draw_files(options.folder, options.pictures, os.cpu_count() or 1)
    sample = paths[:SAMPLE]
    size = sum(path.stat().st_size for path in sample) / len(sample) / 2**10
    print(f"{len(paths):,} JPEGs of {SIZE[0]} x {SIZE[1]}, {size:.0f} KB each; {options.workers} process(es)\n")
    show("plain imagehash.phash(Image.open(file))", f"{rate(plain, sample):,.0f} pictures/s")
    show("limit: decoding alone, whole", f"{rate(decode, sample):,.0f} pictures/s")
    show("limit: decoding alone, reduced as the hash allows", f"{rate(decode_reduced, sample):,.0f} pictures/s")
    for part in (options.folder / "hashes").glob("part-*.jsonl"):
        part.unlink()
    command = [sys.executable, __file__, "--work", "--folder", str(options.folder)]
    command += ["--pictures", str(len(paths)), "--workers", str(options.workers)]
    kept = interrupted(command, options.folder, len(paths) * 2 // 5)
    show("killed (SIGKILL); hashes that are kept", f"{kept:,}")
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    new = len(paths) - result["kept"]
    show(f"started again: {new:,} hashed", f"{new / result['hash_seconds']:,.0f} pictures/s")
    show("  all pairs, second look, clusters", f"{result['find_seconds']:.1f} s")
    show(
        f"  pairs within {HASHES.load(HASH).RADIUS} bits; refused by the second look",
        f"{result['pairs']}; {result['refused']}",
    )
    show("  copies found", f"{result['found']:,} of {result['copies']:,}")
    show("  clusters that hold anything else", f"{result['wrong']:,}")
    show("  peak memory", f"{result['peak_mb']:,.0f} MB")
    if options.workers > 1:
        show("  peak memory of a process that hashes", f"{result['peak_mb_of_a_worker']:,.0f} MB")


if __name__ == "__main__":
    main()
