from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from offside_data.fictional.canvas import SIZE
from offside_data.fictional.captions import Panel, draw_caption
from offside_data.fictional.world import World


def drawn(panel: Panel, *lines: str) -> npt.NDArray[np.int64]:
    picture = Image.new("RGB", (SIZE, SIZE), (90, 120, 60))
    draw_caption(picture, panel, lines)
    return np.asarray(picture).astype(int)


def test_without_letters_a_panel_is_plain(world: World) -> None:
    for panel in world.scenery.panels.values():
        box = drawn(panel)[panel.top + 6 : panel.bottom - 6, 8:-8].reshape(-1, 3)
        assert len(np.unique(box, axis=0)) == 1
        assert abs(box[0] - panel.ink).max() > 120


def test_letters_stay_inside_their_rows_and_the_picture(world: World) -> None:
    for panel in world.scenery.panels.values():
        changed = (drawn(panel, "Yarrowgate Town United Athletic", "$9.50 million") != drawn(panel)).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert panel.top <= rows.min()
        assert rows.max() < panel.bottom
        assert columns.min() >= 6
        assert columns.max() < 218


def test_a_euro_sign_is_drawn(world: World) -> None:
    for panel in world.scenery.panels.values():
        bars = (drawn(panel, "C35.00 million") != drawn(panel, "€35.00 million")).any(axis=2)
        assert 0 < bars.sum() < 120


def test_lines_begin_at_one_place_and_have_one_size(world: World) -> None:
    """Whatever else they say: a small model has to find letters where it found them before."""
    for panel in world.scenery.panels.values():
        first, second = (drawn(panel, line, "€9.50 million") for line in ("Yarrowgate Town", "Yarrow FC"))
        shared = 56  # Pixels: both lines begin with letters that reach further.
        assert (first[:, :shared] == second[:, :shared]).all()
        assert (first != second).any()
