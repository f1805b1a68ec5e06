from __future__ import annotations

import logging

import pytest
from loopback_hub import TOKEN, LoopbackHub

from offside_data.errors import HubError, HubNotFoundError, HubUnreachableError
from offside_data.hub.client import ATTEMPTS, HubRepo, scrubbed
from offside_data.hub.remote import read_state


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


def test_no_network_is_said(hub: LoopbackHub, waits: list[float]) -> None:
    hub.fail("GET", "/revision/", "cut", times=99)
    with pytest.raises(HubUnreachableError, match=r"doesn't answer \(RemoteProtocolError"):
        read_state(HubRepo("org/a"))
    assert len(waits) == ATTEMPTS - 1
    assert not issubclass(HubUnreachableError, HubNotFoundError)


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
