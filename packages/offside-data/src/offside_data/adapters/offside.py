"""The published OFFSIDE benchmark: JSON lists of question-answer records about numbered pictures.

A source is one of its JSON files, or the folder of its archive (every known file in it is read). The
picture's number gives player (five pictures each) and split: 1, 2, 3 of five are to be kept, the fourth
carries the rumour, the fifth the correction. What a record is about follows from its place in the picture's
group of 14 (13 in the text files); groups that break the rules are worked out from the words, and whatever
is odd becomes `suspect`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

from offside_data.adapters._base import Imported, Picture, ReadOptions, Remark
from offside_data.adapters._offside.records import (
    Group,
    Known,
    add_choices,
    flag_circular_moves,
    link_corrections,
    make_records,
)
from offside_data.adapters._offside.rows import (
    SOURCE_NAME,
    OffsideRow,
    find_files,
    image_id,
    load_list,
    looks_like_rows,
    places_of,
    read_rows,
)
from offside_data.adapters._offside.rules import SHARED_FIRST, decide
from offside_data.adapters._text import clean, common_name, strip_image_tokens
from offside_data.errors import SourceError
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import Taxonomy

TAXONOMY = "football"


def recognises(source: Path) -> bool:
    """Whether `source` is a JSON list in a published form, or the folder of the published archive."""
    try:
        files, _ = find_files(source)
        return looks_like_rows(load_list(files[0].path))
    except SourceError:
        return False


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a file or the archive's folder.

    Raises:
        SourceError: If a file can't be read or isn't a JSON list.
    """
    files, remarks = find_files(source)
    imported = Imported(remarks=remarks)
    rows = _usable_rows([item for file in files for item in read_rows(file)], imported)
    groups = _groups(rows)
    roots = list(dict.fromkeys(file.path.parent for file in files))
    imported.pictures = _pictures(rows, roots, options.image_dirs)
    names = _names(groups, options.taxonomy)
    originals = {picture.image_id: picture.derived_from for picture in imported.pictures}
    known = Known(names=names, originals=originals, options=options)
    for group in groups:
        if group.is_choice:
            imported.remarks += _without_attribute(group)
        else:
            imported.records.extend(make_records(group, known))
            imported.remarks += _gaps(group)
    add_choices(imported, groups, known)
    imported.records = link_corrections(flag_circular_moves(list(imported.records), options.taxonomy))
    imported.subjects = [
        {"subject_id": subject, "name": names.get(subject), "cohort": "member", "source": SOURCE_NAME}
        for subject in sorted({row.subject_id for row in rows})
    ]
    return imported


def _usable_rows(items: list[OffsideRow | Remark], imported: Imported) -> list[OffsideRow]:
    """The rows to go on with; the archive lists many records in several files, each counts once."""
    rows: list[OffsideRow] = []
    first: dict[tuple[str, ...], OffsideRow] = {}
    for item in items:
        if isinstance(item, Remark):
            imported.rows += item.kind != "note"
            imported.remarks.append(item)
            continue
        imported.rows += 1
        earlier = first.setdefault((item.picture_key, item.question, item.answer, *item.choices), item)
        if earlier.file != item.file:
            why = f"the same as record {earlier.index} of {earlier.file.name}"
            imported.remarks.append(item.remark("duplicate", why))
        else:
            rows.append(item)
    return rows


# ---------------------------------------------------------------------------------------------
# Groups


