from __future__ import annotations

import logging
from pathlib import Path

import pytest
from loopback_hub import TOKEN, LoopbackHub

from offside_data.errors import HubError, HubNotFoundError, HubUnreachableError
from offside_data.hub.client import ATTEMPTS, HubRepo, scrubbed
from offside_data.hub.commits import commit_files
from offside_data.hub.remote import FileChange, read_state, refs_of


def test_it_waits_as_long_as_the_hub_asks_for(hub: LoopbackHub, waits: list[float]) -> None:
    hub.create("dataset", "org/a", private=True)
    hub.fail("GET", "/refs", "status", status=429, times=2, headers={"Retry-After": "7"})
    assert read_state(HubRepo("org/a")) is not None
    assert waits == [7, 7]


def test_it_waits_longer_each_time_and_gives_up(hub: LoopbackHub, waits: list[float]) -> None:
    hub.create("dataset", "org/a", private=True)
    hub.fail("GET", "/revision/", "status", status=502, times=99)
    with pytest.raises(HubError, match=r"can't read it: the Hub answers 502.*Try again later"):
        read_state(HubRepo("org/a"))
    assert waits == [1, 2, 4, 8]
    assert len(hub.log) == ATTEMPTS


def test_it_does_not_wait_for_an_hour(hub: LoopbackHub, waits: list[float]) -> None:
    hub.create("dataset", "org/a", private=True)
    hub.fail("GET", "/revision/", "status", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(HubError, match=r"asks to wait 3,600 s: run the command again after that"):
        read_state(HubRepo("org/a"))
    assert waits == []


def test_what_does_not_pass_is_said_at_once(hub: LoopbackHub, waits: list[float]) -> None:
    hub.create("dataset", "org/a", private=True)
    hub.fail("GET", "/revision/", "status", status=403, times=99)
    with pytest.raises(HubError, match=r"answers 403.*hf auth login"):
        read_state(HubRepo("org/a"))
    assert waits == []
    hub.faults.clear()
    assert read_state(HubRepo("org/nothing")) is None


@pytest.mark.parametrize("answer", [[], {}, "text", None, [1], {"branches": 5}, {"tags": [{"name": "v1.0.0"}]}])
def test_an_address_that_is_no_hub_is_said(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    hub.create("dataset", "org/a", private=True)
    for asked in ("_revision", "_refs"):
        monkeypatch.setattr(f"loopback_hub._Handler.{asked}", lambda *_: (200, answer, {}))
    for ask in (read_state, refs_of):
        with pytest.raises(HubError, match=r"answers something else than a Hub would .*HF_ENDPOINT"):
            ask(HubRepo("org/a"))


def test_no_network_is_said(hub: LoopbackHub, waits: list[float]) -> None:
    hub.fail("GET", "/revision/", "cut", times=99)
    with pytest.raises(HubUnreachableError, match=r"doesn't answer \(RemoteProtocolError"):
        read_state(HubRepo("org/a"))
    assert len(waits) == ATTEMPTS - 1
    assert not issubclass(HubUnreachableError, HubNotFoundError)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SSL_CERT_FILE", "{tmp}/missing.pem"), ("SSL_CERT_FILE", "{tmp}/text.pem"), ("HTTP_PROXY", "nonsense://here")],
)
def test_settings_with_which_nothing_can_be_asked_are_named(
    hub: LoopbackHub, waits: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str
) -> None:
    from huggingface_hub import close_session

    (tmp_path / "text.pem").write_text("no certificate")
    close_session()
    monkeypatch.setenv(variable, value.format(tmp=tmp_path))
    with pytest.raises(HubError, match=r"^org/a: can't read it: .*Look at SSL_CERT_FILE.*HTTP_PROXY") as refused:
        read_state(HubRepo("org/a"))
    assert not refused.value.passing
    assert waits == []


def test_an_endpoint_without_a_scheme_is_not_asked_again(
    hub: LoopbackHub, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "hub.example.org")
    with pytest.raises(HubError, match=r"HF_ENDPOINT is hub\.example\.org.*begin with https://"):
        read_state(HubRepo("org/a"))
    assert waits == []


def test_a_proxy_that_does_not_answer_is_named(
    hub: LoopbackHub, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import close_session

    close_session()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(HubUnreachableError, match=r"Connection refused.*asked through a proxy \(HTTP_PROXY is set\)"):
        read_state(HubRepo("org/a"))


def test_tokens_and_signed_addresses_are_taken_out(hub: LoopbackHub) -> None:
    told = scrubbed(f"no {TOKEN} in 'https://host/a/b?X-Amz-Signature=abc&x=1' nor Bearer abc.def, hf_ABCDEFGH12345")
    assert told == "no *** in 'https://host/a/b' nor ***, ***"
    assert scrubbed("https://orla:secret@hub.example.org/a") == "https://hub.example.org/a"
    assert HubRepo("org/a").api.endpoint == hub.url
    handlers = logging.getLogger("huggingface_hub").handlers
    record = logging.LogRecord("huggingface_hub", 30, "", 0, "PUT %s with %s", ("https://h/x?sig=1", TOKEN), None)
    assert handlers
    for handler in handlers:
        assert handler.filter(record)
        assert record.getMessage() == "PUT https://h/x with ***"


def test_what_uploads_raise_is_told(hub: LoopbackHub) -> None:
    repo = hub.create("dataset", "org/a", private=True)
    hub.fail("PUT", "/upload/", "status", status=403, times=99)
    change = [FileChange("a.parquet", "add", 5, b"a row")]
    with pytest.raises(HubError, match=r"can't commit to it: the Hub answers 403.*hf auth login"):
        commit_files(HubRepo("org/a"), lambda state: change, "A file")

    def refuse() -> None:  # As its Xet storage does, without a number.
        raise PermissionError(f"Invalid token {TOKEN}")

    with pytest.raises(HubError, match=r"^org/a: can't read: Invalid token \*\*\*\. Log in") as refused:
        HubRepo("org/a").once("read", refuse)
    assert not refused.value.passing
    assert len(repo.history()) == 1


@pytest.mark.parametrize("answer", ["no such route", "another page"])
def test_with_xet_on_a_hub_without_it_is_served(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    repo, data = hub.create("dataset", "org/a", private=True), b"a row" * 1000
    if answer == "another page":
        hub.fail("GET", "/xet-write-token/", "status", status=200)
    commit_files(HubRepo("org/a"), lambda state: [FileChange("a.parquet", "add", len(data), data)], "A file")
    assert repo.files()["a.parquet"].data == data
    assert "has no Xet storage; uploading without it" in capsys.readouterr().err
    assert not constants.HF_HUB_DISABLE_XET  # Others may have it.
    api = HubRepo("org/a").api
    assert Path(api.hf_hub_download("org/a", "a.parquet", repo_type="dataset")).read_bytes() == data
    assert [line.partition(" /")[2] for line in hub.log if "xet" in line] == ["api/datasets/org/a/xet-write-token/main"]


def test_with_xet_on_a_hub_that_refuses_is_told(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    repo = hub.create("dataset", "org/a", private=True)
    hub.fail("GET", "/xet-write-token/", "status", status=403)
    with pytest.raises(HubError, match=r"can't ask how it stores large files: the Hub answers 403.*hf auth login"):
        commit_files(HubRepo("org/a"), lambda state: [FileChange("a.parquet", "add", 5, b"a row")], "A file")
    assert len(repo.history()) == 1
