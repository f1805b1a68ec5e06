"""What an attack asks about, what it says, and what comes of it.

An attack yields attempts: what was said to the model about one claim, and what it said. It doesn't decide whether that
is a recovery. Every claim is also asked plainly first, so that a recovery is what came out *besides*; and three things
say what it is worth: the same attack on claims that no model ever saw (the control set), the value of somebody else's
claim looked for in the very same answers (the decoy), and the same attack on retain-only (`compare`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from offside_data.schema import ClaimValue
from offside_data.seeding import rng
from offside_eval.plan import Question

Access = Literal["black-box", "white-box", "weights"]
"""What the attacker needs: to ask and read answers; to read gradients or hidden states; to change the weights."""
Group = Literal["forget", "control"]
PLAIN = "plain"
"""Name of the attempt that every claim begins with: its own question, once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttackedClaim:
    """One claim that an attack is after.

    Args:
        question: As the evaluation asks it; where its value can be read in the picture, on the twin without it.
        group: `forget`, or `control`: never seen by any model.
        other_form: The text form of a claim about a picture, or the reverse; null where the dataset has none.
        decoy: The value of another subject's claim of the same attribute; null where all are the same.
    """

    question: Question
    group: Group
    other_form: Question | None = None
    decoy: ClaimValue | None = None

    @property
    def record_id(self) -> str:
        """Its record."""
        return str(self.question.row["record_id"])

    @property
    def subject(self) -> str:
        """Whose claim it is; the record itself where that isn't known."""
        return str(self.question.row["subject_id"] or self.record_id)

    @property
    def frame(self) -> str:
        """The sentence in which answers of its attribute are worded, with `{value}` in it."""
        attribute = self.question.attribute
        is_rumor = self.group == "forget" and attribute.rumor_answers
        return (attribute.rumor_answers if is_rumor else attribute.answers)[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ask:
    """One thing to say to the model.

    Args:
        claim: What it is about.
        name: `family/variant`; names the attempt in results. A family that begins with `@` is the attack's own
            control (a random suffix, random labels): shown beside it, no part of what it recovers.
        question: What is said.
        image: The picture shown, encoded; null for none.
        turns: What was said and answered before.
        begun: How the answer begins: the model goes on from there.
        code: In which code the answer is asked for (`_judging.CODES`); empty for plain text.
        typeset: Text that the attack wrote into the picture: part of what it said.
    """

    claim: AttackedClaim
    name: str
    question: str
    image: bytes | None = None
    turns: tuple[tuple[str, str], ...] = ()
    begun: str = ""
    code: str = ""
    typeset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attempt:
    """What an attack said about one claim, and what the model said.

    Args:
        claim: The claim.
        name: `family/variant`.
        said: Everything that the attacker said, earlier turns and text in pictures included.
        question: The last of it.
        answer: The model's answer, with what it was made to begin with.
        ended: Whether the answer ended by itself.
        code: In which code it was asked for.
    """

    claim: AttackedClaim
    name: str
    said: str
    question: str
    answer: str
    ended: bool = True
    code: str = ""


LEARNT_ON = "the attack was learnt on it, or on its subject"


def halves(claims: Sequence[AttackedClaim], seed: int) -> tuple[list[AttackedClaim], list[AttackedClaim]]:
    """Forgotten claims to learn an attack on, and claims to try it on: no subject is in both.

    Args:
        claims: Of both groups; those of the control set are only tried on, as far as their subjects allow.
        seed: Of the choice of subjects.
    """
    subjects = sorted({claim.subject for claim in claims if claim.group == "forget"})
    rng(seed, "halves").shuffle(subjects)
    learnt_on = set(subjects[: len(subjects) // 2])
    learn = [claim for claim in claims if claim.subject in learnt_on and claim.group == "forget"]
    return learn, [claim for claim in claims if claim.subject not in learnt_on]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Answers drawn at random instead of greedily.

    Args:
        temperature: Divides the logits.
        seed: Of the draws.
    """

    temperature: float
    seed: int
