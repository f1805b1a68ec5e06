from __future__ import annotations

import io
from typing import Any

from PIL import Image


def test_poor_pictures_are_warnings_that_name_the_file(found: Any) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (90, 90), "navy").save(stream, "PNG")

    def show(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["subject_id"] == "s1":
                row["image"] = {"bytes": stream.getvalue(), "path": "x.png"}

    def state(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["source"] = "claims:posts/one.png"

    (issue,) = found("quality", {"multimodal/retain": show, "images": state})
    assert (issue.severity, issue.code) == ("warning", "picture-blank")
    assert issue.message.startswith("posts/one.png shows nothing")
    assert (
        found("quality", {"multimodal/retain": lambda rows: [row for row in rows if row["subject_id"] != "s1"]}) == []
    )
