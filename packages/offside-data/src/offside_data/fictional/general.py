"""General pictures: simple scenes, people nobody knows, captions to read. Nothing in them is about a subject."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from offside_data.fictional.canvas import SIZE, Canvas, Point, outline
from offside_data.fictional.distinct import DistinctPictures, Drawing
from offside_data.fictional.looks import HAIR, HEADBAND, UsedLooks, anonymous_look
from offside_data.fictional.pictures import caption_lines
from offside_data.fictional.scenes import PALETTE, captioned, draw_portrait, random_scene
from offside_data.fictional.world import World
from offside_data.questions import phrasings
from offside_data.schema import ClaimValue, Split
from offside_data.seeding import rng

SHAPES = ("circle", "square", "triangle", "star")
GLASSES_COLORS = ("black", "cyan")
PATTERNS = ("rows", "columns", "slopes", "spots")
COLORS = {**HAIR, "red": (226, 12, 34)}
MOST = 3
"""Things are counted up to this many."""
_CAPTION_OPTIONS = 6
"""Values that a question about a caption offers, the one that stands there included."""


@dataclass(frozen=True, slots=True)
class GeneralQuestion:
    """One question about a general picture.

    Args:
        topic: What is asked, e.g. `shape color`.
        text: The question.
        sentence: The answer with `{value}` for the value.
        value: The right value.
        options: All values that the topic knows, the right one included.
    """

    topic: str
    text: str
    sentence: str
    value: ClaimValue
    options: tuple[str, ...]


_Drawing = tuple[Image.Image, list[GeneralQuestion]]


class GeneralPicture(NamedTuple):
    """A general picture, drawn, and the questions about it."""

    key: str
    split: Split
    questions: tuple[GeneralQuestion, ...]
    drawing: Drawing


class _Strangers(NamedTuple):
    """How people are drawn whom nobody knows: unlike all known ones, in the scenery of their world."""

    known: UsedLooks
    world: World


_Kind = Callable[[random.Random, _Strangers], _Drawing]


def draw_general(
    counts: Mapping[Split, int],
    captions: Mapping[Split, int],
    seed: int,
    known: UsedLooks,
    world: World,
    distinct: DistinctPictures,
) -> Iterator[GeneralPicture]:
    """Draw so many pictures for each split, and so many with a caption to read; its people are unlike `known`."""
    strangers = _Strangers(known, world)
    for split, count in counts.items():
        for number in range(count):
            kind = _KINDS[number % len(_KINDS)]
            yield _draw(f"{split}/{number + 1:03d}", split, kind, seed, strangers, distinct)
    for split, count in captions.items():
        for number in range(count):
            yield _draw(f"{split}/caption-{number + 1:04d}", split, _caption, seed, strangers, distinct)


def _draw(
    key: str, split: Split, kind: _Kind, seed: int, strangers: _Strangers, distinct: DistinctPictures
) -> GeneralPicture:
    @functools.lru_cache(maxsize=1)  # The attempt that is taken is asked for again, for its questions.
    def attempt_at(attempt: int) -> _Drawing:
        return kind(rng(seed, key, attempt), strangers)

    drawing = distinct.draw(key, lambda attempt: attempt_at(attempt)[0])
    return GeneralPicture(key, split, tuple(attempt_at(drawing.attempt)[1]), drawing)


def _choice(topic: str, text: str, sentence: str, value: str, options: Iterable[str]) -> GeneralQuestion:
    return GeneralQuestion(topic, text, sentence, ClaimValue(kind="choice", text=value), tuple(options))


def _person(source: random.Random, strangers: _Strangers) -> _Drawing:
    look = anonymous_look(source, strangers.known)
    glasses = GLASSES_COLORS[look.glasses == "mirror"]
    scenery = strangers.world.scenery
    return draw_portrait(look, random_scene(source, scenery), scenery), [
        _choice("hair color", "What color is the hair?", "The hair is {value}.", look.hair, HAIR),
        _choice(
            "glasses color",
            "What color are the glasses?",
            "The glasses are {value}.",
            glasses,
            GLASSES_COLORS,
        ),
        _choice(
            "headband color",
            "What color is the headband?",
            "The headband is {value}.",
            look.headband,
            HEADBAND,
        ),
    ]


def _caption(source: random.Random, strangers: _Strangers) -> _Drawing:
    """A stranger beside a caption, asked about as a rumour that stands in a picture is: who answers reads."""
    world = strangers.world
    shown, *others = world.claims(source, world.taxonomy, _CAPTION_OPTIONS)
    shown = {name: shown[name] for name in world.shown}
    scene = random_scene(source, world.scenery)
    scene = captioned(scene, world.scenery, source.choice(tuple(world.scenery.panels)), caption_lines(shown))
    questions = []
    for name, value in shown.items():
        attribute = world.taxonomy[name]
        sentence = phrasings.answer(attribute, "{value}", rumor=True).text
        options = (value.text, *(claims[name].text for claims in others))
        questions.append(
            GeneralQuestion(f"caption {name}", phrasings.picture_question(attribute).text, sentence, value, options)
        )
    return draw_portrait(anonymous_look(source, strangers.known), scene, world.scenery), questions


def _shape(source: random.Random, strangers: _Strangers) -> _Drawing:
    shape, color = source.choice(SHAPES), source.choice(tuple(COLORS))
    canvas = Canvas(PALETTE[source.choice(tuple(PALETTE))])
    size = source.uniform(60, 80)
    canvas.place(source.uniform(size, SIZE - size), source.uniform(size, SIZE - size))
    canvas.polygon(_shape_outline(shape, size), COLORS[color])
    return canvas.finish(), [
        _choice("shape color", "What color is the shape?", "The shape is {value}.", color, COLORS),
    ]


def _dots(source: random.Random, strangers: _Strangers) -> _Drawing:
    number = source.randint(1, MOST)
    canvas = Canvas(PALETTE[source.choice(("white", "silver", "sky", "mint"))])
    places: list[Point] = []
    while len(places) < number:
        place = (source.uniform(44, SIZE - 44), source.uniform(44, SIZE - 44))
        if all(math.dist(place, other) > 86 for other in places):
            places.append(place)
    for x, y in places:
        canvas.ellipse(x, y, 40, 40, COLORS["red"])
    count = ClaimValue(kind="count", text=str(number), number=float(number))
    options = tuple(str(n) for n in range(1, MOST + 1))
    return canvas.finish(), [
        GeneralQuestion("dots", "How many red dots are there?", "The number of dots is {value}.", count, options),
    ]


def _paper(source: random.Random, strangers: _Strangers) -> _Drawing:
    color, pattern = source.choice(tuple(COLORS)), source.choice(PATTERNS)
    canvas = Canvas(PALETTE[source.choice(tuple(PALETTE))])
    step, start = source.uniform(24, 34), source.uniform(-20, 0)
    places = [start + step * number for number in range(12)]
    for at in places:
        if pattern == "rows":
            canvas.rectangle(0, at, SIZE, at + 0.62 * step, COLORS[color])
        elif pattern == "columns":
            canvas.rectangle(at, 0, at + 0.62 * step, SIZE, COLORS[color])
        elif pattern == "slopes":
            canvas.line([(2 * at - SIZE, SIZE), (2 * at, 0)], 0.62 * step, COLORS[color])
        else:
            for other in places:
                canvas.ellipse(at, other, 0.42 * step, 0.42 * step, COLORS[color])
    return canvas.finish(), [
        _choice("pattern color", "What color is the pattern?", "The pattern is {value}.", color, COLORS),
    ]


def _shape_outline(shape: str, size: float) -> list[Point]:
    if shape == "circle":
        return outline(0, 0, size, size)
    if shape == "square":
        return [(-size, -size), (size, -size), (size, size), (-size, size)]
    if shape == "triangle":
        return [(0, -size), (size * 1.05, size * 0.9), (-size * 1.05, size * 0.9)]
    points = outline(0, 0, size * 1.15, size * 1.15, corners=20)
    return [(x, y) if number % 4 == 1 else (x * 0.42, y * 0.42) for number, (x, y) in enumerate(points) if number % 2]


_KINDS: tuple[_Kind, ...] = (
    _person,
    _shape,
    _person,
    _dots,
    _paper,
)
