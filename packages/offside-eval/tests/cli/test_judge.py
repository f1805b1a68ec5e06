"""`offside-eval judge`, from a dry run to two judges that are compared."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from click.testing import CliRunner

from offside_eval.cli import main
from offside_eval.compare import compare
from offside_eval.compare.judges import judge_rows
from offside_eval.results import Results


@pytest.fixture(scope="module")
def servers() -> ModuleType:
    """The loopback judge of the tests of the judge."""
    file = Path(__file__).parent.parent / "judge" / "conftest.py"
    spec = importlib.util.spec_from_file_location("offside_eval_fake_judge", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake(servers: ModuleType) -> Iterator:
    server = servers.FakeJudge()
    yield server
    server.close()


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    return done.exit_code, done.stdout, done.stderr


def test_two_judges_from_dry_run_to_report(fake, make_results: Callable[..., Results]) -> None:
    paths = [
        make_results("vanilla", role="vanilla", subjects=6).path,
        make_results("retain", role="retain_only", rates={"forget/private": 0.0}, subjects=6).path,
        make_results("npo", role="unlearned", method="npo", rates={"forget/private": 0.25}, subjects=6).path,
    ]
    where = ("--endpoint", fake.url, "--slices", "forget,keep:multimodal/retain")
    code, out, _ = run("judge", *paths, *where, "--judge-model", "one", "--dry-run", "--price-in", 1, "--json")
    assert code == 0
    planned = json.loads(out)
    assert fake.requests == []
    assert not (paths[0] / "judge").exists()
    # A right judge, and one that always adds a point.
    for name, more in (("one", 0), ("two", 1)):
        fake.act = lambda h, told, more=more: h.verdict((9 if told["answer"] == told["reference"] else 0) + more)
        code, out, err = run("judge", *paths, *where, "--judge-model", name)
        assert code == 0, err
    assert len(fake.requests) == 2 * sum(p["questions"] - p["answered"] for p in planned)
    assert "how far judges agree" in " ".join(out.split())  # A long path before it breaks the line.
    assert "1.00" in out  # They agree in everything but the point.
    # As a metric it gives what value_match gives where the judge is right: a straight line of it.
    compared = [json.loads(run("compare", *paths, "--metric", m, "--json")[1]) for m in ("value_match", "judge:one")]
    assert any("one and two" in note and "1.00 points apart" in note for note in compared[0]["notes"])
    forgetting = [found["settings"]["complete"]["models"][0]["figures"]["forgetting"]["value"] for found in compared]
    assert forgetting[0] == pytest.approx(forgetting[1])
    assert forgetting[0] is not None
    rows = judge_rows(compare(paths).models)
    assert [row[2] for row in rows] == ["one", "two"] * 3
    assert rows[0][3].partition("\n")[0] == f"{9 * 11 / 12:.2f}"  # Of twelve private claims vanilla knows eleven.
    code, _, err = run("compare", *paths, "--metric", "judge:three")
    assert code == 2
    assert "judge:one" in err


def test_what_was_not_all_asked_ends_with_1_and_says_how_to_go_on(fake, make_results: Callable[..., Results]) -> None:
    path = make_results("npo", role="unlearned", method="npo", subjects=1).path
    code, out, err = run("judge", path, "--endpoint", fake.url, "--judge-model", "one", "--max-requests", 3)
    assert code == 1
    assert "limit of 3 requests" in err
    assert "Run the same command again" in err
    assert "unscored" in out
    table = pl.read_parquet(path / "judge" / "one.parquet")
    assert table.filter(pl.col("score").is_not_null())["question_key"].n_unique() == 3
    code, _, err = run("judge", path, "--endpoint", fake.url + "/chat/completions", "--judge-model", "one")
    assert (code, "ends before /chat/completions" in err) == (2, True)
    code, _, err = run("judge", path, "--judge-model", "one")
    assert (code, "--endpoint" in err) == (2, True)
    for wrong in ("ftp://x", "http://user:key@x/v1", "localhost:8000", "http://x:99999/v1", "http://x/v1?key=1"):
        assert run("judge", path, "--endpoint", wrong, "--judge-model", "one")[0] == 2
    assert len(fake.requests) == 3
