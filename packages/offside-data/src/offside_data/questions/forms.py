"""The further forms of a record's question: other wordings, wrong answers, choices, cloze.

A record's own question is never reworded. Where the wording is ours, all records about an attribute are asked in the
same canonical words: if the words differed from picture to picture, a model could tell by them, and not by the
picture, which answer is wanted. The other phrasings are paraphrases, the same ones for all.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import records_of
from offside_data.dataset.storage import Row
from offside_data.questions import phrasings
from offside_data.questions.knowledge import Knowledge
from offside_data.questions.wrong_answers import WrongAnswers
from offside_data.schema import Record
from offside_data.tagging.suspects import same_answer
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

if TYPE_CHECKING:
    import polars as pl

READ = ("record_id", "subject_id", "image_id", "modality", "attribute", "question", "answer", "value")
"""Columns of all records that forms are made from."""
FORMS = ("question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices", "cloze")
"""The fields that hold a record's further forms."""


def regenerate(
    records: Iterable[Record], claims: pl.DataFrame, taxonomy: Taxonomy, *, seed: int, images: Iterable[Row] = ()
) -> list[Record]:
    """Some records with choices and perturbed answers made anew from the values that the dataset holds.

    A wrong answer is a value of the same attribute that another subject has, or, where there are too few, a number
    near the true one. It is never a value that any record or picture gives to the same subject. Which ones are taken
    depends on the seed, the record and each value alone, so that a subject more or less changes few other records.
    A record for which nothing can be made has none afterwards.

    Args:
        records: The records to change, those that are about nobody stay as they are.
        claims: All records of the dataset, with the columns `knowledge.READ`; what is wrong for one is taken from the
            others.
        taxonomy: Their taxonomy.
        seed: Seed of the choice of wrong answers and of the order of options.
        images: Rows of the images table: what is readable in a picture is no wrong answer for its subject.
    """
    wrong = WrongAnswers(Knowledge(claims, taxonomy, images=images, seed=seed), seed=seed)
    return [
        dataclasses.replace(record, **wrong.forms(record, wrong.sentence(record))._asdict())
        if record.attribute is not None
        else record
        for record in records
    ]


