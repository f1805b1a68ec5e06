"""What can go wrong on the way: nothing is doubled or lost, a second run completes the work, no token is shown."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
from fake_label_studio import PERSONAL, TOKEN, FakeLabelStudio
from faulty_proxy import FaultyProxy
from test_pull import judged

from offside_data.annotation.doctor import diagnose
from offside_data.annotation.pull import pull
from offside_data.annotation.push import PushOptions, push
from offside_data.annotation.server import AnnotationServer, connect, token_kind
from offside_data.dataset.folder import OffsideDataset
from offside_data.edit import edit_rows
from offside_data.errors import AnnotationError, UsageError

FORGET = PushOptions(where=("split=forget", "config=multimodal"))
IMPORT = r"POST /api/projects/\d+/import"


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offside_data.annotation.project._BATCH", 3)


def tasks_of(studio: FakeLabelStudio) -> list[int]:
    """How many tasks each record has."""
    return sorted(Counter(task["data"]["record_id"] for task in studio.tasks.values()).values())


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("fault", ["cut before", "cut after", "cut within"])
def test_a_cut_connection_doubles_nothing(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, fault: Any
) -> None:
    proxy.fail(IMPORT, fault)
    assert push(fresh.path, FORGET).sent == 8
    assert tasks_of(studio) == [1] * 8
    assert push(fresh.path, FORGET).sent == 0


@pytest.mark.usefixtures("small_batches")
def test_a_connection_that_is_always_cut_ends_with_a_message(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset
) -> None:
    proxy.fail(IMPORT, *["cut before"] * 4)
    with pytest.raises(AnnotationError, match=r"8 of 8 tasks didn't arrive.*Run the command again"):
        push(fresh.path, FORGET)
    assert push(fresh.path, FORGET).sent == 8
    assert tasks_of(studio) == [1] * 8


def test_a_request_that_arrives_late_is_found_and_its_doubles_go(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset
) -> None:
    """The connection is cut, the server carries the import out when it was sent again already."""
    push(fresh.path, FORGET)
    (project,) = studio.projects
    late = [{"data": task["data"], "meta": task["meta"]} for task in studio.tasks.values()]
    studio.tasks.clear()
    seen: list[str] = []

    def arrive(request: str) -> None:
        seen.append(request)
        if request.endswith("/import"):
            studio.add_tasks(project, late)

    proxy.on_request = arrive
    assert push(fresh.path, FORGET).sent == 8
    assert tasks_of(studio) == [1] * 8


def test_a_double_with_answers_is_never_deleted(studio: FakeLabelStudio, fresh: OffsideDataset, results: Any) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects
    first = studio.tasks[min(studio.tasks)]
    (double,) = studio.add_tasks(project, [{"data": first["data"], "meta": first["meta"]}])
    for task in (first["id"], double):
        studio.annotate(task, 2, results(veracity="fact"))
    push(fresh.path, PushOptions(where=("split=forget",)))
    assert {first["id"], double} <= studio.tasks.keys()
    assert pull(fresh.path).new == 2


def test_an_import_in_the_background_is_waited_for(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    studio.background = True
    assert push(fresh.path, FORGET).sent == 8
    assert tasks_of(studio) == [1] * 8
    assert any("/imports/" in request for request in studio.asked)


@pytest.mark.parametrize("background", [False, True])
def test_counts_that_differ_are_noticed(studio: FakeLabelStudio, fresh: OffsideDataset, background: bool) -> None:
    studio.background, studio.dropping = background, 3
    assert push(fresh.path, FORGET).sent == 8
    assert tasks_of(studio) == [1] * 8


def test_a_server_out_of_breath_is_asked_again(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, results: Any
) -> None:
    push(fresh.path, FORGET)
    studio.annotate(min(studio.tasks), 2, results(veracity="fact"))
    proxy.fail("GET /api/users/", 503, 429)
    proxy.fail(r"GET .*/download", "cut within", "cut before")
    assert pull(fresh.path).new == 1


@pytest.mark.parametrize("status", [500, 403, 400])
def test_a_refusal_is_told_and_changes_nothing(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, status: int
) -> None:
    proxy.fail(IMPORT, status, said=b'{"detail": "data:image/png;base64,' + b"A" * 9_000 + b'"}')
    with pytest.raises(AnnotationError, match=f"refused \\({status}\\)") as caught:
        push(fresh.path, FORGET)
    assert len(str(caught.value)) < 700
    assert studio.tasks == {}
    assert push(fresh.path, FORGET).sent == 8


def test_a_server_that_is_down(fresh: OffsideDataset, studio: FakeLabelStudio) -> None:
    studio.close()
    with pytest.raises(AnnotationError, match=r"can't be reached.*--url or LABEL_STUDIO_URL"):
        push(fresh.path, FORGET)
    assert [d.about for d in diagnose(fresh.path) if d.ok is False] == ["server"]


def test_without_a_safe_connection_it_says_why(
    studio: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = AnnotationServer(studio.url.replace("http", "https"), TOKEN)
    with pytest.raises(AnnotationError, match=r"doesn't speak https there\. Is its address one with http://\?$"):
        server.get("/api/version")
    certificate = speak_https(studio, tmp_path, "127.0.0.1")
    with pytest.raises(AnnotationError, match=r"certificate isn't taken here \(self.signed certificate\).*CA_BUNDLE"):
        server.get("/api/version")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert server.get("/api/version") == {"release": "1.23.2"}
    for bundle in (tmp_path / "missing.pem", tmp_path / "key.pem"):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        with pytest.raises(AnnotationError, match=rf"REQUESTS_CA_BUNDLE must name .* it is {bundle}$"):
            AnnotationServer(server.url, TOKEN).get("/api/version")


@pytest.mark.parametrize(
    ("host", "days", "remedy"),
    [
        ("10.0.0.1", 1, r"not valid for '127.0.0.1'\)\. Give the address that it is for, or have"),
        ("127.0.0.1", -1, r"\(certificate has expired\)\. Have it renewed, or set the clock"),
    ],
)
def test_a_certificate_of_another_host_or_time(
    studio: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, remedy: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(speak_https(studio, tmp_path, host, days)))
    with pytest.raises(AnnotationError, match=remedy):
        AnnotationServer(studio.url.replace("http", "https"), TOKEN).get("/api/version")


@pytest.mark.parametrize("proxy", ["http://user:secret@127.0.0.1:1", "nonsense://["])
def test_a_proxy_that_is_none(
    studio: FakeLabelStudio, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    for name, value in {"http_proxy": proxy, "HTTP_PROXY": proxy, "no_proxy": "", "NO_PROXY": ""}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AnnotationError, match=r"can't be reached .*is it the proxy, which HTTP_PROXY") as caught:
        push(fresh.path, FORGET)
    assert "secret" not in str(caught.value)


def speak_https(studio: FakeLabelStudio, folder: Path, host: str, days: int = 1) -> Path:
    """Put the server behind a certificate of its own, which is given."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl to make a certificate with")
    key, asked, certificate, names = (folder / f"{name}.pem" for name in ("key", "asked", "certificate", "names"))
    names.write_text(f"subjectAltName=IP:{host}\n")
    new = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=studio", "-keyout", str(key)]
    subprocess.run([program, "req", *new, "-out", str(asked)], check=True, capture_output=True)
    signed = ["-in", str(asked), "-signkey", str(key), "-days", str(days), "-extfile", str(names)]
    subprocess.run([program, "x509", "-req", *signed, "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    studio._server.socket = context.wrap_socket(studio._server.socket, server_side=True)
    return certificate


def test_an_address_of_something_else(fresh: OffsideDataset, proxy: FaultyProxy) -> None:
    proxy.fail("GET", *[200] * 3, said=b"<html>hello</html>")
    with pytest.raises(AnnotationError, match="gave no JSON"):
        pull(fresh.path)


def test_a_killed_pull_goes_on_with_its_snapshot(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, results: Any
) -> None:
    push(fresh.path, FORGET)
    for task in studio.tasks:
        studio.annotate(task, 2, results(veracity="fact"))
    program = "import sys; from offside_data.annotation.pull import pull; pull(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", program, str(fresh.path)], env=dict(os.environ))

    def kill(request: str) -> None:
        if request.endswith("/download"):
            process.kill()

    proxy.on_request = kill
    assert process.wait(60) == -9
    assert judged(fresh.path) == {}
    pending = json.loads((fresh.path / ".offside/annotation/pending.json").read_text(encoding="utf-8"))
    proxy.on_request = lambda request: None
    proxy.asked.clear()
    assert pull(fresh.path).new == 8
    assert f"GET /api/projects/{min(studio.projects)}/exports/{pending['export']}/download" in proxy.asked
    assert len(judged(fresh.path)) == 8
    assert not (fresh.path / ".offside/annotation/pending.json").exists()
    # A snapshot that the server has lost is passed over.
    (fresh.path / ".offside/annotation/pending.json").write_text(json.dumps({**pending, "export": 999}))
    assert pull(fresh.path).new == 0


