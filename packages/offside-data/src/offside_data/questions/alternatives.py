"""Wrong answers of the same kind: distractors for the choice form, perturbed answers for truth ratios."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from offside_data.questions.phrasings import answer
from offside_data.questions.styles import canonical
from offside_data.schema import ClaimValue
from offside_data.tagging.values import same_value
from offside_data.taxonomy import Attribute

Value = TypeVar("Value")

DISTRACTORS = 3
"""Wrong options of a choice form, and the least number of perturbed answers."""


class Choices(NamedTuple):
    """Options of a choice form and the place of the right one."""

    options: tuple[str, ...]
    correct: int


def wrong_values(
    attribute: Attribute,
    pool: Sequence[ClaimValue],
    never: Iterable[ClaimValue],
    source: random.Random,
    count: int = DISTRACTORS,
) -> list[ClaimValue]:
    """Up to `count` different values of `pool`, none of which equals one of `never`.

    Args:
        attribute: Decides when two values are equal; the options of a choice join the pool.
        pool: Values that others have.
        never: Every value that may not be offered: the right one, and all that is true of the subject.
        source: Where the randomness comes from.
        count: How many are wanted. Fewer come back if there aren't as many: a foot is left, right or both.
    """
    candidates = [*pool, *option_values(attribute)]
    same = functools.partial(same_value, attribute=attribute)
    return first_different(source.sample(candidates, len(candidates)), never, same, count)


def most_alike(
    value: ClaimValue, draw: Callable[[ClaimValue], list[ClaimValue]]
) -> tuple[ClaimValue, list[ClaimValue]]:
    """A value as its options are written, and wrong values written alike: as it is, or as any of its kind can be.

    Args:
        value: The right one.
        draw: Up to `DISTRACTORS` wrong values that are written as a model is.
    """
    best, most = value, list[ClaimValue]()
    for model in filter(None, (value, canonical(value))):
        wrong = draw(model)
        if len(wrong) > len(most):
            best, most = model, wrong
        if len(most) == DISTRACTORS:
            break
    return best, most


def option_values(attribute: Attribute) -> list[ClaimValue]:
    """The options of a choice as values; none of other kinds."""
    return [ClaimValue(kind="choice", text=spellings[0]) for spellings in attribute.options]


def first_different(
    candidates: Iterable[Value], never: Iterable[Value], same: Callable[[Value, Value], bool], count: int = DISTRACTORS
) -> list[Value]:
    """The first `count` candidates that are different and none of `never`; fewer if there aren't as many."""
    taken = list(never)
    found: list[Value] = []
    for candidate in candidates:
        if not any(same(candidate, value) for value in taken):
            found.append(candidate)
            taken.append(candidate)
            if len(found) == count:
                break
    return found


def choices(right: str, wrong: Iterable[str], source: random.Random) -> Choices:
    """The right option among the wrong ones, in random order."""
    options = [right, *wrong]
    source.shuffle(options)
    return Choices(tuple(options), options.index(right))


def perturbed_answers(
    attribute: Attribute, wrong: Sequence[ClaimValue], *, rumor: bool = False, count: int = DISTRACTORS
) -> tuple[str, ...]:
    """`count` answers that state wrong values, in the wording of the right one.

    Where there are too few wrong values, other wordings of them follow.
    """
    worded = [answer(attribute, value.text, rumor=rumor) for value in wrong]
    texts = [wording.text for wording in worded]
    for wording in worded:
        texts.extend(wording.paraphrases)
    return tuple(texts[:count])
