"""Publish a run on the Hub: its weights, a card that links dataset and base model, its results.

Nothing of the machine it was made on goes out: a base model that lay in a folder becomes a Hub id, or publishing is
refused; the receipt keeps the digests and the last names of other places.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml

from offside_data.dataset.card import card_text, split_front_matter, split_sections
from offside_data.donors import table_of
from offside_data.errors import CardError, HubError, HubNotFoundError, UsageError
from offside_data.hub.client import HubRepo
from offside_data.hub.commits import commit_files
from offside_data.hub.remote import (
    NOTHING,
    FileChange,
    RemoteState,
    card_at,
    changes_to,
    file_at,
    others_in,
    read_card,
    read_state,
)
from offside_data.hub.requirements import is_licence
from offside_data.outputs import written_files
from offside_data.parsing import parse_json, parse_yaml
from offside_data.progress import log
from offside_data.reading import read_small
from offside_data.run_manifest import FILE, ModelReference, RunManifest
from offside_unlearn import manifest as manifests
from offside_unlearn.runs import Run

CARD = "README.md"
ADAPTER_CONFIG = "adapter_config.json"
RESULTS_FOLDER = ".eval_results"
_BASE_KEY = "base_model_name_or_path"
_SECTION = "run"
_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_LICENCE_ID = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_LICENCE_KEYS = ("license", "license_name", "license_link")
_NO_LICENCE = (
    "the model card names no licence: the base model's card on the Hub names none, or there is none. Say under which "
    "one this may be passed on with --license, e.g. --license apache-2.0."
)
_WEIGHTS = {
    "adapter": re.compile(r"adapter_model\.safetensors|adapter_config\.json"),
    "whole": re.compile(
        r"model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json|(generation_)?config\.json"
    ),
}
"""What makes a repository an adapter, or a whole model, to those who load it."""
_OF_ONE_RUN = ("base_model", "model-index")
"""What a card's front matter has of us for some runs only, and is wrong beside the weights of another."""


@dataclass(frozen=True, kw_only=True)
class PublishedRun:
    """What was published.

    Args:
        repo: `org/name`.
        url: Where to look at it.
        outcome: `published`, `unchanged` (all was there) or `would-publish`.
        commit: Which commit holds it; null in a dry run.
        changes: Which files changed, or would.
        notes: What a person should know besides.
    """

    repo: str
    url: str
    outcome: Literal["published", "unchanged", "would-publish"]
    commit: str | None
    changes: Sequence[FileChange] = ()
    notes: Sequence[str] = ()