# ---------------------------------------------------------------------------------------------
# Tokens


def test_kinds_of_tokens() -> None:
    assert token_kind(TOKEN) == "legacy"
    assert token_kind(PERSONAL) == "personal"
    for wrong in ("secret-secret", "a.b.c", TOKEN[:-1], f"{PERSONAL}.x"):
        with pytest.raises(UsageError) as caught:
            token_kind(wrong)
        assert wrong not in str(caught.value)


def test_a_personal_token_is_exchanged_and_again_when_it_expires(
    studio: FakeLabelStudio, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", PERSONAL)
    studio.legacy = False
    server = connect()
    server.get("/api/version")
    studio.access.clear()
    server.get("/api/version")
    assert studio.asked.count("POST /api/token/refresh") == 2
    assert push(fresh.path, FORGET).sent == 8


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("f" * 40, "The legacy token in LABEL_STUDIO_API_KEY is wrong"),
        (PERSONAL[:-2] + "Zg", "The personal access token in LABEL_STUDIO_API_KEY is wrong, revoked or has expired"),
    ],
)
def test_a_wrong_token_is_shown_nowhere(
    studio: FakeLabelStudio,
    fresh: OffsideDataset,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Any,
    token: str,
    message: str,
) -> None:
    """The server of this test repeats it in its answer."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", token)
    with pytest.raises(AnnotationError) as caught:
        push(fresh.path, FORGET)
    told = str(caught.value)
    assert message in told
    assert "[token]" in told
    everything = [told, *capfd.readouterr(), *(d.told for d in diagnose(fresh.path))]
    files = [path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()]
    assert not any(token in text for text in everything)
    assert not any(token.encode() in data for data in files)


def test_no_token_is_written_or_told_by_a_whole_round(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, results: Any, capfd: Any,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", PERSONAL)
    proxy.fail(IMPORT, "cut after")
    push(fresh.path, FORGET)
    studio.annotate(min(studio.tasks), 2, results(veracity="fact"))
    proxy.fail("GET /api/users/", 503, said=PERSONAL.encode())
    pull(fresh.path)
    told = "".join(capfd.readouterr())
    secrets = [PERSONAL, TOKEN, *studio.access]
    assert not any(secret in told for secret in secrets)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not any(secret.encode() in path.read_bytes() for secret in secrets)


def test_legacy_tokens_that_are_off(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    studio.legacy = False
    with pytest.raises(AnnotationError, match="Legacy tokens are off in this organization: make a personal"):
        push(fresh.path, FORGET)
    (wrong,) = (d for d in diagnose(fresh.path) if d.ok is False)
    assert "Legacy tokens are off" in wrong.told


def test_a_netrc_takes_no_tokens_place(
    studio: FakeLabelStudio, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert requests.utils.get_netrc_auth(studio.url) == ("a", "b")
    assert push(fresh.path, FORGET).sent == 8


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://user:secret@host", "http://"])
def test_addresses_that_cannot_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="must be like http://localhost:8080") as caught:
        AnnotationServer(url, TOKEN)
    assert "secret" not in str(caught.value)


def test_what_the_environment_lacks_is_told() -> None:
    with pytest.raises(UsageError, match="which server"):
        connect(environment={})
    with pytest.raises(UsageError, match=r"no token: set LABEL_STUDIO_API_KEY.*never\s+taken from the command line"):
        connect("http://localhost:1", environment={})


def test_plain_http_to_elsewhere_is_remarked(capfd: Any) -> None:
    AnnotationServer("http://annotate.example.org", TOKEN)
    AnnotationServer("https://annotate.example.org", TOKEN)
    assert capfd.readouterr().err.count("travels as plain text") == 1


def test_the_extra_is_named_where_it_is_missing(
    studio: FakeLabelStudio, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(UsageError, match=r"pip install 'offside-data\[annotation\]'"):
        push(fresh.path, FORGET)


# ---------------------------------------------------------------------------------------------
# What servers answer, and what meets


@pytest.mark.parametrize("at", [259, 270, 290, 299])
def test_a_token_is_never_shown_in_part(fresh: OffsideDataset, proxy: FaultyProxy, at: int) -> None:
    """The message is cut where the token that the server repeats isn't over."""
    proxy.fail(IMPORT, 400, said=b"x" * at + TOKEN.encode() + b"y" * 99)
    with pytest.raises(AnnotationError) as caught:
        push(fresh.path, FORGET)
    assert TOKEN[:8] not in str(caught.value)


