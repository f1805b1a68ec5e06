"""What all membership attacks share: pairs of members and non-members, ROC-AUC, TPR at 1 % FPR, intervals, `priv_leak`.

An attack gives each claim a score, the higher the surer that the model saw it. Members and non-members are paired one
to one: same config, same attribute, answers as long to 20 % (or one token); who has no partner isn't counted. Nothing
of that depends on a score, so that a control is measured on the same pairs.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from offside_eval.membership import MEMBER
from offside_eval.metrics import Need
from offside_eval.model_metrics import Control, Measured, ModelMetric, cannot
from offside_eval.statistics import MIN_SUBJECTS

if TYPE_CHECKING:
    from offside_eval.results import Results
    from offside_eval.statistics import Floats

LENGTH_WITHIN = 0.2
"""How much longer or shorter a partner's answer may be, as a share of the member's tokens."""
MAX_FPR = 0.01
_LEAST = 0.05
"""Below such a denominator no ratio is told."""
_DRAWS = 2_000
_CHUNK = 100
Row = Mapping[str, Any]
Pair = tuple[Row, Row]


@dataclass(frozen=True, kw_only=True)
class MembershipMetric(ModelMetric):
    """ROC-AUC of one attack that tells claims to be forgotten from claims that no model ever saw.

    `apart` says that answers of a single token are counted apart, `against` that a claim is scored beside a control.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"membership"})
    optional: ClassVar[tuple[Control, ...]] = ("retain_only",)
    better: ClassVar[Literal["up", "down"] | None] = None
    costly: ClassVar[bool] = True
    apart: ClassVar[bool] = False

    @property
    def memory(self) -> Literal["up", "down"] | None:
        """Higher means member, though neither way is good of an unlearned model: below 0.5 tells as well."""
        return "up"

    @abc.abstractmethod
    def membership(self, row: Row, control: Row | None) -> float | None:
        """How sure the attack is that the model saw a claim; null where it can't say.

        Args:
            row: Of `membership.parquet`.
            control: The same record's of retain-only, where that is there.
        """

    def measure(self, own: Results, controls: Mapping[str, Results]) -> Measured:
        """Not scored where non-members weren't asked, or there are none that are like members."""
        mine = _rows(own)
        if mine is None:
            return cannot(
                "the evaluation has no membership.parquet: name the metric when evaluating, or take suite full"
            )
        theirs = _rows(controls["retain_only"]) if "retain_only" in controls else None
        pairs, skipped = matched([row for row in mine.values() if row["logprobs"] and not row["held_out"]])
        if not pairs:
            return cannot(_why_none(mine), n_skipped=skipped)
        scored = self._scored(pairs, mine, theirs)
        long, short = ([p for p in scored if _is_short(p[0]) == is_short] for is_short in (False, True))
        counted = long if self.apart else scored
        if not counted:
            return cannot("no pair of a member and a non-member could be scored", n_skipped=2 * len(pairs) + skipped)
        found = _Pairs.of(counted)
        control = None if theirs is None or "retain_only" in self.controls else self._scored(pairs, theirs, None)
        details = dict(found.details())
        if self.apart and short:
            details |= {"auc_single_token": _Pairs.of(short).auc(), "n_single_token": 2 * len(short)}
        if control is not None:
            kept = {(m["record_id"], n["record_id"]) for m, n, _, _ in counted}
            control = [p for p in control if (p[0]["record_id"], p[1]["record_id"]) in kept]
            if len(control) == len(counted):
                details |= found.beside(_Pairs.of(control))
        low, high = found.interval()
        return Measured(
            value=found.auc(),
            low=low,
            high=high,
            n=2 * len(counted),
            n_skipped=skipped + 2 * (len(pairs) - len(counted)),
            n_subjects=found.n_subjects,
            details=details,
        )

    def _scored(
        self, pairs: Sequence[Pair], rows: Mapping[str, Row], control: Mapping[str, Row] | None
    ) -> list[tuple[Row, Row, float, float]]:
        """The pairs of which both have a score, and the scores."""
        found = []
        for pair in pairs:
            there = [rows.get(row["record_id"]) for row in pair]
            scores = [
                self.membership(row, (control or {}).get(row["record_id"])) if row and row["logprobs"] else None
                for row in there
            ]
            numbers = [score for score in scores if score is not None and math.isfinite(score)]
            if len(numbers) == 2:
                found.append((*pair, numbers[0], numbers[1]))
        return found


def matched(rows: Sequence[Row]) -> tuple[list[Pair], int]:
    """Pairs of a member and a non-member, and how many of both have no partner.

    Within a config and attribute the member with the fewest possible partners chooses first, of those the nearest in
    length; ties go by record id.
    """
    cells: dict[tuple[Any, Any], tuple[list[Row], list[Row]]] = {}
    for row in rows:
        sides = cells.setdefault((row["config"], row["attribute"]), ([], []))
        sides[row["group"] != MEMBER].append(row)
    pairs: list[Pair] = []
    for members, others in cells.values():
        free = {row["record_id"]: row for row in others}
        fits = {m["record_id"]: [o for o in others if _is_near(m, o)] for m in members}
        for member in sorted(members, key=lambda m: (len(fits[m["record_id"]]), m["record_id"])):
            near = [o for o in fits[member["record_id"]] if o["record_id"] in free]
            if near:
                chosen = min(near, key=lambda o: (abs(_length(o) - _length(member)), o["record_id"]))
                pairs.append((member, free.pop(chosen["record_id"])))
    return pairs, len(rows) - 2 * len(pairs)


