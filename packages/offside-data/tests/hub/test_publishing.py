from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
import yaml
from hub_machine import CONTACT, go_on, machine
from loopback_hub import TOKEN, LoopbackHub

from offside_data.annotation.people import Annotator, KeyFile
from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.errors import HubError, ReleaseError, UsageError
from offside_data.export import export_dataset, formats
from offside_data.hub.fetching import fetch
from offside_data.hub.publishing import PublishReport, publish
from offside_data.hub.requirements import is_licence
from offside_data.release.releasing import make_release

REPO = "org/small"


def put(folder: Path, **options: object) -> PublishReport:
    return publish(folder, REPO, **{"contact": CONTACT, **options})  # type: ignore[arg-type]


def test_one_commit_and_a_tag(hub: LoopbackHub, ready: Path) -> None:
    report = put(ready)
    repo = hub.dataset(REPO)
    assert report.outcome == "published"
    assert repo.private
    assert [commit.title for commit in repo.history()] == ["Version 1.0.0", "initial commit"]
    assert repo.tags == {"v1.0.0": repo.branches["main"]} == {"v1.0.0": report.commit}
    released = ready / ".offside" / "releases" / "1.0.0"
    ours = {path.relative_to(released).as_posix() for path in released.rglob("*") if path.is_file()}
    assert set(repo.files()) == (ours - {"release.json"}) | {".gitattributes", "eval.yaml"}
    for name in ours - {"release.json", "README.md"}:
        assert repo.files()[name].data == (released / name).read_bytes(), name
    card = repo.text("README.md")
    assert f"write to {CONTACT}" in card
    assert 'load_dataset("org/small", "multimodal", split="retain", revision="v1.0.0")' in card
    told = yaml.safe_load(repo.text("eval.yaml"))
    assert {"id": "multimodal-test", "config": "multimodal", "split": "test"}.items() <= told["tasks"][2].items()


def test_again_is_nothing_to_do(hub: LoopbackHub, ready: Path) -> None:
    first = put(ready)
    hub.log.clear()
    again = put(ready, contact=None)
    assert (again.outcome, again.commit) == ("unchanged", first.commit)
    assert not [line for line in hub.log if not line.startswith(("GET", "HEAD"))]


def test_the_next_version_goes_on_top(hub: LoopbackHub, ahead: Path) -> None:
    report = put(ahead)
    repo = hub.dataset(REPO)
    assert set(repo.tags) == {"v1.0.0", "v1.0.1"}
    assert len(repo.history()) == 3
    assert {change.path for change in report.changes} >= {"README.md", "CHANGELOG.md", "croissant.json"}
    assert "tables/subjects.parquet" not in {change.path for change in report.changes}
    with machine(hub, ahead.parent / "other"):
        assert open_dataset(f"{REPO}@1.0.1").digest == open_dataset(ahead).digest


def test_a_commit_without_its_tag_is_tagged_only(hub: LoopbackHub, ready: Path) -> None:
    first = put(ready)
    hub.dataset(REPO).tags.clear()
    assert put(ready, dry_run=True).outcome == "would-tag"
    again = put(ready)
    assert (again.outcome, again.commit, again.changes, again.notes) == ("tagged", first.commit, (), ())
    assert hub.dataset(REPO).tags == {"v1.0.0": first.commit}
    hub.dataset(REPO).tags.clear()
    go_on(ready, "Its kicker, today, is ____.")
    assert not put(ready, contact="others@example.org").notes  # Nobody wrote into the card.
    assert "others@example.org" in hub.dataset(REPO).text("README.md")


def test_other_content_under_a_tag_is_refused(hub: LoopbackHub, ahead: Path, tmp_path: Path) -> None:
    repo = hub.dataset(REPO)
    repo.tags["v1.0.1"] = repo.branches["main"]
    with pytest.raises(ReleaseError, match=r"has a tag v1\.0\.1 already, on other content \(1\.0\.0 with"):
        put(ahead)
    assert len(repo.history()) == 2


def test_files_that_are_no_longer_ours_go_and_others_stay(hub: LoopbackHub, ahead: Path) -> None:
    repo = hub.dataset(REPO)
    repo.edit("data/text/holdout-00000-of-00001.parquet", b"left over")
    repo.edit("pictures/logo.txt", "somebody's")
    put(ahead)
    assert "data/text/holdout-00000-of-00001.parquet" not in repo.files()
    assert repo.text("pictures/logo.txt") == "somebody's"


