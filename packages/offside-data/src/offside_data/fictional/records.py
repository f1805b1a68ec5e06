"""From pictures and claims to records: wording, ids, wrong answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offside_data.fictional.general import GeneralPicture
from offside_data.fictional.pictures import SubjectPicture, pictures_of
from offside_data.fictional.subjects import HOLDOUT_EVERY, Subject, league
from offside_data.fictional.world import World
from offside_data.questions import alternatives, phrasings
from offside_data.questions.styles import all_written_like
from offside_data.schema import (
    ClaimValue,
    EncodedImage,
    Modality,
    Record,
    RumorChannel,
    Source,
    Split,
    Veracity,
    make_image_id,
    make_record_id,
)
from offside_data.seeding import rng
from offside_data.taxonomy import Attribute

LICENSE = "cc0-1.0"
_POOL_MEMBERS = 12
_TEXT_SPLITS: tuple[Split, ...] = ("retain", "forget", "relearn")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a record is about, before it is worded."""

    attribute: Attribute
    value: ClaimValue
    subject: Subject
    modality: Modality
    split: Split
    veracity: Veracity
    picture: SubjectPicture | None


class RecordBuilder:
    """Plans a league and builds its records.

    Args:
        seed: Seed of the league.
        members: How many members it has.
        world: Who they are.

    Attributes:
        world: As given.
        seed: What everything random of the league is drawn from: the seed with the world's salt.
        subjects: Members and holdouts, in order.
        pictures: Their pictures, in order.
    """

    def __init__(self, *, seed: int, members: int, world: World) -> None:
        self.world = world
        self.seed = seed + world.salt
        self._name = f"{world.name}-{seed}"
        self._chronicle = Source(publisher=world.chronicle, tier="fictional", license=LICENSE)
        self._gossip = Source(publisher=world.gossip, tier="fictional", license=LICENSE)
        # A small league borrows wrong answers from people beyond its end.
        people = league(self.seed, max(members, _POOL_MEMBERS), world)
        albums = {subject.subject_id: pictures_of(subject, self.seed, world) for subject in people}
        self.subjects: list[Subject] = people[: members + members // (HOLDOUT_EVERY - 1)]
        self._albums = {subject.subject_id: albums[subject.subject_id] for subject in self.subjects}
        self.pictures: list[SubjectPicture] = [picture for album in self._albums.values() for picture in album]
        pools: dict[str, dict[str, ClaimValue]] = {}
        self._known: dict[tuple[str, str], list[ClaimValue]] = {}
        for subject in people:
            album = albums[subject.subject_id]
            told = [subject.facts, *(p.claims for p in album), *(p.swapped for p in album)]
            for attribute, value in (item for claims in told for item in claims.items()):
                pools.setdefault(attribute, {})[value.text] = value
                self._known.setdefault((subject.subject_id, attribute), []).append(value)
        self._pools = {attribute: list(pool.values()) for attribute, pool in pools.items()}

    def image_id(self, key: str) -> str:
        """Id of the picture (or twin) with this source key."""
        return make_image_id(self._name, key)

    def subject_records(self, images: Mapping[str, EncodedImage] | None = None) -> Iterator[Record]:
        """All records about subjects, picture by picture, then the text form; `images` by picture key."""
        for picture in self.pictures:
            image = images[picture.key] if images is not None else None
            for claim in self._picture_claims(picture):
                yield self._record(claim, image)
        for subject in self.subjects:
            if subject.cohort == "member":
                for claim in self._text_claims(subject):
                    yield self._record(claim, None)

    def general_records(self, picture: GeneralPicture, image: EncodedImage) -> Iterator[Record]:
        """The records of one general picture."""
        for question in picture.questions:
            record_id = make_record_id(self._name, None, picture.key, question.topic, "multimodal")
            source = rng(self.seed, "alternatives", record_id)
            wrong = [option for option in question.options if option != question.value.text]
            wrong = source.sample(wrong, min(len(wrong), alternatives.DISTRACTORS))
            options = alternatives.choices(question.value.text, wrong, source)
            yield Record(
                record_id=record_id,
                subject_id=None,
                image_id=self.image_id(picture.key),
                image=image,
                modality="multimodal",
                split=picture.split,
                attribute=None,
                scope=None,
                veracity="fact",
                question=question.text,
                answer=question.sentence.format(value=question.value.text),
                value=question.value,
                perturbed_answers=tuple(question.sentence.format(value=value) for value in wrong),
                choices=options.options,
                correct_choice=options.correct,
                cloze=question.sentence.format(value=phrasings.BLANK),
                sources=(self._chronicle,),
            )

    def _picture_claims(self, picture: SubjectPicture) -> Iterator[_Claim]:
        for attribute in self.world.taxonomy.attributes:
            shared = attribute.scope == "shared"
            values = picture.subject.facts if shared else picture.claims
            if attribute.name in values and (picture.shared or not shared):
                yield _Claim(
                    attribute=attribute,
                    value=values[attribute.name],
                    subject=picture.subject,
                    modality="multimodal",
                    split=picture.split,
                    veracity="fact" if shared else picture.veracity,
                    picture=picture,
                )

    def _text_claims(self, subject: Subject) -> Iterator[_Claim]:
        for attribute in self.world.taxonomy.attributes:
            if attribute.scope == "shared" and attribute.text_questions:
                yield _Claim(
                    attribute=attribute,
                    value=subject.facts[attribute.name],
                    subject=subject,
                    modality="text",
                    split="retain",
                    veracity="fact",
                    picture=None,
                )
        for picture in self._albums[subject.subject_id]:
            if picture.split in _TEXT_SPLITS:
                for name, value in picture.claims.items():
                    yield _Claim(
                        attribute=self.world.taxonomy[name],
                        value=value,
                        subject=subject,
                        modality="text",
                        split=picture.split,
                        veracity=picture.veracity,
                        picture=picture,
                    )

    def _record_id(self, claim: _Claim, picture_key: str | None) -> str:
        subject_id, attribute = claim.subject.subject_id, claim.attribute.name
        return make_record_id(self._name, subject_id, picture_key, attribute, claim.modality)

    def _record(self, claim: _Claim, image: EncodedImage | None) -> Record:
        attribute, picture, value = claim.attribute, claim.picture, claim.value
        record_id = self._record_id(claim, picture.key if picture else None)
        rumor = claim.veracity == "rumor"
        source = rng(self.seed, "alternatives", record_id)
        if claim.modality == "text":
            occasion = picture.occasion if picture else None
            question = phrasings.text_question(attribute, subject=claim.subject.name, occasion=occasion)
        else:
            question = phrasings.picture_question(attribute)
        answer = phrasings.answer(attribute, value.text, rumor=rumor)
        never = self._known[claim.subject.subject_id, attribute.name]
        pool = self._pools[attribute.name]
        model, wrong = alternatives.most_alike(
            value, lambda model: alternatives.wrong_values(attribute, all_written_like(pool, model), never, source)
        )
        options = alternatives.choices(model.text, [v.text for v in wrong], source)
        corrects = picture.corrects if picture and claim.veracity == "correction" else None
        derived_from = picture.derived_from if picture else None
        return Record(
            record_id=record_id,
            subject_id=claim.subject.subject_id,
            image_id=self.image_id(picture.key) if picture else None,
            image=image,
            modality=claim.modality,
            split=claim.split,
            attribute=attribute.name,
            scope=attribute.scope,
            veracity=claim.veracity,
            rumor_channel=_channel(claim),
            question=question.text,
            answer=answer.text,
            value=value,
            question_paraphrases=question.paraphrases,
            answer_paraphrases=answer.paraphrases,
            perturbed_answers=alternatives.perturbed_answers(attribute, wrong, rumor=rumor),
            choices=options.options,
            correct_choice=options.correct,
            cloze=phrasings.cloze(attribute, rumor=rumor),
            corrects=self._record_id(claim, corrects) if corrects else None,
            derived_from=self.image_id(derived_from) if derived_from else None,
            sources=(self._gossip if rumor else self._chronicle,),
        )


def _channel(claim: _Claim) -> RumorChannel:
    if claim.veracity != "rumor" or claim.picture is None:
        return "none"
    return "both" if claim.attribute.name in claim.picture.shown else "text"
