"""Puts a changed module's code into the module that is imported already, where tests hold on to its functions.

The changed source is run in a namespace of its own. Functions of the live module get the code and the defaults of their
changed twins, so that whoever imported them runs the change; plain values are replaced, also where another module
imported them by name. Caches of the module's functions are emptied. Meant for a process that ends afterwards.
"""

from __future__ import annotations

import re
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (bool, int, float, str, tuple, frozenset, set, list, dict, re.Pattern, type(None))
_KEPT = ("__doc__", "__module__", "__annotations__", "__dataclass_fields__", "__dataclass_params__", "__all__")


class GraftError(RuntimeError):
    """A change that couldn't be put into the live module."""


def graft(module: ModuleType, code: CodeType) -> None:
    """Make `module` behave as `code`, the changed source, compiled.

    Raises:
        GraftError: If nothing of the live module came out changed.
    """
    twin = ModuleType(module.__name__)
    twin.__dict__.update({"__file__": module.__file__, "__package__": module.__package__, "__spec__": module.__spec__})
    if hasattr(module, "__path__"):
        twin.__path__ = module.__path__
    exec(code, twin.__dict__)
    changed = _Graft(module.__name__)
    changed.namespace(module, vars(module), vars(twin))
    if not changed.count:
        raise GraftError(f"{module.__name__}: the change isn't among what can be replaced in an imported module")


class _Graft:
    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self._seen: set[int] = set()

    def namespace(self, owner: Any, old: Any, new: Any) -> None:
        for name, value in list(old.items()):
            if name in new and name not in _KEPT and not self.value(value, new[name]):
                try:
                    setattr(owner, name, new[name])
                except (AttributeError, TypeError):
                    continue
                self.count += 1
                if isinstance(owner, ModuleType):
                    _tell_importers(name, value, new[name])

    def value(self, old: Any, new: Any) -> bool:
        """Make one value behave as the other; false where it must be replaced instead."""
        if id(old) in self._seen:
            return True
        if hasattr(old, "cache_clear"):
            old.cache_clear()
        if isinstance(old, FunctionType) and not hasattr(old, "__wrapped__"):
            self._seen.add(id(old))
            return self._function(old, new)
        elif isinstance(old, type):
            if getattr(old, "__module__", "") == self.name and isinstance(new, type):
                self._seen.add(id(old))
                self.namespace(old, vars(old), vars(new))
        elif isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
            return all([self.value(v, new[k]) for k, v in old.items()])
        elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
            return all([self.value(a, b) for a, b in zip(old, new, strict=True)])
        elif isinstance(old, _PLAIN) and isinstance(new, _PLAIN):
            return bool(type(old) is type(new) and old == new)
        else:
            for part in ("__wrapped__", "__func__", "fget", "func"):
                if isinstance(getattr(old, part, None), FunctionType):
                    self.value(getattr(old, part), getattr(new, part, None))
        return True

    def _function(self, old: FunctionType, new: Any) -> bool:
        if not isinstance(new, FunctionType) or old.__module__ not in (self.name, None):
            return True
        if not self.value(*((f.__defaults__ or (), f.__kwdefaults__ or {}) for f in (old, new))):
            old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
            self.count += 1
        if old.__code__ != new.__code__:
            if len(old.__code__.co_freevars) != len(new.__code__.co_freevars):
                return False
            old.__code__ = new.__code__
            self.count += 1
        for cell, other in zip(old.__closure__ or (), new.__closure__ or (), strict=False):
            try:
                if not self.value(cell.cell_contents, other.cell_contents):
                    cell.cell_contents = other.cell_contents
                    self.count += 1
            except ValueError:  # An empty cell.
                continue
        return True


def _tell_importers(name: str, old: Any, new: Any) -> None:
    for other in list(sys.modules.values()):
        if getattr(other, "__dict__", {}).get(name, other) is old:
            setattr(other, name, new)
