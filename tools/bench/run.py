"""Print the figures of docs/performance.md: how fast each step of the line is, on this machine.

`make bench` runs this. Each figure is the best of a few repetitions; nothing is asserted.
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from offside_data import open_dataset
from offside_data.fictional import make_league
from offside_data.vlm import Augment, Collator, Encoder, answer_logprobs, build_tiny, forward, generate

SUBJECTS = 80
BATCH = 32


def best(work: Callable[[], Any], repeats: int = 3) -> float:
    """Shortest wall time of a few runs, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def show(what: str, value: str) -> None:
    """Print one figure."""
    print(f"{what:<58} {value:>16}", flush=True)


def bench_data(folder: Path) -> Path:
    """Write, open, verify and read a full league."""
    league = folder / "league"
    seconds = best(lambda: make_league(league, subjects=SUBJECTS, force=True), repeats=1)
    dataset = open_dataset(league)
    records = sum(part.records for part in dataset.card.block.splits.values())
    show(f"league of {SUBJECTS} subjects, {records} records: write", f"{seconds:.1f} s")
    show("  verify every digest", f"{best(lambda: open_dataset(league).verify()):.2f} s")
    reading = best(lambda: [list(dataset.records(*name.split("/"))) for name in dataset.record_parts()])
    show("  read every record, pictures undecoded", f"{records / reading:,.0f} records/s")
    unique = sum(len(b) for b in {r["image"]["bytes"] for r in dataset.records("multimodal", "retain")})
    stored = sum(f.stat().st_size for f in league.glob("data/multimodal/retain-*.parquet"))
    show("  Parquet of retain over its distinct picture bytes", f"{stored / unique:.2f} x")
    return league


def bench_model(league: Path) -> None:
    """Encode, train and answer with the tiny model, on one thread."""
    torch.set_num_threads(1)
    rows = list(open_dataset(league).records("multimodal", "retain"))[:1008]
    texts = [text for row in rows for text in (row["question"], row["answer"])]
    model, processor = build_tiny("qwen2_5_vl", texts=texts, seed=0)
    show("tiny model", f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M weights")
    show("  encode", f"{len(rows) / best(lambda: [Encoder(processor).encode(r) for r in rows], 2):,.0f} records/s")
    encoder = Encoder(processor)
    encoded = [encoder.encode(row) for row in rows]
    collate = Collator(processor, augment=Augment(seed=0))
    chosen = [encoded[start + k] for start in range(0, BATCH // 4 * 14, 14) for k in range(4)]
    show(f"  collate {BATCH} records, 8 pictures changed at random", f"{best(lambda: collate(chosen)) * 1e3:.0f} ms")
    batch = collate(chosen)

    def step() -> None:
        output = forward(model, batch, keep="answer")
        logprobs, mask = answer_logprobs(output.logits, output.labels)
        loss: torch.Tensor = -(logprobs * mask).sum() / mask.sum()
        torch.autograd.backward(loss)

    model.train()
    seconds = best(step, 8)
    show(f"  forward and backward, {BATCH} records, one thread", f"{seconds * 1e3:.0f} ms")
    torch.set_num_threads(2)
    show("    on two threads", f"{best(step, 8) * 1e3:.0f} ms")
    torch.set_num_threads(1)
    tokens = int(batch["attention_mask"].sum())
    text = sum(p.numel() for p in model.model.language_model.layers.parameters())
    size = 1024
    left, right = torch.randn(size, size), torch.randn(size, size)
    rate = 2 * size**3 / best(lambda: left @ right, 10)
    show("    the same multiplications at this machine's matmul rate", f"{6 * tokens * text / rate * 1e3:.0f} ms")
    model.eval()
    prompts = [encoder.encode_prompt(row) for row in rows[:224]]
    left_padded = Collator(processor, padding_side="left")
    seconds = best(lambda: generate(model, left_padded(prompts), max_new_tokens=16), 2)
    show("  answer, 16 tokens each, batch of 224", f"{len(prompts) / seconds:,.0f} answers/s")


def bench_help() -> None:
    """CPU seconds of `--help`."""
    for program in ("offside-data", "offside-unlearn", "offside-eval"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([str(Path(sys.executable).parent / program), "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        show(f"{program} --help", f"{spent:.2f} s of CPU")


def main() -> None:
    """Print everything."""
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}\n")
    bench_help()
    with tempfile.TemporaryDirectory() as folder:
        bench_model(bench_data(Path(folder)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    show("peak memory of this run", f"{peak:,.0f} MB")


if __name__ == "__main__":
    main()
