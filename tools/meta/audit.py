"""Which metrics can be believed? Tiny models with and without the forget set, and what each metric says of them.

python tools/meta/audit.py run OUT [--plan full]      # train, evaluate, rate: OUT/audit.json
python tools/meta/audit.py show AUDIT.json            # the tables of docs/metrics/meta.md

`run` makes what a plan beside this file asks for: of each league a trunk that has learnt the retain split, and from it
models that learn the forget split besides, models that never do, and some that see it for a few steps only, each with a
seed of its own. All are evaluated; so are they with rounded weights, after the same further training, and with the
questions in other words. `offside-eval meta` then rates every metric. Killed at any point and started again, it goes
on, and ends with the same bytes. What the package ships (`offside_eval/audited.json`) is an `audit.json` of the full
plan.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from offside_data.config import read_yaml
from offside_data.dataset.folder import open_dataset
from offside_data.edit import edit_rows
from offside_data.errors import OffsideError, UsageError
from offside_data.files import write_json
from offside_data.outputs import whole_folder
from offside_data.strict import Strict
from offside_data.strict import read as read_strictly
from offside_eval.audited import figures, pages
from offside_unlearn.stages import Stage, StageRunner
from offside_unlearn.study import Values, sets

PLANS = Path(__file__).resolve().parent
MADE_FROM = "made_from.json"
CONTROLS = ("vanilla", "retain_only")
REWORDED = "reworded"
RELEARNED = "relearned"


@dataclass(frozen=True, kw_only=True)
class AuditPlan(Strict):
    """What stands in a plan.

    Args:
        leagues: Seeds, of the league and its untrained model alike.
        subjects: Of each league.
        models: How many learn the forget set, and how many never do, of each league.
        faint: How many see it for `faint_steps` only.
        faint_steps: How many; the rest of their training is without it.
        rehearsal: General records beside the others.
        limit: Records of each part that a model is trained with beside the trunk's; the forget set has to fit.
        trunk: Options of the trunk's training, as `--set`.
        further: Of the training that comes after it.
        relearn: Of further training on the retain split alone, the same of every rated model, to see what is stable.
        bits: To how many bits weights are rounded.
        evaluate: Options of the evaluations of models as they are.
        evaluate_changed: Of changed ones.
    """

    leagues: tuple[int, ...]
    subjects: int
    models: int
    faint: int
    faint_steps: int
    rehearsal: int
    limit: int
    trunk: Values
    further: Values
    relearn: Values
    bits: tuple[int, ...]
    evaluate: Values = field(default_factory=dict)
    evaluate_changed: Values = field(default_factory=dict)


def read_plan(name: str) -> AuditPlan:
    """The plan `name`, a file beside this one or a path.

    Raises:
        UsageError: If it can't be read, or a key or value doesn't fit.
    """
    path = Path(name) if name.endswith(".yaml") else PLANS / f"{name}.yaml"
    known = [f.name for f in fields(AuditPlan)]
    return read_strictly(AuditPlan, read_yaml(path), path, UsageError, remedy="See docs/metrics/meta.md.", known=known)


def made(out: str, group: str, command: tuple[str, ...], needs: Sequence[str] = (), *, resumes: bool = False) -> Stage:
    """The stage that makes a folder out of others, named after it."""
    name, *after = (place.replace("/", ".") for place in (out, *needs))
    return Stage(name, group, command, out, tuple(after), resumes=resumes)


@dataclass(frozen=True)
class League:
    """The stages of one league; its folder is `seed-N`.

    Args:
        plan: The plan.
        seed: Of the league.
    """

    plan: AuditPlan
    seed: int

    @property
    def folder(self) -> str:
        """Where everything of it lies."""
        return f"seed-{self.seed}"

    def models(self) -> dict[str, int]:
        """Its models by name, with their seeds."""
        sides = {"learnt": self.plan.models, "never": self.plan.models, "faint": self.plan.faint}
        every = [*CONTROLS, *(f"{side}-{i}" for side, n in sides.items() for i in range(n))]
        return {name: 1 + seed for seed, name in enumerate(every)}

    def rated(self) -> list[str]:
        """The models that learnt the forget set, and those that never did."""
        return [name for name in self.models() if name.startswith(("learnt-", "never-"))]

    def data(self) -> Stage:
        """The league."""
        out = f"{self.folder}/league"
        size = ("--subjects", str(self.plan.subjects), "--seed", str(self.seed))
        return made(out, "data", ("offside-data", "fictional", out, *size))

    def training(self) -> Iterator[Stage]:
        """Trunk and models; then the same further training of those that are rated."""
        plan, place = self.plan, self.folder
        data = ("--data", f"{place}/worded")
        tiny = ("offside-unlearn", "tiny", f"{place}/tiny", *data, "--seed", str(self.seed))
        yield made(f"{place}/tiny", "train", tiny, (f"{place}/league",))
        yield self._finetune("trunk", "tiny", "general,retain", 0, plan.trunk)
        steps = int(str(plan.further["max_steps"]))
        for name, seed in self.models().items():
            if name.startswith("faint-"):
                first = {**plan.further, "max_steps": steps - plan.faint_steps}
                yield self._finetune(f"{name}-before", "trunk", "general,retain", seed, first, limit=True)
                last = {**plan.further, "max_steps": plan.faint_steps}
                yield self._finetune(name, f"{name}-before", "general,retain,forget", seed, last, limit=True)
            else:
                splits = "general,retain" + (",forget" if name == "vanilla" or name.startswith("learnt-") else "")
                yield self._finetune(name, "trunk", splits, seed, plan.further, limit=True)
        for name in self.rated():
            yield self._finetune(f"{RELEARNED}/{name}", name, "retain", 0, plan.relearn, limit=True)

    def _finetune(
        self, name: str, start: str, splits: str, seed: int, options: Values, *, limit: bool = False
    ) -> Stage:
        place = self.folder
        out = f"{place}/{name}" if name == "trunk" or "/" in name else f"{place}/models/{name}"
        base = f"{place}/{start}" if start in ("tiny", "trunk") else f"{place}/models/{start}"
        command = ("offside-unlearn", "finetune", out, "--model", base, "--data", f"{place}/worded", "--full")
        general = {"rehearsal": self.plan.rehearsal} if "general" in splits else {}
        how = ("--splits", splits, "--seed", str(seed), *sets({**options, **general}))
        few = ("--limit", str(self.plan.limit)) if limit else ()
        # A rated model isn't a control, nor made from one: `compare` would take it for another thing than it is.
        role = ("--role", name if name in CONTROLS else "base")
        return made(out, "train", (*command, *how, *few, *role), (base,), resumes=True)

    def evaluations(self) -> Iterator[Stage]:
        """Of all models as they are, and of those that are rated in every changed form."""
        for name in self.models():
            yield self._evaluate(name, f"models/{name}", "", (f"models/{name}",))
        for name in self.rated():
            for bits in self.plan.bits:
                yield self._evaluate(name, f"int{bits}/{name}", f"int{bits}", (f"models/{name}",))
            yield self._evaluate(name, f"{RELEARNED}/{name}", RELEARNED, (f"{RELEARNED}/{name}",))
        for name in (*CONTROLS, *self.rated()):
            yield self._evaluate(name, f"models/{name}", REWORDED, (f"models/{name}",))

    def results(self, name: str, change: str = "") -> str:
        """The results folder of a model, or of it changed."""
        return f"{self.folder}/results/{change or 'plain'}/{name}"

    def _evaluate(self, name: str, model: str, change: str, needs: tuple[str, ...]) -> Stage:
        out = self.results(name, change)
        data = f"{self.folder}/{REWORDED if change == REWORDED else 'worded'}"
        ask = ("offside-eval", "run", out, "--model", f"{self.folder}/{model}", "--data", data)
        options = self.plan.evaluate_changed if change else self.plan.evaluate
        how = ("--setting", "selective", *(word for key, value in options.items() for word in (f"--{key}", str(value))))
        controls: tuple[str, ...] = ("--role", name)
        after = tuple(f"{self.folder}/{needed}" for needed in needs)
        if name not in CONTROLS:
            of = {role: self.results(role, change if change == REWORDED else "") for role in CONTROLS}
            controls = ("--role", "unlearned", "--vanilla", of["vanilla"], "--retain-only", of["retain_only"])
            after += tuple(of.values())
        return made(out, "evaluate", (*ask, *how, *controls), after, resumes=True)


def rating(leagues: Sequence[League]) -> Stage:
    """The stage that rates the metrics."""
    words: list[str] = []
    needs: list[str] = []
    plan = leagues[0].plan
    for league in leagues:
        for name in league.models():
            place = league.results(name)
            option = name if name in CONTROLS else name.partition("-")[0]
            words += [f"--{option.replace('_', '-')}", place]
            needs.append(place)
        for name in CONTROLS:
            words += [f"--{name.replace('_', '-')}", league.results(name, REWORDED)]
            needs.append(league.results(name, REWORDED))
        for change in (*(f"int{bits}" for bits in plan.bits), RELEARNED, REWORDED):
            for name in league.rated():
                new = league.results(name, change)
                words += ["--changed", f"{change}:{league.results(name)}={new}"]
                needs.append(new)
    return made("rating", "rate", ("offside-eval", "meta", "rating", *words), needs)


def reword(league: League, folder: Path) -> None:
    """Make the two forms of a league in which questions are put otherwise.

    In `worded` every other retain picture, and every other retained occasion in text, is asked about in the second
    wording that each record holds: so models learn to understand both. In `reworded` the forget set is, too, of which
    they learn the first wording only.
    """
    home = folder / league.folder
    for name, source, is_asked in (("worded", "league", _every_other), (REWORDED, "worded", _of_forget)):
        with made_from(home / name, open_dataset(home / source).card.digest) as out:
            if out is None:
                continue
            shutil.copytree(home / source, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MADE_FROM))
            edit_rows(out, list(is_asked(out)), reason="asked in the second wording")


def _wordings(out: Path, split: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Records of a split that have a second wording, with the row that has them asked so."""
    dataset = open_dataset(out)
    for config in ("multimodal", "text"):
        wanted = ["record_id", "image_id", "subject_id", "question_paraphrases"]
        for row in dataset.records(config, split).select_columns(wanted):
            if row["question_paraphrases"]:
                yield row, {"record_id": row["record_id"], "question": row["question_paraphrases"][0]}


