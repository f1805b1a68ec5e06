"""What every wrapper does, third parties' included: a run of its own name that goes on after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import PluginError, UsageError
from offside_data.vlm import load_model
from offside_data.vlm.digest import weights_digest
from offside_unlearn import METHODS, WRAPPERS, Run, RunOptions, engine, unlearn
from offside_unlearn.methods import EditingMethod
from offside_unlearn.options import build_configs

CONFIG: dict[str, Any] = {"max_steps": 4, "batch_size": 2, "lr": 1e-3, "retain_ratio": 1}
OPTIONS = RunOptions(device="cpu", full=True)
EDITING = next(name for name in METHODS.names() if issubclass(METHODS.load(name).Method, EditingMethod))

each_wrapper = pytest.mark.parametrize("name", WRAPPERS.names())


def digest(run: Run) -> str:
    return weights_digest(load_model(run.path, device="cpu"))


@each_wrapper
def test_each_value_of_its_search_space_is_one_of_an_option(name: str) -> None:
    config = WRAPPERS.load(name).Config
    for option, dimension in config.search.items():
        for value in dimension.extremes:
            build_configs({option: value}, config)


@each_wrapper
def test_a_wrapped_run_is_its_own_and_ends_with_the_same_bits_after_a_kill(
    name: str, tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(out: str, method: str = f"npo+{name}") -> Run:
        return unlearn(method, tiny, None, league, "complete", CONFIG, tmp_path / out, OPTIONS)

    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return train(*args, **kwargs)

    train = engine.train
    with monkeypatch.context() as patch:
        patch.setattr(engine, "train", counted)
        whole = run("whole")
    trainings_of_whole = calls
    assert whole.manifest.method == f"npo+{name}"
    assert whole.manifest.request != run("plain", "npo").manifest.request
    options = WRAPPERS.load(name).Config()
    assert {key: whole.manifest.config[key] for key in vars(options)} == vars(options)
    assert digest(whole) != digest(run("plain", "npo"))
    history = [entry["step"] for entry in whole.manifest.training.loss_history]
    assert history == list(range(1, whole.manifest.training.steps + 1))

    def killed(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == trainings:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    for trainings in (1, 2):
        calls, out = 0, f"killed-{trainings}"
        with monkeypatch.context() as patch:
            patch.setattr(engine, "train", killed)
            if trainings == 2 and WRAPPERS.load(name).Wrapper.one_training:
                continue
            with pytest.raises(KeyboardInterrupt):
                run(out)
        assert not (tmp_path / out).exists()
        calls, before = 0, trainings - 1
        with monkeypatch.context() as patch:
            patch.setattr(engine, "train", counted)
            assert digest(run(out)) == digest(whole)
        assert calls == trainings_of_whole - before, "what was finished isn't done again"
        assert not list(tmp_path.glob(".*")), "nothing is left beside the run"


def test_wrappers_go_together_in_the_order_they_are_named(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    method = "+".join(["grad_diff", "sam", "layered", "undo"])
    config = {key: value for key, value in CONFIG.items() if key != "max_steps"} | {"distil_steps": 2}
    out = tmp_path / "run"
    run = unlearn(method, tiny, None, league, "complete", config, out, OPTIONS, curve_steps=(2, 4, 6))
    assert run.manifest.training.steps == 6 + 2, "with a curve the method ends at its last point"
    assert [path.name for path in sorted((out / "curve").iterdir())] == ["step-000002", "step-000004", "step-000006"]
    terms = [set(entry) & {"forget_ce", "distil_kl"} for entry in run.manifest.training.loss_history]
    assert terms == 6 * [{"forget_ce"}] + 2 * [{"distil_kl"}]


def test_points_of_a_curve_are_counted_over_all_trainings(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def run(method: str, out: str, curve: tuple[int, ...] = (), **config: Any) -> Run:
        more = {"max_steps": 2, "schedule": "constant", "distil_steps": 2, **config}
        more = more if "undo" in method else {k: v for k, v in more.items() if k != "distil_steps"}
        return unlearn(
            method, tiny, None, league, "complete", {**CONFIG, **more}, tmp_path / out, OPTIONS, curve_steps=curve
        )

    curve = run("npo+undo", "curve", (2, 3, 4))
    point = load_model(curve.path / "curve" / "step-000002", device="cpu")
    assert weights_digest(point) == digest(run("npo", "plain"))
    point = load_model(curve.path / "curve" / "step-000003", device="cpu")
    assert weights_digest(point) == digest(run("npo+undo", "short", distil_steps=1))
    assert weights_digest(load_model(curve.path / "curve" / "step-000004", device="cpu")) == digest(curve)
    with pytest.raises(UsageError, match="there are only 4 steps"):
        run("npo+undo", "long", (2, 5))


@pytest.mark.parametrize(
    ("method", "until", "error", "message"),
    [
        ("npo+sma", None, PluginError, "unknown wrapper 'sma'. Did you mean 'sam'"),
        ("npo+", None, PluginError, "unknown wrapper ''"),
        ("sam", None, PluginError, "unknown method 'sam'"),
        ("npo+sam+sam", None, UsageError, "sam stands there twice"),
        (f"{EDITING}+sam", None, UsageError, "changes weights without training"),
        ("smfa+sam+undo", None, UsageError, "smfa changes weights beside those that are trained, .* as undo has them"),
        ("mip_editor+layered", None, UsageError, "mip_editor changes weights beside those that are trained"),
        ("npo+undo", "forgetting=0.5", UsageError, "run with undo is several trainings"),
        ("npo+layered", "forgetting=0.5", UsageError, "run with layered is several trainings"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(
    method: str,
    until: str | None,
    error: type[Exception],
    message: str,
    tiny: Path,
    league: OffsideDataset,
    tmp_path: Path,
) -> None:
    curve = (1,) if until else ()
    with pytest.raises(error, match=message):
        unlearn(method, tiny, None, league, "complete", {}, tmp_path / "run", OPTIONS, curve_steps=curve, until=until)
    assert not list(tmp_path.iterdir())
