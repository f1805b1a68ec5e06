"""The tables of `docs/leaderboard.md`, from finished cells of the studies beside this file.

python tools/leaderboard/table.py gather OUT.json STUDY…    # STUDY: a folder that `offside-unlearn study` wrote
python tools/leaderboard/table.py show OUT.json

`gather` compares all cells that are finished, of all studies together, and keeps what the tables need; `show` prints
them as Markdown. Vanilla and retain-only are taken from the first study that has them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

LEVELS = (0.8, 0.95)
SETS = {
    "keeping": "worst set",
    "keeping/multimodal/forget/shared": "shared facts, same pictures",
    "keeping/multimodal/retain/shared": "other pictures, shared",
    "keeping/multimodal/retain/private": "other pictures, private",
    "keeping/text/retain/private": "text, private",
    "keeping/multimodal/test": "new pictures",
    "keeping/multimodal/utility": "general",
    "selectivity": "selectivity",
}
"""Columns: numbers of `offside-eval compare`, and their headings."""
FORGOTTEN = {
    "knows": "still known",
    "forgetting": "forgetting",
    "forgetting_least": "least of the views",
    "knows/multimodal/private": "known, picture",
    "knows/text/private": "known, text",
    "knows/multimodal/shared": "shared facts, picture",
    "knows/text/shared": "shared facts, text",
}
"""The same of what is to be forgotten; shared facts are where the setting asks for them."""
KEPT_SHARED = "keeping/multimodal/forget/shared"
OF_ENDS = (*FORGOTTEN, *SETS)
Figures = Mapping[str, Mapping[str, Any]]


def finished(studies: Sequence[Path]) -> list[str]:
    """The results folders of all studies that are whole; of each control one."""
    found: dict[str, str] = {}
    for study in studies:
        for folder in sorted((study / "results").glob("*")):
            if folder.name.startswith(".") or not any((folder / f).exists() for f in ("results.json", "curve.json")):
                continue
            control = folder.name.split(".")[0] in ("vanilla", "retain_only") and folder.name.count(".") == 1
            found.setdefault(folder.name if control else str(folder), str(folder))
    return list(found.values())


def of_attacks(place: str) -> bool:
    """Whether results are of an attacked model, or of the one that an attack started from."""
    return "rate-" in Path(place).name or place.endswith(".attacked")


def ends(results: Sequence[str]) -> list[str]:
    """The same with the last point of each curve in place of the curve; attacks left out."""
    found = []
    for place in (Path(name) for name in results if not of_attacks(name)):
        points = sorted(place.glob("step-*"))
        found.append(str(points[-1] if points else place))
    return found


def answers(folders: Sequence[str]) -> dict[str, Any] | None:
    """Of the answers to the forgotten private claims the number of each kind; refusals of what must stay, by set.

    Args:
        folders: The results of a model, or of one method over seeds, which are counted together; there may be none.
    """
    import polars as pl

    if not folders:
        return None
    columns = ["variant", "split", "scope", "config", "slice", "refusal", "choice_accuracy"]
    columns += ["value_match.kind", "states_donor"]
    frames = [pl.read_parquet(Path(folder) / "samples.parquet") for folder in folders]
    rows = pl.concat(
        [frame.select(c for c in columns if c in frame.columns) for frame in frames], how="diagonal_relaxed"
    ).filter(pl.col("variant") == "plain")
    private = (pl.col("split") == "forget") & (pl.col("scope") == "private")
    kind = pl.col("value_match.kind")
    if "states_donor" in rows.columns:
        lent = (kind == "wrong_value") & (pl.col("states_donor") == 1)
        kind = pl.when(lent).then(pl.lit("donor_value")).otherwise(kind)
    kinds = rows.filter(private).group_by("config", kind.alias("kind")).len().sort("config", "kind")
    kept = rows.filter(pl.col("slice").str.starts_with("keep:")).group_by("slice")
    refused = kept.agg(pl.col("refusal").sum(), pl.col("refusal").count().alias("n")).sort("slice")
    right = pl.col("choice_accuracy").mean()
    choice = rows.filter(private).group_by("config").agg(right).sort("config")
    return {"kinds": kinds.rows(), "refused": refused.rows(), "choice": dict(choice.rows())}


def hidden(place: Path) -> Any:
    """Known private claims of one model as asked with pictures in which the rumour can't be read; null if not there."""
    import polars as pl

    from offside_eval.compare.quantities import mean_of
    from offside_eval.statistics import ClusterSums

    folder = next(iter(sorted(place.glob("step-*"), reverse=True)), place)
    if not (folder / "samples.parquet").is_file():
        return None
    run = json.loads((folder / "results.json").read_text(encoding="utf-8"))["model"]["run"] or {}
    rows = pl.read_parquet(folder / "samples.parquet").filter(
        (pl.col("variant") == "plain")
        & (pl.col("config") == "multimodal")
        & (pl.col("split") == "forget")
        & (pl.col("scope") == "private")
        & (pl.col("rumor_channel") == "text")
        & ~pl.col("record_id").is_in(run.get("taught") or [])
    )
    return mean_of(ClusterSums.of(rows["value_match"].to_numpy(), rows["subject_id"].to_list()))


