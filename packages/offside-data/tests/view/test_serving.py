from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from edits import find, records, state

from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import DatasetReferenceError, UsageError
from offside_data.view import editing
from offside_data.view.editing import EditSession
from offside_data.view.serving import BODY_BYTES, EditServer


class Client:
    """Asks a server as its page does; what a test gives replaces that."""

    def __init__(self, server: EditServer) -> None:
        self.port, self.token, self.folder = server.server_port, server.token, server.session.folder
        self.host = f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[Any, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Host": self.host, **{name.replace("_", "-"): text for name, text in headers.items()}}
        connection.request(method, path, body, {name: text for name, text in given.items() if text})
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        return answer, read

    def get(self, name: str, **headers: str) -> tuple[Any, bytes]:
        return self.ask("GET", f"/{self.token}/{name}", **headers)

    def post(self, action: str, asked: Any, **headers: str) -> tuple[int, Any]:
        body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        ours = {"Origin": f"http://{self.host}", "Content_Type": "application/json"}
        answer, read = self.ask("POST", f"/{self.token}/{action}", body, **{**ours, **headers})
        return answer.status, json.loads(read)


@contextlib.contextmanager
def serving(dataset: OffsideDataset) -> Iterator[Client]:
    session = EditSession(dataset.path, by="ana")
    with EditServer(session) as server, session:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()


@pytest.fixture
def served(fresh: OffsideDataset) -> Iterator[Client]:
    with serving(fresh) as client:
        yield client


@pytest.fixture(scope="module")
def lasting(small: OffsideDataset) -> Iterator[Client]:
    """For tests that change nothing."""
    before = state(small.path)
    with serving(small) as client:
        yield client
    assert state(small.path) == before


def rumor(dataset: OffsideDataset) -> str:
    return find(dataset, veracity="rumor", attribute="club", modality="multimodal").record_id


# ---------------------------------------------------------------------------------------------
# What is served


def test_the_page_is_served_with_a_form_and_nothing_else(lasting: Client) -> None:
    answer, page = lasting.get("")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert b"default-src 'none'; connect-src 'self';" in page
    answer, facts = lasting.get("data/dataset.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert b'"editing":{"attribute":[["' in facts
    answer, picture = lasting.get("pictures/0/0.png")
    assert answer.headers["Content-Type"] == "image/png"
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "data",
        "data/",
        "../README.md",
        "..%2f..%2fREADME.md",
        "data/../../secret.js",
        "%00.js",
        "/etc/hosts",
        "a" * 300 + ".js",
    ],
)
def test_there_is_no_way_out_of_the_view(lasting: Client, name: str) -> None:
    answer, text = lasting.get(name)
    assert answer.status == 404
    assert text == b"The view has no such file.\n"


def test_a_link_out_of_the_view_is_not_followed(served: Client, tmp_path: Path) -> None:
    (tmp_path / "secret.js").write_text("secret")
    (served.folder / "linked.js").symlink_to(tmp_path / "secret.js")
    assert served.get("linked.js")[0].status == 404


def test_the_token_is_needed(lasting: Client) -> None:
    for path in ("/", "/index.html", f"/{lasting.token}", f"/{lasting.token}x/", f"/{lasting.token[:-1]}/", "/é/", "*"):
        assert lasting.ask("GET", path.replace("é", "%C3%A9"))[0].status == 404
    assert lasting.ask("POST", "/guessed/edit", b"{}", Content_Type="application/json")[0].status == 404


# ---------------------------------------------------------------------------------------------
# Who may change something


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": ""}, 415),
        ({"Content_Length": str(BODY_BYTES + 1)}, 413),
        ({"Content_Length": "9" * 5000}, 413),
        ({"Content_Length": "-1"}, 411),
    ],
)
def test_requests_that_are_not_our_pages_change_nothing(
    lasting: Client, small: OffsideDataset, headers: dict[str, str], status: int
) -> None:
    before = state(small.path)
    asked = {"rows": [{"record_id": rumor(small), "suspect": "odd"}]}
    found, answer = lasting.post("edit", b"" if "Content_Length" in headers else asked, **headers)
    assert found == status
    assert len(answer["problems"]) == 1
    assert state(small.path) == before


def test_the_other_name_of_this_machine_will_do(lasting: Client) -> None:
    host = f"localhost:{lasting.port}"
    assert lasting.get("", Host=host)[0].status == 200
    assert lasting.post("state", {}, Host=host, Origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "isn't JSON"),
        (b"\xff", "isn't JSON"),
        (b"[" * 100_000, "isn't JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "`rows` must be a list"),
        (b'{"rows": ["a"]}', "`rows` must be a list"),
        (b'{"rows": [{"record_id": "r", "answer": null}]}', "row 1: answer must be text"),
        (b'{"rows": [], "dry_run": 1}', "`dry_run` must be true or false"),
        (b'{"rows": []}', "has no column 'record_id'"),
    ],
)
def test_bodies_of_another_form_are_refused(lasting: Client, body: bytes, says: str) -> None:
    status, answer = lasting.post("edit", body)
    assert status == 400
    assert says in answer["problems"][0]


