"""What a second model costs, and what the package's one model does instead: time and memory of unlearning with LoRA.

    python tools/bench/unlearn.py --json out.json

For each method, the package's own training (records encoded, the frozen model's passes before training, `train`) and a
plain loop with the same loss, batches and optimizer (`unlearn_plain.py`), one after the other in one process, in
alternating order, several times. A table gives, of ours over the plain one's:

- time: CPU seconds of the process (of a GPU wall seconds), the median of the pairs, wall seconds in brackets;
- saved: by how many copies of the weights the peak of memory is lower. On Linux that is the process's own high-water
  mark, set back before each run (`/proc/self/clear_refs`), free memory given back to the system; on a GPU what torch
  allocated. Either loop counts from before the first pass to after the last step, the copy's making included;
- held: bytes of all tensors that are alive between two steps, whatever they belong to. A copy in any form shows;
- loss: the largest difference between the two losses of a step, over all steps, relative.

Then what `prior_match` stores for each answer token at the vocabulary of Qwen2.5-VL. `--gpu` instead runs four methods
on a randomly initialised Qwen2.5-VL-3B in bfloat16, with and without activation checkpointing.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gc
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from unlearn_plain import Plain, by_record, train_plainly
from unlearn_sizes import QWEN_VOCABULARY, SIZES, build, make_data

from offside_data.files import write_json
from offside_data.progress import log
from offside_data.vlm import Collator, Encoder
from offside_unlearn import RunOptions
from offside_unlearn.batches import BatchPlan, PairedBatch
from offside_unlearn.quiet import quietly
from offside_unlearn.start import Start, Trainable, make_trainable
from offside_unlearn.task import UnlearnTask
from offside_unlearn.trainer import Schedule, train
from offside_unlearn.unlearning import plan_run

STORED, LIVE = 0.85, 1.05
"""Goals for the time: of ours over the plain loop's."""
SAVED, HELD = 0.9, 0.55
"""Goals where the plain loop has a second model: copies of the weights saved, and bytes held over the plain loop's."""
LR = 1e-4


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Args:
        method: Its name.
        config: Options that differ from the defaults.
        frozen: Whether the plain loop needs a second model.
        time: Goal.
        said: What of the options is said.
    """

    method: str
    config: dict[str, Any] = field(default_factory=dict)
    frozen: bool = True
    time: float = LIVE
    said: str = ""

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return f"{self.method} {self.said}".strip()


CASES = (
    Case("npo", {"lambda_r": 0.0}, time=STORED, said="alone"),
    Case("kl_min"),
    Case("grad_diff", frozen=False),
    Case("dpo", {"lambda_r": 0.0}, time=STORED, said="alone"),
    Case("prior_match"),
    Case("npo"),
    Case("npo", {"retention": "kl"}, said="with KL"),
    Case("alt_po"),
    Case("undial"),
    Case("rmu"),
    Case("vgid"),
    Case("viker"),
    Case("grad_ascent", frozen=False),
    Case("po", frozen=False),
    Case("simnpo", frozen=False),
    Case("wga", frozen=False),
    Case("sat_imp", frozen=False),
    Case("ce_u", frozen=False),
    Case("pdu", frozen=False),
)
GPU_CASES = ("grad_ascent", "npo", "kl_min", "prior_match")


@dataclass
class Taken:
    """What one run took."""

    seconds: float = 0.0
    wall: float = 0.0
    peak: int = 0
    held: int = 0
    tokens: int = 0
    losses: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)


class Clock:
    """Seconds and peak memory of what runs inside, on the CPU or a GPU.

    Args:
        device: Where the model is.
    """

    def __init__(self, device: str) -> None:
        self._cuda = device.startswith("cuda")

    def now(self) -> float:
        """Seconds of this process's CPU time; of a GPU wall time, all work done."""
        if self._cuda:
            torch.cuda.synchronize()
        return time.perf_counter() if self._cuda else time.process_time()

    def measure(self, work: Callable[[], None], side: Taken) -> None:
        """Run it and note what it took."""
        self._reset()
        started, wall = self.now(), time.perf_counter()
        work()
        side.seconds, side.wall = self.now() - started, time.perf_counter() - wall
        side.peak = self._peak()

    def _reset(self) -> None:
        gc.collect()
        if self._cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif platform.system() == "Linux":
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def _peak(self) -> int:
        if self._cuda:
            return torch.cuda.max_memory_allocated()
        if platform.system() != "Linux":
            return 0
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def held_bytes() -> int:
    """Bytes of all tensors that are alive, each storage once."""
    gc.collect()
    storages = {}
    for found in gc.get_objects():
        if issubclass(type(found), torch.Tensor) and found.device.type != "meta":
            storage = found.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


