"""What every wrapper looks like: one file here, the file name is the wrapper's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from offside_unlearn.space import Space
from offside_unlearn.task import UnlearnTask


@dataclass(frozen=True, kw_only=True)
class WrapperConfig:
    """Base of every wrapper's `Config`; its options stand beside the method's, so no two may share a name.

    Attributes:
        search: What a sweep searches, by option, besides what it does of the method.
    """

    search: ClassVar[Space] = {}


C = TypeVar("C", bound=WrapperConfig)


class UnlearningWrapper(ABC, Generic[C]):
    """Makes other trainings of those that a run is made of.

    Args:
        config: Its options.

    Attributes:
        one_training: Whether a run stays one training, so that it can still stop by itself (`--until`).
    """

    one_training = False

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    def wrap(self, tasks: Sequence[UnlearnTask]) -> list[UnlearnTask]:
        """The trainings of the run, one after the other, each from the model that the one before left.

        Args:
            tasks: Those there are without it: one, unless another wrapper comes before.

        Raises:
            UsageError: If they can't be wrapped.
        """
