"""Bad input: a clear error that names the record or file and the way out, exit 1 or 2, nothing half-written."""

from __future__ import annotations

import functools
import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from offside_data.fictional import make_league


def run(program: str, *arguments: str | Path) -> Result:
    group = importlib.import_module(program.replace("-", "_") + ".cli").main
    return CliRunner().invoke(group, [str(a) for a in arguments], catch_exceptions=True)


def refused(result: Result, out: Path | None, *words: str) -> None:
    assert result.exit_code in (1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.output
    if out is not None:
        assert not out.exists() or not any(out.iterdir())
        left = [p.name for p in out.parent.iterdir() if p.name.startswith(f".{out.name}")]
        assert left == []


@pytest.fixture(scope="module")
def league(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "league"
    make_league(folder, subjects=4)
    return folder


@pytest.fixture(scope="module")
def tiny(league: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    done = run("offside-unlearn", "tiny", folder, "--data", league)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def copy(league: Path, tmp_path: Path) -> Path:
    shutil.copytree(league, tmp_path / "copy")
    return tmp_path / "copy"


def published(folder: Path, **changes: object) -> Path:
    record = {
        "messages": [
            {"role": "user", "content": "<image>\nI'm curious about the name of this player."},
            {"role": "assistant", "content": "The player is Oda Vint."},
        ],
        "images": "./finetune_set/001.jpg",
        **changes,
    }
    source = folder / "finetune_set.json"
    source.write_text(json.dumps([record]), encoding="utf-8")
    return source


def test_a_missing_picture(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("offside-data", "ingest", published(tmp_path), out, "--format", "offside")
    refused(result, out, "1 of 1", "--without-images", "001.jpg")


def test_an_unreadable_picture(tmp_path: Path) -> None:
    source = published(tmp_path)
    (tmp_path / "finetune_set").mkdir()
    (tmp_path / "finetune_set/001.jpg").write_bytes(b"not a picture")
    out = tmp_path / "out"
    refused(run("offside-data", "ingest", source, out, "--format", "offside"), out, "001.jpg")


def test_a_record_without_an_answer(tmp_path: Path) -> None:
    source = published(tmp_path, messages=[{"role": "user", "content": "Who is this?"}])
    out = tmp_path / "out"
    result = run("offside-data", "ingest", source, out, "--format", "offside", "--without-images")
    refused(result, out, "finetune_set.json", "record 0")


def test_an_unknown_format(tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(run("offside-data", "ingest", published(tmp_path), out, "--format", "ofside"), out, "offside")


def test_an_answer_longer_than_max_length(league: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("run", "grad_ascent", out, "--model", tiny, "--data", league, "--setting", "complete")
    refused(run("offside-unlearn", *command, "--set", "max_length=30"), out, "max_length", "30", "record")
    command = ("run", out, "--model", tiny, "--data", league, "--setting", "complete", "--max-length", "30")
    refused(run("offside-eval", *command), out, "30", "record")


def edit(path: Path, column: str, value: str) -> None:
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[0] = value
    import pyarrow as pa

    changed = table.set_column(table.column_names.index(column), column, pa.array(values, table[column].type))
    pq.write_table(changed, path)


def test_an_attribute_that_is_not_in_the_taxonomy(copy: Path) -> None:
    edit(next(copy.glob("data/multimodal/forget-*.parquet")), "attribute", "shoe_size")
    refused(run("offside-data", "check", copy), None, "shoe_size", "taxonomy")


def test_a_card_whose_digest_does_not_match(copy: Path, tiny: Path, tmp_path: Path) -> None:
    edit(next(copy.glob("data/multimodal/forget-*.parquet")), "answer", "Nobody.")
    refused(run("offside-data", "check", copy), None, "digest")
    out = tmp_path / "out"
    command = ("run", "grad_ascent", out, "--model", tiny, "--data", copy, "--setting", "complete")
    refused(run("offside-unlearn", *command), out, "digest")


@pytest.mark.parametrize("program", ["offside-unlearn", "offside-eval"])
def test_a_model_folder_without_a_processor(league: Path, tiny: Path, tmp_path: Path, program: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        shutil.copy(tiny / name, model)
    out = tmp_path / "out"
    command = ("run", "grad_ascent", out) if program == "offside-unlearn" else ("run", out)
    result = run(program, *command, "--model", model, "--data", league, "--setting", "complete")
    refused(result, out, "processor", str(model))


@pytest.mark.parametrize("program", ["offside-unlearn", "offside-eval"])
def test_a_setting_that_the_card_does_not_offer(copy: Path, tiny: Path, tmp_path: Path, program: str) -> None:
    card = copy / "README.md"
    text = card.read_text(encoding="utf-8")
    assert "- corrective\n" in text
    card.write_text(text.replace("- corrective\n", ""), encoding="utf-8")
    out = tmp_path / "out"
    command = ("run", "grad_ascent", out) if program == "offside-unlearn" else ("run", out)
    result = run(program, *command, "--model", tiny, "--data", copy, "--setting", "corrective")
    refused(result, out, "corrective", "selective")


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("offside-data", ("fictional", "OUT", "--subjects", "4")),
        ("offside-unlearn", ("tiny", "OUT", "--data", "LEAGUE")),
        ("offside-unlearn", ("finetune", "OUT", "--model", "TINY", "--data", "LEAGUE")),
        ("offside-unlearn", ("run", "npo", "OUT", "--model", "TINY", "--data", "LEAGUE", "--setting", "complete")),
        ("offside-eval", ("run", "OUT", "--model", "TINY", "--data", "LEAGUE", "--setting", "complete")),
    ],
)
def test_an_output_folder_that_holds_something_else(
    league: Path, tiny: Path, tmp_path: Path, program: str, command: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", encoding="utf-8")
    places = {"OUT": str(out), "LEAGUE": str(league), "TINY": str(tiny)}
    result = run(program, *(places.get(word, word) for word in command))
    refused(result, None, str(out), "--force")
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]


# ---------------------------------------------------------------------------------------------
# Every command of offside-data on every fault of a dataset's own files


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        elif command is not None:
            yield (*names, name), command


NAMED = {"dataset": "DATASET", "ref": "DATASET", "a": "DATASET", "b": "DATASET"}
OTHER = {"repo": "some/repo", "table": "OUT/table.csv", "decision": "d1", "issues": "tag-doubtful:r1"}
OPTIONS = {"--bump": "patch", "--note": "x", "--format": "swift", "--reason": "x"}
NO_DATASET = {"fictional", "ingest"}
READS_NO_CARD = {("publish",), ("annotate", "doctor")}
"""They say first what else is missing: a release, a server."""
MORE = {
    ("tag",): ("--dry-run",),
    ("edit",): ("--dry-run",),
    ("remove",): ("--subject", "s1", "--reason", "x"),
    ("annotate", "pull"): ("--from-file", "OUT-export.json"),
    ("annotate", "push"): ("--to-file", "OUT.json"),
}


def arguments(words: tuple[str, ...], command: click.Command, folder: Path, out: Path) -> list[str]:
    """A full command line, made of what the command says that it needs."""
    found = list(words)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            found.append(NAMED.get(parameter.name or "", OTHER.get(parameter.name or "", "OUT")))
        elif parameter.required:
            option = next(name for name in parameter.opts if name in OPTIONS)
            found += [option, OPTIONS[option]]
    found += MORE.get(words, ())
    return [word.replace("DATASET", str(folder)).replace("OUT", str(out)) for word in found]


def becomes_a_pipe(file: Path) -> None:
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def becomes_endless(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to("/dev/zero")


def becomes_large(file: Path) -> None:
    with file.open("ab") as stream:
        stream.truncate(2**26 + 1)


def becomes(data: bytes) -> Callable[[Path], None]:
    return lambda file: bool(file.write_bytes(data)) and None


def journal(fault: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / ".offside").mkdir()
        fault(folder / ".offside/commit.json")

    return make


FAULTS: dict[str, Callable[[Path], None]] = {
    f"{name} {what}": functools.partial(lambda name, fault, folder: fault(folder / name), name, fault)
    for name in ("README.md", "taxonomy.yaml")
    for what, fault in {
        "is a pipe": becomes_a_pipe,
        "is endless": becomes_endless,
        "is large": becomes_large,
        "is no text": becomes(b"\xff\xfe\0"),
        "is deep": becomes(b"---\noffside: " + b"[" * 100_000),
        "is a list": becomes(b"---\n- 1\n---\n"),
        "is empty": becomes(b""),
    }.items()
} | {
    ".offside/commit.json is a pipe": journal(becomes_a_pipe),
    ".offside/commit.json is endless": journal(becomes_endless),
    ".offside/commit.json is cut": journal(becomes(b'{"move": [')),
    ".offside/commit.json is of other types": journal(becomes(b'{"move": [1], "delete": {}}')),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("fault", FAULTS)
def test_every_command_on_a_fault_of_a_dataset(league: Path, tmp_path: Path, fault: str) -> None:
    folder, out = tmp_path / "broken", tmp_path / "out"
    shutil.copytree(league, folder, copy_function=os.link)
    for name in ("README.md", "taxonomy.yaml"):  # Else the fault would be that of the league itself.
        (folder / name).unlink()
        shutil.copy(league / name, folder)
    FAULTS[fault](folder)
    (tmp_path / "out-export.json").write_text("[]", encoding="utf-8")
    group = importlib.import_module("offside_data.cli").main
    wrong = []
    for words, command in commands(group):
        if words[0] in NO_DATASET:
            continue
        name = fault.partition(" ")[0]
        if words == ("migrate",) and name == "taxonomy.yaml":
            continue  # It reads the card alone, and that is up to date.
        result = run("offside-data", *arguments(words, command, folder, out))
        told = words in READS_NO_CARD or name in result.output or words == ("fetch",)
        ended = result.exception is None or isinstance(result.exception, SystemExit)
        if not (result.exit_code in (1, 2) and ended and told and not out.exists()):
            wrong.append(f"{' '.join(words)}: {result.exit_code} {result.exception!r} {result.output[:300]}")
    assert wrong == []