class Bench:
    """A model, data, and the two ways to train.

    Args:
        options: Of the command line.
        folder: For what runs write.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.clock = Clock(options.device)
        self.data = make_data(folder)
        self.dtype = getattr(torch, options.dtype)
        self.load(options.size)

    def load(self, size: str) -> None:
        """Take a model of another size."""
        place = {"device": self.options.device, "dtype": self.dtype, "seed": self.options.seed}
        self.model, self.processor = build(size, self.data, **place)
        self.copy_bytes = sum(p.nbytes for p in self.model.parameters())

    def task(self, case: Case, **changes: Any) -> tuple[UnlearnTask, Trainable]:
        """A case, and the model with a new adapter, the same one each time."""
        asked = self.options
        config = {"batch_size": asked.batch, "retain_ratio": 1, "epochs": asked.epochs, "lr": LR, "lora_dropout": 0.0}
        config |= {"schedule": "constant", "max_length": 2048, **case.config, **changes}
        run = RunOptions(seed=asked.seed, limit=asked.records, device=asked.device, dtype=asked.dtype)
        planned = plan_run(case.method, self.data, "complete", config, run)
        torch.manual_seed(asked.seed)
        start = Start("", "", None, {}, None, (self.model, self.processor))
        return planned.tasks[0], make_trainable(self.model, start, run, planned.lora, planned.tasks[0].method)

    def ours(self, case: Case, look: Callable[[], None] | None = None, **changes: Any) -> tuple[Taken, BatchPlan]:
        """Train as the package does; `look` is called where the third step begins."""
        task, trainable = self.task(case, **changes)
        side, plans = Taken(), []
        with tempfile.TemporaryDirectory(dir=self.folder) as place:

            def work() -> None:
                prepared = task.prepare(trainable, self.processor, Path(place))
                plans.append(prepared.plan)

                def objective(model: Any, batch: PairedBatch) -> Any:
                    side.steps.append(self.clock.now())
                    side.tokens += sum(int(part.inputs["attention_mask"].sum()) for part in batch.sides.values())
                    if look is not None and len(side.steps) == 3:
                        look()
                    return prepared.objective(model, batch)

                schedule = Schedule(Path(place))
                options = (prepared.plan, objective, task.config, self.options.seed, schedule, task.method)
                side.losses = [entry["loss"] for entry in train(trainable.model, *options)]

            self.clock.measure(work, side)
        self._put_back(trainable)
        return side, plans[0]

    def plain(self, case: Case, of: BatchPlan, look: Callable[[], None] | None = None, steps: int = 0) -> Taken:
        """Train in the plain loop, on the batches of a plan of ours."""
        task, trainable = self.task(case)
        side = Taken()

        def work() -> None:
            # The adapter is new, so without it the copy is the frozen model.
            frozen = copy.deepcopy(trainable.model).unload().eval().requires_grad_(False) if case.frozen else None
            own, examples = task.encode(Encoder(self.processor, max_length=2048), self.folder)
            asked = [examples[name] for name, records in own.items() if records.follows is None]
            donors = by_record(asked[0]) if asked else {}
            plain = Plain(trainable.model, frozen, task.method, donors, Collator(self.processor))
            plan = BatchPlan(of.sources, steps=steps or of.steps, accumulation=1, collator=Collator(self.processor))
            task.method.begin(trainable.model, plan, self.options.seed)
            for loss in train_plainly(plain, plan, case.method, lr=LR, clip=task.config.max_grad_norm):
                side.losses.append(loss)
                if look is not None and len(side.losses) == 2:
                    look()

        self.clock.measure(work, side)
        self._put_back(trainable)
        return side

    def _put_back(self, trainable: Trainable) -> None:
        self.model = trainable.model.unload()
        self.model.gradient_checkpointing_disable()
        self.model.disable_input_require_grads()


def compared(bench: Bench, case: Case, pairs: int) -> dict[str, Any]:
    """One row: both ways, in alternating order, after a short run of each that isn't timed."""
    looks: list[int] = []
    _, plan = bench.ours(case, lambda: looks.append(held_bytes()), max_steps=3)
    bench.plain(case, plan, lambda: looks.append(held_bytes()), steps=3)
    taken: list[tuple[Taken, Taken]] = []
    for number in range(pairs):
        if number % 2 == 0:
            ours, plan = bench.ours(case)
            taken.append((ours, bench.plain(case, plan)))
        else:
            plain = bench.plain(case, plan)
            taken.append((bench.ours(case)[0], plain))
        ours, plain = taken[-1]
        saved = (plain.peak - ours.peak) / bench.copy_bytes
        seconds = f"{ours.seconds:.2f} and {plain.seconds:.2f} s"
        log(f"{case.name}: pair {number + 1} of {pairs}: {seconds}, {saved:.2f} copies saved")
    return {
        "case": case.name,
        "config": case.config,
        "second_model": case.frozen,
        "steps": len(ours.losses),
        "seconds": [[round(side.seconds, 3) for side in pair] for pair in taken],
        "wall": [[round(side.wall, 3) for side in pair] for pair in taken],
        "peak_mb": [[round(side.peak / 2**20, 1) for side in pair] for pair in taken],
        "time": statistics.median(a.seconds / b.seconds for a, b in taken),
        "time_goal": case.time,
        "time_wall": statistics.median(a.wall / b.wall for a, b in taken),
        "copies_saved": statistics.median((b.peak - a.peak) / bench.copy_bytes for a, b in taken),
        "held": looks[0] / looks[1],
        "held_mb": [round(look / 2**20, 1) for look in looks],
        "loss_differs": max(abs(a - b) / max(abs(b), 1e-6) for a, b in zip(ours.losses, plain.losses, strict=True)),
    }


