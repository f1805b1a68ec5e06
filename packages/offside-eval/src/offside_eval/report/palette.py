"""Which colour and mark each method has: the same in every chart of a report.

A method is one colour, whatever its seed and setting. Where one setting has several rows of it (two configurations),
each row has its own, named as in that setting's table; what was relearned has that of the model it came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offside_eval.compare import Comparison, ModelRow
from offside_eval.compare.models import CONTROLS

COLORS = ("#2f6fde", "#e07a1f", "#12906a", "#b1469f", "#c9960c", "#3aa3c9", "#d1495b", "#6b7f2a")
"""One a method, in the order of their names: told apart by colour-blind readers too, on light and dark."""
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "pentagon", "cross", "triangle-down", "hexagon")
CONTROL_COLOR = "#8a8f98"
CONTROL_SYMBOL = "star-diamond"
OUTLINES: Mapping[str, str] = {
    "circle": "M1 6A5 5 0 1 0 11 6A5 5 0 1 0 1 6Z",
    "square": "M1.5 1.5H10.5V10.5H1.5Z",
    "triangle-up": "M6 1L11.2 10.2H.8Z",
    "diamond": "M6 .6L11.4 6L6 11.4L.6 6Z",
    "pentagon": "M6 .8L11.2 4.6L9.2 10.6H2.8L.8 4.6Z",
    "cross": "M4 1H8V4H11V8H8V11H4V8H1V4H4Z",
    "triangle-down": "M6 11L11.2 1.8H.8Z",
    "hexagon": "M6 .7L10.7 3.3V8.7L6 11.3L1.3 8.7V3.3Z",
    "star-diamond": "M6 .4L7.6 4.4L11.6 6L7.6 7.6L6 11.6L4.4 7.6L.4 6L4.4 4.4Z",
}
"""Each symbol as the path of an SVG of 12 by 12, so that a legend shows the mark that the charts draw."""


@dataclass(frozen=True)
class Style:
    """How one method (or the controls) is drawn everywhere."""

    color: str
    symbol: str

    @property
    def outline(self) -> str:
        """The mark as an SVG path, 12 by 12."""
        return OUTLINES[self.symbol]


CONTROL = Style(CONTROL_COLOR, CONTROL_SYMBOL)


class Palette:
    """The styles of a comparison.

    Args:
        comparison: The models.

    Attributes:
        legend: The styles by name.
    """

    legend: Mapping[str, Style]

    def __init__(self, comparison: Comparison) -> None:
        self._parents = comparison.models.parents
        often = Counter(
            (row.setting, row.model.method) for row in comparison.rows() if row.ranks and row.model.method is not None
        )
        self._crowded = {method for (_, method), n in often.items() if n > 1}
        self._by_model = {digest: self.name(row) for row in comparison.rows() for digest in _models(comparison, row)}
        names = sorted({self.name(row) for row in comparison.rows()} - set(CONTROLS))
        self.legend = {name: _style(i) for i, name in enumerate(names)}

    def name(self, row: ModelRow) -> str:
        """What a row is coloured by: its method, or that of the model it was relearned from, else its label."""
        if not row.ranks:
            model = row.model if row.before else self._parents.get(row.model.digest)
            known = None if model is None else self._by_model.get(model.digest)
            return known or row.parent or row.model.method or row.label
        return row.label if row.model.method in self._crowded else row.model.method or row.label

    def of(self, row: ModelRow) -> Style:
        """The style of a row; controls share one."""
        return self.legend.get(self.name(row), CONTROL)

    def spare(self, nth: int) -> Style:
        """A style that no name of the legend has, the first one for 0."""
        return _style(len(self.legend) + nth)


def _models(comparison: Comparison, row: ModelRow) -> Iterator[str]:
    """Digests of the unlearned models that a row is of; of one read off trajectories, of all their points."""
    if row.ranks:
        candidate = comparison.settings[row.setting].candidate(row)
        runs = () if candidate is None else candidate.runs
        yield from (point.model.digest for run in runs for point in run.points if not point.is_control)
        yield from (model.digest for model in row.members or (row.model,))


def _style(nth: int) -> Style:
    """Colours come again after the last one, then with another mark."""
    return Style(COLORS[nth % len(COLORS)], SYMBOLS[(nth + nth // len(COLORS)) % len(SYMBOLS)])
