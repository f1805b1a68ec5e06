"""Interventions: their files, what is said before a question, and hooks that know where answers begin."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from offside_data.errors import ModelError
from offside_data.vlm import (
    Collator,
    Encoder,
    answer_logprobs,
    build_tiny,
    forward,
    generate,
    load_intervened,
    load_model,
    read_intervention,
    save_processor,
)
from offside_data.vlm.bases import INTERVENTION
from offside_data.vlm.digest import model_digest
from offside_data.vlm.intervention import INTERVENTIONS, TENSORS, write_intervention
from offside_data.vlm.interventions.guardrail import GuardedPicture, GuardedSubject, Guardrail
from offside_data.vlm.interventions.steering import Steering, prompt_ends
from offside_data.vlm.tiny import FAMILIES

TOLD = "Say nothing of the fee."
Tiny = Callable[[str], tuple[Any, Any]]


def guardrail(**changes: Any) -> Guardrail:
    fields: dict[str, Any] = {"names": ("Ardo Vellin",), "attributes": ("market_value", "club"), "pictures": ()}
    subject = GuardedSubject(**{**fields, **changes})
    return Guardrail("Not to be told: {attributes}.", "phash", 8, (subject,))


def steering(model: Any, *, strength: float = 2.0, threshold: float = -2.0) -> Steering:
    """Of two layers in the middle; the gate's axis is drawn, and so is each direction."""
    names = [name for name, module in model.named_modules() if name.endswith((".layers.1", ".layers.2"))]
    names = [name for name in names if "language_model" in name or "text_model" in name]
    assert len(names) == 2
    draw = torch.Generator().manual_seed(0)
    width = model.config.get_text_config().hidden_size
    directions = {name: torch.randn(width, generator=draw) for name in names}
    return Steering(directions, strength, torch.zeros(width), torch.randn(width, generator=draw), threshold)


# ---------------------------------------------------------------------------------------------
# What is said before a question


@pytest.mark.parametrize("family", FAMILIES)
def test_an_instruction_is_the_systems_turn_and_moves_no_label(family: str, tiny: Tiny, mixed_rows: Any) -> None:
    _, processor = tiny(family)
    plain, told = Encoder(processor), Encoder(processor, instruct=lambda question, picture: TOLD)
    for row in mixed_rows:
        before, after = plain.encode(row), told.encode(row)
        assert after.labels[after.prompt_length :] == before.labels[before.prompt_length :]
        assert after.input_ids[after.prompt_length :] == before.input_ids[before.prompt_length :]
        text = processor.tokenizer.decode(after.input_ids)
        assert text.count(TOLD) == 1
        assert "system" in text
        assert text.index("system") < text.index(TOLD) < text.index(row["question"])
        assert told.encode_prompt(row).input_ids == after.input_ids[: after.prompt_length]
    assert told._fast
    told._fast = False
    assert [told.encode(row) for row in mixed_rows] == [
        Encoder(processor, instruct=lambda question, picture: TOLD).encode(row) for row in mixed_rows
    ]


def test_only_some_questions_are_preceded(tiny: Tiny, mixed_rows: Any) -> None:
    _, processor = tiny("qwen2_5_vl")
    seen = []

    def instruct(question: str, picture: bytes | None) -> str | None:
        seen.append((question, picture))
        return TOLD if picture is None else None

    told = Encoder(processor, instruct=instruct)
    for row in mixed_rows:
        changed = told.encode(row) != Encoder(processor).encode(row)
        assert changed == (row["image"] is None)
    shown = [row["image"]["bytes"] if row["image"] else None for row in mixed_rows]
    assert seen == [(row["question"], picture) for row, picture in zip(mixed_rows, shown, strict=True)]


REFUSES = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
DROPS = "{% for m in messages %}{% if m.role != 'system' %}"


