"""`report.html`: one file that opens from disk, with nothing to fetch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any

from offside_data.figures import number
from offside_eval.compare import Comparison, Figure, ModelRow, SettingComparison
from offside_eval.compare.by_scope import PREFIX, in_words
from offside_eval.compare.judges import COLUMNS as JUDGE_COLUMNS
from offside_eval.compare.judges import judge_rows
from offside_eval.compare.kinds import kind_rows
from offside_eval.compare.models import CONTROLS, NEVER_SAW, Model, on_curve
from offside_eval.compare.show import (
    TWINS,
    VISUAL,
    Column,
    attack_rows,
    columns_of,
    earlier_rows,
    how_collapsed,
    interval,
    level_rows,
    name,
    recovery_rows,
    remark,
    shown_columns,
    view_lines,
)
from offside_eval.findings import Finding
from offside_eval.model_scores import beside, number_cells
from offside_eval.report import charts, interactive
from offside_eval.report.breakdown import breakdown
from offside_eval.report.cases import KINDS, Case, for_page
from offside_eval.report.headline import Headline
from offside_eval.report.heat import attack_heat
from offside_eval.report.palette import CONTROL, Palette

if TYPE_CHECKING:
    import jinja2

TEMPLATES = "offside_eval.report"


@dataclass(frozen=True)
class Page:
    """What `report.html` is made of.

    Args:
        comparison: The models side by side.
        findings: The published findings looked for.
        headline: What to say first.
        cases: The gallery.
        pictures: Data URI by image_id and variant.
        fallbacks: Chart id to an SVG data URI, for browsers without JavaScript.
        subjects: What every model answers about each subject (`subjects.subject_pages`).
    """

    comparison: Comparison
    findings: Sequence[Finding]
    headline: Headline
    cases: Sequence[Case]
    pictures: Mapping[tuple[str, str], str]
    fallbacks: Mapping[str, str]
    subjects: Mapping[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script draws on demand."""
        return {
            "kinds": {kind.key: [kind.title, kind.tone, kind.help] for kind in KINDS.values()},
            "cases": for_page(self.cases, self.pictures),
            "pictures": {f"{image}|{variant}": uri for (image, variant), uri in self.pictures.items()},
            "subjects": self.subjects,
        }


def render(page: Page) -> str:
    """The whole HTML document."""
    from plotly.offline import get_plotlyjs

    scatters, curves = charts.scatters(page.comparison), charts.curves(page.comparison)
    twins = charts.twins(page.comparison)
    trades = charts.trades(page.comparison)
    drawn = {trade.key: interactive.trade_chart(trade) for trade in trades}
    drawn |= {f"scatter-{s.setting}": interactive.scatter_chart(s) for s in scatters}
    drawn |= {f"curve-{c.key}": interactive.curve_chart(c) for c in curves}
    if twins:
        drawn["twins"] = interactive.twin_chart(twins)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            comparison=page.comparison,
            findings=page.findings,
            trades={k: list(v) for k, v in groupby(trades, key=lambda trade: trade.setting)},
            settings=[SettingView(s, page.comparison.metric) for s in page.comparison.settings.values()],
            model_metrics=_of_models(page.comparison),
            judges=(JUDGE_COLUMNS, judge_rows(page.comparison.models)),
            scatters=scatters,
            curves=curves,
            twins=twins,
            twin_table=page.comparison.shown_twins(),
            twin_columns=TWINS,
            legend=Palette(page.comparison).legend,
            control_style=CONTROL,
            kinds=[k for k in KINDS.values() if any(c.kind is k for c in page.cases)],
            provenance=Provenance(page.comparison),
            charts_json=_script_json(drawn),
            data_json=_script_json(page.data),
            plotly_js=get_plotlyjs().replace("</script", "<\\/script"),
            style=_text("style.css"),
            script=_text("report.js"),
        )
    )


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"number": number, "interval": interval, "name": name, "remark": remark}
    environment.filters |= {"how_collapsed": how_collapsed, "of_what": of_what}
    environment.globals |= {"forest": Forest.of, "gauge": gauge}
    return environment


def of_what(place: str) -> str:
    """The set that a number is of, in words; as it is where it isn't one of the sets that must survive."""
    return place if place.count("/") > 2 or "/" not in place else in_words(f"{PREFIX}{place}")


def _text(file: str) -> str:
    return (resources.files(TEMPLATES) / "templates" / file).read_text(encoding="utf-8")


def _script_json(value: Any) -> str:
    """JSON that can stand in a script element whatever it says."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class SettingView:
    """One setting's table: which columns, and its rows.

    Args:
        setting: The setting.
        metric: The score of the comparison.
    """

    def __init__(self, setting: SettingComparison, metric: str) -> None:
        self.name = setting.name
        self.summary = setting.summary
        self.rows = list(setting.rows)
        self.controls = list(setting.controls)
        self.all_rows = setting.all_rows
        all_rows = [row for row, _ in self.all_rows]
        self.columns = [c for c in columns_of(setting) if c not in TWINS]  # they have a section of their own
        self.views = view_lines(setting)
        self.kind_columns, self.kinds = kind_rows(all_rows, setting, metric)
        self.visual = shown_columns(all_rows, VISUAL)
        self.kept = _details(all_rows, "keeping/")
        self.level = setting.level
        self.levels = [(level, *level_rows(setting, level)) for level in setting.levels]
        self.attacks = attack_rows(setting) if setting.attacks else None
        self.breakdowns = [b for by in ("attribute", "subject_id") if (b := breakdown(setting, metric, by))]
        self.recoveries = recovery_rows(setting) if setting.recoveries else None
        self.heat = attack_heat(setting)
        self.earlier = earlier_rows(setting.earlier) if setting.earlier else None
        self.cells = [c for c in _details(all_rows, "forgetting/") if "visual" not in c.key]


def _of_models(comparison: Comparison) -> dict[str, tuple[Sequence[str], list[list[str]]]]:
    """Columns and rows of the metrics of whole models, by setting; settings without any aren't in it."""
    found: dict[str, tuple[Sequence[str], list[list[str]]]] = {}
    for setting, label, numbers in beside(comparison):
        rows = found.setdefault(setting, (("model", "metric", "value", "records", "subjects", "said"), []))[1]
        for metric, measured in numbers.items():
            value, *cells = number_cells(measured)
            rows.append([label, metric, value.replace(" [", "\n["), *cells])
    return found


