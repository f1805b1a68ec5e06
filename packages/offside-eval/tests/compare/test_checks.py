"""What is refused, and what is noted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from offside_data.errors import UsageError
from offside_eval.compare import MismatchError, compare
from offside_eval.results import Results

Make = Callable[..., Results]


def two(make: Make) -> list[Results]:
    return [
        make("vanilla", role="vanilla"),
        make("a", role="unlearned", method="npo"),
        make("b", role="unlearned", method="po"),
    ]


def test_models_unlearned_on_different_records_are_refused_with_their_digests(
    make_results: Make, with_meta: Make
) -> None:
    vanilla, a, b = two(make_results)
    other = with_meta(b, forget={"digest": "sha256:other", "n": 3})
    with pytest.raises(MismatchError) as caught:
        compare([vanilla, a, other])
    said = str(caught.value)
    assert "sha256:other" in said
    assert a.forget_digest in said
    assert str(b.path) in said
    assert "--allow-mismatch" in said
    allowed = compare([vanilla, a, other], allow_mismatch=True)
    assert any("sha256:other" in note for note in allowed.notes)
    assert len(allowed.settings["complete"].rows) == 2


def test_the_manifest_decides_what_a_model_was_unlearned_on(make_results: Make, with_meta: Make) -> None:
    vanilla, a, b = two(make_results)
    model = b.meta.to_json()["model"]
    model["run"]["forget"] = {"digest": "sha256:from-manifest", "record_ids": []}
    other = with_meta(b, model=model)
    with pytest.raises(MismatchError, match="sha256:from-manifest"):
        compare([vanilla, a, other])
    assert any("unlearned on other records" in note for note in compare([vanilla, other]).notes)


def test_controls_evaluated_on_another_request_are_fine(make_results: Make, with_meta: Make) -> None:
    vanilla, a, _ = two(make_results)
    compared = compare([with_meta(vanilla, forget={"digest": "sha256:whole", "n": 9}), a])
    assert not any("unlearned on other records" in note for note in compared.notes)
    assert [row.model.digest for row in compared.rows()] == ["sha256:a"]


def test_different_datasets_are_refused(make_results: Make, with_meta: Make) -> None:
    vanilla, a, b = two(make_results)
    other = with_meta(b, dataset=b.meta.to_json()["dataset"] | {"digest": "sha256:newer"})
    with pytest.raises(MismatchError, match="different datasets"):
        compare([vanilla, a, other])


def test_so_are_controls_of_another_dataset_that_were_asked_in_another_setting(
    make_results: Make, with_meta: Make
) -> None:
    vanilla, a, _ = two(make_results)
    control = make_results("vanilla", role="vanilla", setting="corrective")
    older = with_meta(control, dataset=vanilla.meta.to_json()["dataset"] | {"digest": "sha256:older"})
    with pytest.raises(MismatchError, match=r"different datasets:\n  .*\n  .*"):
        compare([older, a])
    assert any("sha256:older" in note for note in compare([older, a], allow_mismatch=True).notes)


def test_two_different_vanilla_models_need_a_choice(make_results: Make) -> None:
    results = [*two(make_results), make_results("vanilla2", role="vanilla")]
    with pytest.raises(UsageError, match="2 different vanilla models"):
        compare(results)
    assert compare(results, vanilla=results[3]).models.controls["vanilla"].path == "runs/vanilla2"


def test_roles_can_be_given_by_hand_and_by_path(make_results: Make, with_meta: Make) -> None:
    plain, a, _ = two(make_results)
    unknown = with_meta(plain, role="unknown")
    with_hand = compare([a], vanilla=unknown)
    assert with_hand.models.controls["vanilla"].digest == "sha256:vanilla"
    assert plain.path is not None
    assert compare([a], vanilla=plain.path).models.controls["vanilla"].digest == "sha256:vanilla"


def test_differences_of_set_up_and_plain_checkpoints_are_noted(make_results: Make, with_meta: Make) -> None:
    vanilla, a, b = two(make_results)
    notes = compare(
        [with_meta(vanilla, dtype="float16"), with_meta(a, dtype="float32"), with_meta(b, role="unknown")]
    ).notes
    assert any("differ in dtype: float16; float32" in note for note in notes)
    kept = compare([with_meta(vanilla, limit_kept=5), a]).notes
    assert any("differ in limit_kept: 5; None" in note for note in kept)
    assert any("no run manifest" in note for note in notes)


def test_methods_at_different_doses_in_different_settings_are_noted(make_results: Make, with_meta: Make) -> None:
    def after(steps: int, method: str, setting: str) -> Results:
        made = make_results(f"{method}-{setting}", role="unlearned", method=method, setting=setting)
        model = made.meta.to_json()["model"]
        model["run"]["steps"] = steps
        return with_meta(made, model=model)

    results = [after(20, "npo", "complete"), after(60, "npo", "selective")]
    results += [after(20, "po", "complete"), after(20, "po", "selective")]
    doses = [note for note in compare(results).notes if "steps in" in note]
    assert len(doses) == 1
    assert doses[0].startswith("npo: 20 steps in complete, 60 steps in selective.")


def test_nothing_to_compare_and_an_unknown_metric_are_errors(make_results: Make) -> None:
    with pytest.raises(UsageError, match="no results"):
        compare([])
    with pytest.raises(UsageError, match="Did you mean 'value_match'"):
        compare(two(make_results), metric="value_mach")
