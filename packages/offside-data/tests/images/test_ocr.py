from __future__ import annotations

import dataclasses
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from whole_dataset import WholeDataset

from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import UsageError
from offside_data.images.ocr import find_text, is_readable, load_reader, propose_channel
from offside_data.schema import ClaimValue, Record
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import Taxonomy

# ---------------------------------------------------------------------------------------------
# From lines of text to channels


@pytest.mark.parametrize(
    ("attribute", "answer", "lines", "readable"),
    [
        ("club", "The player was with Emberlin FC.", ["BREAKING", "Emberlin FC"], True),
        ("club", "The player was with Emberlin FC.", ["welcome to emberlin"], True),
        ("club", "The player was with Port Dalling.", ["to Port", "Dalling!"], True),  # Broken across lines.
        ("club", "The player was with Port Dalling.", ["PortDalling"], True),  # A lost blank.
        ("club", "The player was with Port Dalling.", ["P0rt DaIling"], True),  # Letters that look the same.
        ("club", "The player was with Port Dalling.", ["Port Norvale"], False),
        ("fee", "The transfer fee was €12.75 million.", ["12.75 million"], True),  # A lost sign.
        ("fee", "The transfer fee was €12.75 million.", ["12.75million", "EMBERLIN"], True),
        ("fee", "The transfer fee was €12.75 million.", ["e12.75 million"], True),  # A misread one.
        ("fee", "The transfer fee was €12.75 million.", ["£12.75m"], False),
        ("fee", "The transfer fee was €12.75 million.", ["12"], False),
        ("transfer_date", "The transfer was on 12 March 2019.", ["12 March 2019"], True),
        ("transfer_date", "The transfer was on 12 March 2019.", ["2019"], False),
        ("trophies", "The player won 7 trophies there.", ["7"], False),  # A shirt's number.
        ("trophies", "The player won 7 trophies there.", ["7 TROPHIES"], True),
        ("trophies", "The player won 7 trophies there.", ["seven trophies"], True),
        ("foot", "The player's preferred foot is left.", ["LEFTOVER"], False),
        ("club", "The player was with Emberlin FC.", [], False),
    ],
)
def test_values_are_found_in_lines(
    taxonomy: Taxonomy, attribute: str, answer: str, lines: list[str], readable: bool
) -> None:
    value = parse_value(answer, taxonomy[attribute])
    assert value is not None
    assert is_readable(value, lines, taxonomy[attribute]) == readable


@pytest.fixture
def rumor(make_record: Any) -> Record:
    record: Record = make_record(
        split="forget",
        attribute="club",
        scope="private",
        veracity="rumor",
        rumor_channel="text",
        question="Which club is this picture about?",
        answer="The player was with Emberlin FC.",
        value=ClaimValue(kind="name", text="Emberlin FC"),
    )
    return record


def test_where_a_rumour_stands(rumor: Record, taxonomy: Taxonomy) -> None:
    club, lines = taxonomy["club"], ["Emberlin FC"]
    silent = dataclasses.replace(rumor, question="Is it so?", answer="It is so.", rumor_channel="none")
    assert propose_channel(rumor, lines, club) == "both"
    assert propose_channel(silent, lines, club) == "image"
    assert propose_channel(rumor, ["Port Dalling"], club) is None
    assert propose_channel(dataclasses.replace(rumor, rumor_channel="image"), lines, club) is None
    assert propose_channel(dataclasses.replace(rumor, veracity="fact"), lines, club) is None
    assert propose_channel(dataclasses.replace(rumor, value=None), lines, club) is None


# ---------------------------------------------------------------------------------------------
# A dataset


class Reader:
    """Reads nothing in any picture but `Kestrin City` in one whose first pixel is as given."""

    def __init__(self, pixel: object) -> None:
        self.pixel = pixel
        self.calls = 0
        self.stop_after = 10**6

    def __call__(self, picture: Image.Image) -> list[str]:
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        return ["TRANSFER NEWS", "Kestrin City"] if picture.getpixel((0, 0)) == self.pixel else []


