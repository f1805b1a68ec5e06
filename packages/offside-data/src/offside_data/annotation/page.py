"""The page of disagreements: each record with its picture, its claim and what annotators said, in one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from offside_data.annotation.disagreements import Disagreement
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import PictureError
from offside_data.images.thumbnails import thumbnail
from offside_data.pages import PAGE_BEGIN as PAGE_BEGIN
from offside_data.pages import page

SHOWN = 500
"""Records on a page; a browser can't show many more with their pictures."""
_SIDE = 320
_STYLE = """
article { display: flex; gap: 1.2rem; margin: 1.2rem 0; padding: 1rem; border: 2px solid #d2d2d7; border-radius: 8px; }
article .frame { flex: 0 0 20rem; height: auto; min-height: 8rem; } article img { max-width: 100%; }
table { border-collapse: collapse; margin: .6rem 0; } th, td { border: 1px solid #d2d2d7; padding: .2rem .6rem; }
th { text-align: left; background: #f5f5f7; } td.other { background: #fff4e5; } code { color: #6e6e73; }
"""


def disagreement_page(dataset: OffsideDataset, found: Sequence[Disagreement], summary: Sequence[str]) -> str:
    """The page's HTML. Everything that comes from the dataset is escaped.

    Args:
        dataset: Has the pictures.
        found: The disagreements, what matters most first.
        summary: Sentences above them.
    """
    listed = found[:SHOWN]
    wanted = {d.image_id for d in listed if d.image_id is not None}
    pictures = dict(_thumbnails(dataset, wanted))
    parts = [f"<p>{escape(sentence)}</p>" for sentence in summary]
    parts += [_article(number, d, pictures) for number, d in enumerate(listed, start=1)]
    if len(found) > SHOWN:
        parts.append(f"<p>and {len(found) - SHOWN:,} more, which matter less; --json lists all.</p>")
    return page(f"Disagreements about {dataset.name} {dataset.version}", "\n".join(parts), _STYLE)


def _thumbnails(dataset: OffsideDataset, image_ids: set[str]) -> Sequence[tuple[str, str]]:
    found = []
    for image_id, data in dataset.encoded_pictures(image_ids):
        try:
            small = base64.b64encode(thumbnail(data, _SIDE)).decode()
        except PictureError as error:
            found.append((image_id, f"<p>{escape(str(error))}</p>"))
        else:
            found.append((image_id, f'<img alt="" src="data:image/jpeg;base64,{small}">'))
    return found


def _article(number: int, d: Disagreement, pictures: Mapping[str, str]) -> str:
    picture = "<p>asked without picture</p>" if d.image_id is None else pictures.get(d.image_id, "<p>no picture</p>")
    who = sorted({name for votes in d.votes.values() for name in votes})
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", "dataset", *who))
    rows = ""
    for control, votes in d.votes.items():
        said = d.stated.get(control, "")
        cells = "".join(_cell(votes.get(name, ""), said) for name in who)
        rows += f"<tr><th>{escape(control.replace('_', ' '))}</th><td>{escape(said)}</td>{cells}</tr>"
    remarks = "".join(f"<p>{escape(name)}: {escape(text)}</p>" for name, text in d.comments.items())
    return (
        f'<article id="{escape(d.record_id)}"><div class="frame">{picture}</div><div>'
        f"<h2>{number}. {escape(d.question)}</h2><p>{escape(d.answer)}</p>"
        f"<table><tr>{head}</tr>{rows}</table>{remarks}"
        f"<p><code>{escape(d.record_id)}</code>, {escape(d.attribute.replace('_', ' '))}; matters {d.matters:g}</p>"
        "</div></article>"
    )


def _cell(answer: str, stated: str) -> str:
    return f'<td class="other">{escape(answer)}</td>' if answer and answer != stated else f"<td>{escape(answer)}</td>"
