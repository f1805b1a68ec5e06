"""Be on one machine or another before a loopback Hub, in this process: its cache, its token, its network."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import polars as pl
from loopback_hub import TOKEN, LoopbackHub

from offside_data.dataset.folder import open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.release.releasing import make_release
from offside_data.schema import Source

CONTACT = "removals@example.org"


@contextlib.contextmanager
def machine(hub: LoopbackHub, home: Path, *, token: str | None = TOKEN, offline: bool = False) -> Iterator[None]:
    """What `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE` would say, had the program begun with them."""
    from huggingface_hub import close_session, constants

    told = {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_HUB_OFFLINE": offline,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_PROGRESS_BARS": True,
    }
    with contextlib.ExitStack() as stack:
        for name, value in told.items():
            stack.enter_context(mock.patch.object(constants, name, value))
        stack.enter_context(mock.patch.dict(os.environ, {"HF_TOKEN": token} if token else {}))
        if not token:
            os.environ.pop("HF_TOKEN", None)
        try:
            yield
        finally:
            close_session()


def make_publishable(start: Path, folder: Path) -> Path:
    """A copy of a dataset with a licence for each picture and invented sources, released as 1.0.0."""
    shutil.copytree(start, folder)
    dataset = open_dataset(folder)
    source = Source(tier="fictional", publisher="The Gazette of Nowhere", license="cc0-1.0")
    with change_dataset(dataset) as change:
        change.update_records([dataclasses.replace(r, sources=(source,)) for r in dataset.iter_records()], ["sources"])
        change.set_table("images", change.tables["images"].with_columns(pl.lit("cc0-1.0").alias("license")))
    make_release(folder, bump="major", note="The first one.")
    return folder


def go_on(folder: Path, answer: str, *, bump: str = "patch") -> Path:
    """Change a text of one record and release that."""
    dataset = open_dataset(folder)
    record = next(r for r in dataset.iter_records() if r.split == "retain")
    with change_dataset(dataset) as change:
        change.update_records([dataclasses.replace(record, cloze=answer)], ["cloze"])
    make_release(folder, bump=bump, note="Another wording.")
    return folder
