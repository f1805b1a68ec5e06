"""Presets: the options of a published comparison by one name, each value with its source.

A preset is a YAML file in `presets/`. It holds `[value, source]` for options (as `--set`) and arguments (as `--full`)
of all commands, of `finetune`, `relearn` or `run` alone, and of single methods; the nearer one wins. What it can't
repeat stands under `differs` and is said whenever it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from offside_data.errors import UsageError
from offside_data.parsing import parse_yaml
from offside_data.plugins import unknown_name_message
from offside_data.strict import Strict
from offside_data.strict import read as read_strictly

Source = Literal["paper", "code", "ours"]
Scalar = str | int | float | bool | None
Sourced = Mapping[str, tuple[Scalar, Source]]


@dataclass(frozen=True, kw_only=True)
class PresetPart(Strict):
    """Options and arguments of one command or method."""

    options: Sourced = field(default_factory=dict)
    arguments: Sourced = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Preset(PresetPart):
    """What stands in a preset's file.

    Args:
        title: Which models and which comparison.
        url: Where it was published.
        finetune: Of `finetune` alone.
        relearn: Of `relearn` alone.
        run: Of `run` alone.
        methods: Of single methods; others it doesn't have.
        differs: What is otherwise there, a sentence each.
    """

    title: str
    url: str
    methods: Mapping[str, PresetPart]
    finetune: PresetPart = field(default_factory=PresetPart)
    relearn: PresetPart = field(default_factory=PresetPart)
    run: PresetPart = field(default_factory=PresetPart)
    differs: tuple[str, ...] = ()

    def of(self, command: str, method: str | None = None) -> PresetPart:
        """What it says of a command.

        Args:
            command: `finetune`, `relearn` or `run`.
            method: Of `run`, without wrappers.

        Raises:
            UsageError: If it has no such method.
        """
        parts: list[PresetPart] = [self, getattr(self, command)]
        if method is not None:
            if method not in self.methods:
                raise UsageError(f"this preset has no {method!r}: it has {', '.join(sorted(self.methods))}.")
            parts.append(self.methods[method])
        return PresetPart(
            options={key: value for part in parts for key, value in part.options.items()},
            arguments={key: value for part in parts for key, value in part.arguments.items()},
        )


def preset_names() -> list[str]:
    """All presets, sorted."""
    found = files("offside_unlearn").joinpath("presets").iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in found if entry.name.endswith(".yaml"))


@cache
def load_preset(name: str) -> Preset:
    """Read a preset.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in preset_names():
        raise UsageError(unknown_name_message("preset", name, preset_names()))
    text = files("offside_unlearn").joinpath(f"presets/{name}.yaml").read_text(encoding="utf-8")
    return read_strictly(Preset, parse_yaml(text), f"preset {name}", UsageError, remedy="Its file is damaged.")


def values_of(sourced: Sourced) -> dict[str, Scalar]:
    """The values without their sources."""
    return {key: value for key, (value, _) in sourced.items()}