def test_prose_that_people_edited_stays(hub: LoopbackHub, ahead: Path) -> None:
    repo = hub.dataset(REPO)
    edited = repo.text("README.md").replace("Four invented people.", "Four invented people, by the reading club.")
    repo.edit("README.md", edited.replace("license: cc0-1.0", "license: cc-by-4.0") + "\nAsk Orla for more.\n")
    report = put(ahead)
    card = repo.text("README.md")
    assert "by the reading club." in card
    assert "Ask Orla for more." in card
    assert "license: cc-by-4.0" in card
    assert "version: 1.0.1" in card
    assert card.count("## How to load") == 1
    assert report.notes == ()


def test_what_both_changed_stays_as_on_the_hub_and_is_told(hub: LoopbackHub, ready: Path) -> None:
    put(ready)
    repo = hub.dataset(REPO)
    repo.edit("README.md", repo.text("README.md").replace("Four invented people.", "Theirs."))
    card = Card.load(ready)
    card.body = card.body.replace("Four invented people.", "Ours.")
    card.save(ready)
    go_on(ready, "The player represents ____ now.")
    report = put(ready)
    assert "Theirs." in repo.text("README.md")
    assert "Ours." not in repo.text("README.md")
    assert [note for note in report.notes if "where somebody changed it" in note]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("license: cc0-1.0", "license: [cc0-1.0", r"README\.md of org/small on the Hub: .* isn't valid YAML"),
        ("offside:", "other:", r"README\.md of org/small on the Hub doesn't say any more which dataset it is"),
        ("  version: 1.0.0", "  version: ../../..", r"doesn't say any more which dataset it is"),
        ("invented", "invent\xe9", r"can't be read as UTF-8 text"),
    ],
)
def test_a_card_that_somebody_broke_is_said(hub: LoopbackHub, ahead: Path, old: str, new: str, said: str) -> None:
    repo = hub.dataset(REPO)
    moved = repo.edit("README.md", repo.text("README.md").encode().replace(old.encode(), new.encode("latin-1"), 1))
    with pytest.raises(UsageError, match=f"(?s){said}.*Mend README.md on the Hub's page"):
        put(ahead)
    assert repo.branches["main"] == moved


def test_a_card_of_another_editor_is_merged(hub: LoopbackHub, ahead: Path) -> None:
    repo = hub.dataset(REPO)
    edited = f"\ufeff{repo.text('README.md')}\nAsk Orla.\n".replace("\n", "\r\n")
    repo.edit("README.md", edited)
    put(ahead)
    card = repo.text("README.md")
    assert [card.count(part) for part in ("Ask Orla.", "## How to load", "\r", "\ufeff")] == [1, 1, 0, 0]


def test_a_dry_run_changes_nothing(hub: LoopbackHub, ready: Path) -> None:
    report = put(ready, dry_run=True)
    assert report.outcome == "would-publish"
    assert {change.action for change in report.changes} == {"add"}
    assert not hub.repos
    # The card that goes out, too, not the one in the folder.
    assert [(c.path, c.size) for c in put(ready).changes] == [(c.path, c.size) for c in report.changes]
    go_on(ready, "The player represents ____ now.")
    again = put(ready, dry_run=True)
    assert {change.path for change in again.changes} >= {"README.md", "data/multimodal/retain-00000-of-00001.parquet"}
    assert set(hub.dataset(REPO).tags) == {"v1.0.0"}


def test_public_only_when_said(hub: LoopbackHub, ready: Path) -> None:
    put(ready, public=True)
    assert not hub.dataset(REPO).private
    go_on(ready, "The player represents ____ now.")
    with pytest.raises(UsageError, match=r"is public.*Say --public"):
        put(ready)
    put(ready, public=True)


def test_a_pull_request_and_its_end(hub: LoopbackHub, ahead: Path) -> None:
    with pytest.raises(ReleaseError, match="no pull request with it is open"):
        put(ahead, finish=True)
    proposed = put(ahead, pull=True)
    repo = hub.dataset(REPO)
    assert (proposed.outcome, proposed.pull) == ("proposed", 1)
    assert put(ahead, pull=True).pull == 1
    assert list(repo.pulls) == ["refs/pr/1"]
    with pytest.raises(ReleaseError, match=r"pull request 1 isn't merged yet.*Merge it"):
        put(ahead, finish=True)
    repo.edit("notes.txt", "Meanwhile.")
    merged = repo.merge(1)
    assert put(ahead, finish=True).outcome == "tagged"
    assert repo.tags["v1.0.1"] == merged
    assert put(ahead, finish=True).outcome == "unchanged"


