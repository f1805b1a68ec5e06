"""LLaMA-Factory: JSON lists of conversations with `dataset_info.json`, which says how to read them.

```
dataset_info.json         one entry a file, called DATASET_CONFIG_SPLIT
multimodal_retain.json    [{"messages": [{"role": "user", "content": "<image>Who is …?"},
                                         {"role": "assistant", "content": "The player is …"}],
                            "images": ["images/0f….png"]}, …]
text_retain.json          the same without `<image>` and without `images`
images/                   each picture once
```

What its readers expect, from LLaMA-Factory's `data/README.md`, its `mllm_demo` entry, `parser.py` and
`converter.py`: `formatting` is `sharegpt`; `columns` names the keys of messages and pictures; `tags` names role and
content keys and the two roles, since its defaults are `from`, `value`, `human` and `gpt`; `images` is a list as long
as there are `<image>` in the text; paths are relative to `media_dir`, by default the folder of `dataset_info.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from offside_data.exporters import _chat
from offside_data.exporters._base import Exported, Selection
from offside_data.files import write_json

HOLDS = _chat.HOLDS

RESERVED = ("<video>", "<audio>")
"""Tags that LLaMA-Factory replaces, besides `<image>`, which no record holds."""

TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


def write(selection: Selection, folder: Path) -> Exported:
    """Write one JSON file a config and split, and `dataset_info.json`.

    Raises:
        PictureError: If a picture's bytes are no picture.
    """
    chats = _chat.write_chats(selection, folder, RESERVED)
    info: dict[str, Any] = {}
    for name, rows in chats.rows.items():
        text = json.dumps(rows, ensure_ascii=False, indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8", newline="\n")
        columns = {"messages": "messages", "images": "images"} if "images" in rows[0] else {"messages": "messages"}
        info[f"{selection.card.name}_{name}"] = {
            "file_name": f"{name}.json",
            "formatting": "sharegpt",
            "columns": columns,
            "tags": TAGS,
        }
    write_json(folder / "dataset_info.json", info)
    return Exported(files={f"{name}.json": ids for name, ids in chats.ids.items()}, losses=chats.losses)
