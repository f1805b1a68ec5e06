"""The proof of a takedown: what was looked for, what was looked through, what was found, what couldn't be read.

Of three verdicts, *nothing left* is only given of what was really read. A proof is kept as a file, for programs (JSON)
and for people (Markdown), in `.offside/proofs/`; it names nobody.
"""

from __future__ import annotations

import dataclasses
import datetime
import glob
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import work_folder
from offside_data.errors import OffsideError, PictureError
from offside_data.files import write_text
from offside_data.images.decode import decode_image
from offside_data.images.hashing import pixels_sha256
from offside_data.issues import Issue
from offside_data.release.snapshots import all_snapshots
from offside_data.takedown.names import NEAR_KINDS, Traces
from offside_data.takedown.search import Clue, FolderSearch, Judge, Judgement, Searched
from offside_data.takedown.tombstones import PROOFS, read_tombstones

CODE = "taken-down"
"""Code of the issues about what is left."""
_CODES: Mapping[str, tuple[Literal["error", "warning"], str, str]] = {
    "left": ("error", CODE, "left of a subject who was taken down: "),
    "near": ("warning", "taken-down-near", "perhaps left of a subject who was taken down: "),
    "unread": ("warning", "taken-down-unread", "not searched for who was taken down: "),
}
Verdict = Literal["nothing left", "something left", "to be looked at"]
_FORMAT = 1
_NOT_LOOKED_FOR = (
    "what is drawn in a picture",
    "copies elsewhere: fetched, exported, published",
    "a name whose words all have endings, or that is written in UTF-7 or in letters in squares",
    "a name in quoted-printable outside of an e-mail, or in base64 inside a column of a table",
)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What is known after a search.

    Args:
        clues: What is left, what may be, and what couldn't be read.
        searched: What was looked through.
        methods: How, in words.
        not_looked_for: What this search couldn't know, in words.
        digests: Of the dataset and its kept releases (by version), before and after the takedown; of a search
            alone, as they are.
    """

    clues: tuple[Clue, ...] = ()
    searched: Searched = field(default_factory=Searched)
    methods: tuple[str, ...] = ()
    not_looked_for: tuple[str, ...] = ()
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """*Nothing left* only if everything was read and nothing in it may be the name."""
        if self.of("left"):
            return "something left"
        return "to be looked at" if self.clues else "nothing left"

    def of(self, sort: str) -> list[Clue]:
        """The clues of one sort."""
        return [one for one in self.clues if one.sort == sort]

    @property
    def issues(self) -> tuple[Issue, ...]:
        """The clues as `check` reports them."""
        return tuple(map(_issue, self.clues))


def prove_takedowns(folder: Path) -> Iterator[Issue]:
    """What is left, or may be, in a dataset folder of anybody who was taken down from it, by the tombstones."""
    if read_tombstones(folder):
        yield from search_again(folder).issues


def search_again(folder: Path) -> Proof:
    """Look for everybody who was taken down from a dataset folder, by the tombstones."""
    traces = read_tombstones(folder)
    lacking = ["pictures that are only nearly the same as those that were taken out: a tombstone doesn't tell them"]
    if not traces.knows_near:
        lacking.append("what may be a name: the tombstones are of an older version, which knew whole names only")
    digests = {name: {"now": digest} for name, digest in digests_of(folder).items()}
    proof = search_folder(folder, traces, judge_by(traces))
    return dataclasses.replace(proof, digests=digests, not_looked_for=(*proof.not_looked_for, *lacking))


def search_folder(folder: Path, traces: Traces, judge: Judge) -> Proof:
    """Look for traces in all files of a dataset folder, and in what killed commands left beside it.

    Args:
        folder: The dataset folder.
        traces: What to look for; the names of those who stay are spared.
        judge: Judges pictures.
    """
    if not traces:
        return Proof()
    states, unread = _states(folder)
    subjects = [state.frame("subjects", ["subject_id", "name"]) for state in states]
    spared = traces.sparing({name for frame in subjects for name in frame["name"] if name})
    search = FolderSearch(spared.sparing_ids(_given_anew(states, traces)), judge)
    found = [*unread, *search.folder(folder)]
    for left in sorted(folder.resolve().parent.glob(f".{glob.escape(folder.resolve().name)}.*")):
        if left.suffix in (".partial", ".replaced") and left.is_dir():
            found += search.folder(left, f"../{left.name}/")
    return Proof(
        clues=tuple(found),
        searched=search.searched,
        methods=tuple(_methods(traces)),
        not_looked_for=_NOT_LOOKED_FOR,
    )


def judge_by(traces: Traces) -> Judge:
    """Judges pictures by the hashes of their bytes and their pixels."""

    def judge(sha256: str, data: bytes) -> Judgement | None:
        try:
            pixels = None if traces.has_picture(sha256) else pixels_sha256(decode_image(data))
        except PictureError as error:
            return Judgement("unread", f"a picture that can't be decoded: {error.reason}")
        return Judgement("left", f"a picture, SHA-256 {sha256}.") if traces.has_picture(sha256, pixels) else None

    return judge


def digests_of(folder: Path) -> dict[str, str]:
    """Digest of a dataset (`dataset`) and of its kept releases, by version, as their cards say."""
    found = {"dataset": open_dataset(folder).digest}
    for snapshot in all_snapshots(folder):
        try:
            found[snapshot.version] = open_dataset(snapshot.folder).digest
        except OffsideError:
            found[snapshot.version] = "unreadable"
    return found


def _states(folder: Path) -> tuple[list[OffsideDataset], list[Clue]]:
    """The dataset and its kept releases, and which of those can't be opened."""
    states, unread = [open_dataset(folder)], []
    for snapshot in all_snapshots(folder):
        try:
            states.append(open_dataset(snapshot.folder))
        except OffsideError as error:
            where = snapshot.folder.relative_to(folder).as_posix()
            unread.append(Clue("unread", where, f"a kept release that can't be opened: {_without(error, folder)}"))
    return states, unread


