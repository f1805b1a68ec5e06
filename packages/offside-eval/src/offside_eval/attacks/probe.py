"""Read the value out of frozen hidden states with a linear probe that was fitted on other subjects.

The state read is that of the position where the value would come next, the sentence of the answer having been begun.
The probe is a ridge regression onto the values of one attribute, on a layer chosen by cross-validation over subjects.
It is fitted on claims that the model was to keep and on the forgotten claims of half the subjects, and tried on the
other half: what it says is a value, judged like any answer. Beside it the same probe fitted on shuffled labels
(`@random_labels`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from offside_data.errors import UsageError
from offside_data.schema import ClaimValue
from offside_data.seeding import draw_records, rng
from offside_data.tagging.comparing import same_value
from offside_eval.attacks import (
    Access,
    Ask,
    AttackedClaim,
    AttackTarget,
    Attempt,
    Paper,
    RecoveryAttack,
)
from offside_eval.attacks._target import own_question
from offside_eval.plan import ask_besides

PAPER = Paper("Designing and Interpreting Probes with Control Tasks", "https://arxiv.org/abs/1909.03368")
Floats = npt.NDArray[np.float64]
MIN_SUBJECTS = 4
"""Fewer can't be halved into something to fit on and something to try."""


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """A linear probe, subject-disjoint.

    Args:
        known: At most so many claims that were to be kept, to fit on.
        layers: At most so many layers to choose from, spread over the model.
        folds: Of the cross-validation.
        ridge: Penalty on the squared weights, a claim.
    """

    access: ClassVar[Access] = "white-box"
    known: int = 300
    layers: int = 4
    folds: int = 4
    ridge: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.known < 0 or self.layers < 1 or self.folds < 2 or not self.ridge > 0:
            raise UsageError("probe needs known >= 0, layers >= 1, folds >= 2 and a ridge above 0.")

    def unfit(self, target: AttackTarget) -> str | None:
        """Where there are too few subjects."""
        n = len({claim.subject for claim in target.claims if claim.group == "forget"})
        return None if n >= MIN_SUBJECTS else f"{n} subjects can't be halved; at least {MIN_SUBJECTS} are needed"

    def attempts(self, target: AttackTarget) -> Iterator[Attempt]:
        """One reading a claim, and one with shuffled labels."""
        learn, tried = target.halved(self.seed)
        learn += self._kept(target, {claim.subject for claim in tried})
        begun = [_begun(claim) for claim in [*learn, *tried]]
        asks, states = target.states(begun)
        read = states.double().numpy()
        by_claim = {id(ask.claim): place for place, ask in enumerate(asks)}
        for attribute in dict.fromkeys(claim.question.attribute.name for claim in tried):
            own = [[c for c in side if _is_of(c, attribute, by_claim)] for side in (learn, tried)]
            yield from self._read(attribute, own[0], own[1], target, read, by_claim)

    def _read(
        self,
        attribute: str,
        learn: Sequence[AttackedClaim],
        tried: Sequence[AttackedClaim],
        target: AttackTarget,
        read: Floats,
        places: dict[int, int],
    ) -> Iterator[Attempt]:
        """Fit on `learn` and say what the probe reads of `tried`, of one attribute."""
        classes, labels = _classes(learn)
        if len(classes) < 2:
            for claim in tried:
                target.leave_out(claim, "too few values of the attribute to fit a probe on")
            return
        fitted_on = read[[places[id(claim)] for claim in learn]]
        wanted = read[[places[id(claim)] for claim in tried]]
        layer = self._layer(fitted_on, labels, len(classes), [claim.subject for claim in learn])
        shuffled = np.array(rng(self.seed, "labels", attribute).sample(labels.tolist(), len(labels)))
        for name, taught in ((f"probe/layer{layer + 1}", labels), (f"@random_labels/layer{layer + 1}", shuffled)):
            weights = fit(fitted_on[:, layer], taught, len(classes), self.ridge)
            for claim, place in zip(tried, predict(weights, wanted[:, layer]), strict=True):
                gold = claim.question.value
                if not any(gold and same_value(value, gold, claim.question.attribute) for value in classes):
                    target.leave_out(claim, "nobody that the probe may be fitted on has this value")
                    continue
                said = str(claim.question.row["question"])
                answer = classes[int(place)].text
                yield Attempt(claim=claim, name=name, said=said, question=said, answer=answer)

    def _layer(self, states: Floats, labels: npt.NDArray[np.int64], n: int, subjects: Sequence[str]) -> int:
        """The layer that reads best on subjects it wasn't fitted on; of several the last."""
        names = sorted(set(subjects))
        fold = {
            name: place % self.folds for place, name in enumerate(rng(self.seed, "folds").sample(names, len(names)))
        }
        of = np.array([fold[subject] for subject in subjects])
        depth = states.shape[1]
        choices = sorted({max(1, round(depth * k / self.layers)) - 1 for k in range(1, self.layers + 1)})
        scores: dict[int, int] = {}
        for layer in choices:
            right = 0
            for held in range(self.folds):
                fit_on, test = of != held, of == held
                if fit_on.any() and test.any():
                    weights = fit(states[fit_on, layer], labels[fit_on], n, self.ridge)
                    right += int((predict(weights, states[test, layer]) == labels[test]).sum())
            scores[layer] = right
        return int(max(choices, key=lambda layer: (scores[layer], layer)))

    def _kept(self, target: AttackTarget, apart: set[str]) -> list[AttackedClaim]:
        """Private claims of the retain split, of other subjects than those the probe is tried on."""
        config = str(target.claims[0].question.row["modality"])
        if not self.known or not target.data.has(config, "retain"):
            return []
        table = target.data.records(config, "retain")
        wanted = {claim.question.attribute.name for claim in target.claims}
        facts = table.select_columns(["record_id", "subject_id", "attribute", "scope"])
        fair = [
            i
            for i, row in enumerate(facts)
            if row["scope"] == "private" and row["attribute"] in wanted and row["subject_id"] not in apart
        ]
        drawn = draw_records([facts[i]["record_id"] for i in fair], self.known, seed=self.seed)
        asked = ask_besides(target.data, table.select([fair[i] for i in drawn]))
        return [AttackedClaim(question=q, group="control") for q in asked if q.value is not None]


