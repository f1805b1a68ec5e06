"""A contact sheet: each cluster side by side, as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import contextlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from offside_data.dedup.clusters import HashedPicture, LookedAt
from offside_data.dedup.merge import Merge, differ_at
from offside_data.dedup.second_look import SecondLookResult
from offside_data.dedup.spots import Spot
from offside_data.errors import PictureError
from offside_data.figures import counted
from offside_data.pages import page

SHOWN_CLUSTERS = 1_000
"""Clusters on a sheet, and as many pairs of look-alikes; a browser can't show many more."""
_MARGIN = 0.04
"""Of a picture's sides, what a place that is shown large is surrounded by."""

_STYLE = """
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; }
figure { margin: 0; padding: .6rem; width: 12.5rem; border: 2px solid #d2d2d7; border-radius: 8px; }
figure.keeper { border-color: #1a7f37; }
.closeup { margin-top: .4rem; text-align: center; background: #f5f5f7; } .closeup img { max-width: 100%; }
figcaption { font-size: .8rem; margin-top: .4rem; overflow-wrap: anywhere; }
.keeper strong { color: #1a7f37; } .dropped strong { color: #9a3412; }
.review { background: #fff4e5; border-left: 4px solid #b45309; padding: .4rem .8rem; }
.done { background: #eaf6ec; border-left: 4px solid #1a7f37; padding: .4rem .8rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .5rem; margin: .2rem 0 0; } dd { margin: 0; }
dt { color: #6e6e73; }
"""


@dataclass(frozen=True)
class SheetContent:
    """What a sheet shows.

    Args:
        merges: What becomes of each cluster.
        look_alikes: The same of pairs that are the same but for some place.
        refused: Pairs that the second look refused.
    """

    merges: Sequence[Merge]
    look_alikes: Sequence[Merge]
    refused: Sequence[LookedAt]

    def pictures(self) -> set[tuple[str, str]]:
        """Home and key of each picture."""
        merges = (*self.merges[:SHOWN_CLUSTERS], *self.look_alikes[:SHOWN_CLUSTERS])
        pictures = [picture for merge in merges for picture in merge.cluster.pictures]
        pictures += [picture for pair in self.refused for picture in (pair.a, pair.b)]
        return {(picture.home, picture.key) for picture in pictures}

    def close_ups(self) -> dict[tuple[str, str], list[Spot]]:
        """The places to be shown large, by home and key of a picture."""
        found: dict[tuple[str, str], list[Spot]] = defaultdict(list)
        for merge in self.look_alikes[:SHOWN_CLUSTERS]:
            spot = _first_spot(merge)
            if spot is not None:
                for picture in merge.cluster.pictures:
                    found[picture.home, picture.key].append(spot)
        return found


@dataclass(frozen=True)
class Drawn:
    """Small JPEGs of pictures by home and key, and large ones of places in them."""

    thumbnails: Mapping[tuple[str, str], bytes]
    close_ups: Mapping[tuple[str, str, Spot], bytes] = field(default_factory=dict)


def draw_sheet(
    title: str,
    summary: Sequence[str],
    shown: SheetContent,
    read: Callable[[str, Collection[str]], Iterable[tuple[str, bytes]]],
) -> str:
    """The sheet's HTML, its pictures made small.

    Args:
        title: Its heading.
        summary: Sentences below it.
        shown: What it shows.
        read: Gives encoded pictures by home and ids.
    """
    from offside_data.images.thumbnails import close_up, thumbnail

    thumbnails, close_ups, places = {}, {}, shown.close_ups()
    keys: dict[str, set[str]] = defaultdict(set)
    for home, key in shown.pictures():
        keys[home].add(key)
    for home in sorted(keys):
        for key, data in read(home, keys[home]):
            with contextlib.suppress(PictureError):  # The sheet says so in its place.
                thumbnails[home, key] = thumbnail(data)
                for spot in places.get((home, key), ()):
                    close_ups[home, key, spot] = close_up(data, _around(spot))
    return contact_sheet(title, summary, shown, Drawn(thumbnails, close_ups))


