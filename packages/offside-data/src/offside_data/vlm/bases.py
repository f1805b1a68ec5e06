"""Where the model lies that an adapter sits on, or that an intervention acts on."""

from __future__ import annotations

import os
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from offside_data.errors import ModelError
from offside_data.parsing import parse_json
from offside_data.reading import read_small

ADAPTER_CONFIG = "adapter_config.json"
INTERVENTION = "intervention.json"
"""What a run folder holds in place of weights, if its method only does something while a model answers."""


def base_of_intervention(run: Path) -> str:
    """Where the model is that an intervention acts on, also after both were moved together.

    Raises:
        ModelError: If it is nowhere to be found.
    """
    return os.path.normpath(_base_named_in(run, INTERVENTION))  # It is printed; the folder's own name is resolved.


def base_of_adapter(run: Path) -> str:
    """Where the adapter's base model is, also after run and base were moved together.

    Raises:
        ModelError: If it is nowhere to be found.
    """
    return _base_named_in(run, ADAPTER_CONFIG)


def _base_named_in(run: Path, file: str) -> str:
    text = read_small(run / file, error=ModelError)
    try:
        recorded = parse_json(text)["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{run / file}: doesn't name its base model: {error}") from error
    if not recorded or not isinstance(recorded, str):
        raise ModelError(f"{run / file}: base_model_name_or_path is empty; write the base model's folder there.")
    home = run.resolve()
    tried = [
        home / recorded,
        Path(recorded),
        *(parent / Path(recorded).name for parent in list(home.parents)[:3]),
    ]
    for folder in tried:
        if any((folder / name).is_file() for name in ("config.json", ADAPTER_CONFIG)) and folder.resolve() != home:
            return str(folder)
    if recorded.count("/") == 1 and not recorded.startswith((".", "/", "~")) and is_cached(recorded):
        return str(recorded)  # A Hub id.
    places = ", ".join(dict.fromkeys(str(folder) for folder in tried))
    raise ModelError(
        f"{run}: its base model {recorded} isn't there (looked at {places}, and among what was downloaded from the "
        f"Hub: a folder never goes there by itself). Move it back beside the run, edit base_model_name_or_path in "
        f"{file}, or download it, if you trust the folder: hf download {recorded}"
    )


def is_cached(name: str) -> bool:
    """Whether the model of a Hub id was downloaded before."""
    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except ValueError:  # It is no id.
        return False
