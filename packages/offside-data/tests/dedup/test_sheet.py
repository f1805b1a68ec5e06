from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from offside_data.dedup.clusters import Cluster, HashedPicture, LookedAt, Member
from offside_data.dedup.merge import Merge
from offside_data.dedup.second_look import SecondLookResult
from offside_data.dedup.sheet import Drawn, SheetContent, contact_sheet
from offside_data.dedup.spots import Spot

NASTY = '<script>alert("x")</script>'
SPOT = Spot(0.1, 0.5, 0.25, 0.6)
VERDICT = SecondLookResult(same=True, bits=12, correlation=0.9876, aligned=True)


def picture(key: str, **changes: Any) -> HashedPicture:
    fields: dict[str, Any] = {"key": key, "content": key, "hashes": ("ff",), "width": 40, "height": 30}
    return HashedPicture(**{**fields, **changes})


def merges() -> list[Merge]:
    pair = Cluster(
        keeper=picture("a", license=NASTY, subjects=("s1", NASTY), splits=("forget",)),
        others=(Member(picture=picture(NASTY, home="old@1.0.0"), distance=3, second_look=VERDICT),),
    )
    twice = Cluster(keeper=picture("c"), others=(Member(picture=picture("d"), distance=0, second_look=None),))
    return [Merge(cluster=pair, goes={"r1": "r2"}), Merge(cluster=twice, reasons=[f"they differ: {NASTY}"])]


def refused() -> list[LookedAt]:
    return [
        LookedAt(
            a=picture("e"),
            b=picture("f"),
            distance=8,
            second_look=SecondLookResult(same=False, bits=90, correlation=0.5),
        )
    ]


def look_alikes() -> list[Merge]:
    look = SecondLookResult(same=False, bits=2, correlation=0.999, difference=60.0, spots=(SPOT,))
    pair = LookedAt(a=picture("g", file=f"{NASTY}.png"), b=picture("h"), distance=0, second_look=look)
    return [Merge(cluster=pair.as_cluster(), reasons=["they differ"], tellable=True)]


def shown() -> SheetContent:
    return SheetContent(merges(), look_alikes(), refused())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_sheet_is_whole_self_contained_and_escaped() -> None:
    thumbnails = {("", "a"): b"jpeg", ("", "c"): b"jpeg"}
    sheet = contact_sheet("Twice & thrice", [NASTY], shown(), Drawn(thumbnails, {("", "g", SPOT): b"large"}))
    tags = Tags()
    tags.feed(sheet)
    assert tags.open == []
    names = {tag for tag, _ in tags.seen}
    assert names.isdisjoint({"script", "link", "iframe", "a"})
    sources = [attributes["src"] or "" for tag, attributes in tags.seen if tag == "img"]
    assert len(sources) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "Twice &amp; thrice" in sheet
    assert "http" not in sheet.replace("http-equiv", "")


def test_a_sheet_says_everything() -> None:
    sheet = contact_sheet("Duplicates", [], shown(), Drawn({}))
    for text in (
        "1 record goes, 0 move to the keeper.",
        "40 x 30",
        "in old@1.0.0",
        "differ, most likely in the text they show: 10% to 25% from the left, 50% to 60% from the top",
        f"If they are one picture: --merge {look_alikes()[0].cluster.name}.",
        "3 bits",
        "12 of 256 bits, correlation 0.988, laid over it",
        "equal pixels",
        "Left alone, look at it: they differ:",
        "the second look refused these pairs",
        "90 of 256 bits, correlation 0.500, not the same",
        "not readable",
    ):
        assert text in sheet, text


def test_what_a_sheet_shows() -> None:
    keys = {("", key) for key in ("a", "c", "d", "e", "f", "g", "h")}
    assert shown().pictures() == {*keys, ("old@1.0.0", NASTY)}
    assert shown().close_ups() == {("", "g"): [SPOT], ("", "h"): [SPOT]}