def _details(rows: Sequence[ModelRow], prefix: str) -> list[Column]:
    keys = dict.fromkeys(key for row in rows for key in row.quantities if key.startswith(prefix))
    return shown_columns(rows, [Column(key, key.removeprefix(prefix), "", "up") for key in keys])


@dataclass(frozen=True)
class Forest:
    """A number with its interval on a scale, in per cent of the width."""

    low: float
    high: float
    value: float
    threshold: float | None
    zero: float
    one: float

    @classmethod
    def of(cls, figure: Figure, threshold: float | None = None) -> Forest | None:
        """Place a figure on a scale from -0.25 (or below) to 1.05 (or above); null when not scored."""
        i = figure.interval
        if i is None:
            return None
        low, high = i.value if i.low is None else i.low, i.value if i.high is None else i.high
        start, end = min(-0.25, low - 0.05), max(1.05, high + 0.05)

        def place(x: float) -> float:
            return round(100 * (x - start) / (end - start), 2)

        tick = None if threshold is None else place(threshold)
        return cls(place(low), place(high), place(i.value), tick, place(0), place(1))


def gauge(value: float | None) -> float:
    """Width of a bar in per cent."""
    return round(100 * min(1.0, max(0.0, value or 0.0)), 1)


class Provenance:
    """Where the numbers come from: datasets, models, versions."""

    def __init__(self, comparison: Comparison) -> None:
        results = [r for m in comparison.models.members for r in m.results]
        metas = [r.meta for r in results]
        self.datasets = _distinct([m.dataset for m in metas])
        self.models = _provenance_of_runs(comparison)
        self.asked = _asked(comparison)
        keys = ("suite", "generation", "device", "dtype", "batch_size", "image_backend", "seed")
        self.options = {k: v for k in keys if (v := _distinct([m.to_json()[k] for m in metas]))}
        self.versions = _distinct([m.versions for m in metas])
        self.answers = sum(r.samples.height for r in results)
        self.skipped = sum(r.samples[comparison.metric].null_count() for r in results if comparison.metric in r.metrics)


def _provenance_of_runs(comparison: Comparison) -> list[dict[str, Any]]:
    """A line a run: the points of a curve, and what was saved on the way of a relearning, are one."""
    runs: dict[str, list[Model]] = {}
    for model in comparison.models.members:
        runs.setdefault(str(model.run_folder), []).append(model)
    return [
        {
            "label": name_of_model(last),
            "role": last.role,
            "path": folder,
            "points": len(points),
            "digest": last.digest,
            "settings": sorted({r.setting for m in points for r in m.results}),
            "parent": _made_from(last, comparison),
        }
        for folder, points in runs.items()
        for last in [max(points, key=lambda m: m.steps or 0)]
    ]


def name_of_model(model: Model) -> str:
    """The method, or the role as people write it."""
    return model.title


def _made_from(model: Model, comparison: Comparison) -> str:
    """What a model was trained from, as its manifest says: by name where that was evaluated too, else by its folder."""
    parent = comparison.models.parents.get(model.digest)
    if parent is None:
        if model.run is None:
            return "not known: no run manifest"
        if model.run.base_model is None:
            return "scratch"
        keys = {model.run.base_model.digest, model.run.base_model.path}
        parent = next((m for m in comparison.models.members if m.digest in keys or m.path in keys), None)
    if parent is None:
        assert model.run is not None
        assert model.run.base_model is not None
        return model.run.base_model.path
    return name_of_model(parent)


def _asked(comparison: Comparison) -> str:
    """What was evaluated, in words: `5 methods (11 runs, 75 points), 2 relearned runs and 3 controls`."""
    members = comparison.models.members
    unlearned = [m for m in members if m.role == "unlearned"]
    methods = {m.method or m.digest for m in unlearned}
    points = sum(on_curve(m) for m in unlearned)
    runs = [_told(len(_runs(unlearned)), "run"), *([_told(points, "point")] if points else [])]
    said = [f"{_told(len(methods), 'method')} ({', '.join(runs)})"] if methods else []
    for count, what in (
        (len(_runs([m for m in members if m.role == "relearned"])), "relearned run"),
        (sum(m.role == "unknown" for m in members), "model of unknown making"),
        (sum(m.role in (*CONTROLS, NEVER_SAW) for m in members), "control"),
    ):
        said += [_told(count, what)] if count else []
    return f"{', '.join(said[:-1])} and {said[-1]}" if said[1:] else "".join(said)


def _runs(models: Iterable[Model]) -> set[str]:
    """The runs that models are of: the points of a curve are one."""
    return {str(m.run_folder) for m in models}


def _told(n: int, what: str) -> str:
    head, of, rest = what.partition(" of ")
    return f"{n} {head}{'s' if n != 1 else ''}{of}{rest}"


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value and value not in found:
            found.append(value)
    return found
