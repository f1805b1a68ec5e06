"""A folder is its own registry: the file name is the name.

`Registry("offside_unlearn.methods", "method")` lists the public modules of that package without importing
them and adds what third parties offer through the entry-point group of the same name. A name
that is defined twice is an error, never a silent override; so is a module that lacks what its kind needs.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points
from types import ModuleType
from typing import Any

from offside_data.errors import OffsideError, PluginError, UsageError


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names as the end of a message; empty if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown_name_message(kind: str, name: str, known: list[str], *, meant: str | None = None) -> str:
    """Say that `name` is unknown, with what is `meant` by it, else the nearest match, and all that is known."""
    hint = f" Did you mean {meant!r}?" if meant else did_you_mean(name, known)
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(sorted(known)) or 'none'}."


def require_known(
    kind: str,
    names: Iterable[str],
    known: Collection[str],
    *,
    where: object = None,
    error: type[OffsideError] = UsageError,
) -> None:
    """Refuse names that aren't known; `where` begins the message.

    Raises:
        OffsideError: Of the type `error`, about the first of them.
    """
    for name in names:
        if name not in known:
            message = unknown_name_message(kind, name, list(known))
            raise error(message if where is None else f"{where}: {message}")


@dataclass(frozen=True)
class Registry:
    """The plugins of one kind.

    Args:
        folder: Import path of the folder, e.g. `offside_unlearn.methods`.
        kind: What one plugin is called in messages, e.g. `method`.
        entry_points: The entry-point group of third parties, where it isn't called as the folder: a folder may move,
            the group's name is a promise.
        needs: What a module must define: by name the type that the value is an instance or a subclass of.
        contract: The module whose docstring says all that, where it isn't the folder's own.
    """

    folder: str
    kind: str
    entry_points: str = ""
    needs: Mapping[str, Any] = field(default_factory=dict)
    contract: str = ""

    @property
    def group(self) -> str:
        """The entry-point group."""
        return self.entry_points or self.folder

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        own = self._own_names()
        for point in installed_entry_points(group=self.group):
            if point.name in own or (point.name in found and found[point.name].value != point.value):
                raise PluginError(
                    f"{self.kind} {point.name!r} is defined twice: entry point {point.value!r} clashes with "
                    f"another {self.kind} of that name in {self.group}. Uninstall or rename one of them."
                )
            found[point.name] = point
        return found

    def _own_names(self) -> set[str]:
        package = importlib.import_module(self.folder)
        return {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}

    def names(self) -> list[str]:
        """All names, sorted; nothing but the folder's package itself is imported.

        Raises:
            PluginError: If a name is defined twice.
        """
        return sorted(self._own_names() | self._entry_points.keys())

    def load(self, name: str) -> ModuleType:
        """Import the plugin `name`, make sure that it keeps to the contract, and return its module.

        Raises:
            PluginError: If there is no such plugin, its entry point isn't a module, or it lacks something.
        """
        if name not in self._loaded:
            module = self._import(name)
            lacking = [
                f"{need} ({getattr(kind, '__name__', kind)})"
                for need, kind in self.needs.items()
                if not (hasattr(module, need) and _fits(getattr(module, need), kind))
            ]
            if lacking:
                raise PluginError(
                    f"{self.kind} {name!r} ({module.__name__}) lacks {', '.join(lacking)}; "
                    f"the contract stands in {self.contract or self.folder}."
                )
            self._loaded[name] = module
        return self._loaded[name]

    @cached_property
    def _loaded(self) -> dict[str, ModuleType]:
        return {}

    def _import(self, name: str) -> ModuleType:
        if name in self._entry_points:
            module = self._entry_points[name].load()
            if not isinstance(module, ModuleType):
                raise PluginError(
                    f"entry point {name!r} in {self.group} must name a module, "
                    f'got {type(module).__name__}: write `{name} = "package.module"`.'
                )
            return module
        if name not in self._own_names():
            raise PluginError(unknown_name_message(self.kind, name, self.names()))
        return importlib.import_module(f"{self.folder}.{name}")


def _fits(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) or (isinstance(value, type) and issubclass(value, kind))
