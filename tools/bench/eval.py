"""Answers a second of an evaluation against a plain loop that asks one question at a time.

    python tools/bench/eval.py --json out.json

Two tasks on the same checkpoint and questions in one process, in alternating order, several times:

- generation: greedy answers of at most `--new-tokens` tokens; the plain loop calls `model.generate` a question;
- multiple choice: the log-probability of each choice; the plain loop does one forward pass a choice, all its logits.

Both begin with the records as a dataset holds them (pictures encoded, texts), so that templates, tokenizing and pixels
count. Times are CPU seconds of the process, of a GPU wall seconds; ratios are medians over the repeats. Beside each
stands the limit: the multiplications of the weights by the tokens, patches and predicted positions that passed the
model (counted by hooks, padding too; attention's own products left out), over this machine's matmul rate. The plain
loop's multiplications over ours is what can be gained at most where multiplying takes all of the time.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from unlearn_sizes import build, make_data

from offside_data.files import write_json
from offside_eval.inference.engine import Engine
from offside_eval.inference.plain import PlainPath
from offside_eval.plan import Question, make_plan

GOALS = {"generation": 10.0, "multiple choice": 25.0}
"""Of ours over the plain loop's answers a second."""
NEEDS: dict[str, frozenset[Any]] = {
    "generation": frozenset({"generation"}),
    "multiple choice": frozenset({"choices"}),
}


class Multiplied:
    """Counts the weights' multiplications and additions while a model runs; see the module's text.

    Args:
        model: A Qwen2.5-VL.
    """

    def __init__(self, model: Any) -> None:
        self.flops = 0
        language, tower = model.model.language_model.layers, model.model.visual
        self._parts = [
            (language[0], sum(p.numel() for p in language.parameters()), 1),
            (tower.blocks[0], sum(p.numel() for p in tower.parameters()), 0),
            (model.lm_head, model.lm_head.weight.numel(), 1),
        ]

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count what runs inside."""
        with contextlib.ExitStack() as stack:
            for module, weights, rows in self._parts:

                def count(_: Any, args: Any, options: Any, weights: int = weights, rows: int = rows) -> None:
                    given = args[0] if args else options["hidden_states"]
                    self.flops += 2 * weights * (given.shape[0] * given.shape[1] if rows else given.shape[0])

                stack.callback(module.register_forward_pre_hook(count, with_kwargs=True).remove)
            yield


def matmul_rate(device: str, dtype: torch.dtype) -> float:
    """Multiplications and additions a second of a large product of matrices, the best of several."""
    size = 8192 if device.startswith("cuda") else 1024
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / min(timed(device, lambda: left @ right)[0] for _ in range(8))


def timed(device: str, work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of CPU time (of a GPU wall time), wall seconds, and what came out."""
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.synchronize()
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    if cuda:
        torch.cuda.synchronize()
    spent = time.perf_counter() - wall
    return (spent if cuda else time.process_time() - cpu), spent, result


def questions_of(data: Any, n: int) -> list[Question]:
    """Questions about pictures that have choices, all of one picture together."""
    plan = make_plan(data, "complete")
    fit = [
        q
        for q in plan.questions.values()
        if q.variant == "plain" and q.row["image"] is not None and q.correct_choice is not None
    ]
    return sorted(fit, key=lambda q: str(q.row["image_id"]))[:n]


