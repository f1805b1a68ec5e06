from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from offside_data.config import build, parse_assignments, read_yaml
from offside_data.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Sample:
    lr: float = 1e-3
    steps: int = 10
    name: str = "x"
    flag: bool = False
    mode: Literal["fast", "slow"] = "fast"
    limit: int | None = None
    splits: tuple[str, ...] = ("retain",)
    sizes: list[int] | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError("steps must not be negative.")


def test_defaults_live_in_the_dataclass() -> None:
    assert build(Sample) == Sample()


def test_later_layers_win() -> None:
    assert build(Sample, {"lr": 1, "steps": 2}, {"steps": 3}) == Sample(lr=1.0, steps=3)


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("lr", "1e-5", 1e-5),
        ("lr", 1, 1.0),
        ("steps", "7", 7),
        ("steps", 7.0, 7),
        ("steps", "1e3", 1000),
        ("name", 3, "3"),
        ("name", True, "True"),
        ("flag", "yes", True),
        ("flag", "off", False),
        ("flag", True, True),
        ("mode", "slow", "slow"),
        ("limit", "none", None),
        ("limit", None, None),
        ("limit", "5", 5),
        ("splits", "a, b,", ("a", "b")),
        ("splits", ["a"], ("a",)),
        ("sizes", "1,2", [1, 2]),
        ("out", "a/b", Path("a/b")),
    ],
)
def test_values_take_the_type_of_their_field(key: str, given: Any, expected: Any) -> None:
    value = getattr(build(Sample, {key: given}), key)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("key", "given", "message"),
    [
        ("lr", "fast", r"Sample\.lr: must be a valid number, .*, got 'fast'\."),
        ("lr", None, r"Sample\.lr: must be a valid number, got None\."),
        ("lr", float("-inf"), r"Sample\.lr: must be a finite number, got -inf"),
        ("lr", True, r"Sample\.lr: must be a valid number, .*, got True\."),
        ("lr", "nan", r"Sample\.lr: must be a finite number, got 'nan'\."),
        ("lr", float("inf"), r"Sample\.lr: must be a finite number, got inf\."),
        ("steps", "1.5", r"Sample\.steps: must be a valid integer, .*, got '1\.5'"),
        ("steps", "inf", r"Sample\.steps: must be a finite number, got 'inf'"),
        ("flag", "maybe", r"Sample\.flag: must be a valid boolean, .*, got 'maybe'"),
        ("mode", "medium", r"Sample\.mode: must be 'fast' or 'slow', got 'medium'"),
        ("limit", "many", r"Sample\.limit: must be a valid integer, .*, got 'many'"),
        ("splits", 3, r"Sample\.splits: must be a valid tuple, got 3"),
        ("name", ["x"], r"Sample\.name: must be a valid string, got \['x'\]"),
        ("out", 3, r"Sample\.out: Input is not a valid path for .*Path.*, got 3"),
        ("sizes", "1,x", r"Sample\.sizes: must be a valid integer, .*, got '1,x'"),
        ("step", 3, "unknown option of Sample 'step'. Did you mean 'steps'"),
        ("steps", -1, "Sample: steps must not be negative"),
    ],
)
def test_what_does_not_fit_is_told(key: str, given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(Sample, {key: given})


def test_assignments() -> None:
    assert parse_assignments(["a=1", " b = x=y "]) == {"a": "1", "b": "x=y"}
    for wrong in ("a", "=1"):
        with pytest.raises(UsageError, match="--set takes key=value"):
            parse_assignments([wrong])


def test_yaml_reads_a_float_as_text_and_build_mends_it(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("lr: 1e-5\n")
    assert read_yaml(file) == {"lr": "1e-5"}
    assert build(Sample, read_yaml(file)).lr == 1e-5


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not valid YAML"), ("- 1", "must hold a mapping"), ("", "mapping")]
)
def test_yaml_that_is_no_config(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=rf"c\.yaml: .*{message}"):
        read_yaml(tmp_path / "c.yaml")


def test_a_missing_yaml(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such config file"):
        read_yaml(tmp_path / "c.yaml")
