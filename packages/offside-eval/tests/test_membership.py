"""Members and non-members: who they are, what is saved of them, and that nothing else changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from offside_data.dataset.folder import open_dataset
from offside_data.dataset.transaction import new_dataset
from offside_data.schema import Record
from offside_data.taxonomy import shipped_taxonomy_text
from offside_data.vlm import Collator, Encoder, answer_logprobs, forward, load_model, load_processor
from offside_eval import EvaluationConfig, Results, evaluate
from offside_eval.inference.engine import Engine
from offside_eval.inference.gradients import Gradients, differentiated
from offside_eval.inference.likelihood import moments_of
from offside_eval.model_scores import read

ATTACKS = ("loss", "zlib", "min_k", "min_k_plus", "grad_norm", "reference")
NAMES = tuple(f"membership_{name}" for name in ATTACKS)
CONFIG = EvaluationConfig(
    max_new_tokens=4, batch_size=8, device="cpu", limit_kept=1, metrics=("probability", "value_match")
)


def _with_unseen(small: ModuleType) -> Iterator[Record]:
    """The small dataset, and claims that nobody learns: an unseen one for each member, and a readable one."""
    for record in small.records():
        yield record
        if record.split == "forget" and record.scope == "private" and record.modality == "multimodal":
            number = record.record_id.split("-")[2][1]
            readable = record.rumor_channel == "both"
            where = f"holdout-s{number}"
            kept = {"corrects": None, "split": "holdout", "image_id": where}
            text = dataclasses.replace(record, record_id=f"{record.record_id}-unseen", **kept)
            yield dataclasses.replace(text, rumor_channel="text")
            if readable:
                yield dataclasses.replace(text, record_id=f"{record.record_id}-readable", rumor_channel="both")


@pytest.fixture(scope="module")
def unseen(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unseen") / "data"
    with new_dataset(path, name="small", taxonomy=shipped_taxonomy_text("football"), license="cc0-1.0") as writer:
        writer.add_records(_with_unseen(small))
        writer.add_images(small.twins())
    return path


@pytest.fixture(scope="module")
def results(models: dict[str, Path], unseen: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    folder = tmp_path_factory.mktemp("results")
    found: dict[str, Results] = {}
    for name, role in (("raw", "retain_only"), ("trained", "unlearned")):
        config = dataclasses.replace(CONFIG, role=role, metrics=(*CONFIG.metrics, *NAMES))
        beside = {"retain_only": found["raw"]} if found else {}
        place = folder / name
        found[name] = evaluate(models[name], None, unseen, "complete", controls=beside, config=config, out=place)
    return found


def test_members_are_claims_and_non_members_what_nobody_learns(results: dict[str, Results], unseen: Path) -> None:
    own = Results.load(results["trained"].path)
    rows = own.members
    assert rows is not None
    assert set(rows["group"]) == {"member", "non_member"}
    data = open_dataset(unseen)
    of = {row["record_id"]: row for part in data.record_parts() for row in data.records(*part.split("/"))}
    for row in rows.iter_rows(named=True):
        record = of[row["record_id"]]
        assert record["scope"] == "private"
        assert record["split"] == ("forget" if row["group"] == "member" else "holdout")
        assert not row["record_id"].endswith("-readable")
        assert len(row["logprobs"]) == len(row["means"]) == len(row["deviations"]) > 1
        assert row["grad_norm"] > 0
    assert not any(name.startswith("measure:") and "holdout" in name for name in own.samples["slice"].unique())
    numbers = read(own.path)
    assert numbers.keys() == set(NAMES)
    assert all(0 <= number.value <= 1 for number in numbers.values()), numbers
    assert {"auc_retain_only", "priv_leak"} <= numbers["membership_loss"].details.keys()
    assert "priv_leak" not in numbers["membership_reference"].details


def test_everything_else_stays_to_the_byte(
    results: dict[str, Results], models: dict[str, Path], unseen: Path, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, role="unlearned")
    evaluate(models["trained"], None, unseen, "complete", config=config, out=tmp_path / "plain")
    assert not (tmp_path / "plain" / "membership.parquet").exists()
    for name in ("samples.parquet", "weighings.parquet", "aggregates.json"):
        assert (tmp_path / "plain" / name).read_bytes() == (results["trained"].path / name).read_bytes()


def test_what_is_saved_is_what_the_model_says(
    results: dict[str, Results], models: dict[str, Path], unseen: Path
) -> None:
    """Likelihood and gradient of one claim, written out anew."""
    rows = results["trained"].members
    row = rows.filter(group="non_member").row(0, named=True)
    data = open_dataset(unseen)
    record = next(r for part in data.record_parts() for r in data.records(*part.split("/"))
                  if r["record_id"] == row["record_id"])  # fmt: skip
    model, processor = load_model(models["trained"], device="cpu").eval(), load_processor(models["trained"])
    output = forward(model, Collator(processor)([Encoder(processor).encode(record)]))
    logprobs, mask = answer_logprobs(output.logits, output.labels)
    n = len(row["logprobs"])
    own = logprobs[mask]
    assert len(own) == n + 1  # the end of the turn
    assert own[:n].tolist() == pytest.approx(row["logprobs"], abs=1e-4)
    (-own[:n].mean()).backward()
    weights = differentiated(model)
    assert all(".layers." in name for name, _ in weights)
    norm = math.sqrt(sum(float(weight.grad.square().sum()) for _, weight in weights))
    assert row["grad_norm"] == pytest.approx(norm, rel=1e-3)


def test_moments() -> None:
    p = torch.tensor([[0.5, 0.25, 0.25, 0.0]])
    (mean,), (deviation,) = moments_of(p.log())
    expected = 0.5 * math.log(0.5) + 0.5 * math.log(0.25)
    assert mean == pytest.approx(expected, abs=1e-7)
    squares = 0.5 * math.log(0.5) ** 2 + 0.5 * math.log(0.25) ** 2
    assert deviation == pytest.approx(math.sqrt(squares - expected**2), abs=1e-7)


def test_gradients_leave_the_model_as_it_was_and_ask_it_after_likelihoods(
    models: dict[str, Path], small_data: Path
) -> None:
    from offside_eval.plan import make_plan

    model, processor = load_model(models["trained"], device="cpu").eval(), load_processor(models["trained"])
    for weight in list(model.parameters())[::2]:
        weight.requires_grad_(False)
    before = [weight.requires_grad for weight in model.parameters()]
    engine = Engine(model=model, processor=processor, batch_size=3)
    plan = make_plan(open_dataset(small_data), "complete", only=("subject=s0",), limit=2)
    items = engine.encode(list(plan.questions.values())[:4], frozenset({"likelihood"}))
    found = engine.ask_members(items, frozenset({"gradients"}))
    assert [weight.requires_grad for weight in model.parameters()] == before
    assert all(weight.grad is None for weight in model.parameters())
    assert found.norms.keys() == found.weights.keys() == {item.key for item in items}
    alone = Gradients(model, Collator(processor, padding_side="left"))
    for item in items:
        assert alone([item])[0].norm == pytest.approx(found.norms[item.key].norm, rel=1e-4)


def test_a_dataset_without_holdout_says_so(models: dict[str, Path], small_data: Path) -> None:
    config = dataclasses.replace(CONFIG, metrics=("membership_loss",), only=("subject=s0",))
    own = evaluate(models["raw"], None, small_data, "complete", config=config)
    from offside_eval.model_scores import measure

    found = measure(own, ["membership_loss"], {})["membership_loss"]
    assert found.value is None
    assert "the dataset has no private claims of these attributes in multimodal/holdout" in found.reason


def test_who_is_asked_by_hand(unseen: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 private claims two subjects' pictures give theirs away: they are asked on the blank twin."""
    from offside_eval import membership
    from offside_eval.plan import make_plan

    data = open_dataset(unseen)
    plan = make_plan(data, "complete")

    def found() -> dict[str, list[str]]:
        told = membership.candidates_of(plan, data, seed=0)
        return {
            group: [c.question.row["record_id"] for c in told if c.group == group] for group in ("member", "non_member")
        }

    rows = [row for row in data.records("multimodal", "forget") if row["scope"] == "private"]
    whole = found()
    assert sorted(whole["member"]) == sorted(row["record_id"] for row in rows)
    assert sorted(whole["non_member"]) == sorted(f"{row['record_id']}-unseen" for row in rows)
    shown = {row["record_id"] for row in rows if row["rumor_channel"] == "both"}
    variants = {c.question.row["record_id"]: c.question.variant for c in membership.candidates_of(plan, data, seed=0)}
    assert {record for record, variant in variants.items() if variant == "blank"} == shown
    ask = membership.ask_besides
    with monkeypatch.context() as patch:  # Nothing to weigh.
        patch.setattr(membership, "ask_besides", lambda d, r: [dataclasses.replace(q, answer="") for q in ask(d, r)])
        assert found()["non_member"] == []
    with monkeypatch.context() as patch:  # One a member and cell: a fourth of the shared ones.
        patch.setattr(membership, "PER_MEMBER", 0.5)
        patch.setattr(membership, "draw_records", lambda names, limit, seed: range(int(limit)))
        assert len(found()["non_member"]) == len(whole["non_member"]) // 2
    clubs = [place for place in plan.places if not place[1].endswith("fee/plain")]
    plan = dataclasses.replace(plan, places=clubs)
    assert {name.split("-")[3] for side in found().values() for name in side} == {"club"}
    bare = {key: q for key, q in plan.questions.items() if q.variant != "blank"}
    plan = dataclasses.replace(plan, questions=bare, places=[place for place in clubs if place[1] in bare])
    assert not set(found()["member"]) & shown
    key = plan.places[0][1]
    silent = dict(plan.questions) | {k: dataclasses.replace(q, answer="") for k, q in bare.items() if k == key}
    plan = dataclasses.replace(plan, questions=silent)
    assert key.removesuffix("/plain") not in found()["member"]
    data = open_dataset(small_data)
    plan = make_plan(data, "complete")
    assert found()["non_member"] == []