@pytest.mark.parametrize("said", [b"[]", b"{}", b"null", b"7", b'"x"', b'[{"a": 1}]', b'{"tasks": 3}', b"\xff", b""])
@pytest.mark.parametrize("command", [pull, lambda path: push(path, FORGET)])
def test_a_server_that_answers_anything(fresh: OffsideDataset, proxy: FaultyProxy, said: bytes, command: Any) -> None:
    proxy.fail(".", *[200] * 50, said=said)
    with pytest.raises((AnnotationError, UsageError)):
        command(fresh.path)


@pytest.mark.parametrize("status", [429, 503])
def test_an_import_that_is_put_off_is_sent_again(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, status: int
) -> None:
    proxy.fail(IMPORT, status, status)
    assert push(fresh.path, FORGET).sent == 8
    assert tasks_of(studio) == [1] * 8


def test_who_asks_to_wait_for_an_hour_is_not_waited_for(proxy: FaultyProxy, fresh: OffsideDataset) -> None:
    proxy.retry_after = "3600"
    proxy.fail("GET", 429)
    with pytest.raises(AnnotationError, match=r"asks to wait 3,600 s: run the command again after that"):
        push(fresh.path, FORGET)


def test_a_server_that_has_moved(proxy: FaultyProxy, fresh: OffsideDataset) -> None:
    """A request that is sent on arrives as a GET."""
    proxy.fail("POST /api/projects/$", 301)
    with pytest.raises(AnnotationError, match="sends us on to"):
        push(fresh.path, FORGET)