class Forms:
    """Makes the further forms of a dataset's records.

    Args:
        claims: All records of the dataset, with the columns `READ`.
        taxonomy: The taxonomy.
        seed: Seed of wrong answers.
        names: Names of the subjects by id.
        images: Rows of the images table, for occasions and what is readable in pictures.

    Attributes:
        lacking: How often a form couldn't be made, by form and reason.
    """

    def __init__(
        self,
        claims: pl.DataFrame,
        taxonomy: Taxonomy,
        *,
        seed: int,
        names: Mapping[str, str],
        images: Sequence[Row] = (),
    ) -> None:
        self._known = Knowledge(claims, taxonomy, images=images, seed=seed)
        self._wrong = WrongAnswers(self._known, seed=seed)
        self._names = names
        self._occasions = {row["image_id"]: row.get("occasion") for row in images}
        self._several = asked_for_several(claims, taxonomy)
        self.lacking: Counter[tuple[str, str]] = Counter()

    def fill(self, record: Record, *, anew: bool) -> Record:
        """The record with the forms that it lacks, or with all forms `anew`; what can't be made stays as it is."""
        attribute = self._known.attribute_of(record)
        missing = [form for form in FORMS if anew or not getattr(record, form)]
        if record.attribute is None or not missing:
            return record
        made: dict[str, Any] = {}
        if attribute is None:
            self._lack(missing, "its attribute isn't decided")
            return record
        if "question_paraphrases" in missing:
            made["question_paraphrases"], why = self._question_paraphrases(record, attribute)
            if why:
                self._lack(["question_paraphrases"], why)
        if record.value is None:
            self._lack([form for form in missing if form != "question_paraphrases"], "it has no value")
            return dataclasses.replace(record, **{form: value for form, value in made.items() if value})
        if "answer_paraphrases" in missing:
            made["answer_paraphrases"] = self._answer_paraphrases(record, attribute)
        if {"perturbed_answers", "choices", "cloze"}.intersection(missing):
            sentence = self._wrong.sentence(record)
            wrong = {"cloze": sentence, **self._wrong.forms(record, sentence)._asdict()}
            made |= {form: value for form, value in wrong.items() if form in missing and value}
            if "choices" in made:
                made["correct_choice"] = wrong["correct_choice"]
            why = "there is no wrong value to offer" if sentence else "no blank can stand for its value alone"
            self._lack([form for form in missing if form in wrong and not wrong[form]], why)
        return dataclasses.replace(record, **{form: value for form, value in made.items() if value not in (None, ())})

    def _lack(self, forms: Sequence[str], why: str) -> None:
        self.lacking.update((form, why) for form in forms)

    def texts_of(self, record: Record, *, anew: bool) -> tuple[str, ...]:
        """All that will ask for a record's answer once it is filled: its question and the paraphrases."""
        attribute = self._known.attribute_of(record)
        made: tuple[str, ...] = ()
        if attribute is not None and (anew or not record.question_paraphrases):
            made, _ = self._question_paraphrases(record, attribute)
        return record.question, *(made or record.question_paraphrases)

    def _question_paraphrases(self, record: Record, attribute: Attribute) -> tuple[tuple[str, ...], str]:
        """The other wordings of a question, and why there are none."""
        texts, why = self._question_phrasings(record, attribute)
        own = folded_words(record.question)
        if attribute.kind == "text" and all(folded_words(text) != own for text in texts):
            # "What else is known?" says less than the record's own question about a free text.
            texts, why = (), why or "its question is its own"
        if record.record_id in self._several:
            texts, why = (), "its picture or subject has other answers to it"
        return tuple(text for text in texts if folded_words(text) != own), why

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
        own, claim = folded_words(record.answer), self._known.claims.claim(attribute.name, record.value)
        return tuple(
            said
            for said in (wording.text, *wording.paraphrases)
            if folded_words(said) != own and claim is not None and claim.texts.may_say(said, claim)
        )


def asked_for_several(claims: pl.DataFrame, taxonomy: Taxonomy) -> frozenset[str]:
    """Ids of records whose picture, or whose subject in the text form, has another answer for the same attribute."""
    import polars as pl

    about = ("modality", "subject_id", "image_id", "attribute")
    # Those that answer in the same words do answer the same; the few others are compared.
    differing = claims.drop_nulls("attribute").filter(pl.col("answer").n_unique().over(about) > 1)
    several: set[str] = set()
    for _, group in differing.group_by(about):
        records = records_of(group, PictureStore())
        if not _all_alike(records, taxonomy):
            several.update(record.record_id for record in records)
    return frozenset(several)


def _all_alike(records: Sequence[Record], taxonomy: Taxonomy) -> bool:
    return all(same_answer(records[0], other, taxonomy) for other in records[1:])


def ambiguous_texts(asked: Iterable[tuple[Record, Iterable[str]]], taxonomy: Taxonomy) -> frozenset[tuple[str, ...]]:
    """The questions, as folded words, that several of these records answer in different ways.

    Two subjects of one name, or two pictures of one occasion, can't be told apart in the text form.

    Args:
        asked: Records that are about the same, or that nothing but their words tells apart; each with the texts that
            ask for its answer.
        taxonomy: Their taxonomy.
    """
    known: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record, texts in asked:
        for words in set(map(folded_words, texts)):
            known[words].append(record)
    return frozenset(words for words, group in known.items() if not _all_alike(group, taxonomy))


def without(record: Record, ambiguous: Collection[tuple[str, ...]]) -> Record:
    """A record without the paraphrases that are ambiguous."""
    kept = tuple(text for text in record.question_paraphrases if folded_words(text) not in ambiguous)
    return record if kept == record.question_paraphrases else dataclasses.replace(record, question_paraphrases=kept)
