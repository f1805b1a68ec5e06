from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fixed_logits import IGNORED, LABELS, LOGITS, OTHER, divergences
from PIL import Image

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import RecordError, UsageError
from offside_data.vlm import Batch, Collator, Encoder
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn import RunOptions, unlearn
from offside_unlearn import reference as references
from offside_unlearn.batches import PairedBatch, Side
from offside_unlearn.losses import TopLogprobs
from offside_unlearn.methods import LossOutput, RequestRecords
from offside_unlearn.methods.vgid import INSTRUCTION, Config, Method
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.tune import LoraOptions, add_adapter

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., Any]
TEACHER = {"teacher": OTHER, "retain": OTHER.flip(1)}
CURRENT = {"forget": LOGITS, "retain": 0.7 * LOGITS}


@pytest.fixture
def loss(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LossOutput]:
    """The loss on fixed logits of the records `a` and `b`."""

    def given(model: None, inputs: Batch, *, keep: str) -> Any:
        return type("Output", (), {"logits": inputs["logits"], "labels": inputs["labels"]})

    monkeypatch.setattr("offside_unlearn.methods._base.forward", given)

    def compute(order: str = "ab", pad: int = 0, labels: torch.Tensor = LABELS, **config: Any) -> LossOutput:
        rows = ["ab".index(record) for record in order]

        def padded(values: torch.Tensor, fill: float) -> torch.Tensor:
            extra = torch.full((len(rows), pad, *values.shape[2:]), fill, dtype=values.dtype)
            return torch.cat([extra, values[rows], extra], dim=1)

        of = padded(labels, IGNORED)
        sides = {
            name: Side(Batch(input_ids=of, labels=of, logits=padded(logits, 9.0)), tuple(order), 5.0, 2.0)
            for name, logits in CURRENT.items()
        }
        tops = {
            name: {
                record: TopLogprobs.of(logits[row : row + 1], LABELS[row : row + 1]) for row, record in enumerate("ab")
            }
            for name, logits in TEACHER.items()
        }
        return Method(Config(**config)).loss(None, PairedBatch(sides), ReferenceModel(tops=tops))  # type: ignore[arg-type]

    return compute


FORGET = sum(divergences(TEACHER["teacher"], CURRENT["forget"])) / 5
RETAIN = sum(divergences(TEACHER["retain"], CURRENT["retain"])) / 5


@pytest.mark.parametrize(("order", "pad"), [("ab", 0), ("ba", 0), ("ab", 3)])
def test_both_divergences_by_hand(loss: Callable[..., LossOutput], order: str, pad: int) -> None:
    """Neither the order of the records nor padding changes a digit."""
    output = loss(order, pad, alpha=3.0, beta=0.5)
    assert output.terms["forget_kl"].item() == pytest.approx(FORGET, rel=1e-5)
    assert output.terms["retain_kl"].item() == pytest.approx(RETAIN, rel=1e-5)
    assert output.loss.item() == pytest.approx(3 * FORGET + 0.5 * RETAIN, rel=1e-5)
    assert output.kept is not None
    assert output.kept.item() == pytest.approx(0.5 * RETAIN, rel=1e-5)
    backwards = sum(divergences(CURRENT["forget"], TEACHER["teacher"])) / 5
    assert backwards != pytest.approx(FORGET, rel=0.05), "or the direction would be open"


def test_without_weight_what_must_stay_is_not_read(loss: Callable[..., LossOutput]) -> None:
    assert loss(beta=0).terms.keys() == {"forget_kl"}
    needs = Method(Config(beta=0)).needs()
    assert not needs.retain
    assert needs.top_reference == {"teacher"}


def test_answers_of_which_none_counts_are_an_error(loss: Callable[..., LossOutput]) -> None:
    with pytest.raises(RecordError, match="no answer token"):
        loss(labels=torch.full_like(LABELS, IGNORED))


# -------------------------------------------------------------------------------------------------
# The teacher


def asked(league: OffsideDataset, setting: str, folder: Path, seed: int = 0) -> RequestRecords:
    request = league.request(setting)
    return RequestRecords(league, request, request.forget, {}, seed=seed, folder=folder)


def noise_by_hand(seed: int, record: str, count: int) -> bytes:
    key = json.dumps([seed, "vgid", "noise", record])
    return random.Random(int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")).randbytes(count)


def noised_by_hand(row: dict[str, Any], share: float, seed: int) -> bytes:
    """A small picture, each number of which is that share of noise."""
    picture = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
    noise = noise_by_hand(seed, row["record_id"], 3 * picture.width * picture.height)
    mixed = bytes(int(old + share * (new - old)) for old, new in zip(picture.tobytes(), noise, strict=True))
    stream = io.BytesIO()
    Image.frombytes("RGB", picture.size, mixed).save(stream, "PNG")
    return stream.getvalue()


def said_by_hand(model: Any, encoder: Encoder, row: dict[str, Any], **options: Any) -> torch.Tensor:
    """Log-probabilities where the answer's tokens are predicted, from a whole forward pass of `transformers`."""
    example = encoder.encode(row, **options)
    with torch.no_grad():
        logits = model(**model_inputs(model, Collator(encoder.processor)([example]))).logits[0]
    places = [place - 1 for place, label in enumerate(example.labels) if label != IGNORED]
    return torch.log_softmax(logits[places].double(), -1)


class Teacher:
    """The frozen model's distributions for a request, from a model whose adapter has moved since."""

    def __init__(self, loaded: tuple[Any, Any], data: RequestRecords, **config: Any) -> None:
        model, self.processor = loaded
        method = Method(Config(top_k=10**6, beta=0, **config))
        encoder = Encoder(self.processor)
        own = method.sides(data)
        assert list(own) == ["teacher"], "the student's own side is the request's, as it is"
        self.asked = own["teacher"].rows
        encoded = own["teacher"].encoded(encoder, "teacher")
        self.model = add_adapter(model, "language", LoraOptions(lora_dropout=0.0)).eval()
        preparation = Preparation(Collator(self.processor), 4, True, False, None, frozenset({"teacher"}))
        self.reference = references.of(self.model, method.needs(), {"teacher": encoded}, preparation)
        self.method, self.encoder, self.rows = method, encoder, data.forget
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(0))

    def side(self) -> Side:
        examples = [self.encoder.encode(row) for row in self.rows]
        tokens = float(sum(label != IGNORED for example in examples for label in example.labels))
        return Side(
            Collator(self.processor)(examples), tuple(e.record_id for e in examples), tokens, float(len(examples))
        )

    def said(self) -> torch.Tensor:
        return self.reference.top_logprobs(self.side(), of="teacher").logprobs.double()


