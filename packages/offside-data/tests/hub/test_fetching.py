from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hub_machine import go_on, machine
from loopback_hub import LoopbackHub

import offside_data
from offside_data.check import check_dataset
from offside_data.cli import main
from offside_data.dataset.folder import open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.errors import (
    DatasetError,
    DatasetReferenceError,
    DigestMismatchError,
    HubError,
    HubNotFoundError,
    HubUnreachableError,
    OutputExistsError,
    UsageError,
)
from offside_data.hub.fetching import fetch
from offside_data.hub.publishing import publish
from offside_data.release.releasing import make_release

REPO = "org/small"
RETAIN = "data/multimodal/retain-00000-of-00001.parquet"


def digest_of(folder: Path, version: str) -> str:
    return open_dataset(folder / ".offside" / "releases" / version).digest


def test_the_newest_that_fits_comes_whole(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    with machine(hub, tmp_path / "other"):
        report = fetch(f"{REPO}@~1.0", tmp_path / "out")
        assert fetch(REPO, tmp_path / "newest").version == "1.1.0"
    assert (report.version, report.commit) == ("1.0.1", hub.dataset(REPO).tags["v1.0.1"])
    fetched = open_dataset(tmp_path / "out")
    assert fetched.verify() == report.digest == digest_of(published, "1.0.1")
    assert not [issue for issue in check_dataset(fetched) if issue.severity == "error"]
    assert not list((tmp_path / "out").glob("*/.partial"))


def test_what_was_fetched_can_be_released_on(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    fetch(REPO, tmp_path / "out")
    go_on(tmp_path / "out", "Another ____.")
    assert open_dataset(tmp_path / "out").version == "1.1.1"
    assert publish(tmp_path / "out", REPO).outcome == "published"
    assert "v1.1.1" in hub.dataset(REPO).tags


def test_a_reference_is_taken_where_a_folder_is(hub: LoopbackHub, published: Path) -> None:
    dataset = open_dataset(f"{REPO}@^1.0")
    assert dataset.ref.commit == hub.dataset(REPO).tags["v1.1.0"]
    assert (dataset.ref.version, dataset.ref.digest) == ("1.1.0", digest_of(published, "1.1.0"))
    rows = offside_data.load(f"{REPO}@1.0.0", "multimodal", "retain")
    assert rows["record_id"] == open_dataset(published).records("multimodal", "retain")["record_id"]
    hub.log.clear()
    open_dataset(f"{REPO}@^1.0").verify()
    assert [line.partition("?")[0] for line in hub.log] == [f"GET /api/datasets/{REPO}/refs"]


def test_what_is_published_cannot_be_changed_in_place(hub: LoopbackHub, published: Path) -> None:
    with pytest.raises(DatasetReferenceError, match=r"never changes.*offside-data fetch"), change_dataset(REPO):
        pass
    with pytest.raises(DatasetReferenceError, match=r"offside-data fetch"):
        make_release(REPO, bump="patch", note="No.")


def test_the_cache_is_not_changed_and_others_files_are_not_fetched(
    hub: LoopbackHub, published: Path, tmp_path: Path
) -> None:
    repo = hub.dataset(REPO)
    repo.edit("logo.svg", "somebody's")
    repo.edit("scans/page.parquet", "somebody's")
    with machine(hub, tmp_path / "other"):
        dataset = open_dataset(f"{REPO}@main")
        with pytest.raises(DatasetError, match=r"lies in the cache of the Hub.*offside-data fetch"):
            make_release(dataset.path, bump="patch", note="No.")
        fetch(f"{REPO}@main", tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").rglob("*")}
    assert not names & {"logo.svg", "page.parquet", ".gitattributes"}


def test_main_is_what_is_not_released(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    moved = hub.dataset(REPO).edit("notes.txt", "More.")
    assert open_dataset(f"{REPO}@main").ref.commit == moved
    report = fetch(f"{REPO}@main", tmp_path / "out")
    assert report.commit == moved
    assert not (tmp_path / "out" / ".offside" / "releases").exists()


def test_what_does_not_fit_names_what_there_is(hub: LoopbackHub, published: Path) -> None:
    with pytest.raises(DatasetReferenceError, match=r"no released version.*1\.0\.0, 1\.0\.1, 1\.1\.0"):
        open_dataset(f"{REPO}@^2.0")
    with pytest.raises(HubNotFoundError, match=r"There is no dataset org/other, or this token may not see it"):
        open_dataset("org/other")
    hub.create("dataset", "org/empty", private=False)
    with pytest.raises(DatasetReferenceError, match=r"None is released there; org/empty@main"):
        open_dataset("org/empty")


def test_offline_the_newest_that_is_here_and_fits_is_named(
    hub: LoopbackHub, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "laptop"
    with machine(hub, home):
        open_dataset(f"{REPO}@1.0.0")
        open_dataset(f"{REPO}@1.0.1")
    capsys.readouterr()
    with machine(hub, home, offline=True):
        assert open_dataset(f"{REPO}@^1.0").version == "1.0.1"
        assert "Using org/small 1.0.1" in capsys.readouterr().err
        with pytest.raises(HubUnreachableError, match="HF_HUB_OFFLINE"):
            open_dataset(f"{REPO}@~1.1")
        with pytest.raises(HubUnreachableError, match="HF_HUB_OFFLINE"):
            open_dataset(f"{REPO}@main")
    hub.fail("GET", "/refs", "cut", times=99)
    with machine(hub, home):
        assert open_dataset(f"{REPO}@^1.0").version == "1.0.1"
        assert "doesn't answer" in capsys.readouterr().err


def test_a_damaged_download_is_fetched_again(
    hub: LoopbackHub, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.fail("GET", r"/resolve/.*retain-00000", "corrupt")
    with machine(hub, tmp_path / "other"):
        assert open_dataset(REPO).verify() == digest_of(published, "1.1.0")
    assert "arrived damaged; downloading it again" in capsys.readouterr().err
    hub.fail("GET", r"/resolve/.*retain-00000", "corrupt", times=99)
    with machine(hub, tmp_path / "third"):
        with pytest.raises(HubError, match=r"retain-00000-of-00001\.parquet of commit .* arrives damaged"):
            fetch(REPO, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        hub.faults.clear()
        assert fetch(REPO, tmp_path / "out").version == "1.1.0"


def test_data_that_is_not_what_its_card_says_is_refused(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    repo = hub.dataset(REPO)
    other = repo.files("v1.0.0")["data/multimodal/retain-00000-of-00001.parquet"]
    repo.edit("data/multimodal/retain-00000-of-00001.parquet", other.data)
    with machine(hub, tmp_path / "other"), pytest.raises(DigestMismatchError, match="differs: multimodal/retain"):
        open_dataset(f"{REPO}@main")
    with machine(hub, tmp_path / "other", offline=True), pytest.raises(HubUnreachableError):
        open_dataset(f"{REPO}@main")


def test_a_file_that_was_changed_in_the_cache_is_noticed(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    with machine(hub, tmp_path / "other"):
        path = open_dataset(REPO).files("multimodal/retain")[0].resolve()
        path.write_bytes(path.read_bytes()[:-50] + b"x" * 50)
        assert open_dataset(REPO).verify() == digest_of(published, "1.1.0")  # Fetched again.


def test_a_folder_that_holds_something_is_left_alone(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="already holds something else"):
        fetch(REPO, out)
    with pytest.raises(OutputExistsError, match="already holds something else"):
        fetch(REPO, out, force=True)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    fetch(f"{REPO}@1.0.0", tmp_path / "league")
    (tmp_path / "league" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="--force"):
        fetch(REPO, tmp_path / "league")
    fetch(REPO, tmp_path / "league", force=True)
    assert open_dataset(tmp_path / "league").version == "1.1.0"
    assert (tmp_path / "league" / "thesis.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    asked = len(hub.log)
    with pytest.raises(OutputExistsError, match="is a file"):
        fetch(f"{REPO}@1.0.1", tmp_path / "file")
    assert len(hub.log) == asked  # Before anything is downloaded.


def test_my_files_outlive_what_others_put_on_the_hub(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    out = tmp_path / "league"
    fetch(f"{REPO}@1.0.0", out)
    for name in ("mine.yaml", "LICENSE"):
        (out / name).write_text("mine")
        hub.dataset(REPO).edit(name, "theirs")
    fetch(f"{REPO}@main", out, force=True)
    assert (out / "mine.yaml").read_text() == "mine"
    assert (out / "LICENSE").read_text() == "theirs"  # A dataset's own; what was there is kept.
    (kept,) = (out / ".offside" / "replaced").glob("*/LICENSE")
    assert kept.read_text() == "mine"


def test_takedowns_outlive_a_fetch(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    from offside_data.takedown.removal import remove_subject

    out = tmp_path / "league"
    fetch(f"{REPO}@1.0.0", out)
    remove_subject(out, "s1", reason="Asked for.")
    with pytest.raises(OutputExistsError, match=r"1 takedowns that small 1\.1\.0 doesn't know of"):
        fetch(REPO, out, force=True)
    tombstones = [json.loads(line)["kind"] for line in (out / "decisions.jsonl").read_text().splitlines()]
    assert "takedown" in tombstones


def test_a_folder_is_not_fetched(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        fetch(str(published), tmp_path / "out")
    for ref in ("datasets/org/small", "https://hub.example.org/datasets/org/small", " org/small"):
        with pytest.raises(UsageError, match=r"isn't the name of one on the Hub: fetch takes .* ORG/NAME"):
            fetch(ref, tmp_path / "out")


def test_a_cache_that_can_only_be_read_is_enough(
    hub: LoopbackHub,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("offside_data.hub.cache.write_json", refuse)
    assert fetch(f"{REPO}@1.0.0", tmp_path / "out").digest == digest_of(published, "1.0.0")
    assert "can't be written (Read-only file system), so this is verified anew" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------
# Repositories that somebody made to do harm


def refused(ref: str, out: Path) -> str:
    """What `fetch` says; it ends with 1, without a traceback, and leaves nothing."""
    result = CliRunner().invoke(main, ["fetch", ref, str(out)])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert not out.exists()
    return result.stderr


@pytest.mark.parametrize(
    "name", ["../x.md", "/tmp/x.md", "data/multimodal/../../../x.parquet", "a\0b.md", "..\\..\\x.yaml"]
)
def test_files_that_would_lie_elsewhere_are_refused(
    hub: LoopbackHub, published: Path, tmp_path: Path, name: str
) -> None:
    hub.dataset(REPO).edit(name, "harm")
    with machine(hub, tmp_path / "cache" / "other"):
        assert f"holds a file called {name!r}: it would lie outside" in refused(f"{REPO}@main", tmp_path / "out")
    assert not list(tmp_path.rglob("x.*"))


COMMITS = ("../../../../../escaped", "/absolute/escaped", "..", ".", "", "main", "../snapshots/x", "a" * 39, "A" * 40)


@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("ref", [REPO, f"{REPO}@main"])
def test_a_commit_whose_name_would_lie_elsewhere_is_refused(
    hub: LoopbackHub, published: Path, tmp_path: Path, ref: str, commit: str
) -> None:
    repo = hub.dataset(REPO)
    repo.commits[commit] = repo.commits[repo.branches["main"]]
    repo.branches["main"] = repo.tags["v1.1.0"] = commit
    home = tmp_path / "a" / "b" / "home"
    with machine(hub, home):
        assert f"the Hub names a commit {commit!r}, which can't be one" in refused(ref, tmp_path / "out")
        with pytest.raises(HubError, match=r"the Hub names a commit .*, which can't be one"):
            publish(published, REPO)
    assert not [path for path in (tmp_path / "a").rglob("*") if path.is_file() and "snapshots" in path.parts]
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize("name", ["../../../../../escaped", "/absolute/escaped", "..", "x\\..\\escaped"])
@pytest.mark.parametrize("header", ["X-Repo-Commit", "ETag", "X-Linked-ETag", "of a file that isn't there"])
def test_headers_that_would_lead_out_of_the_cache_are_refused(
    hub: LoopbackHub, published: Path, tmp_path: Path, header: str, name: str
) -> None:
    if header == "of a file that isn't there":  # The client notes that, too.
        answer = {"X-Repo-Commit": name, "X-Error-Code": "EntryNotFound"}
        hub.fail("HEAD", "/resolve/", "status", status=404, times=99, headers=answer)
    else:
        quoted = name if header == "X-Repo-Commit" else f'"{name}"'
        answer = {"X-Repo-Commit": hub.dataset(REPO).tags["v1.1.0"], "ETag": '"abc"', header: quoted}
        hub.fail("HEAD", "/resolve/", "status", status=200, times=99, headers=answer)
    home = tmp_path / "a" / "b" / "home"
    with machine(hub, home):
        assert "which would lie outside of the cache" in refused(REPO, tmp_path / "out")
    kept = {path for path in (home / "hub").rglob("*") if path.is_file()}
    outside = {path for path in (tmp_path / "a").rglob("*") if path.is_file()} - kept
    assert not outside
    assert not [path for path in kept if "snapshots" in path.parts or "blobs" in path.parts]


def test_a_checksum_that_would_lie_elsewhere_is_refused(
    hub: LoopbackHub, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_repos.Blob.sha256", "../../../../../escaped")
    with machine(hub, tmp_path / "other"):
        assert "names a checksum '../../../../../escaped', which can't be one" in refused(REPO, tmp_path / "out")


def test_only_files_of_the_dataset_are_downloaded(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    others = ["annotators.json", "notes/more.md", ".hidden.yaml", f"{'long' * 90}.md", "we[ir]d*.json"]
    for name in others:
        hub.dataset(REPO).edit(name, "somebody's")
    hub.log.clear()
    with machine(hub, tmp_path / "other"):
        fetch(f"{REPO}@main", tmp_path / "out")
    assert not [line for line in hub.log if "/resolve/" in line and line.endswith(("n.json", "e.md", "n.yaml", "g.md"))]
    assert not [
        path for path in (tmp_path / "other").rglob("*") if path.is_file() and path.read_bytes() == b"somebody's"
    ]


def rewritten(hub: LoopbackHub, change: Callable[[list[dict[str, Any]]], Any]) -> bytes:
    """The file of a split with other rows in it."""
    table = pq.read_table(io.BytesIO(hub.dataset(REPO).files()[RETAIN].data))
    rows = table.to_pylist()
    change(rows)
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), stream)
    return stream.getvalue()


def test_a_picture_by_its_path_reads_no_file_of_this_machine(
    hub: LoopbackHub, published: Path, tmp_path: Path, make_png: Callable[..., bytes]
) -> None:
    private = tmp_path / "private.png"
    private.write_bytes(make_png(1))

    def point_at(rows: list[dict[str, Any]]) -> None:
        rows[0]["image"] = {"bytes": None, "path": str(private)}

    hub.dataset(REPO).edit(RETAIN, rewritten(hub, point_at))
    with machine(hub, tmp_path / "other"):
        said = refused(f"{REPO}@main", tmp_path / "out")
        assert f"1 pictures aren't in it but named by a path only ('{private}')" in said
        with pytest.raises(DatasetError, match="named by a path only"):
            offside_data.load(f"{REPO}@main", "multimodal", "retain")
    (published / RETAIN).write_bytes(hub.dataset(REPO).files()[RETAIN].data)
    with pytest.raises(DatasetError, match="named by a path only"):  # From somebody's folder, the same.
        offside_data.load(published, "multimodal", "retain")


def test_files_that_are_none_of_a_dataset_are_refused(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    repo, many = hub.dataset(REPO), io.BytesIO()
    schema = pq.read_schema(io.BytesIO(repo.files()[RETAIN].data))
    pq.write_table(pa.table({field.name: pa.nulls(10**6, field.type) for field in schema}), many)
    other = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), other)
    for content, said in (
        (b"no Parquet", "not readable as Parquet"),
        (other.getvalue(), "its columns aren't the schema's"),
        (many.getvalue(), "says that 1,000,000 rows are in its"),
    ):
        repo.edit(RETAIN, content)
        with machine(hub, tmp_path / "other"):
            assert said in refused(f"{REPO}@main", tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("file: taxonomy.yaml", "file: ../../../taxonomy.yaml", "must be a name without blanks and slashes"),
        ("file: taxonomy.yaml", "file: /etc/passwd", "must be a name without blanks and slashes"),
        ("file: taxonomy.yaml", "file: other.yaml", "other.yaml: can't be read"),
        ("    text/retain:", "    ../../text/retain:", "must be CONFIG/SPLIT"),
        ("license: cc0-1.0", "license: " + "[" * 5000, "nested too deep"),
        (
            "license: cc0-1.0",
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
            + "license: *i",
            "its aliases (`*name`) repeat too much of it",
        ),
    ],
)
def test_a_card_that_was_made_to_do_harm_is_refused(
    hub: LoopbackHub, published: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    repo = hub.dataset(REPO)
    assert old in repo.text("README.md")
    repo.edit("README.md", repo.text("README.md").replace(old, new, 1))
    with machine(hub, tmp_path / "other"):
        assert said in refused(f"{REPO}@main", tmp_path / "out")


def test_a_tag_on_another_version_is_refused(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    repo = hub.dataset(REPO)
    repo.tags["v1.9.0"] = repo.tags["v1.0.0"]
    with machine(hub, tmp_path / "other"):
        assert fetch(f"{REPO}@1.0.0", tmp_path / "first").version == "1.0.0"
        assert "tag v1.9.0 is on a commit whose card says that it is 1.0.0" in refused(REPO, tmp_path / "out")