def publish_run(
    run: str | Path,
    repo: str,
    *,
    data: str,
    base: str | None = None,
    license: str | None = None,
    results: Sequence[str | Path] = (),
    public: bool = False,
    dry_run: bool = False,
) -> PublishedRun:
    """Publish a run folder. Run again, it publishes what differs; killed, it goes on.

    Weights that an earlier run of ours left there in another form (a whole model's where an adapter comes, other
    pieces) go in the same commit. So does, where another run comes, what else went there with the earlier one, its
    results above all; files of other people stay.

    Args:
        run: The run folder: an adapter or a whole model.
        repo: `org/name` on the Hub; made if it isn't there, private.
        data: The dataset's `org/name` on the Hub.
        base: The base model's `org/name`, where the run has it from a folder.
        license: Identifier of the model's licence on the Hub, e.g. `apache-2.0`; if null, what the card there says, or
            the base model's card.
        results: Results folders of `offside-eval run` with this model.
        public: Let everybody see it, once it is there.
        dry_run: Change nothing; say what would be.

    Raises:
        UsageError: If `run` is no finished run, the base model or the dataset is no Hub id, `license` names none,
            `results` are of another model, or `repo` holds something else.
        HubError: If the Hub refuses, or doesn't answer.
    """
    try:
        opened = Run.open(run)
    except FileNotFoundError as error:
        raise UsageError(f"{error} One that was stopped is gone on with by its own command; then publish it.") from None
    _require_weights(opened)
    _require_id(data, "--data", "the dataset")
    if license is not None and not (_LICENCE_ID.fullmatch(license) and is_licence(license)):
        raise UsageError(f"--license {license!r} names none: give the Hub's identifier of one, e.g. apache-2.0.")
    manifest = _without_places(opened.manifest, base)
    files = _files(opened, manifest, data, results)
    target = HubRepo(repo, "model")
    state = read_state(target)
    if state is not None:
        _require_room(repo, state, public=public)
    stated = {"license": license} if license else {}
    card = _Card(manifest, data, repo, results, stated, {} if license else _licence_of_base(manifest))

    def changes(now: RemoteState) -> Sequence[FileChange]:
        theirs = card_at(target, now.head)
        earlier = _earlier_at(target, now)
        text = card.text(
            read_card(theirs, target) if theirs else None,
            of_another=earlier is not None and earlier.request != manifest.request,
        )

        def goes(name: str) -> bool:
            return earlier is not None and earlier.leaves(name, manifest.request)

        stay = [name for name in earlier.files if name in now.files and not goes(name)] if earlier else []
        receipt = _receipt(manifest, {*files, *stay})
        return changes_to(now, {**files, FILE: receipt, CARD: text.encode()}, goes)

    ended = partial(PublishedRun, repo=repo, url=target.url)
    if dry_run:
        made = {**files, FILE: _receipt(manifest, files), CARD: card.text(None).encode()}
        planned = changes(state) if state else changes_to(NOTHING, made, bool)
        return ended(outcome="would-publish", commit=None, changes=planned, notes=card.notes)
    if state is None:
        target.make()
    done = commit_files(target, changes, manifest.title)
    if public and done.state.private:
        target.show_everybody()
    outcome: Literal["published", "unchanged"] = "published" if done.changes else "unchanged"
    return ended(outcome=outcome, commit=done.commit, changes=tuple(done.changes), notes=card.notes)


def _require_weights(run: Run) -> None:
    done = run.manifest.intervention
    if done is not None:
        raise UsageError(
            f"{run.path}: holds no weights, only what is done ({done.kind}) while another model answers, which no "
            "program on the Hub would do; a guardrail names those who are to be forgotten, too. Publish the model "
            "itself, and hand this folder to whoever runs it."
        )


def _require_room(repo: str, state: RemoteState, *, public: bool) -> None:
    if not state.private and not public:
        raise UsageError(f"{repo} is public: what is published there, everybody sees. Say --public.")
    if FILE not in state.files and (others := others_in(state)):
        raise UsageError(
            f"{repo} holds something else already ({', '.join(others[:3])} …), and no run of offside-unlearn. Give "
            "another name."
        )


def _require_id(text: str, option: str, what: str) -> None:
    if not _HUB_ID.fullmatch(text) or Path(text).exists():
        raise UsageError(f"{option} {text!r} must be {what}'s name on the Hub, ORG/NAME, not a folder.")


# ---------------------------------------------------------------------------------------------
# What is on the Hub


@dataclass(frozen=True, kw_only=True)
class _Earlier:
    """What the receipt in a repository says of the run whose weights lie there.

    Args:
        request: Which run it is.
        form: What it makes of the repository.
        files: What was published with it.
    """

    request: str
    form: Literal["adapter", "whole"]
    files: frozenset[str]

    def leaves(self, name: str, request: str) -> bool:
        """Whether a file goes when a run comes that doesn't write it; `request` says which run."""
        return _WEIGHTS[self.form].fullmatch(name) is not None or (request != self.request and name in self.files)


