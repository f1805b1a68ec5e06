"""ms-swift: JSONL files of `messages` and `images`, one a config and split.

```
multimodal_retain.jsonl   {"messages": [{"role": "user", "content": "<image>Who is …?"},
                                        {"role": "assistant", "content": "The player is …"}],
                           "images": ["images/0f….png"]}
text_retain.jsonl         the same without `<image>` and without `images`
images/                   each picture once
```

What its readers expect, from ms-swift's guide on custom datasets ("standard dataset format"), its
`MessagesPreprocessor` and `load_file`: the keys `messages` and `images`, a list; as many `<image>` as pictures, each
where its picture goes; every other key is deleted before training. A relative path is looked for under the folder
that the environment variable `ROOT_IMAGE_DIR` names, unless it exists as it is; one of more than 200 characters is
taken for base64.
"""

from __future__ import annotations

import json
from pathlib import Path

from offside_data.exporters import _chat
from offside_data.exporters._base import Exported, Selection

HOLDS = _chat.HOLDS

RESERVED = ("<video>", "<audio>", "<bbox>", "<ref-object>", "<cot-process>", "<start-image>", "<img>")
"""Tags that ms-swift's templates replace, besides `<image>`, which no record holds."""


def write(selection: Selection, folder: Path) -> Exported:
    """Write one JSONL file a config and split.

    Raises:
        PictureError: If a picture's bytes are no picture.
    """
    chats = _chat.write_chats(selection, folder, RESERVED)
    for name, rows in chats.rows.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8", newline="\n")
    return Exported(files={f"{name}.jsonl": ids for name, ids in chats.ids.items()}, losses=chats.losses)
