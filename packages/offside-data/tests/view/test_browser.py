"""The page in a real browser: it opens from disk, shows what is asked for, complains of nothing, fetches nothing."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.schema import make_image_id, make_record_id
from offside_data.view import ViewReport
from offside_data.view.editing import EditSession
from offside_data.view.scripts import write_script
from offside_data.view.serving import EditServer

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
pytestmark = pytest.mark.full

Visit = Callable[[str], "Visited"]


class Visited:
    """A page after its scripts ran.

    Args:
        document: The whole document.
        log: What the browser said.
        asked: Every address that it asked for.
    """

    def __init__(self, document: str, log: str, asked: set[str]) -> None:
        self.document, self.log, self.asked = document, log, asked

    @property
    def pictures(self) -> list[str]:
        return re.findall(r'data-picture="([^"]+)"', self.document)

    @property
    def records(self) -> list[str]:
        return re.findall(r'data-record="([^"]+)"', self.document)

    @property
    def status(self) -> str:
        found = re.search(r'<p id="status"[^>]*>(.*?)</p>', self.document)
        assert found is not None
        return found[1]

    @property
    def text(self) -> str:
        return html.unescape(re.sub(r"<[^>]+>", "", self.document))


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Visited]:
    """Visit any address."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    folder = tmp_path_factory.mktemp("browser")

    def open_page(address: str) -> Visited:
        net = folder / "net.json"
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-component-update", "--disable-background-networking", "--disable-sync", "--no-first-run",
            f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=10000",
            f"--log-net-log={net}", "--window-size=1300,3000", "--dump-dom", address,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        asked = set(re.findall(r'"url":"([^"]+)"', net.read_text(encoding="utf-8", errors="replace")))
        return Visited(done.stdout, done.stderr, asked)

    return open_page


@pytest.fixture(scope="module")
def visit(viewed: ViewReport, open_page: Callable[[str], Visited]) -> Visit:
    """Visit the view of `odd` with a fragment."""
    return lambda fragment: open_page(f"{viewed.path.as_uri()}#{fragment}")


def image_ids(odd: OffsideDataset, fits: Callable[[dict[str, Any]], bool]) -> set[str]:
    """Pictures with a record that fits."""
    return {row["image_id"] for part in odd.record_parts() for row in odd.rows(part) if fits(row)} - {None}


def test_every_picture_is_shown_and_nothing_is_fetched(visit: Visit, odd: OffsideDataset) -> None:
    page = visit("")
    assert set(page.pictures) == image_ids(odd, lambda row: True)
    assert len(page.pictures) == 16
    assert page.status == "16 pictures, 41 records"
    assert "This dataset contains false claims on purpose." in page.text
    assert "Duplicates were not looked for" in page.text
    assert re.search(r'data-shown-after="\d+"', page.document)
    assert [line for line in page.log.splitlines() if ":CONSOLE" in line] == []
    # A browser may phone home on its own account; the page's own requests are what counts here.
    own = [url for url in page.asked if url.startswith(("http://", "https://", "ws"))]
    assert [url for url in own if not re.search(r"google|gstatic|gvt1|chrome", url)] == []


def test_filters_of_different_kinds_narrow(visit: Visit, odd: OffsideDataset) -> None:
    page = visit("split=forget&split=relearn&veracity=rumor&veracity=correction&config=multimodal")
    wanted = image_ids(odd, lambda row: row["split"] in ("forget", "relearn") and row["veracity"] != "fact")
    assert set(page.pictures) == wanted
    assert page.status == "8 pictures, 8 of 41 records"
    assert visit("attribute=club&scope=shared").status == "0 pictures, 0 of 41 records"


@pytest.mark.parametrize(
    ("fragment", "fits"),
    [
        ("q=NORVALE", lambda row: "Norvale" in row["answer"]),
        ("q=orlo+club", lambda row: row["subject_id"] == "s1" and "club" in row["question"]),
        ("q=norvale&split=relearn", lambda row: "Norvale" in row["answer"] and row["split"] == "relearn"),
        ("suspect=any", lambda row: row["suspect"]),
        ("channel=image", lambda row: row["rumor_channel"] == "image"),
    ],
)
def test_search_and_filters_find_what_the_dataset_holds(
    visit: Visit, odd: OffsideDataset, fragment: str, fits: Callable[[dict[str, Any]], bool]
) -> None:
    wanted = image_ids(odd, fits)
    assert wanted
    assert set(visit(fragment).pictures) == wanted


def test_a_record_is_found_by_its_id(visit: Visit) -> None:
    page = visit(f"q={make_record_id('test', 's2', 's2/p3', 'club', 'text')}")
    assert page.pictures == [make_image_id("test", "s2/p3")]


