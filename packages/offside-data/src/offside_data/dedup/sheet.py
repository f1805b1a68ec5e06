"""A contact sheet: each cluster side by side, as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

from offside_data.dedup.clusters import HashedPicture
from offside_data.dedup.find import Refused
from offside_data.dedup.merge import Merge
from offside_data.dedup.second_look import SecondLookResult

SHOWN_CLUSTERS = 1_000
"""Clusters on a sheet; a browser can't show many more."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1d1d1f; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.05rem; margin: 2rem 0 .5rem; }} p {{ margin: .3rem 0; }}
.pictures {{ display: flex; flex-wrap: wrap; gap: .8rem; }}
figure {{ margin: 0; padding: .6rem; width: 12.5rem; border: 2px solid #d2d2d7; border-radius: 8px; }}
figure.keeper {{ border-color: #1a7f37; }}
.frame {{ height: 164px; display: flex; align-items: center; justify-content: center; background: #f5f5f7; }}
figcaption {{ font-size: .8rem; margin-top: .4rem; overflow-wrap: anywhere; }}
.keeper strong {{ color: #1a7f37; }} .dropped strong {{ color: #9a3412; }}
.review {{ background: #fff4e5; border-left: 4px solid #b45309; padding: .4rem .8rem; }}
.done {{ background: #eaf6ec; border-left: 4px solid #1a7f37; padding: .4rem .8rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0 .5rem; margin: .2rem 0 0; }} dd {{ margin: 0; }}
dt {{ color: #6e6e73; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def contact_sheet(
    title: str,
    summary: Sequence[str],
    merges: Sequence[Merge],
    refused: Sequence[Refused],
    thumbnails: Mapping[tuple[str, str], bytes],
) -> str:
    """The sheet's HTML. Everything that comes from a dataset is escaped.

    Args:
        title: Its heading.
        summary: Sentences below it.
        merges: What becomes of each cluster.
        refused: Pairs that the second look refused.
        thumbnails: Small JPEGs by home and key of a picture; a picture without one is named only.
    """

    def show(picture: HashedPicture, label: str, facts: Mapping[str, str]) -> str:
        return _figure(picture, label, facts, thumbnails.get((picture.home, picture.key)))

    parts = [f"<p>{escape(sentence)}</p>" for sentence in summary]
    parts += [_cluster(number, merge, show) for number, merge in enumerate(merges[:SHOWN_CLUSTERS], 1)]
    if len(merges) > SHOWN_CLUSTERS:
        parts.append(f"<p>And {len(merges) - SHOWN_CLUSTERS:,} more clusters; apply these, then look again.</p>")
    if refused:
        parts.append("<h2>Near hashes, but not the same: the second look refused these pairs</h2>")
    for pair in refused:
        figures = show(pair.a, "kept", {}) + show(pair.b, "kept", likeness(pair.distance, pair.second_look))
        parts.append(f'<div class="pictures">{figures}</div><p></p>')
    return _PAGE.format(title=escape(title), body="\n".join(parts))


def shown_pictures(merges: Sequence[Merge], refused: Iterable[Refused]) -> set[tuple[str, str]]:
    """Home and key of each picture that a sheet shows."""
    pictures = [picture for merge in merges[:SHOWN_CLUSTERS] for picture in merge.cluster.pictures]
    pictures += [picture for pair in refused for picture in (pair.a, pair.b)]
    return {(picture.home, picture.key) for picture in pictures}


def outcome(merge: Merge) -> str:
    """What becomes of a cluster, as a sentence."""
    if merge.reasons:
        return f"Left alone, look at it: {'; '.join(merge.reasons)}."
    gone, moved = len(merge.goes), len(merge.moves)
    return f"{gone} record{'s' * (gone != 1)} go{'es' * (gone == 1)}, {moved} move{'s' * (moved == 1)} to the keeper."


def likeness(distance: int, second_look: SecondLookResult | None) -> dict[str, str]:
    """How like another picture one is: by hash, and at the second look."""
    if second_look is None:
        return {"hash": bits(distance), "second look": "equal pixels"}
    aligned = ", laid over it" if second_look.aligned else ""
    unlike = "" if second_look.same else ", not the same"
    look = f"{second_look.bits} of 256 bits, correlation {second_look.correlation:.3f}{aligned}{unlike}"
    return {"hash": bits(distance), "second look": look}


def bits(number: int) -> str:
    """A number of bits in words."""
    return "1 bit" if number == 1 else f"{number} bits"


def _cluster(number: int, merge: Merge, show: Callable[..., str]) -> str:
    cluster = merge.cluster
    figures = [show(cluster.keeper, "keeper", {})]
    for member in cluster.others:
        label = "left alone" if merge.reasons else "dropped"
        figures.append(show(member.picture, label, likeness(member.distance, member.second_look)))
    style = "review" if merge.reasons else "done"
    return (
        f'<h2>Cluster {number}</h2>\n<p class="{style}">{escape(outcome(merge))}</p>\n'
        f'<div class="pictures">{"".join(figures)}</div>'
    )


def _figure(picture: HashedPicture, label: str, facts: Mapping[str, str], jpeg: bytes | None) -> str:
    image = "not readable"
    if jpeg is not None:
        image = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
    shown = {
        "size": f"{picture.width} x {picture.height}",
        "licence": picture.license or "not stated",
        "split": ", ".join(picture.splits) or "none",
        "subject": ", ".join(picture.subjects) or "none",
        **facts,
    }
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(value)}</dd>" for term, value in shown.items())
    return (
        f'<figure class="{escape(label)}"><div class="frame">{image}</div><figcaption>'
        f"<strong>{escape(label)}</strong> {escape(picture.name)}<dl>{rows}</dl></figcaption></figure>"
    )
