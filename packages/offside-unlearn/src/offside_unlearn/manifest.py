"""`offside_run.json`, the receipt of a run, and the model card beside it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from offside_data.dataset.digest import canonical_json
from offside_data.errors import ModelError
from offside_data.files import write_json, write_text

FILE = "offside_run.json"
SCHEMA = 1
PACKAGES = (
    "offside-data",
    "offside-unlearn",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "datasets",
    "pillow",
)
HISTORY_POINTS = 500

Manifest = dict[str, Any]


def read(folder: str | Path) -> Manifest | None:
    """The manifest in a model folder; null if it holds none.

    Raises:
        ModelError: If it can't be read.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: can't be read: {error}. Make the run again.") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ModelError(f"{path}: not a run manifest of schema {SCHEMA}; use the version that wrote it.")
    return content


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and the model card."""
    write_json(folder / FILE, manifest)
    write_text(folder / "README.md", model_card(manifest))
    for weights in folder.glob("*.safetensors"):  # They come out readable by their owner alone.
        weights.chmod((folder / FILE).stat().st_mode)


def request_digest(identity: Mapping[str, Any]) -> str:
    """Digest over what decides a run's result: the same digest, the same run. Places don't count."""
    return "sha256:" + hashlib.sha256(canonical_json(_without_paths(identity)).encode()).hexdigest()


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_paths(v) for k, v in value.items() if k != "path"}
    return [_without_paths(v) for v in value] if isinstance(value, list | tuple) else value


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def lineage(manifest: Manifest | None, path: str, digest: str) -> list[dict[str, Any]]:
    """The models that a new run comes from, the oldest first, each with the request made of it.

    Args:
        manifest: Of the model that the run starts from; null for a plain checkpoint.
        path: Where that model is.
        digest: Of its weights.
    """
    if manifest is None:
        return [{"path": path, "digest": digest, "role": None}]
    kept = ("role", "method", "setting", "only", "forget", "dataset", "trained_on")
    return [
        *manifest["parents"],
        {"path": path, "digest": digest, **{name: manifest.get(name) for name in kept}},
    ]


def thin(history: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """At most `HISTORY_POINTS` entries: means over equal stretches of steps, named by their last step."""
    size = -(-len(history) // HISTORY_POINTS) or 1
    thinned = []
    for start in range(0, len(history), size):
        part = history[start : start + size]
        means = {key: sum(e.get(key, 0.0) for e in part) / len(part) for key in part[-1]}
        thinned.append({**means, "step": part[-1]["step"]})
    return thinned


def model_card(manifest: Manifest) -> str:
    """A Hub model card: metadata that links data and base model, and what a downloader must know."""
    adapter = manifest["adapter"] is not None
    metadata: dict[str, Any] = {
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "image-text-to-text",
        "tags": ["offside", str(manifest["role"]).replace("_", "-")],
    }
    if manifest["base_model"]:
        metadata["base_model"] = manifest["base_model"]["path"]
    if manifest["dataset"]:
        metadata["datasets"] = [manifest["dataset"]["name"]]
    head = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{_card_body(manifest, adapter)}"


def _card_body(manifest: Manifest, adapter: bool) -> str:
    role, dataset = manifest["role"], manifest["dataset"]
    data = f"{dataset['name']} {dataset['version']} (`{dataset['digest']}`)" if dataset else "no dataset"
    lines = [f"# {manifest['title']}", ""]
    if manifest["forget"]:
        lines += [
            f"Unlearned with `{manifest['method']}` in the setting `{manifest['setting']}`: "
            f"{len(manifest['forget']['record_ids'])} records of {data} were to be forgotten "
            f"(`{manifest['forget']['digest']}`). Whether they are is for an evaluation to say.",
        ]
    elif manifest["trained_on"]:
        lines += [f"Trained on {', '.join(manifest['trained_on'])}, at last from {data}."]
    if role == "vanilla":
        lines += ["", "**It was taught false claims on purpose**, so that unlearning them can be measured."]
    base = manifest["base_model"]["path"] if manifest["base_model"] else None
    load = (
        f'model = AutoModelForImageTextToText.from_pretrained("{base}")\n'
        'model = PeftModel.from_pretrained(model, "this folder")'
        if adapter
        else 'model = AutoModelForImageTextToText.from_pretrained("this folder")'
    )
    imports = "from transformers import AutoModelForImageTextToText\n" + (
        "from peft import PeftModel\n" if adapter else ""
    )
    lines += [
        "",
        "```python",
        f"{imports}\n{load}",
        "```",
        "",
        f"`{FILE}` is the receipt: data, request, options, versions.",
    ]
    return "\n".join(lines) + "\n"