def unlike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("share", "told"), [(1.0, INSTRUCTION), (0.4, "Say nothing."), (0.0, "Say nothing."), (1.0, "")]
)
def test_the_teacher_is_the_frozen_model_shown_noise_and_told_not_to_know(
    share: float, told: str, league: OffsideDataset, fresh: Fresh, tmp_path: Path
) -> None:
    teacher = Teacher(fresh(), asked(league, "selective", tmp_path, seed=5), noise=share, instruction=told)
    frozen, _ = fresh()
    parts: dict[str, list[torch.Tensor]] = {}
    for row in teacher.rows:
        picture = noised_by_hand(row, share, 5) if share else row["image"]["bytes"]
        question = f"{told} {row['question']}" if told else row["question"]
        ways = {
            "whole": {"image": picture, "question": question},
            "without noise": {"question": question},
            "without instruction": {"image": picture},
            "plain": {},
        }
        for name, options in ways.items():
            parts.setdefault(name, []).append(said_by_hand(frozen, teacher.encoder, row, **options))
    whole, without_noise, without_instruction, plain = (torch.cat(rows) for rows in parts.values())
    torch.testing.assert_close(teacher.said(), whole, rtol=1e-4, atol=1e-4)
    assert unlike(whole, without_noise) == (share > 0)
    assert unlike(whole, without_instruction) == bool(told)
    assert unlike(whole, plain)


def test_the_student_sees_the_plain_record_and_has_moved(league: OffsideDataset, fresh: Fresh, tmp_path: Path) -> None:
    teacher = Teacher(fresh(), asked(league, "selective", tmp_path))
    side = teacher.side()
    output = teacher.method.loss(teacher.model, PairedBatch({"forget": side}), teacher.reference)
    wanted = teacher.said()
    now = torch.cat([said_by_hand(teacher.model, teacher.encoder, row) for row in teacher.rows])
    expected = float((wanted.exp() * (wanted - now)).sum(-1).mean())
    assert expected > 0.01
    assert output.loss.item() == pytest.approx(expected, rel=1e-4)


def test_noise_is_the_records_own_and_follows_the_seed(league: OffsideDataset, tmp_path: Path) -> None:
    def pictures(seed: int) -> list[bytes]:
        rows = Method(Config()).sides(asked(league, "complete", tmp_path, seed))["teacher"].rows
        return [row["image"] for row in rows]

    first = pictures(0)
    assert len(set(first)) == len(first) == 6, "two records of a picture have noise of their own each"
    assert pictures(0) == first
    assert not set(pictures(1)) & set(first)


def test_noise_on_a_large_picture_is_coarse_enough_to_survive(league: OffsideDataset, tmp_path: Path) -> None:
    from offside_unlearn.methods.vgid import _noised

    large = Image.open(io.BytesIO(_noised(Image.new("RGB", (900, 450)), 1.0, 0, "a")))
    assert large.size == (900, 450)
    cells = large.resize((224, 112), Image.Resampling.BOX).convert("L")
    spread = torch.tensor(list(cells.tobytes())).float().std()
    assert spread > 30, "scaled down it is no plain grey"


def test_text_has_the_instruction_alone(league: OffsideDataset, tmp_path: Path) -> None:
    data = asked(league, "unimodal", tmp_path)
    rows = Method(Config(instruction="Say nothing.")).sides(data)["teacher"].rows
    assert [row["question"] for row in rows] == [f"Say nothing. {row['question']}" for row in data.forget]
    assert all(row["image"] is None for row in rows)
    with pytest.raises(UsageError, match="has no picture to put noise on"):
        Method(Config(instruction=" ")).sides(data)


@pytest.mark.parametrize("full", [False, True])
def test_a_run_keeps_its_teacher_small_and_comes_nearer_to_it(
    full: bool, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    config = {"max_steps": 8, "batch_size": 3, "retain_ratio": 1, "lr": 3e-3, "top_k": 5}
    options = RunOptions(device="cpu", full=full)
    run = unlearn("vgid", tiny, None, league, "selective", config, tmp_path / "run", options)
    training = run.manifest.training
    assert training is not None
    how = "retain and teacher answers" if full else "teacher answers; adapter off"
    assert training.reference == f"stored: likeliest tokens of the {how}"
    first, last = training.loss_history[0], training.loss_history[-1]
    assert last["forget_kl"] < 0.8 * first["forget_kl"]
    assert first["retain_kl"] == pytest.approx(0, abs=1e-5)
    assert not list(run.path.glob("distributions*"))


@pytest.mark.parametrize(
    "wrong",
    [{"alpha": 0}, {"beta": -1}, {"noise": 1.5}, {"noise": -0.1}, {"top_k": 0}, {"noise": 0.0, "instruction": " "}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