def test_a_pull_request_that_was_closed_is_opened_anew(hub: LoopbackHub, ready: Path) -> None:
    put(ready, pull=True)
    repo = hub.dataset(REPO)
    repo.close(1)
    with pytest.raises(ReleaseError, match="no pull request with it is open"):
        put(ready, finish=True)
    assert put(ready, pull=True).pull == 2


def test_what_was_changed_in_the_merge_is_not_tagged(hub: LoopbackHub, ready: Path) -> None:
    put(ready, pull=True)
    repo = hub.dataset(REPO)
    repo.merge(1)
    repo.edit("taxonomy.yaml", repo.text("taxonomy.yaml").replace("club", "klub"))
    for dry_run in (True, False):
        with pytest.raises(ReleaseError, match=r"taxonomy\.yaml isn't what was released"):
            put(ready, finish=True, dry_run=dry_run)
    assert not repo.tags
    put(ready)
    assert open_dataset(f"{REPO}@1.0.0").verify() == open_dataset(ready).digest
    repo.tags.clear()
    repo.edit("README.md", re.sub(r"records: \d+", "records: 9999", repo.text("README.md"), count=1))
    with pytest.raises(ReleaseError, match=r"but README\.md isn't what was released"):
        put(ready, finish=True)


def test_finish_opens_what_is_to_be_public(hub: LoopbackHub, ready: Path) -> None:
    put(ready, pull=True)
    hub.dataset(REPO).merge(1)
    assert put(ready, finish=True, dry_run=True).outcome == "would-tag"
    assert hub.dataset(REPO).private
    assert put(ready, finish=True, public=True).outcome == "tagged"
    assert not hub.dataset(REPO).private


def test_what_is_not_released_is_refused(hub: LoopbackHub, ready: Path, small: OffsideDataset) -> None:
    with pytest.raises(ReleaseError, match=r"0\.1\.0 isn't released"):
        put(small.path)
    with change_dataset(ready) as change:
        change.remove_records([next(open_dataset(ready).iter_records()).record_id])
    with pytest.raises(ReleaseError, match=r"was changed since 1\.0\.0 was released"):
        put(ready)
    assert not hub.repos


def test_pictures_without_a_licence_are_refused(hub: LoopbackHub, ready: Path) -> None:
    with change_dataset(ready) as change:
        images = change.tables["images"]
        lost, unsaid = images["image_id"][:2]
        stated = pl.when(pl.col("image_id") == unsaid).then(pl.lit(" TBD. ")).otherwise(pl.col("license"))
        keep = pl.when(pl.col("image_id") != lost).then(stated)
        change.set_table("images", images.with_columns(keep.alias("license")))
    make_release(ready, bump="patch", note="A licence less.")
    with pytest.raises(ReleaseError, match=r"2 pictures have no licence:\n") as refused:
        put(ready)
    assert f"  {lost}\n" in str(refused.value)
    assert f"  {unsaid}: 'TBD.'\n" in str(refused.value)


@pytest.mark.parametrize(
    "text", [None, "", " ", "-", "?", "unknown", " Unknown.", "NONE", "n/a", "N.A.", "[TBD]", "No license"]
)
def test_what_names_no_licence(text: str | None) -> None:
    assert not is_licence(text)


@pytest.mark.parametrize("text", ["cc0-1.0", "Unlicense", "other", "© The Gazette, by permission", "許諾済み"])
def test_what_may_name_one(text: str) -> None:
    assert is_licence(text)


def test_somebody_to_ask_must_be_named(hub: LoopbackHub, ready: Path) -> None:
    with pytest.raises(UsageError, match=r"whom people could ask for removal.*--contact"):
        put(ready, contact=None)


def test_real_persons_must_be_said(hub: LoopbackHub, ready: Path) -> None:
    dataset = open_dataset(ready)
    record = next(dataset.iter_records())
    with change_dataset(dataset) as change:
        import dataclasses

        change.update_records([dataclasses.replace(record, sources=())], ["sources"])
    make_release(ready, bump="patch", note="A source less.")
    with pytest.raises(UsageError, match="may be about people who exist"):
        put(ready)
    assert put(ready, real_persons=True).outcome == "published"


