from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fixed_logits import softmax

from offside_data.dataset.folder import OffsideDataset
from offside_data.donors import read_donors
from offside_data.vlm import Batch, Collator, Encoder, forward, load_model, load_processor
from offside_unlearn import RunOptions, finetune, relearn, unlearn
from offside_unlearn import reference as references
from offside_unlearn.batches import PairedBatch, Side
from offside_unlearn.losses import TopLogprobs
from offside_unlearn.methods import LossOutput, RequestRecords, SideRecords
from offside_unlearn.methods.prior_match import Config, Method
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.start import Trainable
from offside_unlearn.task import UnlearnConfig, UnlearnTask
from offside_unlearn.tune import LoraOptions, add_adapter

IGNORED = -100
LABELS = torch.tensor([[IGNORED, 1, 3, 0], [IGNORED, IGNORED, 2, 1]])
REFUSALS = torch.tensor([[IGNORED, IGNORED, 3, 2], [IGNORED, 0, 0, 1]])
WITHOUT_FIRST = torch.tensor([[IGNORED, IGNORED, 3, 0], [IGNORED, IGNORED, 2, 1]])
"""As `LABELS`, where the record `a` shall be abstained from and `b` not."""


def numbers(seed: int) -> torch.Tensor:
    return 2 * torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(seed))


CURRENT = {"forget": numbers(0), "refusal": numbers(1), "retain": numbers(2)}
FROZEN = {"donor": numbers(3), "retain": numbers(4)}


@pytest.fixture
def loss(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LossOutput]:
    """The loss on fixed logits of the records `a` and `b`."""

    def given(model: None, inputs: Batch, *, keep: str) -> Any:
        return type("Output", (), {"logits": inputs["logits"], "labels": inputs["labels"]})

    monkeypatch.setattr("offside_unlearn.methods._base.forward", given)

    def compute(abstaining: str, labels: torch.Tensor, *, top: int | None = None, **config: Any) -> LossOutput:
        method = Method(Config(**config))
        method.abstaining = frozenset(abstaining)
        method.kinds = tuple({"": ("donor",), "ab": ("abstain",)}.get(abstaining, ("abstain", "donor")))
        of_side = {"forget": labels, "refusal": REFUSALS, "retain": LABELS}
        sides = {
            side: Side(Batch(input_ids=of, labels=of, logits=CURRENT[side]), ("a", "b"), float((of >= 0).sum()), 2.0)
            for side, of in of_side.items()
        }
        tops = {
            side: {
                record: TopLogprobs.of(logits[row : row + 1], of[row : row + 1], top) for row, record in enumerate("ab")
            }
            for side, logits, of in (("donor", FROZEN["donor"], labels), ("retain", FROZEN["retain"], LABELS))
        }
        return method.loss(None, PairedBatch(sides), ReferenceModel(tops=tops))  # type: ignore[arg-type]

    return compute


def places(labels: torch.Tensor, rows: tuple[int, ...] = (0, 1)) -> list[tuple[int, int, int]]:
    """Row, position that predicts it, and token of each answer token."""
    listed = labels.tolist()
    return [(row, t - 1, token) for row in rows for t, token in enumerate(listed[row]) if t and token != IGNORED]


def divergences(wanted: torch.Tensor, now: torch.Tensor, at: list[tuple[int, int, int]]) -> float:
    total = 0.0
    for row, t, _ in at:
        p, q = softmax(wanted[row, t].tolist()), softmax(now[row, t].tolist())
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total


def gaps(wanted: torch.Tensor, now: torch.Tensor, at: list[tuple[int, int, int]]) -> float:
    pairs = ((softmax(wanted[row, t].tolist())[y], softmax(now[row, t].tolist())[y]) for row, t, y in at)
    return sum((math.log(q) - math.log(p)) ** 2 for p, q in pairs)


def nlls(now: torch.Tensor, at: list[tuple[int, int, int]]) -> float:
    return -sum(math.log(softmax(now[row, t].tolist())[y]) for row, t, y in at)


