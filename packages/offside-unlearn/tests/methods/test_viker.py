from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fixed_logits import IGNORED, LABELS, LOGITS, OTHER, PLACES, divergences, softmax

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import RecordError, UsageError
from offside_data.vlm import Batch, Collator, Encoder
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn import RunOptions, unlearn
from offside_unlearn import reference as references
from offside_unlearn.batches import PairedBatch, Side
from offside_unlearn.losses import TopLogprobs, entropy
from offside_unlearn.methods import LossOutput, RequestRecords
from offside_unlearn.methods.viker import Config, Method
from offside_unlearn.reference import Preparation, ReferenceModel

Fresh = Callable[[], tuple[Any, Any]]
ENTROPIES = [
    -sum(p * math.log(p) for p in softmax(OTHER[row, at].tolist()))  # Of the ideal distributions.
    for row, at, _ in PLACES
]
NLLS = [-math.log(softmax(LOGITS[row, at].tolist())[token]) for row, at, token in PLACES]
RETAINED = 0.7 * LOGITS
CE = sum(-math.log(softmax(RETAINED[row, at].tolist())[token]) for row, at, token in PLACES) / 5


@pytest.fixture
def loss(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LossOutput]:
    """The loss on fixed logits of the records `a` and `b`, whose ideal distributions are `OTHER`'s."""

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
            for name, logits in (("forget", LOGITS), ("retain", RETAINED))
        }
        tops = {record: TopLogprobs.of(OTHER[row : row + 1], LABELS[row : row + 1]) for row, record in enumerate("ab")}
        reference = ReferenceModel(tops={"ideal": tops})
        return Method(Config(**config)).loss(None, PairedBatch(sides), reference)  # type: ignore[arg-type]

    return compute


@pytest.mark.parametrize(("order", "pad"), [("ab", 0), ("ba", 0), ("ab", 3)])
def test_key_tokens_ascend_and_all_follow_the_ideal_by_hand(
    loss: Callable[..., LossOutput], order: str, pad: int
) -> None:
    """Neither the order of the records nor padding changes a digit."""
    between = (sorted(ENTROPIES)[2] + sorted(ENTROPIES)[3]) / 2
    key = [h >= between for h in ENTROPIES]
    assert sum(key) == 2
    ascent = sum(nll for nll, is_key in zip(NLLS, key, strict=True) if is_key) / 5
    ideal = sum(divergences(OTHER, LOGITS)) / 5
    output = loss(order, pad, entropy=between, ascent=3.0, ideal=0.5, lambda_r=0.25)
    assert {name: term.item() for name, term in output.terms.items()} == pytest.approx(
        {"key_nll": ascent, "ideal_kl": ideal, "key_share": 0.4, "retain_ce": CE}, rel=1e-5
    )
    assert output.loss.item() == pytest.approx(-3 * ascent + 0.5 * ideal + 0.25 * CE, rel=1e-5)


@pytest.mark.parametrize(("threshold", "count"), [(0.0, 5), (99.0, 0)])
def test_the_threshold_says_how_many_are_key_tokens(
    loss: Callable[..., LossOutput], threshold: float, count: int
) -> None:
    output = loss(entropy=threshold)
    assert output.terms["key_share"].item() == pytest.approx(count / 5)
    assert output.terms["key_nll"].item() == pytest.approx(sum(NLLS) / 5 if count else 0.0, rel=1e-5)


def test_answers_of_which_none_counts_are_an_error(loss: Callable[..., LossOutput]) -> None:
    with pytest.raises(RecordError, match="no answer token"):
        loss(labels=torch.full_like(LABELS, IGNORED))


def test_the_entropy_counts_what_is_not_named_as_one_token() -> None:
    whole = entropy(TopLogprobs.of(OTHER, LABELS))
    assert whole.tolist() == pytest.approx(ENTROPIES, rel=1e-5)
    for place, (row, at, _) in enumerate(PLACES):
        p = sorted(softmax(OTHER[row, at].tolist()), reverse=True)
        lumped = -sum(q * math.log(q) for q in (p[0], p[1], p[2] + p[3]))
        assert entropy(TopLogprobs.of(OTHER, LABELS, 2))[place].item() == pytest.approx(lumped, rel=1e-5)
    certain = TopLogprobs.of(torch.tensor([[[0.0, -torch.inf], [0.0, 0.0]]]), torch.tensor([[IGNORED, 0]]))
    assert entropy(certain).tolist() == [0.0]


# -------------------------------------------------------------------------------------------------
# The ideal distribution


def asked(league: OffsideDataset, setting: str, folder: Path, seed: int = 0) -> RequestRecords:
    request = league.request(setting)
    return RequestRecords(league, request, request.forget, {}, seed=seed, folder=folder)