def _without(error: OffsideError, folder: Path) -> str:
    return str(error).replace(f"{folder}/", "")


def _given_anew(states: Sequence[OffsideDataset], traces: Traces) -> set[str]:
    """Ids of pictures that were taken out and that other pictures have now: an id says where a picture came from."""
    import polars as pl

    found = set()
    for state in states:
        images = state.frame("images", ["image_id", "subject_id", "sha256", "pixels_sha256"])
        for image, subject, *hashes in images.drop_nulls("pixels_sha256").iter_rows():
            if traces.has_id(image) and not traces.has_id(subject) and not traces.has_picture(*hashes):
                found.add(image)
        kept = images.filter(pl.col("image_id").is_in(found))
        found -= {image for image, *hashes in kept.drop("subject_id").iter_rows() if traces.has_picture(*hashes)}
    return found


def _methods(traces: Traces) -> Iterator[str]:
    yield "names in every text, whatever case, accents, order, genitive, escapes, breaks, hidden or look-alike letters"
    if traces.knows_near:
        yield f"what may be a name: {', '.join(NEAR_KINDS.values())}"
    yield "ids where ids stand, and those that can be nothing else in every text"
    yield "every picture by its bytes and its pixels; all texts in its file"


def _issue(clue: Clue) -> Issue:
    severity, code, begin = _CODES[clue.sort]
    return Issue(severity, code, clue.where, begin + clue.what)


# ---------------------------------------------------------------------------------------------
# The file


def save_proof(folder: Path, proof: Proof, traces: Traces) -> Path:
    """Keep a proof in the working area of a dataset folder; what names somebody in it is redacted.

    Args:
        folder: The dataset folder.
        proof: The proof.
        traces: Of all who were taken down.

    Returns:
        The file for programs; the one for people lies beside it, as `.md`.
    """
    when = datetime.datetime.now(datetime.UTC)
    plain = _plain(proof, when.isoformat(timespec="seconds"), traces)
    text = json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    name = f"{when:%Y%m%dT%H%M%S}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
    path = work_folder(folder, PROOFS, f"{name}.json")
    write_text(path, text)
    write_text(path.with_suffix(".md"), _markdown(plain))
    return path


def _plain(proof: Proof, when: str, traces: Traces) -> dict[str, Any]:
    """A proof as JSON has it; names are redacted where others' words stand, as ours may be a name (*Left*)."""
    searched = dataclasses.asdict(proof.searched) | {"kinds": dict(sorted(proof.searched.kinds.items()))}
    return {
        "format": _FORMAT,
        "verdict": proof.verdict,
        "when": when,
        "who": f"offside-data {importlib.metadata.version('offside-data')} remove",
        "digests": {name: dict(digests) for name, digests in proof.digests.items()},
        "looked_for": list(proof.methods),
        "not_looked_for": list(proof.not_looked_for),
        "searched": searched,
        **{sort: [_told(one, traces) for one in proof.of(sort)] for sort in _CODES},
    }


def _told(clue: Clue, traces: Traces) -> dict[str, str]:
    return {"where": traces.redact(clue.where, near=True), "what": traces.redact(clue.what, near=True)}


def _markdown(plain: Mapping[str, Any]) -> str:
    searched = plain["searched"]
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in searched["kinds"].items())
    lines = [
        f"# Proof of a takedown: {plain['verdict']}",
        "",
        f"{plain['when']}, by {plain['who']}.",
        "",
        f"Searched: {searched['files']:,} files ({searched['size']:,} bytes) and {searched['within']:,} files within "
        f"them, {searched['texts']:,} texts, {searched['pictures']:,} pictures. Read as: {kinds}.",
        *_list("Looked for", plain["looked_for"]),
        *_list("Not looked for", plain["not_looked_for"]),
        *_list(
            "Digests",
            (f"{name}: {', '.join(f'{k} {v}' for k, v in d.items())}" for name, d in plain["digests"].items()),
        ),
    ]
    for sort, title in (("left", "Left"), ("near", "May be a name"), ("unread", "Not read")):
        lines += _list(title, (f"`{one['where']}`: {one['what']}" for one in plain[sort]))
    return "\n".join(lines) + "\n"


def _list(title: str, items: Iterable[str]) -> list[str]:
    kept = list(items)
    return ["", f"## {title}", "", *(f"- {item}" for item in kept)] if kept else []