class Tasks:
    """One model, its questions, and both ways to ask them.

    Args:
        model: The model.
        processor: Its processor.
        questions: What is asked.
        options: Of the command line.
    """

    def __init__(self, model: Any, processor: Any, questions: list[Question], options: argparse.Namespace) -> None:
        self._model, self._processor, self._questions, self._options = model, processor, questions, options
        self._tokens = {item.key: item for item in self._engine().encode(questions, NEEDS["multiple choice"])}

    def _engine(self) -> Engine:
        most = {"batch_size": self._options.batch, "max_new_tokens": self._options.new_tokens}
        return Engine(model=self._model, processor=self._processor, max_length=4096, **most)

    def ours(self, task: str) -> dict[str, Any]:
        """As an evaluation asks."""
        engine = self._engine()
        answers = engine.ask(engine.encode(self._questions, NEEDS[task]), NEEDS[task])
        if task == "generation":
            return {key: reply.text for key, reply in answers.replies.items()}
        return {key: weights.choices for key, weights in answers.weights.items()}

    def plain(self, task: str) -> dict[str, Any]:
        """One question at a time."""
        plain = PlainPath(self._model, self._processor)
        found: dict[str, Any] = {}
        for question in self._questions:
            if task == "generation":
                found[question.key] = plain.answer(question.row, max_new_tokens=self._options.new_tokens)
                continue
            item = self._tokens[question.key]
            told = [plain.logprobs(question.row, item.answers[i]) for i in item.choices]
            found[question.key] = tuple(sum(one) / len(one) for one in told)
        return found

    def compared(self, task: str, rate: float) -> dict[str, Any]:
        """One row of the table."""
        counts, spent = {}, []
        for name, way in (("ours", self.ours), ("plain", self.plain)):  # Not timed: it warms up and counts.
            counter = Multiplied(self._model)
            with counter.counting():
                counts[name] = (counter, way(task))
        for number in range(self._options.repeats):
            ways = [("ours", self.ours), ("plain", self.plain)][:: -1 if number % 2 else 1]
            spent.append({name: timed(self._options.device, functools.partial(way, task))[:2] for name, way in ways})
        ours, theirs = counts["ours"][1], counts["plain"][1]
        seconds = {name: statistics.median(one[name][0] for one in spent) for name in counts}
        limit = {name: counter.flops / rate for name, (counter, _) in counts.items()}
        n = len(self._questions)
        return {
            "task": task,
            "questions": n,
            "goal": GOALS[task],
            "ratio": statistics.median(one["plain"][0] / one["ours"][0] for one in spent),
            "ratio_wall": statistics.median(one["plain"][1] / one["ours"][1] for one in spent),
            "ratio_multiplied": counts["plain"][0].flops / counts["ours"][0].flops,
            "seconds": [{name: round(taken[0], 4) for name, taken in one.items()} for one in spent],
            "answers_a_second": {name: n / value for name, value in seconds.items()},
            "limit_a_second": {name: n / value for name, value in limit.items()},
            "texts_differ": sum(ours[k] != theirs[k] for k in theirs) if task == "generation" else None,
            "scores_differ": None
            if task == "generation"
            else max(abs(a - b) for k in theirs for a, b in zip(ours[k], theirs[k], strict=True)),
        }


HEAD = (
    "| model | task | questions | ours, answers/s (limit) | plain, answers/s (limit) | ratio [wall] (goal) "
    "| ratio of multiplications | differ |\n| --- | --- | ---: | --- | --- | --- | ---: | --- |"
)


def told(size: str, row: dict[str, Any]) -> str:
    """A row of the table."""
    rates = [f"{row['answers_a_second'][w]:,.1f} ({row['limit_a_second'][w]:,.0f})" for w in ("ours", "plain")]
    differ = f"{row['texts_differ']} texts" if row["scores_differ"] is None else f"{row['scores_differ']:.0e}"
    ratio = f"{row['ratio']:.1f} [{row['ratio_wall']:.1f}] ({row['goal']:.0f})"
    cells = [size, row["task"], str(row["questions"]), *rates, ratio, f"{row['ratio_multiplied']:.1f}", differ]
    return "| " + " | ".join(cells) + " |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="tiny,small", help="of the models: tiny, small, 3b")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each way that are timed")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="the tiny model, few questions, once: to see that it runs")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.questions, options.repeats, options.new_tokens = "tiny", 8, 1, 4
    options.sizes = options.sizes.split(",")
    return options


def main() -> None:
    """Measure and print."""
    options = _options()
    torch.set_num_threads(options.threads)
    dtype = getattr(torch, options.dtype)
    device = torch.cuda.get_device_name() if options.device.startswith("cuda") else platform.machine()
    rate = matmul_rate(options.device, dtype)
    asked = {name: str(value) for name, value in vars(options).items() if name not in ("json", "sizes")}
    results: dict[str, Any] = {"machine": device, "cores": os.cpu_count(), "torch": torch.__version__, **asked}
    results |= {"gflops": rate / 1e9, "rows": []}
    print(
        f"{device}, {os.cpu_count()} cores, {options.threads} thread(s), torch {torch.__version__}, {options.dtype}, "
        f"matmul {rate / 1e9:,.0f} GFLOP/s; batch {options.batch}, {options.new_tokens} new tokens\n\n{HEAD}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder))
        questions = questions_of(data, options.questions)
        for size in options.sizes:
            model, processor = build(size, data, device=options.device, dtype=dtype, seed=options.seed)
            weights = sum(p.numel() for p in model.parameters())
            tasks = Tasks(model, processor, questions, options)
            for task in GOALS:
                row = tasks.compared(task, rate)
                print(told(f"{size}, {weights / 1e6:,.1f} M", row), flush=True)
                results["rows"].append({"size": size, "weights": weights, **row})
                if options.json:
                    write_json(options.json, results)


if __name__ == "__main__":
    main()