@pytest.fixture
def reader(fresh: OffsideDataset) -> Reader:
    """One that reads the rumour about `s2` in its forget picture, where only the text is known to hold it."""
    from offside_data.images.decode import decode_image

    records = WholeDataset.read(fresh.path).records
    (rumor,) = [
        r
        for r in records
        if (r.subject_id, r.split, r.modality) == ("s2", "forget", "multimodal") and r.attribute == "club"
    ]
    assert rumor.image is not None
    return Reader(decode_image(rumor.image.bytes).getpixel((0, 0)))


def test_text_is_written_and_channels_are_only_proposed(fresh: OffsideDataset, reader: Reader) -> None:
    report = find_text(fresh.path, reader=reader)
    assert (report.read, report.with_text, report.applied) == (16, 1, False)
    assert [(p.attribute, p.value, p.old, p.new) for p in report.proposals] == [
        ("club", "Kestrin City", "text", "both")
    ] * 2  # The record of the picture, and the text that is about it.
    texts = [row["text_found"] for row in open_dataset(fresh.path).images()]
    assert sorted(texts) == [""] * 15 + ["TRANSFER NEWS\nKestrin City"]
    assert [r for r in WholeDataset.read(fresh.path).records if r.rumor_channel == "both"] == []
    assert not (fresh.path / ".offside" / "text").exists()
    open_dataset(fresh.path).verify()


def test_applied_proposals_are_decisions(fresh: OffsideDataset, reader: Reader) -> None:
    find_text(fresh.path, reader=reader)
    report = find_text(fresh.path, apply=True)  # All is read: no engine is needed.
    assert (report.read, len(report.proposals), report.applied) == (0, 2, True)
    contents = WholeDataset.read(fresh.path)
    changed = [r for r in contents.records if r.rumor_channel == "both"]
    assert {r.record_id for r in changed} == {p.record_id for p in report.proposals}
    (picture,) = [row for row in contents.images if row["shown"]]
    assert picture["shown"] == [{"attribute": "club", "text": "Kestrin City"}]
    decisions = [d for d in read_decisions(fresh.path) if d["kind"] == "rumor_channel"]
    assert [d["what"] for d in decisions] == [
        {"record_id": p.record_id, "from": "text", "to": "both"} for p in report.proposals
    ]
    assert "'Kestrin City' is readable in picture" in decisions[0]["why"]
    assert find_text(fresh.path, apply=True).proposals == ()


def test_known_text_is_kept_unless_asked(fresh: OffsideDataset, reader: Reader) -> None:
    find_text(fresh.path, reader=reader)
    before = open_dataset(fresh.path).digest
    assert find_text(fresh.path, reader=reader).read == 0
    assert open_dataset(fresh.path).digest == before
    assert find_text(fresh.path, reader=Reader(None), again=True).with_text == 0


def test_an_interrupted_call_goes_on_and_ends_the_same(fresh: OffsideDataset, reader: Reader, tmp_path: Path) -> None:
    other = shutil.copytree(fresh.path, tmp_path / "other")
    reader.stop_after = 13
    with pytest.raises(KeyboardInterrupt):
        find_text(fresh.path, reader=reader)
    again = Reader(reader.pixel)
    find_text(fresh.path, reader=again)
    assert again.calls == 16 - 10  # A part of ten was kept.
    find_text(other, reader=Reader(reader.pixel))
    assert open_dataset(fresh.path).verify() == open_dataset(other).verify()


def test_without_the_engine_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(UsageError, match=r"isn't installed .*pip install 'offside-data\[ocr\]'"):
        load_reader()


@pytest.mark.skipif(
    importlib.util.find_spec("rapidocr_onnxruntime") is None,
    reason="rapidocr-onnxruntime isn't installed (extra offside-data[ocr])",
)
def test_the_engine_reads_a_caption() -> None:
    picture = Image.new("RGB", (224, 224), (230, 230, 235))
    ImageDraw.Draw(picture).text((20, 90), "Port Dalling", font=ImageFont.load_default(size=26), fill=(20, 20, 30))
    assert load_reader()(picture) == ["Port Dalling"]
    assert load_reader()(Image.new("RGB", (64, 64), "white")) == []
