"""The receipt of a run and its model card."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from offside_data.errors import ModelError
from offside_data.run_manifest import RunManifest
from offside_unlearn import manifest as manifests

IDENTITY: dict[str, Any] = {
    "command": "run",
    "role": "unlearned",
    "config": {"lr": 1e-5},
    "method": "npo",
    "setting": "complete",
    "only": [],
    "adapter": {"r": 8},
    "base_model": {"path": "runs/vanilla", "digest": "sha256:1"},
    "dataset": {"name": "org/league", "version": "1.0.0", "commit": None, "digest": "sha256:2"},
    "forget": {"digest": "sha256:3", "record_ids": ["r1", "r2"]},
    "trained_on": ["multimodal/retain"],
    "parents": [{"path": "org/model", "digest": "sha256:0", "role": None}],
    "tune": "language",
    "limit": None,
    "dtype": "float32",
    "max_pixels": None,
    "seeds": {"seed": 0},
    "curve": [],
}
FACTS: dict[str, Any] = {
    "title": "npo on league, complete",
    "base_commit": None,
    "trained_parts": {"language": {"modules": 28, "trained": 100, "parameters": 900}},
    "image_backend": "pil",
    "device": "cpu",
    "threads": 1,
    "wall_time_s": 3.5,
    "peak_memory_mb": None,
    "steps": 2,
    "loss_history": [{"step": 1, "loss": 1.5}],
    "reference": None,
    "retain": {"multimodal/retain": 12},
}


def made(**changes: Any) -> RunManifest:
    return manifests.complete({**IDENTITY, **changes}, FACTS)


def front_matter(card: str) -> Any:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_card_links_data_and_base_model() -> None:
    card = manifests.model_card(made())
    metadata = front_matter(card)
    assert metadata["library_name"] == "peft"
    assert metadata["base_model"] == "runs/vanilla"
    assert metadata["datasets"] == ["org/league"]
    assert metadata["pipeline_tag"] == "image-text-to-text"
    assert "2 records of org/league 1.0.0" in card
    assert "PeftModel.from_pretrained" in card


def test_the_card_of_a_plain_model_needs_no_peft() -> None:
    card = manifests.model_card(made(adapter=None, forget=None, role="vanilla"))
    assert front_matter(card)["library_name"] == "transformers"
    assert "PeftModel" not in card
    assert "false claims on purpose" in card


def test_lineage_grows_by_the_model_that_is_started_from() -> None:
    parents = manifests.lineage(made(), "runs/npo", "sha256:9")
    assert [parent["digest"] for parent in parents] == ["sha256:0", "sha256:9"]
    kept = ("role", "method", "setting", "only", "forget", "dataset", "trained_on")
    told = {name: IDENTITY[name] for name in kept}
    assert parents[-1] == {"path": "runs/npo", "digest": "sha256:9", "request": made().request, **told}
    assert manifests.lineage(None, "org/model", "hub:org/model") == [
        {"path": "org/model", "digest": "hub:org/model", "role": None}
    ]


def test_the_request_digest_ignores_places_and_order_only() -> None:
    one = manifests.request_digest({"a": (1, 2), "base": {"path": "x", "digest": "d"}})
    assert one == manifests.request_digest({"base": {"digest": "d", "path": "y"}, "a": [1, 2]})
    assert one != manifests.request_digest({"a": (2, 1), "base": {"path": "x", "digest": "d"}})


def test_a_long_history_is_thinned_by_means() -> None:
    history = [{"step": step, "loss": float(step)} for step in range(1, 1201)]
    thinned = manifests.thin(history)
    assert len(thinned) == 400
    assert thinned[0] == {"step": 3, "loss": 2.0}
    assert thinned[-1]["step"] == 1200
    assert manifests.thin(history[:500]) == history[:500]
    assert manifests.thin([]) == []


def test_versions_name_what_a_run_depends_on() -> None:
    assert manifests.versions().keys() >= {"python", "torch", "transformers", "peft", "offside-unlearn"}


def test_a_term_that_some_steps_lack_is_averaged_over_the_others() -> None:
    history = [{"step": step, "loss": 1.0, **({"retain_kl": 4.0} if step == 1 else {})} for step in range(1, 1001)]
    thinned = manifests.thin(history)
    assert thinned[0] == {"step": 2, "loss": 1.0, "retain_kl": 4.0}
    assert thinned[1] == {"step": 4, "loss": 1.0}


def test_a_manifest_that_nobody_could_read_is_not_written() -> None:
    with pytest.raises(ModelError, match="key 'role': input should be 'base'"):
        made(role="student")


@pytest.mark.parametrize("role", ["base", "vanilla", "retain_only", "unlearned", "relearned"])
def test_the_card_is_valid_yaml_for_every_role(role: str) -> None:
    assert front_matter(manifests.model_card(made(role=role)))["tags"][0] == "offside"
