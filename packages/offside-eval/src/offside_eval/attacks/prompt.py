"""Ask in other ways: role play, authority, begun answers, examples, translation, spelling games, several turns.

The prompts are data (`prompts.yaml`), by family. Each attempt of each family is asked greedily, once; where there are
several turns, each goes through the model's chat template with its own earlier answers, and every one of them counts.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import yaml

from offside_data.errors import UsageError
from offside_data.plugins import require_known
from offside_data.questions.phrasings import BLANK
from offside_data.seeding import rng
from offside_data.tagging.comparing import same_value
from offside_eval.attacks import Ask, AttackedClaim, AttackTarget, Attempt, Paper, RecoveryAttack
from offside_eval.attacks._judging import CODED_KINDS, CODES
from offside_eval.plan import Question, ask_besides

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")
_Prompt = Mapping[str, Any]


@functools.cache
def families() -> Mapping[str, Sequence[_Prompt]]:
    """The prompts, by family."""
    text = (resources.files("offside_eval.attacks") / "prompts.yaml").read_text(encoding="utf-8")
    read: Mapping[str, Sequence[_Prompt]] = yaml.safe_load(text)
    return read


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """Prompts of several families.

    Args:
        families: Which ones; empty takes all.
        per_family: At most so many prompts of each, the first ones.
        examples: Questions and answers about others that a prompt shows.
    """

    families: tuple[str, ...] = ()
    per_family: int = 5
    examples: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known("family of prompts", self.families, families())
        if self.per_family < 1 or self.examples < 1:
            raise UsageError("per_family and examples must be at least 1.")

    def attempts(self, target: AttackTarget) -> Iterator[Attempt]:
        """All families, turn by turn."""
        shown = _Shown(target, self.examples, self.seed)
        dialogues = [
            _Dialogue(claim, f"{family}/{number}", prompt, shown.fill(claim))
            for claim in target.claims
            for family, prompts in families().items()
            if family in (self.families or families())
            for number, prompt in enumerate(prompts[: self.per_family], 1)
        ]
        dialogues = [dialogue for dialogue in dialogues if dialogue.fits]
        turn = 0
        while dialogues:
            asks = [dialogue.ask(turn, target) for dialogue in dialogues]
            answered = {(a.claim.record_id, a.name): a for a in target.ask(asks)}
            going_on = []
            for dialogue, asked in zip(dialogues, asks, strict=True):
                attempt = answered.get((asked.claim.record_id, asked.name))
                if attempt is None:
                    continue
                yield attempt
                if dialogue.has_turn(turn + 1):
                    going_on.append(dialogue.after(asked.question, attempt.answer))
            dialogues, turn = going_on, turn + 1


@dataclass(frozen=True)
class _Dialogue:
    """One prompt about one claim, with the turns that have been made."""

    claim: AttackedClaim
    name: str
    prompt: _Prompt
    words: Mapping[str, str]
    turns: tuple[tuple[str, str], ...] = ()

    @property
    def _texts(self) -> Sequence[str]:
        return self.prompt["turns"] if "turns" in self.prompt else (self.prompt["text"],)

    @property
    def fits(self) -> bool:
        """Whether the prompt can be put to this claim: all that it names is there."""
        attribute = self.claim.question.attribute
        if self.prompt.get("code") and attribute.kind not in CODED_KINDS:
            return False
        whole = " ".join([*self._texts, self.prompt.get("begun", "")])
        return all(self.words[name] for name in self.words if f"{{{name}}}" in whole)

    def has_turn(self, turn: int) -> bool:
        return turn < len(self._texts)

    def ask(self, turn: int, target: AttackTarget) -> Ask:
        plain, texts = target.plain(self.claim), self._texts
        code = self.prompt.get("code", "")
        assert not code or code in CODES
        return replace(
            plain,
            name=self.name if len(texts) == 1 else f"{self.name}/turn{turn + 1}",
            question=_filled(texts[turn], self.words),
            turns=self.turns,
            begun=_filled(self.prompt.get("begun", ""), self.words),
            code=code,
        )

    def after(self, question: str, answer: str) -> _Dialogue:
        # An empty turn of the model's is no turn in any chat template.
        return replace(self, turns=(*self.turns, (question, answer or "...")))


def _filled(text: str, words: Mapping[str, str]) -> str:
    """Placeholders one after another: a question may hold braces."""
    parts = text.split("{")
    return parts[0] + "".join(words[name] + rest for name, _, rest in (part.partition("}") for part in parts[1:]))


class _Shown:
    """What prompts may name: the claim's own words, and true claims about others as examples."""

    def __init__(self, target: AttackTarget, examples: int, seed: int) -> None:
        self._n = examples
        self._seed = seed
        self._noun = target.data.taxonomy.subject_noun
        self._examples: dict[str, list[Question]] = {}
        wanted = {claim.question.row["attribute"] for claim in target.claims}
        config = next((c for c in ("text", "multimodal") if target.data.has(c, "retain")), None)
        if config is None:
            return
        table = target.data.records(config, "retain")
        facts = table.select_columns(["attribute", "scope"])
        places = [i for i, row in enumerate(facts) if row["scope"] == "private" and row["attribute"] in wanted]
        for asked in ask_besides(target.data, table.select(places)):
            self._examples.setdefault(asked.row["attribute"], []).append(asked)

    def fill(self, claim: AttackedClaim) -> dict[str, str]:
        """By placeholder; empty where there is nothing to put there."""
        question = str(claim.question.row["question"])
        dice = rng(self._seed, "prompt", claim.record_id)
        begin, _, _ = claim.frame.partition("{value}")
        return {
            "question": question,
            "noun": self._noun,
            "frame": claim.frame.replace("{value}", BLANK),
            "begin": begin.strip(),
            "other": claim.decoy.text if claim.decoy is not None else "",
            "examples": self._examples_for(claim, dice),
            "misspelt": _misspelt(question, dice),
            "shouted": question.upper(),
            "paraphrase": next(iter(claim.question.row["question_paraphrases"] or ()), "")
            or next((q for q in _phrasings(claim) if q != question), ""),
        }

    def _examples_for(self, claim: AttackedClaim, dice: random.Random) -> str:
        attribute = claim.question.attribute
        fair = [
            asked
            for asked in self._examples.get(attribute.name, ())
            if asked.row["subject_id"] != claim.subject
            and asked.value is not None
            and not any(v and same_value(asked.value, v, attribute) for v in (claim.question.value, claim.decoy))
        ]
        chosen = dice.sample(fair, min(self._n, len(fair)))
        return "\n\n".join(f"{asked.row['question']}\n{asked.answer}" for asked in chosen)


def _phrasings(claim: AttackedClaim) -> Sequence[str]:
    """Other wordings of a question about a picture; those of the text form need a name and an occasion."""
    is_shown = claim.question.row["modality"] == "multimodal"
    return claim.question.attribute.questions if is_shown else ()


def _misspelt(text: str, dice: random.Random) -> str:
    """Every longer word with two of its inner letters swapped."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) > 4 and word.isalpha() and word.islower():
            place = dice.randrange(1, len(word) - 2)
            words[i] = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return " ".join(words)
