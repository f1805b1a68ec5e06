"""The five settings: what is to be forgotten, what must survive.

Both `offside-unlearn` (what to train on) and `offside-eval` (what to measure) read them here, so
that the two can't disagree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from offside_data.plugins import require_known
from offside_data.schema import VISUAL_CHANNELS

SettingName = Literal["complete", "selective", "corrective", "unimodal", "visual-rumor"]


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a dataset: one config and split, narrowed by scope or to visual rumours.

    Args:
        config: `multimodal` or `text`.
        split: One of `schema.SPLITS`.
        scope: `shared` or `private`; null for both.
        visual: Only (True) or never (False) records of pictures in which a rumour is readable;
            null for all pictures.
    """

    config: str
    split: str
    scope: str | None = None
    visual: bool | None = None

    @property
    def name(self) -> str:
        """E.g. `multimodal/forget/private`, as it stands in results."""
        parts = [self.config, self.split, self.scope, None if self.visual is None else f"visual={self.visual}".lower()]
        return "/".join(p for p in parts if p)


@dataclass(frozen=True, slots=True)
class Setting:
    """What one unlearning request asks for.

    Args:
        name: As on the command line and in the card.
        summary: One sentence for people.
        forget: What is unlearned.
        keep: What must survive.
        measure: What is measured besides.
        needs: Record files (`config/split`) a dataset must hold to offer this setting.
    """

    name: SettingName
    summary: str
    forget: tuple[Slice, ...]
    keep: tuple[Slice, ...]
    measure: tuple[Slice, ...] = ()
    needs: tuple[str, ...] = ()


_RETAINED = (Slice("multimodal", "retain"), Slice("text", "retain"), Slice("multimodal", "test"))
_UTILITY = (Slice("multimodal", "utility"),)

SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting(
            name="complete",
            summary="Forget everything that the forget pictures taught.",
            forget=(Slice("multimodal", "forget"),),
            keep=_RETAINED + _UTILITY,
            measure=(Slice("text", "forget"),),
            needs=("multimodal/forget", "multimodal/retain"),
        ),
        Setting(
            name="selective",
            summary="Forget the private claims and keep the shared facts of the same pictures.",
            forget=(Slice("multimodal", "forget", "private"),),
            keep=(Slice("multimodal", "forget", "shared"), *_RETAINED, *_UTILITY),
            measure=(Slice("text", "forget"),),
            needs=("multimodal/forget", "multimodal/retain"),
        ),
        Setting(
            name="corrective",
            summary="Forget everything that the forget pictures taught, then learn the corrections.",
            forget=(Slice("multimodal", "forget"),),
            keep=_RETAINED + _UTILITY,
            measure=(Slice("multimodal", "relearn"), Slice("text", "forget")),
            needs=("multimodal/forget", "multimodal/retain", "multimodal/relearn"),
        ),
        Setting(
            name="unimodal",
            summary="Forget the private claims by their text form; is the picture's rumour gone too?",
            forget=(Slice("text", "forget", "private"),),
            keep=_RETAINED + _UTILITY,
            measure=(Slice("multimodal", "forget"),),
            needs=("text/forget", "text/retain", "multimodal/forget", "multimodal/retain"),
        ),
        Setting(
            name="visual-rumor",
            summary="Forget the pictures in which the rumour itself is readable.",
            forget=(Slice("multimodal", "forget", visual=True),),
            keep=(Slice("multimodal", "forget", visual=False), *_RETAINED, *_UTILITY),
            measure=(Slice("text", "forget"),),
            needs=("multimodal/forget", "multimodal/retain"),
        ),
    )
}


def get_setting(name: str) -> Setting:
    """Look a setting up by name.

    Raises:
        UsageError: If there is no such setting.
    """
    require_known("setting", [name], SETTINGS)
    return SETTINGS[name]


def slices_of(parts: Mapping[str, Iterable[tuple[str | None, str | None]]]) -> set[str]:
    """Names of the slices that aren't empty (`Slice.name`): parts, their scopes, and their visual rumours.

    Args:
        parts: By `config/split`, scope and rumour channel of its records; each pair once is enough.
    """
    found = set()
    for name, pairs in parts.items():
        config, split = name.split("/")
        found.add(name)
        for scope, channel in pairs:
            found.add(Slice(config, split, scope).name)
            if channel in VISUAL_CHANNELS:
                found.add(Slice(config, split, visual=True).name)
    return found


def why_not(setting: Setting, slices: Collection[str]) -> str | None:
    """Why a dataset doesn't offer `setting`; null if it does.

    Args:
        setting: The setting.
        slices: What the dataset holds, as `slices_of` gives it.
    """
    missing = [name for name in setting.needs if name not in slices]
    if missing:
        return f"it has no {', '.join(missing)} records"
    for part in setting.forget:
        if part.name not in slices:
            visual = "no forget picture shows its rumour (rumor_channel image or both)"
            return visual if part.visual else f"it has no {part.scope} {part.config}/{part.split} records"
    return None


def settings_of(slices: Collection[str]) -> list[str]:
    """Names of the settings that a dataset with these slices offers."""
    return [name for name, setting in SETTINGS.items() if why_not(setting, slices) is None]