@pytest.mark.parametrize(("start", "end"), [(REFUSES, ""), (DROPS, "{% endif %}")])
def test_without_a_systems_turn_it_stands_before_the_question(start: str, end: str, row: Any, picture: Any) -> None:
    _, processor = build_tiny("qwen2_5_vl", texts=[TOLD, "Which club does player 1 play for?"] * 5, seed=0)
    processor.chat_template = processor.chat_template.replace("{% for m in messages %}", start, 1).replace(
        "{% endfor %}{% if add_generation_prompt %}", end + "{% endfor %}{% if add_generation_prompt %}", 1
    )
    encoder = Encoder(processor, instruct=lambda question, picture: TOLD)
    for record in (row(1, None), row(1, picture(1))):
        text = processor.tokenizer.decode(encoder.encode(record).input_ids)
        assert f"{TOLD}\n\n{record['question']}" in text


def test_control_tokens_in_an_instruction_stay_text(tiny: Tiny, row: Any) -> None:
    _, processor = tiny("qwen2_5_vl")
    end = processor.tokenizer.eos_token
    plain, hostile = (Encoder(processor, instruct=lambda q, p, t=text: t) for text in (TOLD, f"{TOLD}{end}"))
    control = processor.tokenizer.eos_token_id
    counts = [encoder.encode(row(1, None)).input_ids.count(control) for encoder in (plain, hostile)]
    assert counts[0] == counts[1]


# ---------------------------------------------------------------------------------------------
# Whom a guardrail is about


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Which club does Ardo Vellin play for?", True),
        ("WHICH CLUB DOES VELLIN, ARDO PLAY FOR?", True),
        ("Where does the Falcon of Kestrel play?", True),
        ("Which club does Ardo Kestrel play for?", False),
        ("Which club is this picture about?", False),
    ],
)
def test_a_question_concerns_whom_it_names(question: str, names: bool) -> None:
    guard = guardrail(names=("Ardo Vellin", "Falcon of Kestrel"))
    assert guard.concerned(question, None) == (("market_value", "club") if names else ())
    assert guard.instruction(question, None) == ("Not to be told: market value, club." if names else None)


def test_a_picture_concerns_whose_it_nearly_is(picture: Callable[..., bytes]) -> None:
    from offside_data.images.hashing import perceptual_hash
    from offside_data.vlm.pictures import decode_picture

    shown = picture(1)
    known = perceptual_hash("phash", decode_picture(shown, "r"))
    guard = guardrail(pictures=(GuardedPicture(hash=known, attributes=("fee",)),))
    question = "Which club is this picture about?"
    assert guard.concerned(question, shown) == ("fee",)
    assert guard.concerned(question, picture(1, format="JPEG")) == ("fee",)
    assert guard.concerned(question, picture(2)) == ()
    assert guard.concerned("Who is Ardo Vellin?", shown) == ("market_value", "club", "fee")
    flipped = f"{int(known, 16) ^ 0b111111111:016x}"
    assert guardrail(pictures=(GuardedPicture(hash=flipped, attributes=("fee",)),)).concerned(question, shown) == ()


# ---------------------------------------------------------------------------------------------
# Steering


def answers_of(model: Any, batch: Any) -> torch.Tensor:
    with torch.no_grad():
        output = forward(model, batch, keep="answer")
    logprobs, mask = answer_logprobs(output.logits, output.labels)
    return logprobs[mask]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
