"""What a run would do, told before any weight is loaded; real sizes by their published configurations.

That every method's run then does so is in `test_unlearning.py`, beside what else is asked of these runs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import ModelError, UsageError
from offside_unlearn import RunOptions, unlearn
from offside_unlearn.batches import Needs
from offside_unlearn.plan import MIB, PhasePlan, SidePlan, memory_needed, plan
from offside_unlearn.start import find_start, make_trainable, skeleton
from offside_unlearn.tune import LoraOptions

SIZES = Path(__file__).parent / "real_sizes"
PARAMETERS = {
    "qwen2.5-vl-3b": 3_754_622_976,
    "qwen2.5-vl-7b": 8_292_166_656,
    "llava-1.5-7b": 7_063_427_072,
    "gemma-3-4b": 4_300_079_472,
    "smolvlm-256m": 256_484_928,
}
"""As published beside the weights."""

CONFIG = {"max_steps": 2, "batch_size": 2, "retain_ratio": 1}
OPTIONS = RunOptions(device="cpu")

each_size = pytest.mark.parametrize("name", PARAMETERS)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """A model folder with the configuration of a real size and nothing else."""

    def made(name: str) -> Path:
        place = tmp_path / name
        place.mkdir()
        shutil.copy(SIZES / f"{name}.json", place / "config.json")
        return place

    return made


def trainable(place: Path, options: RunOptions, lora: LoraOptions | None = None) -> Any:
    start = find_start(str(place), digest=lambda path: "")
    return make_trainable(skeleton(start, options), start, options, lora or LoraOptions())


def per_language_layer(text: dict[str, Any], rank: int) -> int:
    """Weights of an adapter of this rank on the seven projections of a layer, by hand."""
    width, inner = text["hidden_size"], text["intermediate_size"]
    head = text.get("head_dim", width // text["num_attention_heads"])
    q, kv = head * text["num_attention_heads"], head * text["num_key_value_heads"]
    return rank * (2 * (width + q) + 2 * (width + kv) + 3 * (width + inner))


@each_size
def test_the_shapes_and_the_adapter_of_a_real_size(name: str, folder: Callable[[str], Path]) -> None:
    made = trainable(folder(name), RunOptions(dtype="bfloat16"), LoraOptions(r=16))
    parts, text = made.parts, json.loads((SIZES / f"{name}.json").read_text("utf-8"))["text_config"]
    assert sum(row["parameters"] for row in parts.values()) == PARAMETERS[name]
    assert parts["language"]["modules"] == 7 * text["num_hidden_layers"]
    assert parts["language"]["trained"] == per_language_layer(text, 16) * text["num_hidden_layers"]
    assert parts["vision"]["trained"] == parts["projector"]["trained"] == 0
    assert all(parameter.is_meta for parameter in made.model.parameters())


@each_size
def test_every_part_of_a_real_size_is_found(name: str, folder: Callable[[str], Path]) -> None:
    parts = trainable(folder(name), RunOptions(tune="all")).parts
    vision = json.loads((SIZES / f"{name}.json").read_text("utf-8"))["vision_config"]
    layers = vision.get("num_hidden_layers", vision.get("depth"))
    layers -= "llava" in name  # Its features are those before the last layer, which nothing reads (LlavaConfig: -2).
    # Qwen2.5-VL: qkv and proj, a gated MLP; CLIP and SigLIP: four projections and two layers.
    assert parts["vision"]["modules"] == layers * (5 if "qwen" in name else 6)
    assert parts["projector"]["trained"] > 0
    assert parts["language"]["trained"] > parts["projector"]["trained"]


def test_the_memory_of_a_real_size(folder: Callable[[str], Path]) -> None:
    """Full fine-tuning of 3.75 billion weights in 16 bits, with a frozen copy; every number by hand."""
    place, count = folder("qwen2.5-vl-3b"), PARAMETERS["qwen2.5-vl-3b"]
    side = SidePlan(records=9, batch=4, pictures=3, tokens=(90, 100, 110), answer_tokens=(5, 8, 10), too_long=0)
    phases, kl = [PhasePlan(10, 1, {"forget": side, "retain": side})], [Needs(token_reference=frozenset({"retain"}))]
    full = trainable(place, RunOptions(full=True, dtype="bfloat16")).model
    found = memory_needed(full, phases, fresh_adapter=False, needs=kl, checkpointing=False)
    weights = 2 * count / MIB
    assert found["weights"] == found["gradients"] == found["frozen weights"] == pytest.approx(weights)
    assert found["optimizer"] == pytest.approx(2 * weights)
    assert found["activations"] == pytest.approx(8 * 110 * 2048 * 36 * 34 / MIB)
    assert found["logits"] == pytest.approx(3 * 8 * 8 * 151936 * 4 / MIB)
    lean = memory_needed(full, phases, fresh_adapter=False, needs=[Needs()], checkpointing=True)
    assert "frozen weights" not in lean
    assert lean["activations"] == pytest.approx(8 * 110 * 2048 * (36 + 17) * 2 / MIB)
    made = trainable(place, RunOptions(dtype="bfloat16"))
    adapter = memory_needed(made.model, phases, fresh_adapter=made.fresh_adapter, needs=kl, checkpointing=False)
    size = per_language_layer(json.loads((SIZES / "qwen2.5-vl-3b.json").read_text("utf-8"))["text_config"], 8) * 36
    assert adapter["gradients"] == pytest.approx(size * 4 / MIB), "peft keeps an adapter in 32 bits"
    assert "frozen weights" not in adapter, "the adapter is switched off instead"


def test_a_plan_counts_records_pictures_and_tokens(tiny: Path, league: OffsideDataset) -> None:
    (phase,) = plan("grad_diff", tiny, league, "complete", {**CONFIG, "max_length": 32}, OPTIONS).phases
    forget, retain = phase.sides["forget"], phase.sides["retain"]
    assert (forget.records, forget.batch, forget.pictures) == (6, 2, 3)
    assert (retain.records, retain.batch, retain.pictures) == (12, 2, 6)
    assert forget.tokens[0] <= forget.tokens[1] <= forget.tokens[2]
    assert 0 < forget.answer_tokens[2] < forget.tokens[2]
    assert forget.too_long == 6, "every record here has more than 32 tokens with its picture"
    (phase,) = plan("grad_diff", tiny, league, "complete", {**CONFIG, "max_length": 2000}, OPTIONS).phases
    assert phase.sides["forget"].too_long == 0


def test_a_plan_cuts_where_the_run_would(tiny: Path, league: OffsideDataset) -> None:
    def sides(**more: Any) -> SidePlan:
        (phase,) = plan("grad_diff", tiny, league, "complete", {**CONFIG, **more}, OPTIONS).phases
        return phase.sides["forget"]

    whole, cut = sides(), sides(max_length=36, cut_long=True)
    assert whole.tokens[2] > 36
    assert (cut.tokens[2], cut.too_long, cut.records) == (36, 0, 6)
    assert 0 < cut.cut <= 6
    assert cut.answer_tokens[2] < whole.answer_tokens[2]
    nothing_left = sides(max_length=20, cut_long=True)
    assert (nothing_left.too_long, nothing_left.cut) == (6, 0)


def test_a_plan_of_several_trainings(tiny: Path, league: OffsideDataset) -> None:
    config = {"max_steps": 4, "batch_size": 2, "distil_steps": 3}
    planned = plan("npo+layered+undo", tiny, league, "complete", config, RunOptions(full=True))
    assert [phase.steps for phase in planned.phases] == [2, 2, 3]
    assert [list(phase.sides) for phase in planned.phases] == [["forget", "retain"], ["forget", "retain"], ["retain"]]
    records = [phase.sides["forget"].records for phase in planned.phases[:2]]
    assert records[0] < records[1] == 6


def test_several_trainings_take_the_steps_of_the_method_alone(tiny: Path, league: OffsideDataset) -> None:
    """Also of one that forgets more records than it is asked to, both forms of each claim."""
    config = {"epochs": 2, "batch_size": 2}

    def steps(method: str) -> list[int]:
        options = RunOptions(full=True)
        return [phase.steps for phase in plan(method, tiny, league, "complete", config, options).phases]

    (alone,) = steps("prior_match")
    assert alone > steps("npo")[0]
    assert sum(steps("prior_match+layered")) == alone
    assert steps("prior_match+undo") == [alone, alone]


def test_a_plan_reads_no_weights_and_writes_nothing(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    before = sorted(path.name for path in bare.rglob("*"))
    assert plan("npo", bare, league, "complete", CONFIG, OPTIONS).family == "qwen2_5_vl"
    assert sorted(path.name for path in bare.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["bare"]


def test_a_plan_of_an_adapter_that_is_continued(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    run = unlearn("grad_diff", tiny, None, league, "complete", {**CONFIG, "r": 4}, tmp_path / "run", OPTIONS)
    planned = plan("kl_min", run.path, league, "complete", CONFIG, OPTIONS)
    assert run.manifest.training is not None
    assert planned.parts == run.manifest.training.trained_parts
    assert "frozen weights" in planned.memory, "switching it off would give the model before the first run"


def test_what_cannot_be_planned_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown option 'alpha'"):
        plan("npo", tiny, league, "complete", {"alpha": 1})
    with pytest.raises(ModelError, match="no such model folder"):
        plan("npo", tmp_path / "nowhere", league, "complete")
    other = tmp_path / "text"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="a bert model, which answers no questions about pictures"):
        plan("npo", other, league, "complete")
    for text in ("{", "3"):
        (other / "config.json").write_text(text)
        with pytest.raises(ModelError, match="configuration can't be read"):
            plan("npo", other, league, "complete")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden_size": "abc"}, "configuration can't be read"),
        ({"num_hidden_layers": -1}, "configuration can't be read"),
        ({"num_attention_heads": 0}, "configuration makes no model: ZeroDivisionError"),
        ({"hidden_act": "none of them"}, "configuration makes no model: KeyError"),
        ({"vocab_size": 0}, "configuration makes no model: IndexError"),
    ],
)
def test_a_damaged_configuration_is_refused(
    changed: dict[str, Any], message: str, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    shutil.copytree(tiny, tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    content = json.loads(file.read_text("utf-8"))
    content["text_config"] |= changed
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        plan("npo", tmp_path / "model", league, "complete")


def test_a_damaged_adapter_or_template_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    run = unlearn("grad_diff", tiny, None, league, "complete", {**CONFIG, "max_steps": 1}, tmp_path / "run", OPTIONS)
    for name, text, message in (
        ("processor_config.json", "[]", "processor_config.json: can't be read"),
        ("chat_template.jinja", "{% if %}", "its chat template is damaged"),
        ("adapter_config.json", "{", "adapter_config.json: can't be read"),
    ):
        whole = (run.path / name).read_text("utf-8")
        (run.path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ModelError, match=message):
            plan("npo", run.path, league, "complete", CONFIG, OPTIONS)
        (run.path / name).write_text(whole, encoding="utf-8")
