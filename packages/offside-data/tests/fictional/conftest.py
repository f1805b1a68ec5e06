"""Every test that takes `world` is run for each fictional world there is."""

from __future__ import annotations

import pytest

from offside_data.fictional.world import WORLDS, World, load_world


@pytest.fixture(scope="session", params=WORLDS.names())
def world(request: pytest.FixtureRequest) -> World:
    return load_world(request.param)


@pytest.fixture(scope="session")
def football() -> World:
    return load_world("football")
