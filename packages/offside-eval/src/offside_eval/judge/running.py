"""Have a judge score finished evaluations: what is asked, what was answered already, what comes of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from offside_data.dataset.lock import held
from offside_data.errors import UsageError
from offside_data.files import sha256_file
from offside_data.plugins import require_known
from offside_data.progress import log
from offside_data.seeding import draw_records
from offside_eval.judge.answered import Answered, AnswerLog
from offside_eval.judge.asking import AskingOutcome, Spending, ask_all
from offside_eval.judge.config import JudgeConfig, JudgeError
from offside_eval.judge.endpoint import Endpoint, libraries
from offside_eval.judge.rubric import LOWEST, Prompt, Rubric, prompt_of
from offside_eval.judge.scores import (
    COLUMNS,
    FOLDER,
    IDENTITY,
    JudgeMeta,
    by_slice,
    counted_reasons,
    files_of,
    read_meta,
    write_scores,
)
from offside_eval.results import SAMPLES, Results, counted, places_of

if TYPE_CHECKING:
    import polars as pl

    from offside_data.dataset.folder import OffsideDataset

T = TypeVar("T")
_LOCK = ".lock"
_SAID = 400


@dataclass(frozen=True, kw_only=True)
class JudgeReport:
    """What came of judging one evaluation.

    Args:
        results: The results folder.
        name: The judge.
        records: Records with a row in its table.
        questions: Different questions to the judge among them.
        answered: How many of these had been answered before.
        requests: Requests sent; 0 in a dry run.
        tokens_in: Tokens asked; in a dry run what would be, estimated.
        tokens_out: Tokens answered; in a dry run at most.
        cost: These at the given prices.
        meta: What stands in `judge/NAME.json`; null in a dry run.
        stopped: Why not all was asked; null if it was.
    """

    results: Path
    name: str
    records: int
    questions: int
    answered: int
    requests: int
    tokens_in: int
    tokens_out: int
    cost: float
    meta: JudgeMeta | None = None
    stopped: str | None = None


def judge_results(
    results: Iterable[str | Path],
    config: JudgeConfig,
    *,
    pictures: OffsideDataset | str | Path | None = None,
    dry_run: bool = False,
) -> list[JudgeReport]:
    """Have a judge score the answers of finished evaluations, and write its scores beside them.

    A question that was answered is never asked again: the same answer to the same question in another slice, in
    another of these folders, or before a kill.

    Args:
        results: Results folders; that of a curve stands for all its points.
        config: Who judges, and how.
        pictures: The dataset that was evaluated on: its pictures are sent, too.
        dry_run: Ask and write nothing, only tell what would be asked.

    Returns:
        One report a folder, in order; fewer where the judge couldn't be asked any further.

    Raises:
        UsageError: If an option is wrong, or a folder holds another judge of this name.
        ResultsError: If a folder holds no finished evaluation.
        FolderInUseError: If another process judges one of the folders.
    """
    places = list(dict.fromkeys(place for given in results for place in places_of(given)))
    if not places:
        raise UsageError("no results to judge: give the folders that `offside-eval run` wrote.")
    rubric, key = Rubric.load(config.rubric), _key(config)
    loaded = {place: Results.load(place) for place in places}
    data = None if pictures is None else _dataset(pictures, loaded.values())
    jobs = [_Job(place, found, config, rubric, data) for place, found in loaded.items()]
    known: dict[str, Answered] = {}
    for job in jobs:
        job.require_same_judge()
        known |= AnswerLog(job.files[0]).found
    if dry_run:
        return _dry(jobs, known)
    spending, reports = Spending(config), list[JudgeReport]()
    libraries()  # Before anything is written.
    for job in jobs:
        with job.alone():
            reports.append(job.do(known, spending, lambda: Endpoint(config, rubric, key)))
        if reports[-1].stopped:
            break
    return reports


class _Job:
    """The judging of one evaluation."""

    def __init__(
        self, place: Path, results: Results, config: JudgeConfig, rubric: Rubric, data: OffsideDataset | None
    ) -> None:
        self.place, self.files = place, files_of(place, config.called)
        self._results, self._config, self._rubric, self._pictures = results, config, rubric, data is not None
        self._samples = sha256_file(place / SAMPLES)
        self.rows = self._chosen()
        self.prompts: dict[str, Prompt] = {}
        self._keys: list[str | None] = []
        self._without: dict[int, str] = {}
        self._prepare(data)

    def _chosen(self) -> pl.DataFrame:
        """The rows to be judged, each record and variant once."""
        import polars as pl

        config, samples = self._config, counted(self._results.samples)
        require_known("slice", config.slices, set(samples["slice"].unique()))
        if config.slices:
            samples = samples.filter(pl.col("slice").is_in(list(config.slices)))
        rows = samples.unique(subset=["record_id", "variant"], keep="first", maintain_order=True)
        ids = rows["record_id"].unique(maintain_order=True).to_list()
        if config.limit is not None and len(ids) > config.limit:
            drawn = [ids[place] for place in draw_records(ids, config.limit, seed=config.seed)]
            rows = rows.filter(pl.col("record_id").is_in(drawn))
        return rows

    def _prepare(self, data: OffsideDataset | None) -> None:
        shown = _pictures_of(self.rows, data)
        asked = {
            name: getattr(self._config, name)
            for name in ("judge_model", "temperature", "max_tokens", "token_field", "json_mode")
        }
        for index, row in enumerate(self.rows.iter_rows(named=True)):
            said, key = row["prediction"], None
            picture = (row["image_id"], row["variant"])
            if said is None:
                self._without[index] = "the model gave no answer that could be judged"
            elif said.strip() and data is not None and row["modality"] == "multimodal" and picture not in shown:
                self._without[index] = "its picture isn't in the dataset, or can't be read"
            elif said.strip():
                uri = shown.get(picture) if row["modality"] == "multimodal" else None
                prompt = prompt_of(self._rubric, row["question"], row["answer"], said, uri)
                key = prompt.key(asked)
                self.prompts[key] = prompt
            self._keys.append(key)

    def require_same_judge(self) -> None:
        """Refuse to mix what two judges say.

        Raises:
            UsageError: If another one of this name judged here.
        """
        if self._config.force:
            return
        before, now = read_meta(self.files[2]), self._meta()
        changed = [key for key in IDENTITY if before is not None and getattr(before, key) != now[key]]
        if changed:
            raise UsageError(
                f"{self.files[2]} is of another judge of this name (other: {', '.join(changed)}). Give this one "
                "another --name, or pass --force to replace the scores; answers are kept."
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder of the judges."""
        self.files[0].parent.mkdir(exist_ok=True)
        with held(self.place / FOLDER, self.place / FOLDER / _LOCK):
            yield

    def do(self, known: dict[str, Answered], spending: Spending, make_endpoint: Any) -> JudgeReport:
        """Ask what has no answer yet, and write the table."""
        answers = AnswerLog(self.files[0])  # Anew: another process may have asked meanwhile.
        try:
            for key in [key for key in self.prompts if key in known and key not in answers.found]:
                answers.add(replace(known[key], tokens_in=0, tokens_out=0, tries=0))
            left = self._left(answers.found)
            before = (spending.requests, spending.tokens_in, spending.tokens_out, spending.cost)
            asked = AskingOutcome(spending)
            if left:
                log(f"{self.place}: {len(left):,} questions to {self._config.called}")
                asked = _run(ask_all(self._config, make_endpoint, left, answers, spending, _Progress(len(left))))
            known |= answers.found
        finally:
            answers.close()
        meta = self._write(answers.found, asked)
        return JudgeReport(
            results=self.place,
            name=self._config.called,
            records=self.rows.height,
            questions=len(self.prompts),
            answered=len(self.prompts) - len(left),
            requests=spending.requests - before[0],
            tokens_in=spending.tokens_in - before[1],
            tokens_out=spending.tokens_out - before[2],
            cost=spending.cost - before[3],
            meta=meta,
            stopped=asked.stopped,
        )

    def _left(self, found: Mapping[str, Answered]) -> dict[str, Prompt]:
        """The questions without an answer, or with one that couldn't be used if those are to be asked again."""
        again = self._config.again
        done = {key for key, answered in found.items() if answered.score is not None or not again}
        return {key: prompt for key, prompt in self.prompts.items() if key not in done}

    def _write(self, found: Mapping[str, Answered], asked: AskingOutcome) -> JudgeMeta:
        import polars as pl

        cells = [self._cell(index, key, found, asked) for index, key in enumerate(self._keys)]
        schema = {name: getattr(pl, kind)() for name, kind in COLUMNS.items()}
        own = pl.DataFrame(
            cells, schema={k: v for k, v in schema.items() if k not in ("record_id", "variant")}, orient="row"
        )
        table = self.rows.select("record_id", "variant").hstack(own)
        used = [found[key] for key in self.prompts if key in found]
        content = self._meta() | {
            "served": sorted({a.served for a in used if a.served}),
            "endpoints": sorted({a.endpoint for a in used}),
            "complete": not self._left(found),
            "samples": self._samples,
            "n_scored": len(table) - table["score"].null_count(),
            "n_unscored": table["score"].null_count(),
            "reasons": counted_reasons(table["skipped"].drop_nulls().to_list()),
            "aggregates": by_slice(counted(self._results.samples), table),
        }
        for what, those in (("models", content["served"]), ("endpoints", content["endpoints"])):
            if len(those) > 1:
                log(f"note: {self.place}: answers of several {what} stand side by side: {', '.join(those)}.")
        return write_scores(self.place, content, table)

    def _cell(self, index: int, key: str | None, found: Mapping[str, Answered], asked: AskingOutcome) -> dict[str, Any]:
        """Score, reason, what was said, of one row."""
        if index in self._without:
            return {"skipped": self._without[index]}
        if key is None:  # A bad answer is scored, whoever scores.
            return {"score": LOWEST, "said": "the answer is empty: not asked"}
        answered = found.get(key)
        if answered is None:
            why = asked.failed.get(key) or f"not asked: {asked.stopped or 'the command was interrupted'}"
            return {"skipped": why[:_SAID], "question_key": key}
        return {"score": answered.score, "skipped": answered.reason, "said": answered.said, "question_key": key}

    def _meta(self) -> dict[str, Any]:
        config = self._config
        return {
            "name": config.called,
            "judge_model": config.judge_model,
            "rubric": self._rubric.name,
            "rubric_digest": self._rubric.digest,
            "temperature": float(config.temperature),
            "max_tokens": config.max_tokens,
            "json_mode": config.json_mode,
            "pictures": self._pictures,
            "slices": list(config.slices),
            "limit": config.limit,
            "seed": config.seed,
        }