def test_reading_changes_nothing(lasting: Client, small: OffsideDataset) -> None:
    before = state(small.path)
    for action in ("edit", "undo", "rebuild"):
        assert lasting.get(action)[0].status == 404
        assert lasting.ask("PUT", f"/{lasting.token}/{action}")[0].status == 501
    assert lasting.post("index.html", {})[0] == 404
    assert state(small.path) == before


# ---------------------------------------------------------------------------------------------
# Changes


def test_a_change_is_a_decision_and_undo_takes_it_back(served: Client, fresh: OffsideDataset) -> None:
    name, digest = rumor(fresh), fresh.digest
    row = {"record_id": name, "veracity": "fact"}
    before = state(fresh.path)
    status, told = served.post("edit", {"rows": [row], "dry_run": True})
    assert status == 200
    assert told["changed"][0]["fields"]["veracity"] == ["rumor", "fact"]
    assert (told["decision"], told["records"], state(fresh.path)) == (None, {}, before)

    status, saved = served.post("edit", {"rows": [row], "reason": "was confirmed"})
    assert status == 200
    assert (saved["changed"], saved["remade"], saved["notes"]) == (told["changed"], told["remade"], told["notes"])
    assert saved["records"][name]["veracity"] == "fact" == records(fresh.path)[name].veracity
    decision = read_decisions(fresh.path)[-1]
    assert (decision["id"], decision["why"]) == (saved["decision"], "was confirmed")
    assert decision["who"].endswith(" edit by ana")
    assert served.post("state", {})[1]["records"] == saved["records"]

    status, undone = served.post("undo", {"decision": saved["decision"]})
    assert status == 200
    assert undone["decision"] is None
    assert undone["records"][name]["veracity"] == "rumor"
    assert open_dataset(fresh.path).digest == digest
    status, answer = served.post("undo", {"decision": saved["decision"]})
    assert status == 400
    assert "isn't the last decision saved here" in answer["problems"][0]


def test_what_cannot_be_is_said_in_the_words_of_the_command(served: Client, fresh: OffsideDataset) -> None:
    before = state(fresh.path)
    name = rumor(fresh)
    for row, says in [
        ({"attribute": "shoe_size"}, "attribute"),
        ({"split": "general"}, "can't move to general"),
        ({"choices": "a"}, "`questions` makes it"),
    ]:
        status, answer = served.post("edit", {"rows": [{"record_id": name, **row}]})
        assert status == 400
        assert says in answer["problems"][0]
        assert "nothing was changed" in answer["problems"][0] or "unknown column" in answer["problems"][0]
    assert state(fresh.path) == before


@pytest.mark.parametrize("text", ["(clear)", "'(clear)", "=1+1", "'=1+1"])
def test_text_is_taken_as_it_is_and_none_empties_the_field(served: Client, fresh: OffsideDataset, text: str) -> None:
    name = rumor(fresh)
    for said in (text, ""):
        assert served.post("edit", {"rows": [{"record_id": name, "suspect": said}]})[0] == 200
        assert records(fresh.path)[name].suspect == (said or None)


def test_a_view_built_anew_shows_what_was_saved(served: Client, fresh: OffsideDataset) -> None:
    saved = served.post("edit", {"rows": [{"record_id": rumor(fresh), "suspect": "an odd one"}]})[1]
    assert b"an odd one" not in served.get("data/records.js")[1]
    assert served.post("rebuild", {}) == (200, {"problems": []})
    assert b"an odd one" in served.get("data/records.js")[1]
    assert served.post("state", {})[1] == {"problems": [], "decision": saved["decision"], "records": {}}


def test_changes_are_made_one_at_a_time(served: Client, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way: list[int] = []
    most = []
    edit_rows = editing.edit_rows

    def slow(*args: Any, **kwargs: Any) -> Any:
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.1)
        try:
            return edit_rows(*args, **kwargs)
        finally:
            under_way.pop()

    monkeypatch.setattr(editing, "edit_rows", slow)
    names = sorted(records(fresh.path))[:4]
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda n: served.post("edit", {"rows": [{"record_id": n, "suspect": f"odd {n}"}]}), names)
    assert [status for status, _ in found] == [200] * 4
    assert most == [1] * 4
    assert [records(fresh.path)[name].suspect for name in names] == [f"odd {name}" for name in names]
    assert len(read_decisions(fresh.path)) == len({d["id"] for d in read_decisions(fresh.path)}) == 4


# ---------------------------------------------------------------------------------------------
# Beginning and end


def test_what_stands_in_the_way_leaves_no_folder(
    fresh: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(DatasetReferenceError):
        EditSession(tmp_path / "nothing")
    session = EditSession(fresh.path)
    with EditServer(session) as server, pytest.raises(UsageError, match="can't be used"):
        EditServer(EditSession(fresh.path), port=server.server_port)
    del session, server
    assert list(tmp_path.glob("offside-*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_no_folder(fresh: OffsideDataset, tmp_path: Path, number: signal.Signals) -> None:
    code = "import sys; from offside_data.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "view", str(fresh.path), "--edit"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("open http://127.0.0.1:")
        assert len(list(temporary.glob("offside-*"))) == 1
        process.send_signal(number)
        _, log = process.communicate(timeout=30)
    assert (process.returncode, list(temporary.iterdir())) == (0, [])
    assert "Traceback" not in log