def test_a_picture_with_all_that_is_claimed(visit: Visit, odd: OffsideDataset) -> None:
    image = make_image_id("test", "s1/p3")
    page = visit(f"picture={image}")
    wanted = {r["record_id"] for part in odd.record_parts() for r in odd.rows(part) if r["image_id"] == image}
    assert len(page.records) == 3
    assert set(page.records) == wanted
    assert re.search(r"<dialog[^>]* open", page.document)
    assert "Corrected by The player was with Norvale Rovers." in page.text
    assert "Orlo Vantis" in page.text
    relearn = visit(f"picture={make_image_id('test', 's1/p4')}")
    assert "Corrects the rumor The player was with Emberlin FC." in relearn.text
    rumor = make_record_id("test", "s1", "s1/p3", "club", "multimodal")
    assert f"picture={image}&amp;record={rumor}" in relearn.document
    assert 'target" id="record-' in visit(f"picture={image}&record={rumor}").document


def test_what_comes_from_the_dataset_stays_text(visit: Visit, odd: OffsideDataset) -> None:
    hostile = next(row for part in odd.record_parts() for row in odd.rows(part) if "onerror" in row["question"])
    page = visit(f"picture={hostile['image_id']}")
    assert hostile["question"] in page.text
    assert "<title>small 0.1.0</title>" in page.document
    assert "Look again: the value differs from the table" in page.text
    linked = next(row for part in odd.record_parts() for row in odd.rows(part) if row["sources"])
    page = visit(f"picture={linked['image_id']}")
    assert "javascript:alert(1)" in page.text
    assert 'href="javascript:' not in page.document


def test_a_picture_that_is_not_readable_says_why(visit: Visit) -> None:
    assert "Not readable: " in visit(f"picture={make_image_id('test', 's3/p1')}").text


def test_a_subject_with_its_text_records(visit: Visit, odd: OffsideDataset) -> None:
    rows = [row for part in odd.record_parts() if part.startswith("text/") for row in odd.rows(part)]
    subject = next(row["subject_id"] for row in rows if row["record_id"] == "r-alone")
    page = visit(f"subject={subject}")
    assert len(page.records) == 3
    assert set(page.records) == {row["record_id"] for row in rows if row["subject_id"] == subject}
    assert len(re.findall(r'data-subject="', visit("view=subjects").document)) == 4
    assert "It isn't in this version of the dataset." in visit("subject=nobody").text


def test_charts_count_by_split(visit: Visit) -> None:
    page = visit("view=charts")
    charts = dict(re.findall(r'data-split="(\w+)"(.*?)</section>', page.document, re.DOTALL))
    assert charts.keys() == {"retain", "forget", "test", "relearn"}
    assert "12 records" in charts["forget"]
    assert "forget: rumor 8 records" in charts["forget"]
    assert visit("view=charts&split=test").document.count("data-split=") == 1


def test_records_have_a_form_only_where_something_can_be_saved(
    visit: Visit, open_page: Callable[[str], Visited], odd: OffsideDataset
) -> None:
    image, record = make_image_id("test", "s1/p3"), make_record_id("test", "s1", "s1/p3", "club", "multimodal")
    fragment = f"picture={image}&record={record}&edit=1"
    page = visit(fragment)
    assert record in page.records
    assert re.search(r"<form class|data-edit=", page.document) is None
    session = EditSession(odd.path)
    with EditServer(session) as server, session:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        page = open_page(f"{server.address}#{fragment}")
        server.shutdown()
        thread.join()
    forms = re.findall(
        r'<form class="edit" aria-label="Change the record (\w+)">(.*?)</form>', page.document, re.DOTALL
    )
    assert [name for name, _ in forms] == [record]
    assert set(re.findall(r'data-edit="(\w+)"', page.document)) == set(page.records) - {record}
    fields = dict(re.findall(r'<(?:input|textarea|select) id="(\w+-\d+)" name="(\w+)"', forms[0][1]))
    assert set(fields.values()) == {
        "question", "answer", "value", "attribute", "veracity", "rumor_channel", "split", "suspect", "reason",
    }  # fmt: skip
    assert fields.keys() < set(re.findall(r'<label for="(\w+-\d+)"', forms[0][1]))
    assert [line for line in page.log.splitlines() if ":CONSOLE" in line] == []


def test_of_ten_thousand_pictures_those_in_sight_exist(
    viewed: ViewReport, open_page: Callable[[str], Visited], tmp_path: Path, read_value: Callable[[Path, str], Any]
) -> None:
    number = 10_000
    folder = shutil.copytree(viewed.path.parent, tmp_path / "many")
    facts = read_value(folder, "dataset") | {"subjects": [], "chunks": [[0, 0]]}
    columns = read_value(folder, "records")["columns"]
    same = {name: {"values": column["values"], "codes": [0] * number} for name, column in columns.items()}
    pictures = {
        "ids": [f"i{n}" for n in range(number)], "split": ["retain"] * number, "size": [[1, 1]] * number,
        "subject": [-1] * number, "ending": [0] * number, "small": [0] * number, "endings": [""], "twin": {},
        "problem": {}, "units": [[n, -1, 1] for n in range(number)],
    }  # fmt: skip
    values = {"dataset": facts, "records": {"count": number, "columns": same}, "pictures": pictures}
    for name, value in values.items():
        write_script(folder / "data" / f"{name}.js", name, value)
    page = open_page((folder / "index.html").as_uri())
    assert page.status == "10,000 pictures, 10,000 records"
    assert 20 < len(page.pictures) < 200
    assert page.document.count('aria-setsize="10000"') == len(page.pictures)