def _length(row: Row) -> int:
    return len(row["logprobs"])


def _is_near(member: Row, other: Row) -> bool:
    return abs(_length(member) - _length(other)) <= max(1.0, LENGTH_WITHIN * _length(member))


def _is_short(row: Row) -> bool:
    return _length(row) == 1


def _rows(results: Results) -> dict[str, Row] | None:
    frame = results.members
    return None if frame is None else {row["record_id"]: row for row in frame.iter_rows(named=True)}


def _why_none(rows: Mapping[str, Row]) -> str:
    groups = {row["group"] for row in rows.values()}
    if MEMBER not in groups:
        return "the request has no private claim that its picture doesn't give away"
    if len(groups) == 1:
        configs = sorted({f"{row['config']}/holdout" for row in rows.values()})
        return f"the dataset has no private claims of these attributes in {', '.join(configs)}: no non-members"
    return "no non-member is like a member in attribute and length"


@dataclass(frozen=True)
class _Pairs:
    """Scores of members and non-members, with their subjects, in the form in which subjects are drawn.

    Args:
        members: Scores.
        others: Scores of non-members.
        of_member: Subject of each member, as an index.
        of_other: Likewise.
        n_subjects: How many there are.
    """

    members: Floats
    others: Floats
    of_member: Any
    of_other: Any
    n_subjects: int

    @classmethod
    def of(cls, scored: Sequence[tuple[Row, Row, float, float]]) -> _Pairs:
        """From pairs and scores."""
        import numpy as np

        columns = [m for m, _, _, _ in scored], [other for _, other, _, _ in scored]
        sides = [[row["subject_id"] or row["record_id"] for row in rows] for rows in columns]
        names, where = np.unique(np.asarray(sides), return_inverse=True)
        of_member, of_other = where.reshape(2, -1)
        members, others = (np.asarray([p[side] for p in scored], float) for side in (2, 3))
        return cls(members, others, of_member, of_other, len(names))

    def auc(self) -> float:
        """Share of all member and non-member couples in which the member scores higher; half of a tie."""
        return float(self._wins().mean())

    def _wins(self) -> Floats:
        import numpy as np

        wins: Floats = (np.sign(self.members[:, None] - self.others[None]) + 1) / 2
        return wins

    def draws(self) -> Floats:
        """AUCs with subjects drawn anew; NaN where a draw lacks members or non-members."""
        import numpy as np

        by_subject = np.zeros((self.n_subjects, self.n_subjects))
        np.add.at(by_subject, (self.of_member[:, None], self.of_other[None]), self._wins())
        often = self._often()
        n = (often[:, side].sum(axis=1) for side in (self.of_member, self.of_other))
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn: Floats = np.einsum("ds,st,dt->d", often, by_subject, often, optimize=True) / np.multiply(*n)
        return drawn

    def _often(self) -> Floats:
        import numpy as np

        share = np.full(self.n_subjects, 1 / self.n_subjects)
        return np.random.default_rng(0).multinomial(self.n_subjects, share, size=_DRAWS).astype(float)

    def tpr(self) -> float:
        """Share of members above the lowest threshold that at most 1 % of non-members reach."""
        import numpy as np

        return float(self._tprs(np.ones((1, self.n_subjects)))[0])

    def _tprs(self, often: Floats) -> Floats:
        import numpy as np

        values = np.concatenate([self.members, self.others])
        order = np.argsort(-values, kind="stable")
        last = np.append(values[order][1:] != values[order][:-1], True)  # equal scores are taken or left together
        is_member = np.arange(len(values))[order] < len(self.members)
        subject = np.concatenate([self.of_member, self.of_other])[order]
        weights = often[:, subject]
        true, false = (np.cumsum(weights * side, axis=1) for side in (is_member, ~is_member))
        with np.errstate(invalid="ignore", divide="ignore"):
            allowed = (false <= MAX_FPR * false[:, -1:] + 1e-9) & last
            found: Floats = np.where(allowed, true, 0).max(axis=1) / true[:, -1]
        return np.where(false[:, -1] > 0, found, np.nan)

    def interval(self) -> tuple[float | None, float | None]:
        """Of the AUC, over subjects; none below six."""
        return self._between(self.draws())

    def _between(self, drawn: Floats) -> tuple[float | None, float | None]:
        import numpy as np

        if self.n_subjects < MIN_SUBJECTS or not np.isfinite(drawn).any():
            return None, None
        low, high = np.nanquantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
        return float(low), float(high)

    def details(self) -> dict[str, float]:
        """TPR at 1 % FPR with its interval, and how many members there are."""
        import numpy as np

        often = self._often()
        parts = [self._tprs(often[start : start + _CHUNK]) for start in range(0, _DRAWS, _CHUNK)]
        return _named("tpr_at_1_fpr", self.tpr(), self._between(np.concatenate(parts))) | {
            "n_members": len(self.members)
        }

    def beside(self, control: _Pairs) -> dict[str, float]:
        """AUC of retain-only on the same pairs and, where that isn't too near to 0, `priv_leak`."""
        theirs = control.auc()
        found = {"auc_retain_only": theirs}
        if theirs < _LEAST:
            return found
        drawn = control.draws()
        drawn[drawn < _LEAST] = math.nan
        ratios = (self.draws() - drawn) / drawn
        return found | _named("priv_leak", (self.auc() - theirs) / theirs, self._between(ratios))


def _named(name: str, value: float, interval: tuple[float | None, float | None]) -> dict[str, float]:
    low, high = interval
    return {name: value} | ({f"{name}_low": low, f"{name}_high": high} if low is not None and high is not None else {})