def _every_other(out: Path) -> Iterator[dict[str, Any]]:
    places: dict[str, int] = {}
    for row, asked in _wordings(out, "retain"):
        place = str(row["image_id"] or row["subject_id"])
        if places.setdefault(place, len(places)) % 2:
            yield asked


def _of_forget(out: Path) -> Iterator[dict[str, Any]]:
    for _, asked in _wordings(out, "forget"):
        yield asked


def round_models(league: League, folder: Path) -> None:
    """Write each rated model again with rounded weights, as the attack `quantize` rounds them."""
    from safetensors.torch import load_file, save_file

    from offside_data.vlm.digest import model_digest
    from offside_eval.attacks.quantize import round_to

    home = folder / league.folder
    for bits in league.plan.bits:
        for name in league.rated():
            source = home / "models" / name
            with made_from(home / f"int{bits}" / name, model_digest(str(source))) as out:
                if out is None:
                    continue
                shutil.copytree(source, out, dirs_exist_ok=True)
                for path in out.glob("*.safetensors"):
                    weights = load_file(path)
                    rounded = {k: round_to(w, bits).contiguous() if w.ndim >= 2 else w for k, w in weights.items()}
                    save_file(rounded, path, metadata={"format": "pt"})


@contextlib.contextmanager
def made_from(folder: Path, digest: str) -> Iterator[Path | None]:
    """A folder made of something with a digest, whole or not at all; null where it is there already."""
    note = folder / MADE_FROM
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == digest:
        yield None
        return
    if folder.exists():
        shutil.rmtree(folder)
    with whole_folder(folder) as out:
        yield out
        write_json(out / MADE_FROM, digest)