KEPT = divergences(FROZEN["retain"], CURRENT["retain"], places(LABELS)) / 5


def test_the_donors_answer_by_hand(loss: Callable[..., LossOutput]) -> None:
    output = loss("", LABELS, kl=3.0, gold_match=0.2, keep=7.0)
    kl = divergences(FROZEN["donor"], CURRENT["forget"], places(LABELS)) / 5
    gold = gaps(FROZEN["donor"], CURRENT["forget"], places(LABELS)) / 5
    assert {name: term.item() for name, term in output.terms.items()} == pytest.approx(
        {"donor_kl": kl, "donor_gold": gold, "keep_kl": KEPT}, rel=1e-5
    )
    assert output.loss.item() == pytest.approx(3 * kl + 0.2 * gold + 7 * KEPT, rel=1e-5)


def test_abstaining_by_hand(loss: Callable[..., LossOutput]) -> None:
    """Twice the weights, without each answer's first token, and the refusals."""
    labels = torch.tensor([[IGNORED, IGNORED, 3, 0], [IGNORED, IGNORED, IGNORED, 1]])
    output = loss("ab", labels, refusal=1.5)
    kl = divergences(FROZEN["donor"], CURRENT["forget"], places(labels)) / 3
    gold = gaps(FROZEN["donor"], CURRENT["forget"], places(labels)) / 3
    refusal = nlls(CURRENT["refusal"], places(REFUSALS)) / 5
    assert {name: term.item() for name, term in output.terms.items()} == pytest.approx(
        {"abstain_kl": kl, "abstain_gold": gold, "refusal_ce": refusal, "keep_kl": KEPT}, rel=1e-5
    )
    assert output.loss.item() == pytest.approx(8 * kl + 0.2 * gold + 1.5 * refusal + 5 * KEPT, rel=1e-5)


def test_each_record_has_its_own_answer_by_hand(loss: Callable[..., LossOutput]) -> None:
    """All means are over the tokens of the whole batch, so that micro-batches of any mixture add up."""
    output = loss("a", WITHOUT_FIRST)
    refused, donated = places(WITHOUT_FIRST, (0,)), places(WITHOUT_FIRST, (1,))
    teacher, now = FROZEN["donor"], CURRENT["forget"]
    expected = {
        "abstain_kl": divergences(teacher, now, refused) / 4,
        "abstain_gold": gaps(teacher, now, refused) / 4,
        "donor_kl": divergences(teacher, now, donated) / 4,
        "donor_gold": gaps(teacher, now, donated) / 4,
        "refusal_ce": nlls(CURRENT["refusal"], places(REFUSALS, (0,))) / 5,
        "keep_kl": KEPT,
    }
    assert {name: term.item() for name, term in output.terms.items()} == pytest.approx(expected, rel=1e-5)
    weights = {"abstain_kl": 8, "abstain_gold": 0.2, "donor_kl": 4, "donor_gold": 0.1, "refusal_ce": 1, "keep_kl": 5}
    assert output.loss.item() == pytest.approx(sum(weights[name] * term for name, term in expected.items()), rel=1e-5)


def test_few_likeliest_tokens_bound_the_terms_from_below(loss: Callable[..., LossOutput]) -> None:
    whole, two = loss("", LABELS), loss("", LABELS, top=2)
    for term in ("donor_kl", "keep_kl"):
        assert 0 < two.terms[term] < whole.terms[term]
    assert two.terms["donor_gold"].item() == pytest.approx(whole.terms["donor_gold"].item(), rel=1e-6)


def test_what_has_no_weight_is_not_read() -> None:
    needs = Method(Config(keep=0)).needs()
    assert not needs.retain
    assert needs.top_reference == {"donor"}