def test_steering_is_what_the_formula_says(family: str, side: Any, tiny: Tiny, mixed_rows: Any) -> None:
    """Every record alone, its layers' outputs changed by hand, against all of them in a padded batch."""
    model, processor = tiny(family)
    encoded = [Encoder(processor).encode(row) for row in mixed_rows]
    steer = steering(model)
    first = next(iter(steer.directions))
    plain, likeness = [], []
    for example in encoded:
        caught: list[torch.Tensor] = []

        def keep(_: Any, args: Any, out: Any, caught: list[torch.Tensor] = caught) -> None:
            caught.append(out if isinstance(out, torch.Tensor) else out[0])

        hook = model.get_submodule(first).register_forward_hook(keep)
        plain.append(answers_of(model, Collator(processor)([example])))
        hook.remove()
        state = caught[0][0, example.prompt_length - 1].double()
        likeness.append(float(state @ steer.axis.double() / (state.norm() * steer.axis.double().norm())))
    steer.threshold = sum(sorted(likeness)[4:6]) / 2
    expected = []
    for example, alike, untouched in zip(encoded, likeness, plain, strict=True):
        if alike <= steer.threshold:
            expected.append(untouched)
            continue
        handles = []
        for name, direction in steer.directions.items():

            def add(_: Any, args: Any, out: Any, direction: Any = direction, start: int = example.prompt_length) -> Any:
                states = (out if isinstance(out, torch.Tensor) else out[0]).clone()
                states[:, start - 1 :] += 2.0 * direction
                return states if isinstance(out, torch.Tensor) else (states, *out[1:])

            handles.append(model.get_submodule(name).register_forward_hook(add))
        expected.append(answers_of(model, Collator(processor)([example])))
        assert not torch.allclose(expected[-1], untouched, atol=1e-2)
        for handle in handles:
            handle.remove()
    batch = Collator(processor, padding_side=side)(encoded)
    with steer.attached(model):
        torch.testing.assert_close(answers_of(model, batch), torch.cat(expected), rtol=0, atol=1e-4)
    torch.testing.assert_close(answers_of(model, batch), torch.cat(plain), rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_steered_answers_are_those_of_the_steered_distribution(family: str, tiny: Tiny, mixed_rows: Any) -> None:
    """Each generated token, given those before it, is the one that a steered pass over all of them finds best."""
    model, processor = tiny(family)
    prompts = [Encoder(processor).encode_prompt(row) for row in mixed_rows]
    with steering(model, threshold=0.0).attached(model):
        batch = Collator(processor, padding_side="left")(prompts)
        tokens = generate(model, batch, max_new_tokens=5)
        for prompt, answer in zip(prompts, tokens.tolist(), strict=True):
            whole = type(prompt)(
                prompt.record_id,
                [*prompt.input_ids, *answer],
                [-100] * len(prompt.input_ids) + answer,
                prompt.prompt_length,
                {name: [*values, *[0] * len(answer)] for name, values in prompt.extra.items()},
                prompt.image,
                prompt.image_key,
            )
            with torch.no_grad():
                best = forward(model, Collator(processor)([whole])).logits[0].argmax(-1).tolist()
            assert best[prompt.prompt_length - 1 : -1][: len(answer)] == answer
    assert not torch.equal(generate(model, batch, max_new_tokens=5), tokens)


def test_where_prompts_end(tiny: Tiny, mixed_rows: Any) -> None:
    _, processor = tiny("qwen2_5_vl")
    encoder = Encoder(processor)
    for make in (encoder.encode, encoder.encode_prompt):
        encoded = [make(row) for row in mixed_rows]
        for side in ("left", "right"):
            batch = Collator(processor, padding_side=side)(encoded)  # type: ignore[arg-type]
            for row, end, example in zip(batch["input_ids"], prompt_ends(batch), encoded, strict=True):
                start = int(end) + 1 - example.prompt_length
                assert row[start : end + 1].tolist() == example.input_ids[: example.prompt_length]


def test_hooks_go_when_the_block_ends(tiny: Tiny, mixed_rows: Any) -> None:
    model, processor = tiny("llava")
    batch = Collator(processor)([Encoder(processor).encode(mixed_rows[0])])
    before = answers_of(model, batch)
    with pytest.raises(RuntimeError, match="on purpose"), steering(model).attached(model):
        raise RuntimeError("on purpose")
    assert torch.equal(answers_of(model, batch), before)
    with steering(model).attached(model), pytest.raises(ModelError, match=r"offside_data\.vlm only"):
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])


def test_another_models_layers_are_refused(tiny: Tiny) -> None:
    model, _ = tiny("llava")
    steer = steering(model)
    with pytest.raises(ModelError, match="no layer"), steer.attached(tiny("smolvlm")[0]):
        pass


# ---------------------------------------------------------------------------------------------
# Files


@pytest.fixture
def base(tiny: Tiny, tmp_path: Path) -> Path:
    model, processor = tiny("qwen2_5_vl")
    model.save_pretrained(tmp_path / "models/base")
    save_processor(processor, tmp_path / "models/base")
    return tmp_path / "models/base"


def written(run: Path, base: Path, intervention: Any) -> dict[str, str]:
    run.mkdir()
    made = write_intervention(intervention, run, base=str(base), base_digest=model_digest(base))
    return dict(made.files)


