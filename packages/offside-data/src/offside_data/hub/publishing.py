"""Publish a release to the Hub: one commit on what was there, then the tag `v1.2.0`; killed and run again, it goes on.

Nothing that is published changes: another content under a tag that is there is refused, the same one is nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from offside_data.dataset.access import reads
from offside_data.dataset.card import BLOCK, Card, read_identity, split_front_matter
from offside_data.dataset.card import FILE_NAME as CARD_FILE
from offside_data.dataset.card_block import CardIdentity
from offside_data.dataset.card_text import CONTACT, HOME, write_sections
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.storage import is_dataset_file
from offside_data.dataset.versions import parse_version
from offside_data.errors import CardError, HubError, ReleaseError, UsageError
from offside_data.hub.benchmark import EVAL_FILE, eval_yaml
from offside_data.hub.cache import release_files
from offside_data.hub.card_merge import merge_cards
from offside_data.hub.client import ATTEMPTS, HubRepo, wait_for
from offside_data.hub.commits import CONFLICTS, commit_files, require_state
from offside_data.hub.remote import (
    NOTHING,
    FileChange,
    RemoteState,
    card_at,
    changes_to,
    identity_at,
    others_in,
    read_card,
    read_state,
)
from offside_data.hub.requirements import require_publishable, require_released
from offside_data.release.snapshots import find_snapshot

Outcome = Literal["published", "tagged", "unchanged", "proposed", "would-publish", "would-tag"]
_MEND = f"Mend {CARD_FILE} on the Hub's page, then run this again."


@dataclass(frozen=True, kw_only=True)
class PublishReport:
    """What was published.

    Args:
        repo: `org/name`.
        url: Where to look at it.
        version: The version.
        digest: Its digest.
        outcome: `published`, `tagged` (the commit was there), `unchanged` (all was), `proposed` (as a pull request), or
            `would-publish` or, where the commit is there, `would-tag` (a dry run).
        commit: Which commit holds it; null in a dry run.
        changes: Which files changed, or would.
        pull: The number of the pull request.
        notes: What a person should know besides.
    """

    repo: str
    url: str
    version: str
    digest: str
    outcome: Outcome
    commit: str | None
    changes: Sequence[FileChange] = ()
    pull: int | None = None
    notes: Sequence[str] = ()


def tag_of(version: str) -> str:
    """The tag of a version on the Hub."""
    return f"v{version}"


@reads
def publish(
    folder: str | Path,
    repo: str,
    *,
    public: bool = False,
    pull: bool = False,
    finish: bool = False,
    dry_run: bool = False,
    contact: str | None = None,
    real_persons: bool = False,
) -> PublishReport:
    """Publish the release that a dataset folder is at.

    Args:
        folder: The dataset folder.
        repo: `org/name` on the Hub; made if it isn't there, private.
        public: Let everybody see it, once it is there.
        pull: Open a pull request instead of committing; its merge is then tagged by `finish`.
        finish: Tag what was merged.
        dry_run: Change nothing; say what would be.
        contact: Whom to ask for removal, where the card doesn't say it.
        real_persons: It may be about people who exist.

    Raises:
        ReleaseError: If it isn't released, was changed since, has errors, or lacks licences.
        UsageError: If something must be said that wasn't, or `repo` holds something else.
        HubError: If the Hub refuses, or doesn't answer.
    """
    if pull and finish:
        raise UsageError("--pr opens a pull request, --finish tags what was merged: give one of them.")
    dataset = open_dataset(folder)
    released = require_released(dataset)
    publication = _Publication(HubRepo(repo), released, dataset.path, contact)
    require_publishable(released, contact=publication.contact, real_persons=real_persons)
    state = read_state(publication.repo)
    if state is not None:
        publication.require_fitting(state, public=public)
    if dry_run:
        return publication.plan(state, finish=finish)
    if state is None and not finish:
        publication.repo.make()
    report = publication.finish() if finish else publication.propose() if pull else publication.commit_and_tag()
    if public and not pull and (state is None or state.private):
        publication.repo.show_everybody()
    return report


class _Publication:
    """A release on its way to a repository.

    Args:
        repo: The repository.
        released: The release.
        home: The dataset folder that it was made in.
        contact: Whom to ask for removal, if that was said.
    """

    def __init__(self, repo: HubRepo, released: OffsideDataset, home: Path, contact: str | None) -> None:
        self.repo, self.released, self.home = repo, released, home
        self.tag = tag_of(released.version)
        self.notes: list[str] = []
        self._said = contact

    @cached_property
    def contact(self) -> object:
        """Whom to ask for removal: as said now, as the card says, as the Hub's card says."""
        said = self._said or self.released.card.data.get(CONTACT)
        state = None if said else read_state(self.repo)
        card = card_at(self.repo, state.head) if state else None
        return said or (self._front(card).get(CONTACT) if card else None)

    def _front(self, card: Path) -> Mapping[str, object]:
        """The front matter of the card on the Hub.

        Raises:
            UsageError: If it can't be read: somebody broke it there.
        """
        try:
            text = read_card(card, self.repo)
            return split_front_matter(text, f"{CARD_FILE} of {self.repo.name} on the Hub")[0] or {}
        except CardError as error:
            raise UsageError(f"{error} {_MEND}") from None

    def require_fitting(self, state: RemoteState, *, public: bool) -> None:
        """Refuse a repository that holds something else, or is seen by more people than was said.

        Raises:
            UsageError: If so.
        """
        if not state.private and not public:
            raise UsageError(f"{self.repo.name} is public: what is published there, everybody sees. Say --public.")
        there = identity_at(self.repo, state.head)
        if there is None:
            others = others_in(state)
            ours = [tag for tag, commit in state.tags.items() if self._is_ours(identity_at(self.repo, commit))]
            if ours and CARD_FILE in state.files:
                self._front(self.repo_card(state))
                raise UsageError(
                    f"{CARD_FILE} of {self.repo.name} on the Hub doesn't say any more which dataset it is: the block "
                    f"`{BLOCK}:` of its front matter is gone or malformed. It is whole at the tag {ours[-1]}. {_MEND}"
                )
            if others:
                raise UsageError(
                    f"{self.repo.name} holds something else already ({', '.join(others[:3])} …), and no dataset of "
                    "offside-data. Give another name."
                )
        elif there.name != self.released.name:
            raise UsageError(f"{self.repo.name} holds the dataset {there.name!r}, not {self.released.name!r}.")
        elif self.tag not in state.tags and parse_version(there.version) > parse_version(self.released.version):
            raise ReleaseError(
                f"{self.repo.name} is at {there.version} already, newer than {self.released.version}: versions are "
                "published in their order. Release what you have under a higher number."
            )

    # -----------------------------------------------------------------------------------------

    def repo_card(self, state: RemoteState) -> Path:
        """The card on main, which is there."""
        card = card_at(self.repo, state.head)
        assert card is not None
        return card

    def _is_ours(self, there: CardIdentity | None) -> bool:
        return there is not None and there.name == self.released.name

    def _is_this(self, there: CardIdentity | None) -> bool:
        return there is not None and (there.version, there.digest) == (self.released.version, self.released.digest)

    def _files(self, state: RemoteState) -> dict[str, Path | bytes]:
        """What the repository is to hold, its card merged with the one that is there."""
        theirs = card_at(self.repo, state.head)
        ours = self._going_out(Card.load(self.released.path), self.contact)
        base = self._published_last(state, theirs)
        merged, self.notes = merge_cards(ours, read_card(theirs, self.repo) if theirs else None, base)
        return {**self._local_files(), CARD_FILE: merged.encode(), EVAL_FILE: eval_yaml(self.released)}

    def _local_files(self) -> Mapping[str, Path | bytes]:
        return release_files(self.released.path, self.released.card.block.taxonomy.file)

    def _going_out(self, card: Card, contact: object) -> str:
        """The text of a release's card as it is published: with whom to ask for removal, and where it lies."""
        if contact:
            card.data[CONTACT] = contact
        card.data[HOME] = self.repo.name
        write_sections(card)
        return card.text

    def _published_last(self, state: RemoteState, theirs: Path | None) -> str | None:
        """The card as we published it last, before anybody edited it on the Hub."""
        try:
            version = read_identity(theirs).version if theirs else None
        except CardError:
            return None
        if theirs is None or version is None:
            return None
        if tag_of(version) in state.tags:
            tagged = card_at(self.repo, state.tags[tag_of(version)])
            return read_card(tagged, self.repo) if tagged else None
        kept = find_snapshot(self.home, version)
        if kept is None:
            return None
        card = Card.load(kept.folder)
        return self._going_out(card, card.data.get(CONTACT) or self._front(theirs).get(CONTACT))

    def _changes(self, state: RemoteState) -> Sequence[FileChange]:
        return changes_to(state, self._files(state), is_dataset_file)

    def _report(self, outcome: Outcome, commit: str | None, **more: object) -> PublishReport:
        report = PublishReport(
            repo=self.repo.name,
            url=self.repo.url,
            version=self.released.version,
            digest=self.released.digest,
            outcome=outcome,
            commit=commit,
            notes=tuple(self.notes),
        )
        return replace(report, **more)  # type: ignore[arg-type]

    def plan(self, state: RemoteState | None, *, finish: bool) -> PublishReport:
        """What would change.

        Raises:
            ReleaseError: If `finish` would refuse.
        """
        if finish:
            state = require_state(self.repo)
            if self.tag not in state.tags:
                self._require_merged(state)
        if state is None:
            card = self._going_out(Card.load(self.released.path), self.contact)
            files = {**self._local_files(), CARD_FILE: card.encode(), EVAL_FILE: eval_yaml(self.released)}
            return self._report("would-publish", None, changes=changes_to(NOTHING, files, is_dataset_file))
        if self.tag in state.tags:
            return self._unchanged(state)
        changes = () if finish else self._changes(state)
        return self._report("would-publish" if changes else "would-tag", None, changes=changes)

    def _unchanged(self, state: RemoteState) -> PublishReport:
        """Nothing to do: the tag is there.

        Raises:
            ReleaseError: If it is on other content.
        """
        there = identity_at(self.repo, state.tags[self.tag])
        if not self._is_this(there):
            what = f"{there.version} with {there.digest[:19]}…" if there else "no dataset of offside-data"
            raise ReleaseError(
                f"{self.repo.name} has a tag {self.tag} already, on other content ({what}; this is "
                f"{self.released.digest[:19]}…). A published version never changes: release this under a new number."
            )
        return self._report("unchanged", state.tags[self.tag])

    def commit_and_tag(self) -> PublishReport:
        """Commit what isn't there yet, and tag it."""
        state = require_state(self.repo)
        if self.tag in state.tags:
            return self._unchanged(state)
        version = self.released.version
        done = commit_files(self.repo, self._changes, f"Version {version}")
        self._tag(done.commit)
        return self._report("published" if done.changes else "tagged", done.commit, changes=tuple(done.changes))

    def propose(self) -> PublishReport:
        """Open a pull request, or find the one that is open."""
        state = require_state(self.repo)
        if self.tag in state.tags:
            return self._unchanged(state)
        message = f"Version {self.released.version}"
        done = commit_files(self.repo, self._changes, message, opened=self._proposal)
        if done.pull is None:  # Everything is on main already.
            return self.finish()
        return self._report("proposed", done.commit, changes=tuple(done.changes), pull=done.pull)

    def _proposal(self, state: RemoteState) -> int | None:
        """The number of the open pull request that holds this; the Hub keeps the refs of closed ones, too."""
        for number, commit in sorted(state.pulls.items(), reverse=True):
            if self._is_this(identity_at(self.repo, commit)) and self._is_open(number):
                return number
        return None

    def _is_open(self, number: int) -> bool:
        asked = self.repo.ask("read a pull request", self.repo.api.get_discussion_details, number)
        return asked.status in ("open", "draft")

    def finish(self) -> PublishReport:
        """Tag what was merged.

        Raises:
            ReleaseError: If it isn't.
        """
        state = require_state(self.repo)
        if self.tag in state.tags:
            return self._unchanged(state)
        self._require_merged(state)
        self._tag(state.head)
        return self._report("tagged", state.head)

    def _require_merged(self, state: RemoteState) -> None:
        """Refuse what isn't what was released, or isn't there.

        Raises:
            ReleaseError: If so.
        """
        if not self._is_this(identity_at(self.repo, state.head)):
            number = self._proposal(state)
            what = f"pull request {number} isn't merged yet" if number else "no pull request with it is open"
            raise ReleaseError(
                f"{self.repo.name}: main doesn't hold {self.released.version} ({what}). "
                + (f"Merge it: {self.repo.url}/discussions/{number}." if number else "Open one with --pr.")
            )
        damaged = [change.path for change in self._changes(state) if change.path not in (CARD_FILE, EVAL_FILE)]
        if not self._states_this(state):
            damaged.append(CARD_FILE)
        if damaged:
            raise ReleaseError(
                f"{self.repo.name}: main says that it is {self.released.version}, but {', '.join(damaged)} isn't what "
                "was released. Publish it again without --finish."
            )

    def _states_this(self, state: RemoteState) -> bool:
        """Whether the card on main says of the data what ours says; its prose may be another."""
        try:
            return Card.load(self.repo_card(state)).block == self.released.card.block
        except CardError:
            return False

    def _tag(self, commit: str) -> None:
        """Set the tag, however often it takes.

        Raises:
            ReleaseError: If somebody set it on something else meanwhile.
            HubError: If it can't be set.
        """
        repo, message = self.repo, f"Version {self.released.version}, {self.released.digest}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                repo.once(
                    f"set the tag {self.tag}",
                    repo.api.create_tag,
                    repo.name,
                    tag=self.tag,
                    tag_message=message,
                    revision=commit,
                    repo_type=repo.kind,
                )
                return
            except HubError as error:
                if not (error.passing or error.status in CONFLICTS):
                    raise
                state = require_state(repo)
                if self.tag in state.tags:  # Ours, whose answer was lost, or somebody else's.
                    self._unchanged(state)
                    return
                if attempt == ATTEMPTS:
                    raise
                wait_for(error, attempt)
