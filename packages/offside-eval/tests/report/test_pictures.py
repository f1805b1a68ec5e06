"""Pictures: only small, newly encoded ones get onto the page."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from offside_eval.report.pictures import LONGEST_SIDE, data_uris, encode


def png(size: tuple[int, int] = (40, 40), color: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG", pnginfo=None)
    return out.getvalue()


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_small_pictures_stay_exact_and_large_ones_shrink() -> None:
    small, large = encode(png(), "p"), encode(png((1200, 600)), "p")
    assert small is not None
    assert large is not None
    assert small.startswith("data:image/png;base64,")
    assert decoded(small).getpixel((5, 5)) == (0, 128, 128)
    assert large.startswith("data:image/jpeg;base64,")
    assert decoded(large).size == (LONGEST_SIDE, LONGEST_SIDE // 2)


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", png()[:60]])
def test_what_is_no_picture_is_left_out(data: bytes) -> None:
    assert encode(data, "p") is None


class Rows(list[dict[str, Any]]):
    """As much of a `datasets.Dataset` as is used."""

    def __getitem__(self, key: Any) -> Any:
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)

    def select_columns(self, columns: list[str]) -> Rows:
        return Rows({c: row[c] for c in columns} for row in self)


class FakeDataset:
    def has(self, config: str, split: str) -> bool:
        return (config, split) == ("multimodal", "forget")

    def records(self, config: str, split: str) -> Rows:
        picture = {"bytes": png(), "path": "a.png"}
        return Rows([{"image_id": "a", "image": picture}, {"image_id": "b", "image": None}])

    def images(self) -> Rows:
        picture = {"bytes": png(color="red"), "path": "t.png"}
        return Rows(
            [
                {"twin_of": None, "twin": None, "image": None},
                {"twin_of": "a", "twin": "blank", "image": picture},
            ]
        )


def test_pictures_and_their_twins_are_found() -> None:
    wanted = [("a", "plain"), ("a", "blank"), ("b", "plain"), ("nowhere", "plain")]
    found = data_uris(FakeDataset(), wanted)  # type: ignore[arg-type]
    assert found.keys() == {("a", "plain"), ("a", "blank")}
    assert decoded(found["a", "blank"]).getpixel((0, 0)) == (255, 0, 0)
