"""A fictional world: one kind of people, what is said of them, what their pictures look like."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from offside_data.fictional.scenes import Scenery
from offside_data.plugins import Registry
from offside_data.schema import ClaimValue
from offside_data.taxonomy import Taxonomy, parse_taxonomy

Claims = dict[str, ClaimValue]
"""Values by attribute."""
Syllables = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Beginnings, middles and endings of names."""


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """What a file in `offside_data.fictional.worlds` defines as `WORLD`.

    Args:
        name: Name of its datasets. Record ids derive from it: never change it.
        title: The same for people.
        description: One or two sentences for the card.
        taxonomy_text: Its taxonomy as YAML. One shared attribute must be `name`; choices need options.
        salt: Added to every seed, so that no two worlds of one seed share a face, a name or a value.
        chronicle: Who publishes facts and corrections.
        gossip: Who publishes rumours.
        first_names: Syllables of first names.
        last_names: Syllables of last names.
        words: All names that its values hold; no person's name resembles one of them.
        events: What pictures are taken at, eight or more: `the {event} of July 2024` must read well.
        facts: Draws a person's shared facts, all but the name.
        claims: Draws the private claims of so many pictures of one person. No two of them may hold the same
            value of an attribute, or a rumour could be true of another picture.
        shown: Private attributes whose claims are readable in the picture of a visual rumour, one line each.
        scenery: What its pictures can show.
    """

    name: str
    title: str
    description: str
    taxonomy_text: str
    salt: int
    chronicle: str
    gossip: str
    first_names: Syllables
    last_names: Syllables
    words: tuple[str, ...]
    events: tuple[str, ...]
    facts: Callable[[random.Random, Taxonomy], Claims]
    claims: Callable[[random.Random, Taxonomy, int], list[Claims]]
    shown: tuple[str, ...]
    scenery: Scenery

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """What `taxonomy_text` says."""
        return parse_taxonomy(self.taxonomy_text, where=f"taxonomy of {self.name}")


WORLDS = Registry("offside_data.fictional.worlds", "fictional world", needs={"WORLD": World})
"""All worlds, ours and third parties'."""


def load_world(name: str) -> World:
    """The world of that name.

    Raises:
        PluginError: If there is none, or its module defines no `WORLD`.
    """
    world: World = WORLDS.load(name).WORLD
    return world
