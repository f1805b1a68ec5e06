"""The further forms of a record's question: other wordings, wrong answers, choices, cloze.

A record's own question is never reworded. Where the wording is ours, all records about an attribute are asked in the
same canonical words: if the words differed from picture to picture, a model could tell by them, and not by the
picture, which answer is wanted. The other phrasings are paraphrases, the same ones for all.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from offside_data.dataset.storage import Row
from offside_data.questions import phrasings
from offside_data.questions.wrong_answers import WrongAnswers
from offside_data.schema import Record
from offside_data.tagging.suspects import same_answer
from offside_data.tagging.values import answer_states
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

FORMS = ("question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices", "cloze")
"""The fields that hold a record's further forms."""


def regenerate(
    records: Sequence[Record],
    taxonomy: Taxonomy,
    *,
    seed: int,
    only: Collection[str] | None = None,
    images: Sequence[Row] = (),
) -> list[Record]:
    """The same records with choices and perturbed answers made anew from the values that they hold.

    A wrong answer is a value of the same attribute that another subject has, or, where there are too few, a number
    near the true one. It is never a value that any record or picture gives to the same subject. Which ones are taken
    depends on the seed, the record and each value alone, so that a subject more or less changes few other records.
    A record for which nothing can be made has none afterwards.

    Args:
        records: All records of a dataset; what is wrong for one is taken from the others.
        taxonomy: Their taxonomy.
        seed: Seed of the choice of wrong answers and of the order of options.
        only: Ids of the records to change; null changes all that are about a subject.
        images: Rows of the images table: what is readable in a picture is no wrong answer for its subject.
    """
    wrong = WrongAnswers(records, taxonomy, seed=seed, images=images)
    return [
        dataclasses.replace(record, **dataclasses.asdict(wrong.forms(record, wrong.sentence(record))))
        if record.attribute is not None and (only is None or record.record_id in only)
        else record
        for record in records
    ]


class Forms:
    """Makes the further forms of a dataset's records.

    Args:
        records: All records of the dataset.
        taxonomy: Their taxonomy.
        seed: Seed of wrong answers.
        names: Names of the subjects by id.
        images: Rows of the images table, for occasions and what is readable in pictures.

    Attributes:
        lacking: How often a form couldn't be made, by form and reason.
    """

    def __init__(
        self,
        records: Sequence[Record],
        taxonomy: Taxonomy,
        *,
        seed: int,
        names: Mapping[str, str],
        images: Sequence[Row] = (),
    ) -> None:
        self._wrong = WrongAnswers(records, taxonomy, seed=seed, images=images)
        self._names = names
        self._occasions = {row["image_id"]: row.get("occasion") for row in images}
        self._several = _asked_for_several(records, taxonomy)
        self.lacking: Counter[tuple[str, str]] = Counter()

    def fill(self, record: Record, *, anew: bool) -> Record:
        """The record with the forms that it lacks, or with all forms `anew`; what can't be made stays as it is."""
        attribute = self._wrong.attribute_of(record)
        missing = [form for form in FORMS if anew or not getattr(record, form)]
        if record.attribute is None or not missing:
            return record
        made: dict[str, Any] = {}
        if attribute is None:
            self._lack(missing, "its attribute isn't decided")
            return record
        if "question_paraphrases" in missing:
            made["question_paraphrases"] = self._question_paraphrases(record, attribute)
        if record.value is None:
            self._lack([form for form in missing if form != "question_paraphrases"], "it has no value")
            return dataclasses.replace(record, **{form: value for form, value in made.items() if value})
        if "answer_paraphrases" in missing:
            made["answer_paraphrases"] = self._answer_paraphrases(record, attribute)
        if {"perturbed_answers", "choices", "cloze"}.intersection(missing):
            sentence = self._wrong.sentence(record)
            wrong = {"cloze": sentence, **dataclasses.asdict(self._wrong.forms(record, sentence))}
            made |= {form: value for form, value in wrong.items() if form in missing and value}
            if "choices" in made:
                made["correct_choice"] = wrong["correct_choice"]
            why = "there is no wrong value to offer" if sentence else "no blank can stand for its value alone"
            self._lack([form for form in missing if form in wrong and not wrong[form]], why)
        return dataclasses.replace(record, **{form: value for form, value in made.items() if value not in (None, ())})

    def _lack(self, forms: Sequence[str], why: str) -> None:
        self.lacking.update((form, why) for form in forms)

    def _question_paraphrases(self, record: Record, attribute: Attribute) -> tuple[str, ...]:
        texts, why = self._question_phrasings(record, attribute)
        own = folded_words(record.question)
        if attribute.kind == "text" and all(folded_words(text) != own for text in texts):
            # "What else is known?" says less than the record's own question about a free text.
            texts, why = (), why or "its question is its own"
        if record.record_id in self._several:
            texts, why = (), "its picture or subject has other answers to it"
        if why:
            self._lack(["question_paraphrases"], why)
        return tuple(text for text in texts if folded_words(text) != own)

    def _question_phrasings(self, record: Record, attribute: Attribute) -> tuple[tuple[str, ...], str]:
        if record.modality == "multimodal":
            return (attribute.questions, "")
        name = self._names.get(record.subject_id or "")
        occasion = self._occasions.get(record.image_id)
        if not attribute.text_questions:
            return (), "its attribute has no text_questions"
        if not name:
            return (), "its subject has no name"
        if attribute.scope == "private" and not occasion:
            return (), "its picture has no occasion"
        wording = phrasings.text_question(attribute, subject=name, occasion=occasion)
        return (wording.text, *wording.paraphrases), ""

    def _answer_paraphrases(self, record: Record, attribute: Attribute) -> tuple[str, ...]:
        assert record.value is not None
        text = phrasings.value_text(record.value, attribute)
        wording = phrasings.answer(attribute, text, rumor=record.veracity == "rumor")
        own = folded_words(record.answer)
        return tuple(
            said
            for said in (wording.text, *wording.paraphrases)
            if folded_words(said) != own and answer_states(said, record.value, attribute)
        )


def _asked_for_several(records: Sequence[Record], taxonomy: Taxonomy) -> set[str]:
    """Ids of records whose picture, or whose subject in the text form, has another answer for the same attribute."""
    together: dict[tuple[str | None, ...], list[Record]] = defaultdict(list)
    for record in records:
        together[record.modality, record.subject_id, record.image_id, record.attribute].append(record)
    return {
        record.record_id
        for group in together.values()
        if not all(same_answer(group[0], other, taxonomy) for other in group[1:])
        for record in group
    }


def without_ambiguous_paraphrases(records: Sequence[Record], taxonomy: Taxonomy) -> list[Record]:
    """The same records without the paraphrases that also ask for another answer.

    Two subjects of one name, or two pictures of one occasion, can't be told apart in the text form.
    """
    asked: dict[tuple[str | None, ...], list[Record]] = defaultdict(list)
    for record in records:
        for text in {folded_words(text): text for text in (record.question, *record.question_paraphrases)}:
            asked[_about(record), *text].append(record)
    ambiguous = {key for key, group in asked.items() if not all(same_answer(group[0], r, taxonomy) for r in group[1:])}
    kept = []
    for record in records:
        texts = [t for t in record.question_paraphrases if (_about(record), *folded_words(t)) not in ambiguous]
        same = len(texts) == len(record.question_paraphrases)
        kept.append(record if same else dataclasses.replace(record, question_paraphrases=tuple(texts)))
    return kept


def _about(record: Record) -> str | None:
    """What a question is asked about: its picture, in the text form nothing but what it says."""
    return record.image_id if record.modality == "multimodal" else None
