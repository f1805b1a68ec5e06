"""Attacks in an evaluation: asked for, kept, gone on with, reused, replaced."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import open_dataset
from offside_data.errors import OutputExistsError, UsageError
from offside_eval import EvaluationConfig, Results, evaluate
from offside_eval.attack_results import AttackMeta, AttackResults, attempts_frame, figures, load_attacks, outcomes
from offside_eval.attacking import attack_names, make_attacks
from offside_eval.attacks import ATTACKS
from offside_eval.attacks._claims import HELD_OUT, UNREAD, claims_of
from offside_eval.attacks._target import AttackTarget
from offside_eval.inference.generation import Generator
from offside_eval.meta import ResultsError
from offside_eval.plan import make_plan

CONFIG = EvaluationConfig(
    limit=8, max_new_tokens=4, batch_size=4, device="cpu", role="vanilla", metrics=("value_match",),
    attacks=("cross_modal", "relearn", "sampling"), attack_options=("sampling.draws=2",),
)  # fmt: skip


def test_attacks_are_kept_gone_on_with_reused_and_replaced(
    models: dict[str, Path], small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def run(config: EvaluationConfig) -> Results:
        return evaluate(models["half"], None, small_data, "complete", config=config, out=out)

    plain = run(dataclasses.replace(CONFIG, attacks=(), attack_options=()))
    assert plain.attacks == {}
    bare = {path.name: path.read_bytes() for path in out.iterdir()}
    # Killed at the second batch of the draws: the first one isn't asked again.
    draw, asked = AttackTarget._draw, []

    def killed(self: AttackTarget, prompts: Any, *rest: Any) -> Any:
        asked.append(len(prompts))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return draw(self, prompts, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(AttackTarget, "_draw", killed)
        with pytest.raises(KeyboardInterrupt):
            run(CONFIG)
    with monkeypatch.context() as patch:
        patch.setattr(AttackTarget, "_draw", lambda self, *rest: asked.append(0) or draw(self, *rest))
        whole = run(CONFIG)
    n = len(whole.attacks["sampling"].attempts.filter(whole.attacks["sampling"].attempts["name"] != "plain"))
    assert len(asked) - 1 == -(-n // CONFIG.batch_size)
    files = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert json.loads(files.pop("timing.json"))["attacks"].keys() == set(CONFIG.attacks)
    assert files == {name: content for name, content in bare.items() if name != "timing.json"}
    made = {path.name: path.read_bytes() for path in (out / "attacks").iterdir()}
    assert made.keys() == {f"{name}.{end}" for name in CONFIG.attacks for end in ("json", "parquet")}
    beside = tmp_path / "undisturbed"
    undisturbed = evaluate(models["half"], None, small_data, "complete", config=CONFIG, out=beside)
    assert {path.name: path.read_bytes() for path in (beside / "attacks").iterdir()} == made
    for name, found in Results.load(out).attacks.items():
        assert found.attempts.equals(undisturbed.attacks[name].attempts)
        assert found.meta.figures == list(undisturbed.attacks[name].meta.figures)
    with monkeypatch.context() as patch:
        patch.setattr(AttackTarget, "ask", None)
        patch.setattr(Generator, "__call__", None)
        assert set(run(CONFIG).attacks) == set(CONFIG.attacks)
    other = dataclasses.replace(CONFIG, attack_options=("sampling.draws=3",))
    with pytest.raises(OutputExistsError, match="holds this attack with something else"):
        run(other)
    (out / "attacks" / "sampling.json").write_text("{}")
    with pytest.raises(ResultsError, match="Evaluate the model again"):
        Results.load(out)
    (out / "attacks" / "sampling.json").unlink()
    fresh = dataclasses.replace(CONFIG, attacks=("cross_modal",), attack_options=(), force=True)
    assert set(run(fresh).attacks) == {"cross_modal"}
    assert {path.name for path in (out / "attacks").iterdir()} >= {"cross_modal.json", "cross_modal.parquet"}


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        (["prompts"], [], "unknown attack 'prompts'. Did you mean 'prompt'"),
        (["prompt"], ["draws=3"], "--set takes ATTACK.OPTION=VALUE"),
        (["prompt"], ["sampling.draws=3"], "isn't asked for with --attacks"),
        (["prompt"], ["smapling.draws=3"], "Did you mean 'sampling'"),
        (["sampling"], ["sampling.drawz=3"], "Did you mean 'draws'"),
        (["sampling"], ["sampling.draws=many"], "draws"),
        (["sampling"], ["sampling.draws=0"], "from 1 to 10,000 draws"),
    ],
)
def test_wrong_attacks_and_options_are_named(asked: list[str], options: list[str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        make_attacks(asked, options)
    assert message in str(error.value)


def test_claims_own_questions_are_asked_once_for_all_attacks(
    models: dict[str, Path], small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = AttackTarget.ask, []

    def noting(self: AttackTarget, asks: Any, **options: Any) -> Any:
        asked.extend(one.claim.record_id for one in asks if one.name == "plain")
        return ask(self, asks, **options)

    monkeypatch.setattr(AttackTarget, "ask", noting)
    options = ("sampling.draws=1", "quantize.claims=3", "quantize.bits=4")
    config = dataclasses.replace(CONFIG, attacks=("quantize", "sampling"), attack_options=options)
    found = evaluate(models["half"], None, small_data, "complete", config=config).attacks
    plain = {name: one.attempts.filter(one.attempts["name"] == "plain") for name, one in found.items()}
    few, all_ = (dict(plain[name].select("record_id", "answer").iter_rows()) for name in config.attacks)
    assert sorted(asked) == sorted(all_)
    assert 0 < len(few) < len(all_)
    assert few.items() <= all_.items()


def test_all_means_all_and_the_seed_is_the_evaluations() -> None:
    assert attack_names(["all"]) == ATTACKS.names()
    assert {attack.seed for attack in make_attacks(["all"], ["probe.seed=4"], 3).values()} == {3, 4}


def test_every_model_faces_the_same_claims_and_none_that_can_be_read(small_data: Path) -> None:
    data = open_dataset(small_data)
    plan = make_plan(data, "complete")
    drawn = claims_of(plan, data, claims=6, control=3, seed=0)
    again = claims_of(plan, data, claims=6, control=3, seed=0, unfair={drawn.claims[0].record_id: HELD_OUT})
    assert [c.record_id for c in again.claims] == [c.record_id for c in drawn.claims][1:]
    assert again.left_out == {drawn.claims[0].record_id: HELD_OUT}
    visual = [c for c in drawn.claims if c.question.row["rumor_channel"] == "both"]
    assert visual
    assert {c.question.variant for c in visual} == {"blank"}
    assert all(c.question.row["split"] == "forget" and c.question.row["scope"] == "private" for c in drawn.claims)
    assert drawn.no_control == "the dataset has no private claims of these attributes in multimodal/holdout"
    without = {key: q for key, q in plan.questions.items() if q.variant == "plain"}
    places = [place for place in plan.places if place[1] in without]
    no_twins = dataclasses.replace(plan, questions=without, places=places)
    bare = claims_of(no_twins, data, claims=99, control=0, seed=0)
    assert set(bare.left_out.values()) == {UNREAD}


def attempt(record: str, name: str, states: bool, *, given_away: bool = False, decoy: bool | None = False) -> Any:
    return {
        "group": "forget", "record_id": record, "subject_id": record[0], "variant": "plain", "name": name,
        "states": states, "given_away": given_away, "decoy": decoy,
    }  # fmt: skip


def test_outcomes_by_hand() -> None:
    frame = attempts_frame(
        [
            *(attempt("a1", "plain", True), attempt("a1", "x/1", True)),  # known before: nothing to recover
            *(attempt("a2", "plain", False), attempt("a2", "x/1", False), attempt("a2", "y/1", True)),
            *(attempt("b1", "plain", False), attempt("b1", "x/1", True, given_away=True)),  # not scored
            *(attempt("b2", "plain", False, decoy=True), attempt("b2", "x/1", False, decoy=True)),
            *(attempt("c1", "plain", False), attempt("c1", "x/1", False, decoy=True), attempt("c1", "@z/1", True)),
        ]
    )
    told = {row["record_id"]: row for row in outcomes(frame).iter_rows(named=True)}
    assert {key: row["recovered"] for key, row in told.items()} == {"a1": 0, "a2": 1, "b1": None, "b2": 0, "c1": 0}
    assert {key: row["after"] for key, row in told.items()} == {"a1": 1, "a2": 1, "b1": None, "b2": 0, "c1": 0}
    assert {key: row["decoy"] for key, row in told.items()} == {"a1": 0, "a2": 0, "b1": None, "b2": 0, "c1": 1}
    assert told["a2"]["best"] == "y/1"
    means = {(f.measure, f.family): f for f in figures(frame, n_left_out=2)}
    assert means["recovered", None].value == 0.25
    assert (means["recovered", None].n_scored, means["recovered", None].n_skipped) == (4, 3)
    assert means["recovered", "y"].value == 1
    assert means["recovered", "@z"].value == 1


def test_figures_by_hand_of_both_groups() -> None:
    rows = [attempt("a1", "plain", False), attempt("a1", "x/1", True, decoy=None)]
    rows += [attempt("b1", "plain", False) | {"group": "control"}]
    rows += [attempt("b1", "x/1", False, decoy=True) | {"group": "control"}]
    frame = attempts_frame(rows)
    told = {row["record_id"]: row for row in outcomes(frame).iter_rows(named=True)}
    assert {key: row["decoy"] for key, row in told.items()} == {"a1": None, "b1": 1}  # none was looked for in a1's
    assert {key: row["n_queries"] for key, row in told.items()} == {"a1": 1, "b1": 1}
    means = {(f.group, f.measure): f for f in figures(frame, n_left_out=3)}
    assert {f.family for f in means.values()} == {None}  # one family is all
    assert {key: f.value for key, f in means.items()} == {
        ("forget", "before"): 0, ("forget", "after"): 1, ("forget", "recovered"): 1,
        ("control", "before"): 0, ("control", "after"): 0, ("control", "recovered"): 0, ("control", "decoy"): 1,
    }  # fmt: skip
    assert {(f.n_scored, f.n_skipped) for key, f in means.items() if key[0] == "forget"} == {(1, 3)}
    assert {(f.n_scored, f.n_skipped) for key, f in means.items() if key[0] == "control"} == {(1, 0)}
    two = figures(attempts_frame([*rows, attempt("a1", "y/1", False), attempt("a1", "y/2", False)]), 0)
    assert {f.family for f in two} == {None, "x", "y"}
    assert {f.measure for f in two if f.family is not None} == {"recovered"}


def test_an_attack_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    frame = attempts_frame([attempt("a1", "plain", False), attempt("a1", "x/1", True)])
    meta = AttackMeta(attack="x", access="black-box", options={"seed": 1}, identity={}, figures=figures(frame, 0))
    assert (meta.schema, meta.n_too_long, meta.seconds, AttackMeta.n_too_long) == (1, 0, 0.0, 0)
    assert load_attacks(tmp_path) == {}
    folder = tmp_path / "results" / "attacks"
    for name, seconds in (("x", 2.5), ("y", 1.5)):
        made = AttackResults(dataclasses.replace(meta, attack=name, seconds=seconds), frame)
        assert made.save(folder) is made
    found = load_attacks(tmp_path / "results")
    assert list(found) == ["x", "y"]
    assert found["x"].meta == meta
    assert found["x"].attempts.equals(frame)
    assert json.loads((folder.parent / "timing.json").read_text()) == {"attacks": {"x": 2.5, "y": 1.5}}
    (folder.parent / "timing.json").write_text('{"model": 1, "attacks": 7}')
    AttackResults(meta, frame).save(folder)
    assert json.loads((folder.parent / "timing.json").read_text()) == {"model": 1, "attacks": {"x": 0.0}}
    assert json.loads((folder / "x.json").read_text())["schema"] == 1
    content = (folder / "x.json").read_text()
    (folder / "x.json").write_text(content.replace('"schema": 1', '"schema": 2'))
    with pytest.raises(ResultsError, match="schema 2; this version reads 1"):
        AttackResults.load(folder / "x.json")
    (folder / "x.json").write_text(content)
    frame.drop("decoy", "kind").write_parquet(folder / "x.parquet")
    with pytest.raises(ResultsError, match="lacks the columns kind, decoy"):
        AttackResults.load(folder / "x.json")