def _earlier_at(repo: HubRepo, state: RemoteState) -> _Earlier | None:
    """What lies in a repository by its receipt; null if there is none that says it."""
    if FILE not in state.files:
        return None
    try:
        told = parse_json(read_small(file_at(repo, FILE, state.head, state.files[FILE])))
        form: Literal["adapter", "whole"] = "adapter" if told["adapter"] is not None else "whole"
        return _Earlier(request=told["request"], form=form, files=frozenset(told.get("published", ())))
    except (ValueError, TypeError, KeyError, AttributeError):  # Somebody's own; nothing there is known to be ours.
        return None


def _receipt(manifest: RunManifest, published: Iterable[str]) -> bytes:
    """The receipt as it goes out, with the files beside it that are ours."""
    content = dataclasses.replace(manifest, published=tuple(sorted(published))).to_json()
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _licence_of_base(manifest: RunManifest) -> dict[str, str]:
    """What the base model's card on the Hub says of its licence; nothing where none can be read there."""
    if manifest.base_model is None or _is_place(manifest.base_model.path):
        return {}
    base = HubRepo(manifest.base_model.path, "model")
    try:
        state = read_state(base)
        card = card_at(base, state.head) if state else None
        front = split_front_matter(read_card(card, base), CARD)[0] if card else None
    except (HubError, CardError) as error:
        log(f"{base.name}: its licence can't be read ({error})")
        return {}
    told = {key: front[key] for key in _LICENCE_KEYS if front and isinstance(front.get(key), str)}
    if not is_licence(told.get("license")):
        return {}
    if "license_link" in told and "://" not in told["license_link"]:  # A file of that repository.
        told["license_link"] = f"{base.url}/blob/main/{told['license_link']}"
    return told


# ---------------------------------------------------------------------------------------------
# What goes out


def _without_places(manifest: RunManifest, base: str | None) -> RunManifest:
    """The receipt with Hub ids and last names for places on this machine.

    Raises:
        UsageError: If the base model of an adapter lies in a folder and no Hub id is given for it.
    """
    named = manifest.base_model
    if named is not None and _is_place(named.path):
        if base is None and manifest.adapter is not None:
            raise UsageError(
                f"the adapter sits on the model {named.path}, a folder of this machine that nobody else has. Give the "
                "same model's name on the Hub with --base ORG/NAME; publish it first if it is one of yours."
            )
        named = ModelReference(path=base or Path(named.path).name, digest=named.digest)
    elif base is not None and named is not None and base != named.path:
        raise UsageError(f"--base {base}: the run says that its base model is {named.path}.")
    if base is not None:
        _require_id(base, "--base", "the base model")
        target = HubRepo(base, "model")
        if read_state(target) is None:
            raise HubNotFoundError(f"--base {base}: there is no such model on the Hub, or this token may not see it.")
    known = {named.digest: named.path} if named else {}
    parents = tuple(
        dataclasses.replace(parent, path=known.get(parent.digest) or _last_name(parent.path))
        for parent in manifest.parents
    )
    merged = manifest.merged_from
    training = manifest.training
    if training is not None and training.reference is not None:
        training = dataclasses.replace(training, reference=_last_name(training.reference))
    return dataclasses.replace(
        manifest,
        base_model=named,
        parents=parents,
        training=training,
        merged_from=dataclasses.replace(merged, path=_last_name(merged.path)) if merged else None,
    )


def _is_place(path: str) -> bool:
    return not _HUB_ID.fullmatch(path) or Path(path).exists()


def _last_name(path: str) -> str:
    return Path(path).name if _is_place(path) else path