def lent(league: OffsideDataset, form: str) -> dict[Any, list[dict[str, Any]]]:
    """The retained records of a form, by what tells them apart where they are shown or asked."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in league.records(form, "retain"):
        found.setdefault(row["image"]["bytes"] if form == "multimodal" else row["question"], []).append(row)
    return found


def test_the_ideal_is_what_the_frozen_model_says_under_other_subjects_pictures(
    league: OffsideDataset, fresh: Fresh, tmp_path: Path
) -> None:
    model, processor = fresh()
    data = asked(league, "selective", tmp_path)
    method = Method(Config(top_k=10**6, pictures=3))
    own = method.sides(data)
    assert list(own) == ["ideal"], "what is learnt from is the request's, as it is"
    encoder = Encoder(processor)
    encoded = own["ideal"].encoded(encoder, "ideal")
    preparation = Preparation(Collator(processor), 4, True, False, None, frozenset({"ideal"}))
    reference = references.of(model, method.needs(), {"ideal": encoded}, preparation)
    examples = [encoder.encode(row) for row in data.forget]
    side = Side(Collator(processor)(examples), tuple(e.record_id for e in examples), 1.0, 1.0)
    retained, by_hand, right = lent(league, "multimodal"), [], []
    for row in data.forget:
        pictures = [
            question["image"]["bytes"] for question in own["ideal"].rows if question["record_id"] == row["record_id"]
        ]
        subjects = [retained[picture][0]["subject_id"] for picture in pictures]
        assert len(set(pictures)) == 3
        assert row["subject_id"] not in subjects
        assert set(subjects[:2]) == {s["subject_id"] for rows in retained.values() for s in rows} - {row["subject_id"]}
        said = [said_by_hand(model, encoder, row, image=picture).exp() for picture in pictures]
        by_hand.append(torch.stack(said).mean(0).log())
        right.append(said_by_hand(model, encoder, row))
    found = reference.top_logprobs(side, of="ideal").logprobs.double()
    torch.testing.assert_close(found, torch.cat(by_hand), rtol=1e-4, atol=1e-4)
    assert float((found - torch.cat(right)).abs().max()) > 1e-3, "the right picture says something else"


def said_by_hand(model: Any, encoder: Encoder, row: dict[str, Any], **options: Any) -> torch.Tensor:
    """Log-probabilities where the answer's tokens are predicted, from a whole forward pass of `transformers`."""
    example = encoder.encode(row, **options)
    with torch.no_grad():
        logits = model(**model_inputs(model, Collator(encoder.processor)([example]))).logits[0]
    places = [place - 1 for place, label in enumerate(example.labels) if label != IGNORED]
    return torch.log_softmax(logits[places].double(), -1)


def test_the_claims_of_a_picture_share_pictures_that_follow_the_seed(league: OffsideDataset, tmp_path: Path) -> None:
    def pictures(seed: int) -> dict[str, list[bytes]]:
        data = asked(league, "complete", tmp_path, seed)
        of_record = {row["record_id"]: row["image_id"] for row in data.forget}
        found: dict[str, list[bytes]] = {}
        for question in Method(Config(pictures=2)).sides(data)["ideal"].rows:
            found.setdefault(of_record[question["record_id"]], []).append(question["image"]["bytes"])
        return found

    first = pictures(0)
    assert all(len(shown) == 4 and shown[:2] == shown[2:] for shown in first.values())
    assert pictures(0) == first
    assert any(pictures(seed) != first for seed in (1, 2, 3))


def test_text_asks_about_other_subjects(league: OffsideDataset, tmp_path: Path) -> None:
    data = asked(league, "unimodal", tmp_path)
    rows = Method(Config(pictures=4)).sides(data)["ideal"].rows
    retained = lent(league, "text")
    by_record = {row["record_id"]: row for row in data.forget}
    assert len(rows) == 4 * len(by_record)
    for question in rows:
        (other,), row = retained[question["question"]], by_record[question["record_id"]]
        assert other["subject_id"] != row["subject_id"]
        assert other["attribute"] == row["attribute"]
        assert question["answer"] == row["answer"]
        assert question["image"] is None


@pytest.mark.parametrize(("setting", "what"), [("selective", "5 pictures"), ("unimodal", "5 text records about club")])
def test_too_few_others_are_an_error(setting: str, what: str, league: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"needs {what} of other subjects .* there are 4"):
        Method(Config(pictures=5)).sides(asked(league, setting, tmp_path))


def test_a_run_stores_the_ideal_alone(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    config = {"max_steps": 6, "batch_size": 3, "retain_ratio": 1, "lr": 1e-3, "lambda_r": 0, "pictures": 2}
    run = unlearn("viker", tiny, None, league, "selective", config, tmp_path / "run", RunOptions(device="cpu"))
    training = run.manifest.training
    assert training is not None
    assert training.reference == "stored: likeliest tokens of the ideal answers"
    first, last = training.loss_history[0], training.loss_history[-1]
    assert last["key_nll"] > 1.05 * first["key_nll"]
    assert first["key_share"] == 1, "a model that knows nothing leaves every token open"


@pytest.mark.parametrize(
    "wrong",
    [{"ascent": -1}, {"ideal": 0}, {"entropy": -0.1}, {"pictures": 0}, {"top_k": 0}, {"lambda_r": -1}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
