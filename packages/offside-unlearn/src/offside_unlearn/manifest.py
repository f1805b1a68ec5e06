"""What goes into `offside_run.json`, the receipt of a run, and the model card beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from offside_data.dataset.digest import canonical_json
from offside_data.files import write_json, write_text
from offside_data.run_manifest import FILE, SCHEMA, Parent, RunManifest

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
LOGGED = frozenset({"step", "epoch", "loss", "grad_norm", "learning_rate"})
"""What every entry of the loss history holds; the rest are the terms of the method's loss."""


def complete(identity: Mapping[str, Any], facts: Mapping[str, Any]) -> RunManifest:
    """The manifest of a run that is done.

    Args:
        identity: What decides its result.
        facts: What came of it besides.

    Raises:
        ModelError: If they don't make a whole manifest.
    """
    common = {"schema": SCHEMA, "request": request_digest(identity), "versions": versions()}
    return RunManifest.from_json({**common, **identity, **facts}, FILE)


def write(folder: Path, manifest: RunManifest) -> None:
    """Write the manifest and the model card."""
    write_json(folder / FILE, manifest.to_json())
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


def lineage(manifest: RunManifest | None, path: str, digest: str) -> list[dict[str, Any]]:
    """The models that a new run comes from, the oldest first, each with the request made of it.

    Args:
        manifest: Of the model that the run starts from; null for a plain checkpoint.
        path: Where that model is.
        digest: Of its weights.
    """
    if manifest is None:
        return [{"path": path, "digest": digest, "role": None}]
    content = manifest.to_json()
    kept = {field.name: content[field.name] for field in dataclasses.fields(Parent) if field.name in content}
    return [*content["parents"], {**kept, "path": path, "digest": digest}]


def thin(history: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """At most `HISTORY_POINTS` entries: means over as many steps each, named by their last step.

    A term's mean is over the steps that have it.
    """
    size = -(-len(history) // HISTORY_POINTS) or 1
    thinned = []
    for start in range(0, len(history), size):
        part = history[start : start + size]
        values = {key: [e[key] for e in part if key in e] for key in dict.fromkeys(key for e in part for key in e)}
        thinned.append({**{key: sum(v) / len(v) for key, v in values.items()}, "step": part[-1]["step"]})
    return thinned


def terms_in_words(entry: Mapping[str, float]) -> str:
    """The loss and all its terms in one entry of the loss history, e.g. `loss 1.2, forget_ce 3.4`."""
    terms = {name: value for name, value in entry.items() if name == "loss" or name not in LOGGED}
    return ", ".join(f"{name} {value:.4g}" for name, value in terms.items())


def model_card(manifest: RunManifest) -> str:
    """A Hub model card: metadata that links data and base model, and what a downloader must know."""
    adapter = manifest.adapter is not None
    library = "offside-data" if manifest.intervention else "peft" if adapter else "transformers"
    metadata: dict[str, Any] = {
        "library_name": library,
        "pipeline_tag": "image-text-to-text",
        "tags": ["offside", manifest.role.replace("_", "-")],
    }
    if manifest.base_model:
        metadata["base_model"] = manifest.base_model.path
    metadata["datasets"] = [manifest.dataset.name]
    head = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{_card_body(manifest, adapter)}"


def _card_body(manifest: RunManifest, adapter: bool) -> str:
    dataset, forget = manifest.dataset, manifest.forget
    data = f"{dataset.name} {dataset.version} (`{dataset.digest}`)"
    lines = [f"# {manifest.title}", ""]
    if forget:
        lines += [
            f"Unlearned with `{manifest.method}` in the setting `{manifest.setting}`: "
            f"{len(forget.record_ids)} records of {data} were to be forgotten "
            f"(`{forget.digest}`). Whether they are is for an evaluation to say.",
        ]
    elif manifest.trained_on:
        lines += [f"Trained on {', '.join(manifest.trained_on)}, at last from {data}."]
    if manifest.role == "vanilla":
        lines += ["", "**It was taught false claims on purpose**, so that unlearning them can be measured."]
    base = manifest.base_model.path if manifest.base_model else None
    load = (
        f'model = AutoModelForImageTextToText.from_pretrained("{base}")\n'
        'model = PeftModel.from_pretrained(model, "this folder")'
        if adapter
        else 'model = AutoModelForImageTextToText.from_pretrained("this folder")'
    )
    imports = "from transformers import AutoModelForImageTextToText\n" + (
        "from peft import PeftModel\n" if adapter else ""
    )
    if manifest.intervention:
        imports = "from offside_data.vlm import load_intervened\n"
        load = 'model, intervention = load_intervened("this folder")'
        lines += [
            "",
            f"It holds no weights: what it does (`{manifest.intervention.kind}`) is done while {base} answers.",
        ]
    lines += [
        "",
        "```python",
        f"{imports}\n{load}",
        "```",
        "",
        f"`{FILE}` is the receipt: data, request, options, versions.",
    ]
    return "\n".join(lines) + "\n"