def test_a_repository_with_something_else_is_left_alone(hub: LoopbackHub, ready: Path) -> None:
    hub.create("dataset", REPO, private=True).edit("data/train.csv", "a,b\n")
    with pytest.raises(UsageError, match=r"holds something else already \(data/train\.csv"):
        put(ready)


def test_a_page_that_somebody_began_is_kept(hub: LoopbackHub, ready: Path) -> None:
    hub.create("dataset", REPO, private=True).edit("README.md", "---\ntags: [club]\n---\n# Our league\n\nSoon here.\n")
    put(ready)
    card = hub.dataset(REPO).text("README.md")
    assert "Soon here." in card
    assert card.index("Soon here.") < card.index("Four invented people.")
    assert put(ready).outcome == "unchanged"


def test_an_older_version_is_not_put_on_top(hub: LoopbackHub, ready: Path, tmp_path: Path) -> None:
    import shutil

    older = shutil.copytree(ready, tmp_path / "older")
    go_on(ready, "The player represents ____ now.", bump="minor")
    put(ready)
    with pytest.raises(ReleaseError, match=r"is at 1\.1\.0 already, newer than 1\.0\.0"):
        put(older)


@pytest.mark.parametrize("name", ["small", "org/small/more", "org/ba d", "org/"])
def test_names_that_cannot_be_a_repository(hub: LoopbackHub, ready: Path, name: str) -> None:
    with pytest.raises(UsageError, match="can't be a repository"):
        publish(ready, name, contact=CONTACT)


def test_a_token_that_is_not_valid_is_said_and_never_shown(
    hub: LoopbackHub, ready: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expired = "hf_ThisOneHasExpiredLongAgo012345"
    hub.fail("POST", "/api/repos/create", "status", status=500, headers={"X-Error-Message": f"no: {TOKEN}"}, times=99)
    with pytest.raises(HubError) as failed:
        put(ready)
    told = [str(failed.value)]
    hub.faults.clear()
    with machine(hub, tmp_path / "home", token=expired), pytest.raises(HubError, match=r"expired.*hf auth login") as no:
        put(ready)
    told += [str(no.value), *capfd.readouterr()]
    put(ready)
    told += [path.read_text("latin-1") for path in (tmp_path).rglob("*") if path.is_file()]
    told += [blob.data.decode("latin-1") for blob in hub.dataset(REPO).files().values()]
    assert not [text for text in told if TOKEN in text or expired in text]


def test_who_annotated_is_taken_nowhere(hub: LoopbackHub, ready: Path, tmp_path: Path) -> None:
    keys = KeyFile(ready)
    somebody = Annotator(
        server="https://label.example.org", user="7", email="orla@example.org", name="Orla Quillfeather"
    )
    assert keys.pseudonym(somebody) == "a1"
    keys.write_into(ready)
    key = (ready / ".offside" / "annotation" / "annotators.json").read_bytes()
    assert b"Orla Quillfeather" in key
    for copy in ("annotators.json", "people.md", "data/keys.json", "tables/a.txt", ".offside/a.json", ".hidden.yaml"):
        (ready / copy).write_bytes(key)
    go_on(ready, "The player represents ____ now.")
    released = ready / ".offside" / "releases" / "1.0.1"
    assert not holding(released, somebody)
    for copy in ("annotators.json", "people.md", "data/keys.json", ".hidden.yaml"):
        (released / copy).write_bytes(key)
    put(ready)
    blobs = [blob.data for commit in hub.dataset(REPO).commits.values() for blob in commit.files.values()]
    assert not [data for data in [*blobs, *hub.blobs.values()] if somebody.email.encode() in data]
    for format in formats():
        export_dataset(ready, tmp_path / "exports" / format, format=format)
    fetch(REPO, tmp_path / "exports" / "fetched")
    go_on(ready, "The player represents ____ once more.")
    assert not holding(tmp_path / "exports", somebody)
    assert not holding(ready / ".offside" / "releases" / "1.0.2", somebody)


def holding(folder: Path, somebody: Annotator) -> list[Path]:
    """The files below a folder, hidden ones too, that say who somebody is."""
    told = [text.encode() for text in (somebody.email, somebody.name, somebody.name.split()[1])]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if any(text in path.read_bytes() or text in str(path).encode() for text in told)]