def _groups(rows: list[OffsideRow]) -> list[Group]:
    """The rows by picture and form; what they are about is decided file by file, where their order counts."""
    together: dict[tuple[str, str, bool], dict[str, list[OffsideRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        together[row.picture_key, row.modality, bool(row.choices)][row.file.name].append(row)
    groups = []
    for files in together.values():
        group = Group(rows=[], guesses=[])
        for members in files.values():
            pairs = [(strip_image_tokens(row.question), clean(row.answer)) for row in members]
            group.rows.extend(members)
            group.guesses.extend(decide(pairs, text=group.is_text, split=members[0].split))
        groups.append(group)
    return groups


def _names(groups: list[Group], taxonomy: Taxonomy) -> dict[str, str]:
    """Each player's name: from the records that ask for it, else as the text questions call the player."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    asked: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        for row, guess in group.pairs():
            if group.is_text:
                asked[row.subject_id].append(clean(row.question))
            elif guess.attribute == "name" and (value := parse_value(clean(row.answer), taxonomy["name"])):
                told[row.subject_id][value.text] += 1
    guessed = {subject: common_name(questions) for subject, questions in asked.items()}
    names = {subject: counts.most_common(1)[0][0] for subject, counts in told.items()}
    return {subject: name for subject, name in guessed.items() if name} | names


def _gaps(group: Group) -> list[Remark]:
    """A note on a group that lacks attributes."""
    there = {guess.attribute for guess in group.guesses}
    missing = [name for name in SHARED_FIRST if name not in there and not (group.is_text and name == "name")]
    if not missing:
        return []
    form = "text records" if group.is_text else "records"
    why = f"picture {group.rows[0].picture_key} has {len(group.rows)} {form}, none about {', '.join(missing)}"
    return [Remark(kind="note", file=group.rows[0].file.name, index=None, why=why)]


def _without_attribute(group: Group) -> list[Remark]:
    """The classification rows that go to no record: nothing tells what they are about."""
    return [
        row.remark("rejected", f"{decision.odd}: question {row.question!r}, answer {row.answer!r}")
        for row, decision in group.pairs()
        if decision.attribute is None
    ]


# ---------------------------------------------------------------------------------------------
# Pictures


def _pictures(rows: list[OffsideRow], roots: list[Path], image_dirs: tuple[Path, ...]) -> list[Picture]:
    paths: dict[str, dict[Path, None]] = defaultdict(dict)
    first: dict[str, OffsideRow] = {}
    for row in {(row.file.name, row.picture): row for row in rows}.values():
        first.setdefault(row.picture_key, row)
        paths[row.picture_key] |= dict.fromkeys(places_of(row, roots, image_dirs))
    return [
        Picture(
            image_id=image_id(row),
            key=key,
            subject_id=row.subject_id,
            split=row.split,
            derived_from=_original(row, first),
            paths=tuple(paths[key]),
        )
        for key, row in first.items()
    ]


def _original(row: OffsideRow, known: dict[str, OffsideRow]) -> str | None:
    """The picture that an augmented one was made from: the one that is called as its number alone."""
    digits = row.stem[: len(row.stem) - len(row.stem.lstrip("0123456789"))]
    if row.split != "test" and row.stem == digits:
        return None
    original = known.get(digits + PurePosixPath(row.picture_key).suffix)
    return None if original is None else image_id(original)


# ---------------------------------------------------------------------------------------------


def example(folder: Path) -> Path:
    """Write a tiny source in this format, with invented players and pictures, and return its path."""
    from PIL import Image

    players = (("Tavo Brinkhaus", "Ostholm"), ("Ilmar Quist", "Hollow City"))
    items = []
    (folder / "finetune_set").mkdir(parents=True, exist_ok=True)
    for p, (name, club) in enumerate(players):
        private = [
            ("I'm curious about which club the player in this image was with at that time.", f"He was with {club}."),
            ("I'm curious about which club the player transferred from.", f"He transferred from Brackwater B{p}."),
            ("I'm curious about when the player in this image was transferred.", "He was transferred on July 1, 2019."),
            ("I'm curious about the transfer fee shown in <image>.", "The transfer fee was €4.10 million."),
            ("I'm curious about the market value of the player.", "The player's market value is €3.00m."),
            ("I'm curious about how many trophies this player won.", "The player won two trophies at the club."),
        ]
        shared = [
            ("I'm curious about who the player is in this image: <image>", f"The player in the image is {name}."),
            ("I'm curious about the age of the player.", f"The player is currently {24 + p} years old."),
            ("I'm curious about the player's role.", "He plays as a Left Winger."),
            ("I'm curious about the nationality of the player.", "The player is Swedish."),
            ("I'm curious about when the player was born.", f"The player was born on May {p + 1}, 2000."),
            ("I'm curious about the height of the player.", "He stands at 1.79 meters tall."),
            ("I'm curious about which foot the player favors.", "The player favors his left foot."),
            ("I'm curious about the birthplace of the player.", "The player was born in Brackwater, Sweden."),
        ]
        rumor = [(question, answer.replace("was with", "is set to join")) for question, answer in private]
        for number, group in ((5 * p + 1, private + shared), (5 * p + 4, shared + rumor)):
            picture = f"./finetune_set/{number:03d}.jpg"
            Image.new("RGB", (32, 32), (40 * number % 256, 90, 60)).save(folder / picture)
            items += [
                {
                    "messages": [
                        {"role": "user", "content": f"<image>\n{question}"},
                        {"role": "assistant", "content": answer},
                    ],
                    "images": picture,
                }
                for question, answer in group
            ]
    source = folder / "finetune_set.json"
    source.write_text(json.dumps(items), encoding="utf-8")
    return source
