from __future__ import annotations

import pytest

from offside_data.errors import PluginError
from offside_data.fictional.world import WORLDS, load_world


def test_worlds_are_found_by_listing_their_folder() -> None:
    assert {"football", "office"} <= set(WORLDS.names())


def test_an_unknown_world_is_refused_with_the_nearest_and_all_known() -> None:
    with pytest.raises(PluginError, match=r"unknown fictional world 'ofice'\. Did you mean 'office'\? Known: football"):
        load_world("ofice")