def told(row: dict[str, Any]) -> str:
    """A row of the table."""
    memory = ["-", "-"]
    if row["second_model"]:
        memory = [f"{row['copies_saved']:.2f} ({SAVED})", f"{row['held']:.2f} ({HELD})"]
    timed = f"{row['time']:.2f} [{row['time_wall']:.2f}] ({row['time_goal']})"
    seconds = statistics.median(ours for ours, _ in row["seconds"])
    cells = [row["case"], str(row["steps"]), f"{seconds:.1f}", timed, *memory, f"{row['loss_differs']:.0e}"]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| method | steps | ours, s | time [wall] (goal) | copies saved (goal) | held (goal) | loss |\n"
    "| --- | ---: | ---: | --- | --- | --- | --- |"
)

GPU_HEAD = (
    "| method | checkpointing | step, ms | tokens/s | peak, GB | weights, GB |\n"
    "| --- | --- | ---: | ---: | ---: | ---: |"
)


def bench_cache(bench: Bench) -> dict[str, Any]:
    """What the stored distributions of `prior_match` take at a large vocabulary, and that they are gone on with."""
    bench.load("tiny-150k")
    task, trainable = bench.task(Case("prior_match"))
    with tempfile.TemporaryDirectory(dir=bench.folder) as place:
        task.prepare(trainable, bench.processor, Path(place))
        files = sorted((Path(place) / "distributions").iterdir())
        written = {path: path.stat().st_mtime_ns for path in files}
        size = sum(path.stat().st_size for path in files)
        _, examples = task.encode(Encoder(bench.processor), Path(place))
        tokens = sum(label != -100 for example in examples["donor"] for label in example.labels)
        files[0].unlink()
        task.prepare(trainable, bench.processor, Path(place))
        again = [path for path in files if path.stat().st_mtime_ns != written[path]]
    bench.model = trainable.model.unload()
    return {
        "vocabulary": QWEN_VOCABULARY,
        "top_k": task.method.config.top_k,
        "answer_tokens": tokens,
        "bytes_a_token": size / tokens,
        "bytes_a_token_whole": 4 * QWEN_VOCABULARY,
        "files": len(files),
        "files_written_again_after_one_was_lost": len(again),
    }


