"""How pictures get to annotators: within the task, by the server's local files, or uploaded to its project."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import PictureError, UsageError
from offside_data.files import whole_file
from offside_data.view.pictures import shown_picture

_MEDIA = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}


def shown_pictures(dataset: OffsideDataset, image_ids: Collection[str]) -> Iterator[tuple[str, str, bytes]]:
    """Pictures as annotators see them: at most 1,024 pixels wide or high, without metadata, in a format of the web.

    Args:
        dataset: The dataset.
        image_ids: Which.

    Yields:
        image_id, file name and encoded bytes.

    Raises:
        PictureError: If one can't be decoded; names it.
    """
    for image_id, data in dataset.encoded_pictures(image_ids):
        try:
            shown, ending, _ = shown_picture(data)
        except PictureError as error:
            raise PictureError(image_id, error.kind, f"{error.reason} `offside-data check` lists all such.") from error
        yield image_id, f"{image_id}.{ending}", shown


def data_uri(name: str, data: bytes) -> str:
    """A picture as an address that holds it."""
    return f"data:{_MEDIA[name.rpartition('.')[2]]};base64,{base64.b64encode(data).decode()}"


@functools.cache
def no_picture() -> str:
    """What stands where a record shows no picture."""
    from PIL import Image, ImageDraw

    plain = Image.new("L", (220, 60), 235)
    ImageDraw.Draw(plain).text((40, 22), "asked without picture", fill=90)
    stream = io.BytesIO()
    plain.save(stream, "PNG", optimize=True)
    return data_uri("none.png", stream.getvalue())


def local_folder_of(root: Path, dataset: str) -> Path:
    """Where the pictures of a dataset lie below a server's document root; strictly below, as the server wants it."""
    return root / "offside" / dataset


def local_address(dataset: str, name: str) -> str:
    """The address under which the server shows a picture from its document root."""
    return f"/data/local-files/?d={quote(f'offside/{dataset}/{name}')}"


def put_local(dataset: OffsideDataset, root: Path, image_ids: Collection[str]) -> dict[str, str]:
    """Copy pictures below a server's document root.

    Returns:
        The address of each, by image_id.

    Raises:
        UsageError: If there is no such folder, or it can't be written to.
    """
    if not root.is_dir():
        raise UsageError(
            f"{root}: no such folder. --document-root is the one that the server has as "
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, as this machine sees it."
        )
    found = {}
    for image_id, name, data in shown_pictures(dataset, image_ids):
        path = local_folder_of(root, dataset.name) / name
        try:
            if not path.is_file() or path.read_bytes() != data:
                with whole_file(path) as partial:
                    partial.write_bytes(data)
        except OSError as error:
            raise UsageError(f"{path}: can't be written: {error.strerror}.") from error
        found[image_id] = local_address(dataset.name, name)
    return found