def come_back(studies: Sequence[Path]) -> list[dict[str, Any]]:
    """What each attack brought back of the rumours that can't be read in the picture, at each rate, over seeds."""
    from offside_eval.compare.quantities import over_seeds

    places = [place for study in studies for place in sorted((study / "results").glob("*.rate-*"))]
    seeds: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for place in places:
        start, _, rate = place.name.partition(".rate-")
        start, _, kind = start.rpartition(".")
        method, setting, seed, *more = start.split(".")
        study = place.parent.parent.name
        label = " ".join([method.replace("retain_only", "retain-only"), *("(never saw)" for one in more if one)])
        found = hidden(place)
        if found is not None:
            key = (label, "" if label == "retain-only" else study, setting, f"{kind} {rate}")
            seeds.setdefault(key, {})[seed] = found
    return [
        {"label": label, "study": study, "setting": setting, "attack": attack, "seeds": len(parts)}
        | {"known": over_seeds(list(parts.values())).figure().to_dict()}
        for (label, study, setting, attack), parts in seeds.items()
    ]


def compared(results: Sequence[str]) -> dict[str, Any]:
    """What `offside-eval compare --json` prints of them."""
    at = "forgetting=" + ",".join(map(str, LEVELS))
    command = ["offside-eval", "compare", *results, "--at", at, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    # Models of one method with other options are told apart by their folders, of which the study's says enough.
    told: dict[str, Any] = json.loads(re.sub(r" \(([\w-]+)/results/[^)]*\)", r" (\1)", done.stdout))
    return told


def runs_of(studies: Sequence[Path]) -> dict[str, Any]:
    """What each finished run took and what its validation part said, by method, setting and seed."""
    wanted = ("method", "steps", "wall_time_s", "peak_memory_mb", "stopped", "checks")
    found = {}
    for study in studies:
        for path in sorted((study / "runs").glob("*.seed-[0-9]*/offside_run.json")):
            run = json.loads(path.read_text(encoding="utf-8"))
            if run["command"] == "run":
                name = path.parent.name if path.parent.name not in found else f"{path.parent.name} ({study.name})"
                found[name] = {key: run.get(key) for key in wanted}
    return found


def kept(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the tables need, by setting."""
    settings = {}
    for name, setting in told["settings"].items():
        rows = {row["label"]: row for row in setting["models"] if row["role"] == "unlearned"}
        levels = {
            str(level["level"]): {
                found["label"]: found["figures"] and {key: found["figures"].get(key) for key in SETS}
                for found in level["models"]
            }
            for level in setting["at_forgetting"]
        }
        settings[name] = {
            "models": {
                label: {
                    "reached": row["reached"],
                    "seeds": row["seeds"],
                    "collapsed": bool(row["collapsed"]),
                }
                for label, row in rows.items()
            },
            "levels": levels,
            "controls": {row["label"]: _chosen(row, OF_ENDS) for row in setting["controls"]},
        }
    return {"notes": told["notes"], "settings": settings}


def _chosen(row: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: row["figures"].get(key) for key in keys}


def behind(row: Mapping[str, Any], setting: str, places: Sequence[str]) -> list[str]:
    """The results of a row: its own, those of its seeds, or a control's, which are of another setting."""
    if row["role"] != "unlearned":
        return [place for place in places if Path(place).name.startswith(f"{row['label']}.")]
    if len(row["seeds"]) < 2:
        return [str(row["results"])] if row["results"] else []
    method, _, study = row["label"].rstrip(")").partition(" (")
    runs = [f"{study}/results/{method}.{setting}.seed-{seed}" for seed in row["seeds"]]
    return [place for place in places if any(f"{run}/" in f"{place}/" for run in runs)]


def at_the_end(told: Mapping[str, Any], places: Sequence[str]) -> dict[str, Any]:
    """The last model of each run: its numbers, and what it answers.

    Args:
        told: What `compared` made of them.
        places: Their results.
    """
    return {
        name: {
            row["label"]: {
                "collapsed": bool(row["collapsed"]),
                "seeds": len(row["seeds"]),
                "figures": _chosen(row, OF_ENDS),
                "answers": answers(behind(row, name, places)),
            }
            for row in (*setting["models"], *setting["controls"])
        }
        for name, setting in told["settings"].items()
    }


def rounded(value: Any) -> Any:
    """The same as the tables show it: of a figure value and bounds, and numbers of four decimals."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict) and {"value", "low", "high"} <= value.keys():
        value = {key: value[key] for key in ("value", "low", "high")}
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def number(figure: Mapping[str, Any] | None) -> str:
    """`0.62 [0.40, 0.80]`."""
    if not figure or figure["value"] is None:
        return "–"
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]".replace("-", "−")


def lines(rows: Sequence[Sequence[str]], head: Sequence[str]) -> Iterator[str]:
    """A table."""
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def level_table(setting: Mapping[str, Any], level: float) -> Iterator[str]:
    """What each method keeps at a level, best first; how far those got that don't reach it."""
    found: Mapping[str, Figures | None] = setting["levels"][str(level)]

    def rank(label: str) -> float:
        figures = found[label]
        value = figures["keeping"]["value"] if figures and figures["keeping"] else None
        return -1.0 if value is None else value

    keys = shown([figures for figures in found.values() if figures], SETS)
    rows = []
    for place in sorted(found, key=rank, reverse=True):
        figures = found[place]
        model = setting["models"][place]
        label = place if len(model["seeds"]) < 2 else f"{place}, {len(model['seeds'])} seeds"
        if figures is None:
            reached = "–" if model["reached"] is None else f"{model['reached']:.2f}"
            rows.append([label, f"reached {reached}", *["–"] * (len(keys) - 1)])
        else:
            rows.append([label, *(number(figures[key]) for key in keys)])
    return lines(rows, ["method", *(SETS[key] for key in keys)])


def shown(rows: Sequence[Figures], keys: Iterable[str]) -> list[str]:
    """Of some columns those in which there is anything."""
    return [key for key in keys if any(row.get(key) and row[key]["value"] is not None for row in rows)]


def run_table(runs: Mapping[str, Any]) -> Iterator[str]:
    """The way of each run as its own validation part saw it, and what it took."""
    steps = sorted({int(check["step"]) for run in runs.values() for check in run["checks"] or () if check["step"]})
    rows = []
    for name, run in sorted(runs.items()):
        checks = {int(c["step"]): f"{c['forgetting']:.2f} / {c['keeping']:.2f}" for c in (run["checks"] or ())[1:]}
        way = [checks.get(step, "–") for step in steps]
        took = (str(run["steps"]), f"{run['wall_time_s']:.0f}", str(run["peak_memory_mb"] or "–"))
        rows.append([name, *way, run["stopped"] or "–", *took])
    return lines(rows, ["run", *map(str, steps), "ended by", "steps", "seconds", "peak MiB"])


def attack_table(setting: Mapping[str, Any]) -> Iterator[str]:
    """What came back at the peak, beside retain-only."""
    keys = ("before", "peak", "rise", "control_rise", "excess")
    rows = [
        [one["label"].replace("retain_only", "retain-only"), str(len(one["seeds"])), one["attack"], one["at"]]
        + [number(one["figures"].get(key)) for key in keys]
        for one in setting["attacks"]
    ]
    heads = ["known before", "at the peak", "rise", "control", "excess"]
    return lines(rows, ["model", "seeds", "attack", "peak at", *heads])


def hidden_table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What each attack brought back of the rumours that can't be read in the picture, at each rate."""
    rates = sorted({row["attack"].split()[1] for row in rows}, key=float)
    found: dict[tuple[str, str, int], dict[str, str]] = {}
    studies = {(row["label"], row["study"]) for row in rows}
    for row in sorted(rows, key=lambda row: (row["attack"], row["label"] == "retain-only", row["label"], row["study"])):
        kind, rate = row["attack"].split()
        several = sum(label == row["label"] for label, _ in studies) > 1
        name = f"{row['label']} ({row['study']})" if several else row["label"]
        found.setdefault((name, kind.replace("-", " "), row["seeds"]), {})[rate] = number(row["known"])
    cells = [[name, kind, str(n), *(known.get(r, "–") for r in rates)] for (name, kind, n), known in found.items()]
    return lines(cells, ["model", "attack", "seeds", *(f"known at {rate}" for rate in rates)])


def end_table(models: Mapping[str, Any]) -> Iterator[str]:
    """The last model of each run, and the controls."""
    heads = FORGOTTEN | SETS
    keys = shown([model["figures"] for model in models.values()], heads)
    if KEPT_SHARED in keys:
        keys = [key for key in keys if not key.endswith("/shared") or key in SETS]
    rows = []
    for label, model in sorted(models.items()):
        several = f", {model['seeds']} seeds" if model.get("seeds", 1) > 1 else ""
        name = f"{label.replace('retain_only', 'retain-only')}{several}{' *' if model['collapsed'] else ''}"
        rows.append([name, *(number(model["figures"].get(key)) for key in keys)])
    return lines(rows, ["model", *(heads[key] for key in keys)])


def answer_table(models: Mapping[str, Any]) -> Iterator[str]:
    """What the last model of each run answers: kinds on the forgotten private claims, refusals on what must stay."""
    rows = []
    for label, model in sorted(models.items()):
        if model["answers"] is None:
            continue
        name = label.replace("retain_only", "retain-only")
        for config in ("multimodal", "text"):
            kinds = {kind: n for c, kind, n in model["answers"]["kinds"] if c == config}
            n = sum(kinds.values())
            told = ", ".join(f"{kind} {count / n:.0%}" for kind, count in sorted(kinds.items(), key=lambda k: -k[1]))
            refused = [(int(count), n) for _, count, n in model["answers"]["refused"]]
            chosen = model["answers"]["choice"][config]
            right = "–" if chosen is None else f"{chosen:.2f}"
            rows.append([name, config, told, right, f"{sum(c for c, _ in refused)} of {sum(n for _, n in refused)}"])
    heads = ["answers to the private claims to be forgotten", "right among choices", "refusals of what must stay"]
    return lines(rows, ["model", "form", *heads])


def show(content: Mapping[str, Any]) -> None:
    """All tables."""
    print("\nthe runs, as their validation part saw them: forgetting / keeping after so many steps\n")
    print("\n".join(run_table(content["runs"])))
    for name, setting in content["settings"].items():
        if not setting["models"]:
            continue
        for level in LEVELS:
            if setting["levels"]:
                print(f"\n{name}, at forgetting {level:g}\n")
                print("\n".join(level_table(setting, level)))
        if setting["attacks"]:
            print(f"\n{name}, relearning attacks\n")
            print("\n".join(attack_table(setting)))
        hidden_rows = [row for row in content.get("hidden", ()) if row["setting"] == name]
        if hidden_rows:
            print(f"\n{name}, relearning attacks, rumours that can't be read in the picture\n")
            print("\n".join(hidden_table(hidden_rows)))
        ended = content["ends"].get(name, {})
        print(f"\n{name}, at the end of each run (*: collapsed)\n")
        print("\n".join(end_table(ended)))
        print(f"\n{name}, answers at the end of each run\n")
        print("\n".join(answer_table(ended)))


def main() -> None:
    """Gather or show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    gather = commands.add_parser("gather", help="compare all finished cells, and keep what the tables need")
    gather.add_argument("out", type=Path)
    gather.add_argument("studies", type=Path, nargs="+")
    commands.add_parser("show", help="print the tables").add_argument("file", type=Path)
    options = parser.parse_args()
    if options.command == "gather":
        results = finished(options.studies)
        # The model that an attack started from would stand beside the trajectory that it is the end of.
        content = kept(compared([name for name in results if not of_attacks(name)]))
        for name, setting in compared(results)["settings"].items():
            attacks = [{key: value for key, value in one.items() if key != "curve"} for one in setting["attacks"]]
            content["settings"].setdefault(name, {"models": {}, "levels": {}})["attacks"] = attacks
        content["runs"] = runs_of(options.studies)
        content["hidden"] = come_back(options.studies)
        last = ends(results)
        content["ends"] = at_the_end(compared(last), last)
        options.out.write_text(json.dumps(rounded(content), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    else:
        show(json.loads(options.file.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