def _is_of(claim: AttackedClaim, attribute: str, places: dict[int, int]) -> bool:
    return claim.question.attribute.name == attribute and id(claim) in places


def _begun(claim: AttackedClaim) -> Ask:
    begin = claim.frame.partition("{value}")[0].strip()
    return replace(own_question(claim, claim.question, "probe"), begun=begin)


def _classes(claims: Sequence[AttackedClaim]) -> tuple[list[ClaimValue], npt.NDArray[np.int64]]:
    """The different values of some claims, and which of them each has."""
    classes: list[ClaimValue] = []
    labels = []
    for claim in claims:
        value, attribute = claim.question.value, claim.question.attribute
        assert value is not None
        known = (i for i, other in enumerate(classes) if same_value(other, value, attribute))
        place = next(known, len(classes))
        if place == len(classes):
            classes.append(value)
        labels.append(place)
    return classes, np.array(labels, dtype=np.int64)


def fit(states: Floats, labels: npt.NDArray[np.int64], n: int, ridge: float) -> tuple[Floats, Floats, Floats]:
    """A ridge regression from standardised states onto one-hot labels.

    Args:
        states: Shape (claims, width).
        labels: The class of each.
        n: How many classes there are.
        ridge: Penalty a claim.

    Returns:
        Mean, scale and weights, the last of shape (width + 1, classes).
    """
    mean, scale = states.mean(0), states.std(0) + 1e-6
    x = np.concatenate([(states - mean) / scale, np.ones((len(states), 1))], axis=1)
    y = np.eye(n)[labels]
    # As many equations as there are claims: states are wider than that in all but tiny models.
    dual = np.linalg.solve(x @ x.T + ridge * len(x) * np.eye(len(x)), y)
    return mean, scale, x.T @ dual


def predict(fitted: tuple[Floats, Floats, Floats], states: Floats) -> npt.NDArray[np.int64]:
    """The likeliest class of each row."""
    mean, scale, weights = fitted
    x = np.concatenate([(states - mean) / scale, np.ones((len(states), 1))], axis=1)
    best: npt.NDArray[np.int64] = (x @ weights).argmax(1)
    return best
