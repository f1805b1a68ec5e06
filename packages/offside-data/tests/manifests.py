"""Run manifests as every command has written them."""

from __future__ import annotations

from typing import Any

DATASET = {"name": "small", "version": "0.1.0", "commit": None, "digest": "sha256:d"}
FORGET = {"digest": "sha256:f", "record_ids": ["r1", "r2"]}
REQUEST = {"method": "npo", "setting": "selective", "only": ["subject=s1"], "forget": FORGET}
NOTHING: dict[str, Any] = {"method": None, "setting": None, "only": [], "forget": None}
CHECKPOINT = {"path": "org/model", "digest": "hub:org/model", "role": None}
TINY = {"path": "t", "digest": "sha256:t", "role": "base", **NOTHING, "dataset": DATASET, "trained_on": []}
COMMON: dict[str, Any] = {
    "schema": 1,
    "title": "a run on small",
    "config": {"lr": 1e-4, "max_steps": None, "epochs": 8, "retain_slices": ["rest"]},
    "dataset": DATASET,
    "base_model": {"path": "b", "digest": "sha256:b"},
    "parents": [CHECKPOINT, TINY],
    "trained_on": ["multimodal/retain"],
    "adapter": {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05},
    "seeds": {"seed": 0},
    "request": "sha256:q",
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
    "image_backend": "pil",
}
TRAINED: dict[str, Any] = {
    **COMMON,
    "tune": "language",
    "limit": None,
    "dtype": "float32",
    "max_pixels": None,
    "curve": [],
    "base_commit": None,
    "trained_parts": {"language": {"modules": 28, "parameters": 900, "trained": 12}},
    "device": "cpu",
    "threads": 2,
    "wall_time_s": 12.0,
    "peak_memory_mb": None,
    "steps": 2,
    "loss_history": [{"step": 1, "loss": 2.5, "lr": 0.0}, {"step": 2, "loss": 2, "forget_ce": 1.5}],
}
LEARNT = {"reference": None, "parts": ["multimodal/retain"], "records_trained_on": 12}
FINETUNED = {**TRAINED, **LEARNT, **NOTHING, "command": "finetune", "adapter": None}
UNLEARNED = {**TRAINED, **REQUEST, "command": "run", "role": "unlearned", "reference": "adapter off"}
RELEARNED = {**TRAINED, **LEARNT, **REQUEST, "command": "relearn", "role": "relearned", "curve": [1, 2]}
MANIFESTS: dict[str, dict[str, Any]] = {
    "tiny": {
        **COMMON, **NOTHING, "command": "tiny", "role": "base", "base_model": None, "parents": [], "adapter": None,
        "parameters": 1_100_096,
    },
    "base": {**FINETUNED, "role": "base"},
    "vanilla": {**FINETUNED, "role": "vanilla"},
    "retain_only": {**FINETUNED, "role": "retain_only"},
    "unlearned": {**UNLEARNED, "retain": {"multimodal/retain": 12}},
    "unlearned without a retain set": {**UNLEARNED, "retain": {}, "reference": None},
    "relearned": RELEARNED,
    "relearned checkpoint": {**RELEARNED, **NOTHING, "only": None, "parents": [CHECKPOINT]},
    "merged": {**RELEARNED, "adapter": None, "merged_from": {"path": "re", "digest": "sha256:r"}},
}  # fmt: skip