def run(plan: AuditPlan, folder: Path, name: str) -> Mapping[str, Any]:
    """Make everything that is missing, and `audit.json`."""
    started, say = time.monotonic(), partial(print, flush=True)
    leagues = [League(plan, seed) for seed in plan.leagues]
    stages = [league.data() for league in leagues]
    StageRunner(folder, stages, workers=1, say=say).run()
    for league in leagues:
        reword(league, folder)
    stages += [stage for league in leagues for stage in league.training()]
    StageRunner(folder, stages, workers=1, say=say).run()
    for league in leagues:
        round_models(league, folder)
    stages += [stage for league in leagues for stage in league.evaluations()]
    runner = StageRunner(folder, [*stages, rating(leagues)], workers=1, say=say)
    runner.run()
    rated = json.loads((folder / "rating" / "metrics.json").read_text(encoding="utf-8"))
    document = figures(rated["metrics"], plan={"name": name, **asdict(plan)})
    write_json(folder / "audit.json", document)
    for group, seconds in runner.seconds_by_group().items():
        say(f"  {group:<10} {seconds:7.0f} s")
    say(f"  all: {time.monotonic() - started:.0f} s by the clock; {folder / 'audit.json'}")
    return document


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="train, evaluate, rate")
    running.add_argument("out", type=Path)
    running.add_argument("--plan", default="full", help="full, quick or a YAML file")
    showing = commands.add_parser("show", help="print the tables")
    showing.add_argument("file", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("COLUMNS", "160")
    try:
        if options.command == "run":
            document = run(read_plan(options.plan), options.out.resolve(), options.plan)
        else:
            document = json.loads(options.file.read_text(encoding="utf-8"))
    except OffsideError as error:
        print(f"\n{error}", file=sys.stderr)
        raise SystemExit(1) from error
    print("\n".join(pages(document)))


if __name__ == "__main__":
    main()