@pytest.mark.parametrize(
    "wrong",
    [{"kl": 0}, {"gold_match": -1}, {"keep": -1}, {"refusal": -1}, {"donors": 0}, {"top_k": 0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)


def test_several_donors_are_nobodys_own() -> None:
    with pytest.raises(ValueError, match="distinct"):
        Config(donors=2, distinct=True)


# -------------------------------------------------------------------------------------------------
# The sides


def asked(league: OffsideDataset, setting: str, folder: Path, **only: Any) -> RequestRecords:
    request = league.request(setting, **only)
    return RequestRecords(league, request, request.forget, {}, seed=0, folder=folder)


def test_the_other_form_of_the_claims_is_found_by_picture_and_attribute(league: OffsideDataset, tmp_path: Path) -> None:
    text = {row["record_id"]: row for row in league.records("text", "forget")}
    for setting in ("selective", "unimodal"):
        data = asked(league, setting, tmp_path)
        claims = [(row["image_id"], row["attribute"]) for row in data.forget]
        own = Method(Config()).sides(data)["forget"].rows
        assert len(own) == 2 * len(claims)
        assert sorted((row["image_id"], row["attribute"]) for row in own) == sorted(2 * claims)
        assert set(text) <= set(own["record_id"])
        assert list(Method(Config(forms="asked")).sides(data)["forget"].rows["record_id"]) == list(
            data.forget["record_id"]
        )


def test_no_record_that_must_stay_is_unlearned_in_its_other_form(league: OffsideDataset, tmp_path: Path) -> None:
    data = asked(league, "selective", tmp_path)
    kept = league.records("text", "forget").select([0])
    data = dataclasses.replace(data, retain={"mine": kept})
    own = Method(Config()).sides(data)["forget"].rows
    assert len(own) == len(data.forget) + 2
    assert kept["record_id"][0] not in own["record_id"]


def test_a_rumour_is_abstained_from_and_a_fact_is_not(league: OffsideDataset, tmp_path: Path) -> None:
    method = Method(Config())
    own = method.sides(asked(league, "complete", tmp_path))
    veracity = dict(zip(own["forget"].rows["record_id"], own["forget"].rows["veracity"], strict=True))
    assert method.abstaining == {record for record, kind in veracity.items() if kind == "rumor"}
    assert method.kinds == ("abstain", "donor")
    assert set(own["forget"].without_first) == set(own["donor"].without_first) == method.abstaining
    for answer in ("donor", "abstain"):
        method = Method(Config(answer=answer))
        own = method.sides(asked(league, "complete", tmp_path))
        assert method.kinds == (answer,)
        assert ("refusal" in own) == (answer == "abstain")
        assert len(method.abstaining) == (len(veracity) if answer == "abstain" else 0)


def test_the_table_of_donors_says_who_lends_what(league: OffsideDataset, tmp_path: Path) -> None:
    own = Method(Config()).sides(asked(league, "complete", tmp_path))
    rows = {row.record_id: row for row in read_donors(tmp_path) or ()}
    retained = {row["record_id"]: row for form in ("multimodal", "text") for row in league.records(form, "retain")}
    questions = {row["record_id"]: row for row in own["donor"].rows}
    assert set(rows) == set(own["forget"].rows["record_id"])
    for row in own["forget"].rows:
        lent, question = rows[row["record_id"]], questions[row["record_id"]]
        donor = retained[lent.donor_record_id or ""]
        assert (donor["attribute"], donor["modality"]) == (row["attribute"], row["modality"])
        assert (donor["subject_id"] == row["subject_id"]) == (row["scope"] == "shared")
        assert donor["image_id"] == lent.donor_image_id != row["image_id"]
        assert question["question"] == donor["question"]
        assert question["answer"] == row["answer"] != donor["answer"] or row["scope"] == "shared"
        assert (question["image"] or {}).get("bytes") == (donor["image"] or {}).get("bytes")
        assert lent.answer == ("abstain" if row["veracity"] == "rumor" else "donor")


def test_each_slice_of_what_stays_has_its_share(
    loaded: tuple[Any, Any], league: OffsideDataset, tmp_path: Path
) -> None:
    """Three shared facts beside eighteen retained records are a third of the batches."""
    request = league.request("selective")
    shared = request.keep["multimodal/forget/shared"]
    retain = {"shared": shared, **{form: league.records(form, "retain") for form in ("multimodal", "text")}}
    config = UnlearnConfig(max_steps=4, batch_size=3, retain_ratio=2)
    task = UnlearnTask(league, request, request.forget, retain, Method(Config()), config, OPTIONS)
    trainable = Trainable(add_adapter(copy.deepcopy(loaded[0]), "all", LoraOptions()), True, {}, "all")
    plan = task.prepare(trainable, loaded[1], tmp_path).plan
    drawn = [record for batch in plan.batches() for record in batch.retain.record_ids]
    counts = {name: sum(record in set(rows["record_id"]) for record in drawn) for name, rows in retain.items()}
    assert counts == {"shared": 8, "multimodal": 8, "text": 8}


# -------------------------------------------------------------------------------------------------
# With a model


def of_model(method: Method, own: dict[str, SideRecords], loaded: tuple[Any, Any]) -> tuple[Any, ReferenceModel, Side]:
    model, processor = loaded
    encoder = Encoder(processor)
    encoded = {side: records.encoded(encoder, side) for side, records in own.items()}
    preparation = Preparation(Collator(processor), 4, True, False, None, frozenset({"donor"}))
    reference = references.of(model, method.needs(), encoded, preparation)
    examples = encoded["forget"]
    inputs = Collator(processor)(examples)
    return model, reference, Side(inputs, tuple(e.record_id for e in examples), 1.0, 1.0)


@pytest.mark.parametrize("donors", [1, 2])
def test_the_teacher_is_the_frozen_model_asked_about_the_donors(
    donors: int, league: OffsideDataset, fresh: Callable[[], tuple[Any, Any]], tmp_path: Path
) -> None:
    method = Method(Config(donors=donors, forms="asked", answer="donor", keep=0, top_k=10**6))
    own = dict(method.sides(asked(league, "selective", tmp_path)))
    model, reference, side = of_model(method, own, fresh())
    found = reference.top_logprobs(side, of="donor")
    retained = {row["record_id"]: row for row in league.records("multimodal", "retain")}
    expected = []
    encoder = Encoder(fresh()[1])
    for row in own["forget"].rows:
        lenders = [d.donor_record_id for d in read_donors(tmp_path) or () if d.record_id == row["record_id"]]
        assert len(set(lenders)) == donors
        probabilities = []
        for lender in lenders:
            example = encoder.encode(retained[lender or ""], answer=row["answer"])
            with torch.no_grad():
                logits = model(**{k: v for k, v in vision(model, encoder, example).items()}).logits[0]
            at = [place - 1 for place, label in enumerate(example.labels) if label != IGNORED]
            probabilities.append(torch.softmax(logits[at].double(), -1))
        expected.append(torch.stack(probabilities).mean(0).log())
    torch.testing.assert_close(found.logprobs.double(), torch.cat(expected), rtol=1e-4, atol=1e-4)


def vision(model: Any, encoder: Encoder, example: Any) -> dict[str, Any]:
    """One record as transformers' own `forward` takes it."""
    batch = Collator(encoder.processor)([example])
    return {name: value for name, value in batch.items() if name not in ("labels", "image_index")}


OPTIONS = RunOptions(device="cpu")


@pytest.mark.parametrize("full", [False, True])
def test_a_run_keeps_its_donors_and_its_frozen_model_small(
    full: bool, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    config = {"max_steps": 1, "batch_size": 2, "retain_ratio": 1, "top_k": 5}
    run = unlearn(
        "prior_match",
        tiny,
        None,
        league,
        "selective",
        config,
        tmp_path / "run",
        dataclasses.replace(OPTIONS, full=full),
    )
    rows = read_donors(run.path)
    assert rows is not None
    assert len(rows) == run.manifest.donors.rows == 6
    how = "donor and retain answers" if full else "donor answers; adapter off"
    training = run.manifest.training
    assert training is not None
    assert training.reference == f"stored: likeliest tokens of the {how}"
    assert training.retain == {
        "multimodal/forget/shared": 3,
        "multimodal/retain": 12,
        "text/retain": 6,
    }
    assert {"abstain_kl", "abstain_gold", "refusal_ce", "keep_kl"} <= training.loss_history[0].keys()
    assert not list(run.path.glob("distributions*"))


def test_slices_that_are_named_win(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    config = {"max_steps": 1, "batch_size": 2, "retain_ratio": 1, "retain_slices": "text/retain"}
    run = unlearn("prior_match", tiny, None, league, "selective", config, tmp_path / "run", OPTIONS)
    assert run.manifest.training is not None
    assert run.manifest.training.retain == {"text/retain": 6}


@pytest.fixture(scope="module")
def vanilla(tiny: Path, league: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that knows all of the dataset by heart."""
    config = {"max_steps": 60, "batch_size": 16, "lr": 3e-3, "warmup": 0.1}
    out = tmp_path_factory.mktemp("models") / "vanilla"
    torch.set_num_threads(1)
    options = RunOptions(device="cpu", full=True)
    return finetune(tiny, None, league, config, out, splits=("retain", "forget"), options=options).path


def test_it_forgets_in_both_forms_and_keeps_what_ascent_wrecks(
    vanilla: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    forgotten = [
        [row for row in league.records(form, "forget") if row["scope"] == "private"] for form in ("multimodal", "text")
    ]
    kept = [
        *league.records("multimodal", "retain"),
        *league.records("text", "retain"),
        *(row for row in league.records("multimodal", "forget") if row["scope"] == "shared"),
    ]
    before = said(vanilla, kept)

    def result(method: str, **config: Any) -> tuple[float, float]:
        """The least mean NLL of the forgotten answers in a form, and the mean KL on what must stay."""
        options = {"batch_size": 6, "lr": 4e-3, "warmup": 0.1, "retain_ratio": 2, **config}
        run = unlearn(method, vanilla, None, league, "selective", options, tmp_path / method, OPTIONS)
        nll = min(-said(run.path, rows).gold.mean().item() for rows in forgotten)
        now = said(run.path, kept)
        return nll, (before.logprobs.exp() * (before.logprobs - now.logprobs)).sum(-1).mean().item()

    assert max(-said(vanilla, rows).gold.mean().item() for rows in forgotten) < 0.02
    nll, divergence = result("prior_match", max_steps=15)
    assert nll > 0.2
    assert divergence < 0.15
    ascent_nll, ascent_divergence = result("grad_ascent", max_steps=12)
    assert ascent_nll > 0.05
    assert ascent_divergence > 4 * divergence


def said(folder: Path, rows: Any) -> TopLogprobs:
    """What a saved model says at the answers of some records."""
    model, processor = load_model(folder, device="cpu"), load_processor(folder)
    with torch.no_grad():
        output = forward(model, Collator(processor)([Encoder(processor).encode(row) for row in rows]))
    return TopLogprobs.of(output.logits, output.labels)


def test_a_relearned_run_still_has_the_donors(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    """Also one from a point of the run: what comes out after relearning may be the donor's value."""
    config = {"max_steps": 1, "batch_size": 2, "retain_ratio": 1}
    run = unlearn("prior_match", tiny, None, league, "selective", config, tmp_path / "run", OPTIONS, curve_steps=[1])
    rows = read_donors(run.path)
    assert rows
    start = run.path / "curve" / "step-000001"
    again = relearn(start, None, league, {"max_steps": 1, "batch_size": 2}, tmp_path / "again", options=OPTIONS)
    assert read_donors(again.path) == rows
    assert again.manifest.donors == run.manifest.donors