class _Progress:
    """A line on stderr every so often."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._every = max(50, total // 20)

    def __call__(self) -> None:
        self._done += 1
        if self._done % self._every == 0 or self._done == self._total:
            log(f"{self._done:,} of {self._total:,} judged")


def _dry(jobs: Sequence[_Job], known: dict[str, Answered]) -> list[JudgeReport]:
    reports = []
    for job in jobs:
        left = job._left(known)
        tokens_in = sum(prompt.tokens for prompt in left.values())
        tokens_out = len(left) * job._config.max_tokens
        reports.append(
            JudgeReport(
                results=job.place,
                name=job._config.called,
                records=job.rows.height,
                questions=len(job.prompts),
                answered=len(job.prompts) - len(left),
                requests=0,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                cost=Spending(job._config).price(tokens_in, tokens_out),
            )
        )
        known = known | {key: _ANYTHING for key in left}  # AskingOutcome once, for all folders.
    return reports


_ANYTHING = Answered(
    key="", endpoint="", score=LOWEST, reason=None, said=None, served=None, tokens_in=0, tokens_out=0, tries=0
)


def _key(config: JudgeConfig) -> str:
    """The key, from the environment only.

    Raises:
        UsageError: If it can't be one; the message doesn't show it.
    """
    key = os.environ.get(config.key_variable, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(f"what stands in {config.key_variable} can't be a key: it holds blanks or odd characters.")
    return key


def _dataset(given: OffsideDataset | str | Path, results: Iterable[Results]) -> OffsideDataset:
    """The dataset that pictures come from, if it is the one that was evaluated on."""
    from offside_data.dataset.folder import OffsideDataset, open_dataset

    opened = given if isinstance(given, OffsideDataset) else open_dataset(given)
    others = {found.meta.dataset.digest for found in results} - {opened.digest}
    if others:
        raise UsageError(
            f"{opened.path} has digest {opened.digest}, but results are of {', '.join(sorted(others))}. Give the "
            "dataset that the models were evaluated on."
        )
    return opened


def _pictures_of(rows: pl.DataFrame, data: OffsideDataset | None) -> dict[tuple[str, str], str]:
    if data is None:
        return {}
    from offside_eval.report.pictures import data_uris

    asked = rows.filter(rows["modality"] == "multimodal").select("image_id", "variant").unique()
    return data_uris(data, [(image, variant) for image, variant in asked.iter_rows() if image])


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, in a notebook too, where a loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ExitStack() as stack:
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        return pool.submit(asyncio.run, work).result()


__all__ = ["JudgeError", "JudgeReport", "judge_results"]