@pytest.mark.parametrize(
    "url",
    ["http://host:99999", "http://[::1", "http://host:8080/projects/3/data", "http://host/?token=x", "http://a b"],
)
def test_more_addresses_that_cannot_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="must be like http://localhost:8080"):
        AnnotationServer(url, TOKEN)


def test_doubles_of_a_killed_push_go_with_the_next_one(
    studio: FakeLabelStudio, fresh: OffsideDataset, results: Any
) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects
    there = list(studio.tasks.values())
    doubles = studio.add_tasks(project, [{"data": t["data"], "meta": t["meta"]} for t in there])
    studio.annotate(doubles[0], 2, results(veracity="fact"))
    assert push(fresh.path, FORGET).sent == 0
    assert tasks_of(studio) == [1] * 8
    assert doubles[0] in studio.tasks


def test_a_double_that_is_annotated_meanwhile_stays(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, results: Any
) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects
    first = studio.tasks[min(studio.tasks)]
    (double,) = studio.add_tasks(project, [{"data": first["data"], "meta": first["meta"]}])

    def annotate(request: str) -> None:
        if request == f"GET /api/tasks/{double}/":
            studio.annotate(double, 2, results(veracity="fact"))

    proxy.on_request = annotate
    push(fresh.path, FORGET)
    assert double in studio.tasks


def test_an_update_that_is_cut_off_is_done_again(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset
) -> None:
    push(fresh.path, FORGET)
    name = next(iter(studio.by_record()))
    edit_rows(fresh.path, [{"record_id": name, "question": "Which club, then?"}], reason="x")
    proxy.fail("POST /api/predictions/", "cut before")
    updating = PushOptions(where=FORGET.where, update=True)
    with pytest.raises(AnnotationError):
        push(fresh.path, updating)
    assert push(fresh.path, updating).updated == 1
    (task,) = studio.by_record()[name]
    assert studio.tasks[task]["data"]["question"] == "Which club, then?"
    assert len(studio.tasks[task]["predictions"]) == 1


def test_two_pulls_at_the_same_time(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, results: Any
) -> None:
    """The other one ends while ours waits for its snapshot: it takes ours not away, nothing comes twice."""
    push(fresh.path, FORGET)
    for task in studio.tasks:
        studio.annotate(task, 2, results(veracity="fact"))
    news: list[int] = []

    def meet(request: str) -> None:
        if request.endswith("/exports/") and not news:
            news.append(0)
            news.append(pull(fresh.path, url=studio.url).new)

    proxy.on_request = meet
    assert (pull(fresh.path).new, news) == (0, [0, 8])
    assert sum(map(len, judged(fresh.path).values())) == 8
    assert (studio.views, studio.exports) == ({}, {})