def bench_gpu(bench: Bench, steps: int) -> Iterator[dict[str, Any]]:
    """Step time, tokens a second and peak memory of ours, with and without checkpointing."""
    for case in bench.options.cases:
        for checkpointing in (False, True):
            side, _ = bench.ours(case, max_steps=steps, activation_checkpointing=checkpointing)
            step = statistics.median(b - a for a, b in zip(side.steps[2:], side.steps[3:], strict=False))
            yield {
                "case": case.name,
                "checkpointing": checkpointing,
                "step_ms": step * 1e3,
                "tokens_a_second": side.tokens / len(side.steps) / step,
                "peak_gb": side.peak / 2**30,
                "weights_gb": bench.copy_bytes / 2**30,
            }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", help="e.g. 'npo alone,kl_min'; default: all")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each way")
    parser.add_argument("--epochs", type=float, default=5.0)
    parser.add_argument("--records", type=int, default=8, help="of each set, at most")
    parser.add_argument("--batch", type=int, default=4, help="records to be forgotten in a step; as many that stay")
    parser.add_argument("--size", choices=list(SIZES), default=None, help="default: small; with --gpu 3b")
    parser.add_argument("--device", default=None, help="default: cpu; with --gpu cuda")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default=None, help="with --gpu bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--gpu", action="store_true", help="the other table: a 3B model, with and without checkpointing"
    )
    parser.add_argument("--quick", action="store_true", help="a tiny model and one pair: to see that it runs")
    parser.add_argument("--no-cache", action="store_true", help="without the size of the stored distributions")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    options.size = options.size or ("tiny" if options.quick else "3b" if options.gpu else "small")
    options.device = options.device or ("cuda" if options.gpu else "cpu")
    options.dtype = options.dtype or ("bfloat16" if options.gpu else "float32")
    if options.quick:
        options.pairs, options.epochs, options.records, options.batch = 1, 2.0, 4, 2
    usual = GPU_CASES if options.gpu else [case.name for case in CASES]
    names = options.cases.split(",") if options.cases else usual
    unknown = sorted(set(names) - {case.name for case in CASES})
    if unknown:
        parser.error(f"--cases: {', '.join(unknown)} unknown; there are {', '.join(case.name for case in CASES)}")
    options.cases = [case for case in CASES if case.name in names]
    return options


def main() -> None:
    """Measure and print."""
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder, quietly():
        bench = Bench(options, Path(folder))
        asked = {name: str(value) for name, value in vars(options).items() if name not in ("cases", "json")}
        device = torch.cuda.get_device_name() if options.device.startswith("cuda") else platform.machine()
        weights = sum(p.numel() for p in bench.model.parameters())
        results: dict[str, Any] = {"device": device, "cores": os.cpu_count(), "torch": torch.__version__, **asked}
        results |= {"weights": weights, "rows": [], "tokens_a_record": _tokens(bench)}
        print(
            f"{device}, {os.cpu_count()} cores, {options.threads} thread(s), torch {torch.__version__}; Qwen2.5-VL of "
            f"{weights / 1e6:,.0f} M random weights, {options.dtype}, LoRA r=8 on the language part; batch "
            f"{options.batch} + {options.batch}, {results['tokens_a_record']:.0f} tokens a record\n"
        )
        show = _gpu_rows(bench) if options.gpu else _rows(bench)
        for row, line in show:
            print(line, flush=True)
            results["rows"] += [row] if row else []
            if options.json:
                write_json(options.json, results)
        if not options.gpu and not options.no_cache:
            results["cache"] = cache = bench_cache(bench)
            print(
                f"\nprior_match, vocabulary {cache['vocabulary']:,}, the {cache['top_k']} likeliest tokens: "
                f"{cache['bytes_a_token']:,.0f} bytes stored an answer token, whole distributions would be "
                f"{cache['bytes_a_token_whole']:,}; {cache['files_written_again_after_one_was_lost']} of "
                f"{cache['files']} files written again after one was lost"
            )
        if options.json:
            write_json(options.json, results)


def _tokens(bench: Bench) -> float:
    encoder = Encoder(bench.processor, max_length=4096)
    rows = bench.data.records("multimodal", "forget")
    return statistics.mean(len(encoder.encode(row).input_ids) for row in rows)


def _rows(bench: Bench) -> Iterator[tuple[dict[str, Any], str]]:
    yield {}, HEAD
    for case in bench.options.cases:
        row = compared(bench, case, bench.options.pairs)
        yield row, told(row)


def _gpu_rows(bench: Bench) -> Iterator[tuple[dict[str, Any], str]]:
    yield {}, GPU_HEAD
    for row in bench_gpu(bench, steps=6 if bench.options.quick else 12):
        cells = [row["case"], "yes" if row["checkpointing"] else "no", f"{row['step_ms']:,.0f}"]
        cells += [f"{row['tokens_a_second']:,.0f}", f"{row['peak_gb']:.1f}", f"{row['weights_gb']:.1f}"]
        yield row, "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