def _files(run: Run, manifest: RunManifest, data: str, results: Sequence[str | Path]) -> dict[str, Path | bytes]:
    """All but card and receipt: what the run itself wrote at the top of its folder, never what lies beside it."""
    files: dict[str, Path | bytes] = {
        name: run.path / name for name in written_files(run.path) if "/" not in name and name not in (CARD, FILE)
    }
    lent = table_of(run.path)
    if lent is not None:  # Of a point it lies in the run's folder.
        files[lent.name] = lent
    if ADAPTER_CONFIG in files and manifest.base_model is not None:
        config = parse_json(read_small(run.path / ADAPTER_CONFIG))
        files[ADAPTER_CONFIG] = (json.dumps({**config, _BASE_KEY: manifest.base_model.path}, indent=2) + "\n").encode()
    for folder in results:
        _require_same_model(folder, run)
        name = re.sub(r"[^\w.-]+", "-", Path(folder).name)
        entries = _read_results(folder, "eval_results.yaml")
        for entry in entries:
            entry["dataset"]["id"] = data
        files[f"{RESULTS_FOLDER}/{name}.yaml"] = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True).encode()
    return files


def _require_same_model(folder: str | Path, run: Run) -> None:
    """Refuse the results of another model.

    Raises:
        UsageError: If they are.
    """
    asked = _read_results(folder, "results.json")["model"].get("run") or {}
    if asked.get("request") != run.manifest.request:
        raise UsageError(f"--results {folder} are of another model than {run.path}.")


def _read_results(folder: str | Path, name: str) -> Any:
    """A text of a results folder.

    Raises:
        UsageError: If there is none.
    """
    try:
        return parse_yaml(read_small(Path(folder) / name))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--results {folder}: {name} can't be read ({error}). Give a folder that `offside-eval run` wrote; "
            "evaluate again if an older version did."
        ) from error


class _Card:
    """The model card: ours between markers, and what people wrote around it on the Hub.

    Args:
        manifest: The receipt as it goes out.
        data: The dataset on the Hub.
        repo: Where it goes.
        results: Results folders.
        stated: What was said of its licence, which holds whatever the card there says.
        inherited: The licence of the base model, which holds where nothing else is said.

    Attributes:
        notes: What the card lacks, once its text was asked for.
    """

    def __init__(
        self,
        manifest: RunManifest,
        data: str,
        repo: str,
        results: Sequence[str | Path],
        stated: Mapping[str, str],
        inherited: Mapping[str, str],
    ) -> None:
        self.notes: tuple[str, ...] = ()
        self._stated, self._inherited = stated, inherited
        front, body = split_front_matter(manifests.model_card(manifest).replace('"this folder"', f'"{repo}"'), CARD)
        self._front: dict[str, Any] = {**(front or {}), "datasets": [data]}
        if manifest.base_model is not None and _is_place(manifest.base_model.path):
            del self._front["base_model"]  # A folder's name means nothing there.
        index = [model for folder in results for model in _read_results(folder, "model_index.yaml")["model-index"]]
        if index:
            found = [result for model in index for result in model["results"]]
            self._front["model-index"] = [{"name": repo.partition("/")[2], "results": found}]
        self._section = f"<!-- offside:begin {_SECTION} -->\n{body.strip()}\n<!-- offside:end {_SECTION} -->"

    def text(self, theirs: str | None, *, of_another: bool = False) -> str:
        """The card, with what stands on the Hub around our section.

        Args:
            theirs: The card on the Hub.
            of_another: Whether that is of another run.
        """
        front, body = split_front_matter(theirs or "", f"{CARD} on the Hub")
        prose, sections = split_sections(body, (_SECTION,))
        before, after = prose.get("", ""), prose.get(_SECTION, "") if _SECTION in sections else ""
        parts = [part for part in (before, self._section, after) if part]
        replaced = (*(_LICENCE_KEYS if self._stated else ()), *(_OF_ONE_RUN if of_another else ()))
        there = {key: value for key, value in (front or {}).items() if key not in replaced}
        licence = self._stated or ({} if "license" in there else self._inherited)
        merged = {**there, **self._front, **licence}
        self.notes = () if "license" in merged else (_NO_LICENCE,)
        text = card_text(merged, "\n\n".join(parts) + "\n")
        if theirs is not None and (front, prose) == (merged, {"": before, _SECTION: after}):
            return theirs if sections.get(_SECTION) == self._section else text
        return text
