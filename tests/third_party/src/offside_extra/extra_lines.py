"""Text files of `subject<TAB>attribute<TAB>question<TAB>answer` lines, to show a third party's adapter."""

from __future__ import annotations

from pathlib import Path

from offside_data.adapters import Imported, ReadOptions, Remark
from offside_data.schema import Record, SourceRecord, make_record_id

TAXONOMY = "football"


def recognises(source: Path) -> bool:
    """Files that end in `.extra`."""
    return source.suffix == ".extra" and source.is_file()


def read(source: Path, options: ReadOptions) -> Imported:
    """One record a line; a line that isn't four fields is rejected."""
    imported = Imported()
    for index, line in enumerate(source.read_text(encoding="utf-8").splitlines()):
        imported.rows += 1
        fields = line.split("\t")
        if len(fields) != 4 or fields[1] not in options.taxonomy:
            why = "a line is subject, attribute, question and answer, with tabs between"
            imported.remarks.append(Remark(kind="rejected", file=source.name, index=index, why=why))
            continue
        subject, attribute, question, answer = fields
        imported.records.append(
            Record(
                record_id=make_record_id("extra", subject, None, attribute, "text", index),
                subject_id=subject,
                image_id=None,
                image=None,
                modality="text",
                split="retain",
                attribute=attribute,
                scope=options.taxonomy[attribute].scope,
                veracity="fact",
                question=question,
                answer=answer,
                source_record=SourceRecord(file=source.name, index=index, question=question, answer=answer),
            )
        )
    known = dict.fromkeys(record.subject_id for record in imported.records)
    imported.subjects = [{"subject_id": s, "name": s, "cohort": "member"} for s in known]
    return imported


def example(folder: Path) -> Path:
    """Two invented facts."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "facts.extra"
    lines = [
        "p1\tage\tHow old is Oda Vint?\tOda Vint is 24 years old.",
        "p1\theight\tHow tall is Oda Vint?\tOda Vint is 1.84 meters tall.",
    ]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return source
