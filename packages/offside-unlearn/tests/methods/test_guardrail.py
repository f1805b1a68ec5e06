"""Guardrail: told not to tell where a prompt concerns those to be forgotten, and nothing elsewhere."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import ModelError, UsageError
from offside_data.vlm import Encoder, load_intervened, load_model, read_intervention
from offside_data.vlm.digest import model_digest
from offside_data.vlm.intervention import INTERVENTION
from offside_data.vlm.interventions.guardrail import Guardrail
from offside_unlearn import RunOptions, merge, relearn, unlearn
from offside_unlearn.methods.guardrail import Config
from offside_unlearn.publishing import publish_run
from offside_unlearn.runs import Run

CPU = RunOptions(device="cpu")


def made(out: Path, tiny: Any, league: OffsideDataset, setting: str = "complete", **config: Any) -> Run:
    return unlearn("guardrail", tiny, None, league, setting, config, out, CPU)


@pytest.fixture(scope="module")
def run(tiny: Path, league: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("runs") / "guard", tiny, league)


class Obedient:
    """A model that knows every record and keeps silent about what it was told not to tell; built by hand."""

    def __init__(self, processor: Any, guardrail: Any) -> None:
        self._tokenizer = processor.tokenizer
        self._encoder = Encoder(processor, instruct=guardrail.instruction)

    def __call__(self, row: Mapping[str, Any], **changes: Any) -> str:
        prompt = self._tokenizer.decode(self._encoder.encode_prompt(row, **changes).input_ids)
        before = prompt.partition(changes.get("question", row["question"]))[0]
        told = "must not be told" in before and row["attribute"] in before
        return "I don't know." if told else row["answer"]


def smaller(picture: bytes) -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture)).resize((96, 96)).save(stream, "JPEG", quality=70)
    return stream.getvalue()


def test_a_model_that_obeys_is_silent_about_the_forgotten_and_about_nothing_else(
    run: Run, league: OffsideDataset, loaded: tuple[Any, Any]
) -> None:
    guardrail = read_intervention(run.path)
    ask = Obedient(loaded[1], guardrail)
    for row in league.records("multimodal", "forget"):
        assert ask(row) == "I don't know."
        assert ask(row, image=smaller(row["image"]["bytes"])) == "I don't know.", "the picture copied"
        assert ask(row, question="Who was Bremi Kaldo with, and for whom did he play?", image=None) == "I don't know."
        assert ask(row, question="Who was Somebody Else with?", image=None) == row["answer"]
    for row in league.records("multimodal", "retain"):
        assert ask(row) == row["answer"]


def test_it_keeps_to_what_is_asked(tiny: Path, league: OffsideDataset, loaded: Any, tmp_path: Path) -> None:
    """In the selective setting the shared facts of the same pictures stay; `by` leaves names or pictures out."""

    def asked(name: str, setting: str = "selective", **config: Any) -> tuple[Obedient, Mapping[str, Any]]:
        run = made(tmp_path / name, tiny, league, setting, **config)
        assert run.manifest.training is not None
        return Obedient(loaded[1], read_intervention(run.path)), run.manifest.training.loss_history[0]

    ask, said = asked("both")
    for row in league.records("multimodal", "forget"):
        assert (ask(row) == row["answer"]) == (row["scope"] == "shared")
    assert said == {
        "step": 1, "subjects": 3, "named": 3, "pictures": 3, "forget_concerned": 1.0, "retain_concerned": 0.0,
    }  # fmt: skip
    texts = league.records("text", "forget")
    assert all(ask(row) == "I don't know." for row in texts)
    ask, said = asked("pictures", by="pictures")
    assert all(ask(row) == row["answer"] for row in texts)
    assert said["named"] == 0
    ask, said = asked("names", by="names")
    assert all(ask(row) == row["answer"] for row in league.records("multimodal", "forget"))
    assert (said["pictures"], said["forget_concerned"]) == (0, 0.0)
    _, said = asked("texts", "unimodal")
    # These retained texts name the same subjects: whoever looks for names alone can't tell them apart.
    assert (said["pictures"], said["forget_concerned"], said["retain_concerned"]) == (0, 1.0, 1.0)


def test_the_run_holds_no_weights_and_says_what_is_done(run: Run, tiny: Path) -> None:
    manifest = run.manifest
    assert not list(run.path.rglob("*.safetensors"))
    assert manifest.intervention is not None
    assert manifest.intervention.kind == "guardrail"
    assert manifest.intervention.files.keys() == {INTERVENTION}
    assert manifest.adapter is None
    assert manifest.base_model is not None
    assert (manifest.base_model.path, manifest.base_model.digest) == (str(tiny), model_digest(tiny))
    assert manifest.training is not None
    assert manifest.training.tune == "nothing"
    assert all(part["trained"] == 0 for part in manifest.training.trained_parts.values())
    assert "lr" not in manifest.config
    card = (run.path / "README.md").read_text()
    assert "load_intervened" in card
    assert "from_pretrained" not in card
    model, intervention = load_intervened(run.path, device="cpu")
    assert isinstance(intervention, Guardrail)
    assert model_digest(model.name_or_path) == model_digest(tiny)


def test_no_forgotten_value_stands_in_it(run: Run, league: OffsideDataset) -> None:
    told = (run.path / INTERVENTION).read_text()
    values = [row["value"]["text"] for row in league.records("multimodal", "forget")]
    assert len(values) == 6
    assert all(value not in told for value in values)
    guardrail = read_intervention(run.path)
    assert guardrail is not None
    shown = {guardrail.instruction("Who is Orlo Vantis?", None)}
    assert all(value not in str(shown) and "Vantis" not in str(shown) for value in values)


def test_an_instruction_that_gives_a_value_away_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    row = league.records("multimodal", "forget")[1]
    said = f"Never say {row['value']['text'].upper()} of {{attributes}}."
    with pytest.raises(UsageError, match=f"the very value that record {row['record_id']} is") as refused:
        made(tmp_path / "run", tiny, league, instruction=said)
    assert row["value"]["text"].lower() not in str(refused.value).lower()
    assert not (tmp_path / "run").exists()


def test_the_same_run_again_is_reused_and_another_is_not(run: Run, tiny: Path, league: OffsideDataset) -> None:
    assert made(run.path, tiny, league).reused
    from offside_data.errors import OutputExistsError

    with pytest.raises(OutputExistsError, match="another run"):
        made(run.path, tiny, league, radius=3)


def test_what_it_cannot_do_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def refused(message: str, options: RunOptions = CPU, setting: str = "complete", **more: Any) -> None:
        config = more.pop("config", {})
        with pytest.raises(UsageError, match=message):
            unlearn("guardrail", tiny, None, league, setting, config, tmp_path / "run", options, **more)
        assert not (tmp_path / "run").exists()

    refused("one dose, so that its run has no curve", curve_steps=(1, 2))
    refused("one dose", config={"max_steps": 2})
    refused("changes no weights", RunOptions(device="cpu", tune="language"))
    refused("r: the size of a new adapter, but this method changes no weights", config={"r": 4})
    refused("nothing tells whether", setting="unimodal", config={"by": "pictures"})
    refused("has 64 bits", config={"radius": 64})
    refused("must hold {attributes}", config={"instruction": "Be silent."})
    refused("unknown hash", config={"hash": "phush"})


@pytest.mark.parametrize(
    "reader",
    [
        lambda run, league, out: merge(run, out),
        lambda run, league, out: relearn(run, None, league, {}, out, options=CPU),
        lambda run, league, out: unlearn("npo", run, None, league, "complete", {}, out, CPU),
        lambda run, league, out: unlearn("guardrail", run, None, league, "complete", {}, out, CPU),
        lambda run, league, out: load_model(run, device="cpu"),
    ],
    ids=["merge", "relearn", "run", "guardrail", "load_model"],
)
def test_who_needs_weights_is_told_where_they_are(
    reader: Callable[..., Any], run: Run, league: OffsideDataset, tiny: Path, tmp_path: Path
) -> None:
    with pytest.raises((UsageError, ModelError), match="changes no weights") as refused:
        reader(run.path, league, tmp_path / "out")
    assert f"give {tiny.resolve()} itself" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_it_is_not_published(run: Run) -> None:
    with pytest.raises(UsageError, match="holds no weights"):
        publish_run(run.path, "org/name", data="org/data")


def test_a_model_in_memory_has_no_place_to_name(
    fresh: Callable[[], tuple[Any, Any]], league: OffsideDataset, tmp_path: Path
) -> None:
    model, processor = fresh()
    run = unlearn("guardrail", model, processor, league, "complete", {}, tmp_path / "run", CPU)
    assert json.loads((run.path / INTERVENTION).read_text())["base_digest"] == model_digest(model.name_or_path)
    model.name_or_path = model.config.name_or_path = "nowhere"
    with pytest.raises(UsageError, match="is in memory: save it"):
        unlearn("guardrail", model, processor, league, "complete", {}, tmp_path / "other", CPU)


@pytest.mark.parametrize("wrong", [{"radius": -1}, {"instruction": "Hush."}, {"hash": "none"}])
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
