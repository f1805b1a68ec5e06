from __future__ import annotations

import pytest

from offside_data.errors import UsageError
from offside_data.schema import CONFIGS, SPLITS
from offside_data.settings import SETTINGS, Slice, get_setting


def test_the_five_settings() -> None:
    assert list(SETTINGS) == ["complete", "selective", "corrective", "unimodal", "visual-rumor"]
    assert all(setting.name == name and setting.summary for name, setting in SETTINGS.items())


def test_slices_have_readable_names() -> None:
    assert Slice("multimodal", "forget").name == "multimodal/forget"
    assert Slice("multimodal", "forget", "private").name == "multimodal/forget/private"
    assert Slice("multimodal", "forget", visual=False).name == "multimodal/forget/visual=false"


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_a_setting_is_sound(setting: object) -> None:
    from offside_data.settings import Setting

    assert isinstance(setting, Setting)
    slices = [*setting.forget, *setting.keep, *setting.measure]
    assert all(part.config in CONFIGS and part.split in SPLITS for part in slices)
    assert not set(setting.forget) & set(setting.keep)
    names = [part.name for part in slices]
    assert len(set(names)) == len(names)
    assert {f"{part.config}/{part.split}" for part in setting.forget} <= set(setting.needs)
    assert "multimodal/retain" in [part.name for part in setting.keep]


def test_what_is_forgotten_and_kept_of_one_picture_is_all_of_it() -> None:
    for name, (forget, keep) in {
        "selective": ("private", "shared"),
        "visual-rumor": ("visual=true", "visual=false"),
    }.items():
        setting = SETTINGS[name]
        assert [p.name for p in setting.forget] == [f"multimodal/forget/{forget}"]
        assert f"multimodal/forget/{keep}" in [p.name for p in setting.keep]


def test_an_unknown_setting() -> None:
    assert get_setting("complete").name == "complete"
    with pytest.raises(UsageError, match=r"unknown setting 'selectiv'. Did you mean 'selective'"):
        get_setting("selectiv")