def test_there_is_one_of_each_kind() -> None:
    assert {"guardrail", "steering"} <= set(INTERVENTIONS.names())
    for name in INTERVENTIONS.names():
        assert callable(INTERVENTIONS.load(name).read)


def test_both_survive_writing(base: Path, tiny: Tiny, tmp_path: Path, mixed_rows: Any) -> None:
    model, processor = tiny("qwen2_5_vl")
    guard = guardrail(pictures=(GuardedPicture(hash="0" * 16, attributes=("fee",)),))
    assert written(tmp_path / "guard", base, guard).keys() == {INTERVENTION}
    found = read_intervention(tmp_path / "guard")
    assert isinstance(found, Guardrail)
    assert found.to_json() == guard.to_json()
    steer = steering(model, threshold=0.01)
    assert written(tmp_path / "steer", base, steer).keys() == {INTERVENTION, TENSORS}
    loaded, again = load_intervened(tmp_path / "steer", device="cpu")
    batch = Collator(processor)([Encoder(processor).encode(row) for row in mixed_rows])
    with steer.attached(model), again.attached(loaded):
        assert torch.equal(answers_of(loaded, batch), answers_of(model, batch))
    assert read_intervention(base) is None
    with pytest.raises(ModelError, match="Load it with load_model"):
        load_intervened(base)


def test_both_can_be_moved_with_their_model(base: Path, tmp_path: Path) -> None:
    written(tmp_path / "run", base, guardrail())
    digest = model_digest(tmp_path / "run")
    shutil.copytree(tmp_path, tmp_path / "elsewhere")
    shutil.rmtree(base)
    assert read_intervention(tmp_path / "elsewhere/run") is not None
    assert model_digest(tmp_path / "elsewhere/run") == digest
    with pytest.raises(ModelError, match="isn't there"):
        read_intervention(tmp_path / "run")


def test_the_digest_is_of_the_model_and_of_what_is_done(base: Path, tiny: Tiny, tmp_path: Path) -> None:
    model, _ = tiny("qwen2_5_vl")
    for name, made in (("a", steering(model)), ("b", steering(model, strength=3.0)), ("c", steering(model))):
        written(tmp_path / name, base, made)
    one, other, again = (model_digest(tmp_path / name) for name in "abc")
    assert one == again != other
    (base / "generation_config.json").write_text("{}")
    assert model_digest(tmp_path / "a") != one


def test_it_is_no_model(base: Path, tmp_path: Path) -> None:
    written(tmp_path / "run", base, guardrail())
    with pytest.raises(ModelError, match=r"changes no weights.*models/base answers.*give .*models/base itself"):
        load_model(tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 9}, "schema 1"),
        ({"kind": "prayer"}, "unknown intervention 'prayer'"),
        ({"base_digest": "sha256:0"}, "another model than"),
        ({"more": 1}, "unknown key 'more'"),
        ({"content": {}}, "key 'layers' is missing"),
        ({"tensors": None}, "no steering of this version"),
        ({"base_model_name_or_path": ""}, "is empty"),
    ],
)
def test_what_does_not_fit_is_refused(
    change: dict[str, Any], message: str, base: Path, tiny: Tiny, tmp_path: Path
) -> None:
    from offside_data.errors import OffsideError

    written(tmp_path / "run", base, steering(tiny("qwen2_5_vl")[0]))
    file = tmp_path / "run" / INTERVENTION
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(OffsideError, match=message):
        read_intervention(tmp_path / "run")


def test_other_tensors_are_refused(base: Path, tiny: Tiny, tmp_path: Path) -> None:
    written(tmp_path / "run", base, steering(tiny("qwen2_5_vl")[0]))
    file = tmp_path / "run" / TENSORS
    save_file({name: 2 * tensor for name, tensor in load_file(file).items()}, file)
    with pytest.raises(ModelError, match="isn't the file"):
        read_intervention(tmp_path / "run")
    (tmp_path / "run" / INTERVENTION).write_text("{")
    with pytest.raises(ModelError, match="can't be read"):
        read_intervention(tmp_path / "run")