def contact_sheet(title: str, summary: Sequence[str], shown: SheetContent, drawn: Drawn) -> str:
    """The sheet's HTML. Everything that comes from a dataset is escaped.

    Args:
        title: Its heading.
        summary: Sentences below it.
        shown: What it shows.
        drawn: A picture without a thumbnail is named only.
    """
    parts = [f"<p>{escape(sentence)}</p>" for sentence in summary]
    parts += _clusters("Cluster", shown.merges, drawn)
    if shown.look_alikes:
        parts.append("<h2>The same but for some place, most likely the text they show: for you to tell</h2>")
    parts += _clusters("Look-alikes", shown.look_alikes, drawn)
    if shown.refused:
        parts.append("<h2>Near hashes, but not the same: the second look refused these pairs</h2>")
    for pair in shown.refused:
        figures = _figure(pair.a, "kept", {}, drawn)
        figures += _figure(pair.b, "kept", likeness(pair.distance, pair.second_look), drawn)
        parts.append(f'<div class="pictures">{figures}</div><p></p>')
    return page(title, "\n".join(parts), _STYLE)


def outcome(merge: Merge) -> str:
    """What becomes of a cluster, as a sentence."""
    if merge.reasons:
        way_out = f" If they are one picture: --merge {merge.cluster.name}." if merge.tellable else ""
        return f"Left alone, look at it: {'; '.join(merge.reasons)}.{way_out}"
    gone, moved = len(merge.goes), len(merge.moves)
    return f"{gone} record{'s' * (gone != 1)} go{'es' * (gone == 1)}, {moved} move{'s' * (moved == 1)} to the keeper."


def likeness(distance: int, second_look: SecondLookResult | None) -> dict[str, str]:
    """How like another picture one is: by hash, and at the second look."""
    if second_look is None:
        return {"hash": counted(distance, "bit"), "second look": "equal pixels"}
    said = [f"{second_look.bits} of 256 bits, correlation {second_look.correlation:.3f}"]
    said += [second_look.turn] if second_look.turn else []
    said += ["laid over it"] if second_look.aligned else []
    if second_look.look_alike:
        said.append(differ_at(second_look))
    elif not second_look.same:
        said.append("not the same")
    return {"hash": counted(distance, "bit"), "second look": ", ".join(said)}


def _clusters(heading: str, merges: Sequence[Merge], drawn: Drawn) -> Iterator[str]:
    for merge in merges[:SHOWN_CLUSTERS]:
        cluster, spot = merge.cluster, _first_spot(merge)
        figures = [_figure(cluster.keeper, "keeper", {}, drawn, spot)]
        for member in cluster.others:
            label = "left alone" if merge.reasons else "dropped"
            figures.append(_figure(member.picture, label, likeness(member.distance, member.second_look), drawn, spot))
        style = "review" if merge.reasons else "done"
        yield (
            f'<h2>{heading} {cluster.name}</h2>\n<p class="{style}">{escape(outcome(merge))}</p>\n'
            f'<div class="pictures">{"".join(figures)}</div>'
        )
    if len(merges) > SHOWN_CLUSTERS:
        yield f"<p>And {len(merges) - SHOWN_CLUSTERS:,} more; settle these, then look again.</p>"


def _first_spot(merge: Merge) -> Spot | None:
    """Where look-alikes differ most."""
    look = merge.cluster.others[0].second_look
    return look.spots[0] if look is not None and look.look_alike else None


def _around(spot: Spot) -> tuple[float, float, float, float]:
    """A place with some of what surrounds it."""
    left, top, right, bottom = spot.left - _MARGIN, spot.top - _MARGIN, spot.right + _MARGIN, spot.bottom + _MARGIN
    return max(0.0, left), max(0.0, top), min(1.0, right), min(1.0, bottom)


def _figure(
    picture: HashedPicture, label: str, facts: Mapping[str, str], drawn: Drawn, spot: Spot | None = None
) -> str:
    image, large = "not readable", ""
    jpeg = drawn.thumbnails.get((picture.home, picture.key))
    if jpeg is not None:
        image = _img(jpeg)
    if spot is not None and (picture.home, picture.key, spot) in drawn.close_ups:
        large = f'<div class="closeup">{_img(drawn.close_ups[picture.home, picture.key, spot])}</div>'
    shown = {
        "file": picture.file or "not stated",
        "id": picture.key + (f" in {picture.home}" if picture.home else ""),
        "size": f"{picture.width} x {picture.height}",
        "licence": picture.license or "not stated",
        "split": ", ".join(picture.splits) or "none",
        "subject": ", ".join(picture.subjects) or "none",
        **facts,
    }
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(value)}</dd>" for term, value in shown.items())
    return (
        f'<figure class="{escape(label)}"><div class="frame">{image}</div>{large}<figcaption>'
        f"<strong>{escape(label)}</strong><dl>{rows}</dl></figcaption></figure>"
    )


def _img(jpeg: bytes) -> str:
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