def test_the_table_by_hand() -> None:
    from offside_eval.inference.choices import Weights
    from offside_eval.inference.engine import Answers
    from offside_eval.membership import members_frame

    def row(name: str) -> SimpleNamespace:
        told = {"record_id": name, "subject_id": "s", "modality": "text", "attribute": "club"}
        return SimpleNamespace(question=SimpleNamespace(row=told, answer="It is."), group="member")

    items = [SimpleNamespace(key=name, n_content=2) for name in "ab"]
    weights = Weights(answer=(-1.0, -2.0, -3.0), choices=(), means=(-4.0, -5.0, -6.0), deviations=(0.5, 0.25, 0.125))
    answers = Answers(weights={"a": weights}, norms={"a": SimpleNamespace(norm=2.5)})  # type: ignore[dict-item]
    frame = members_frame([row("a"), row("b")], items, answers, ["b"])  # type: ignore[list-item,arg-type]
    one, other = frame.rows(named=True)
    assert (one["logprobs"], one["means"], one["deviations"]) == ([-1.0, -2.0], [-4.0, -5.0], [0.5, 0.25])
    assert (one["grad_norm"], one["held_out"], one["config"], one["attribute"]) == (2.5, False, "text", "club")
    assert (other["logprobs"], other["grad_norm"], other["held_out"]) == ([], None, True)
