"""Run folders: finished ones are recognised, unfinished ones are gone on with, nothing is half-written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from offside_data.dataset.lock import waiting
from offside_data.errors import FolderInUseError, ModelError, OffsideError, OutputExistsError, UsageError
from offside_data.files import write_json
from offside_data.notebook import html_form, short
from offside_data.outputs import ensure_free, whole_folder
from offside_data.parsing import parse_json
from offside_data.progress import log
from offside_data.reading import read_small
from offside_data.run_manifest import FILE, RunManifest, read
from offside_unlearn import manifest as manifests
from offside_unlearn import ranks

SECONDS = "seconds.json"
_REQUEST = "request.json"


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run.

    Args:
        path: Its folder, which plain `transformers` or `peft` loads.
        manifest: Content of its `offside_run.json`.
        reused: Whether it was there already and nothing was done.
    """

    path: Path
    manifest: RunManifest
    reused: bool = False

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open a run folder.

        Raises:
            FileNotFoundError: If there is no manifest in it.
        """
        manifest = read(path)
        if manifest is None:
            raise FileNotFoundError(f"{path}: no {FILE}, so it is no run.")
        return cls(Path(path), manifest)

    def __repr__(self) -> str:
        """What was done; `manifest` says everything."""
        return short("Run", self._facts())

    def _repr_html_(self) -> str:
        return html_form("Run", self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        said, training = self.manifest, self.manifest.training
        facts = [
            ("folder", str(self.path)),
            ("made", _describe(said)),
            ("from", said.base_model.path if said.base_model else ""),
            ("data", f"{said.dataset.name} {said.dataset.version}"),
            ("forget", f"{len(said.forget.record_ids):,} records" if said.forget else ""),
            ("steps", f"{training.steps:,}" if training else ""),
        ]
        return [(name, value) for name, value in facts if value]


def finished(out: Path, identity: Mapping[str, Any], *, force: bool) -> Run | None:
    """The run that `out` holds, if it is the one asked for; null if there is work to do.

    Raises:
        OutputExistsError: If `out` holds something else.
    """
    manifest = read(out) if out.is_dir() else None
    if manifest is not None and not force:
        if manifest.request == manifests.request_digest(identity):
            log(f"{out}: this run is finished already; nothing to do.")
            _tidy(out)
            return Run(out, manifest, reused=True)
        raise OutputExistsError(
            f"{out} holds another run ({_describe(manifest)}). Choose another output folder, or pass --force."
        )
    ensure_free(out, force=force)
    return None


def _tidy(out: Path) -> None:
    """Delete what a kill after the run was written has left beside it, unless somebody is at it."""
    if os.path.lexists(_lock_of(out)) or os.path.lexists(work_folder(out)):
        with contextlib.suppress(OSError, UsageError, OutputExistsError), exclusive(out):
            _discard(work_folder(out))


def require_folder_of_runs(out: Path) -> None:
    """Refuse a folder that several runs would come into, if it is a run itself.

    Raises:
        OutputExistsError: If it is: whoever loads that run would take the others for parts of it.
    """
    manifest = read(out) if out.is_dir() else None
    if manifest is not None:
        raise OutputExistsError(
            f"{out} is a run itself ({_describe(manifest)}), and runs would come into it. Choose another output folder."
        )


def _describe(manifest: RunManifest) -> str:
    return ", ".join(part for part in (manifest.role, manifest.method, manifest.setting) if part)


def work_folder(out: Path) -> Path:
    """Where an unfinished run keeps its checkpoints: beside `out`, hidden."""
    return out.parent / f".{out.name}.work"


@contextlib.contextmanager
def open_work_folder(out: Path, identity: Mapping[str, Any], *, force: bool) -> Iterator[WorkFolder]:
    """Give the work folder of a run, with what an earlier attempt at the same run left in it.

    It stays if the block is interrupted or killed, or the output folder is taken. It goes when `WorkFolder.finish`
    has been called, or when an `OffsideError` says that the request itself is at fault: not where an earlier attempt
    at it got somewhere, and this one was refused for how it was started.

    Raises:
        UsageError: If another process is at work on the same output folder.
        OutputExistsError: If something else has the place of its lock or its work folder.
    """
    folder = work_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(out):
        request = {"request": manifests.request_digest(identity)}
        state = folder / _REQUEST
        if os.path.lexists(folder) and _begun(folder) != request:
            log(f"{folder}: an unfinished run of something else; starting over.")
            _discard(folder)
        folder.mkdir(exist_ok=True)
        got_somewhere = any(not path.name.startswith((_REQUEST, f".{_REQUEST}")) for path in folder.iterdir())
        if not state.is_file():
            write_json(state, request)
        noted = folder / SECONDS
        before = float(json.loads(noted.read_text("utf-8"))) if noted.is_file() else 0.0
        try:
            yield WorkFolder(out, folder, force, before, time.monotonic())
        except (FolderInUseError, OutputExistsError, ranks.LostProcessError):
            raise  # What was done so far is good once the output folder is free, or all processes are there.
        except OffsideError as error:
            # A device that isn't there or a number of processes that doesn't fit is no part of the request.
            if not (got_somewhere and isinstance(error, UsageError | ModelError)):
                _discard(folder)  # What was asked for can't be done; going on later wouldn't help.
            raise


@contextlib.contextmanager
def shared_work_folder(out: Path, identity: Mapping[str, Any], *, force: bool) -> Iterator[WorkFolder]:
    """As `open_work_folder`, by the first of several processes for all; the others end if it can't.

    Raises:
        SystemExit: In the others, then.
    """
    if not ranks.is_main():
        ranks.await_main()
        yield WorkFolder(out, work_folder(out), force, 0.0, time.monotonic())
        return
    told = False
    try:
        with open_work_folder(out, identity, force=force) as work:
            ranks.agreed(True)
            told = True
            yield work
    except BaseException:
        if not told:
            ranks.agreed(False)
        raise


def _begun(folder: Path) -> Any:
    """What run a work folder is of; null if it was killed before it said so.

    Raises:
        OutputExistsError: If it is no work folder.
    """
    if not _is_ours(folder):
        raise OutputExistsError(
            f"{folder} is where an unfinished run is kept, but holds something else. Move it elsewhere, or choose "
            "another output folder."
        )
    try:
        return parse_json(read_small(folder / _REQUEST))
    except (OSError, ValueError):
        return None


def _is_ours(folder: Path) -> bool:
    """Whether it is a work folder, maybe one that was killed before it said of what."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    names = os.listdir(folder)
    return not names or any(name == _REQUEST or name.startswith(f".{_REQUEST}.") for name in names)


def _lock_of(out: Path) -> Path:
    return out.parent / f".{out.name}.lock"


@contextlib.contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Hold a lock that the system takes back when the process ends, however it ends. Its file stays empty."""
    try:
        import fcntl
    except ImportError:  # Windows has no such module: there, two at once are the user's affair.
        yield
        return
    path = _lock_of(out)
    busy = UsageError(f"{out}: another process is making this run. Wait for it, or choose another output folder.")
    with _opened(path) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        if not _is_at(path, stream):
            raise busy  # Whoever had it took the file away this moment; the next one may hold a new one.
        try:
            yield
        finally:
            if _is_at(path, stream):
                path.unlink()


def _opened(path: Path) -> IO[bytes]:
    """The file of a lock, made if it isn't there; nothing in it is changed.

    Raises:
        OutputExistsError: If something else has its place.
    """
    taken = OutputExistsError(
        f"{path} has the place of a run's lock, but is somebody's. Move it elsewhere, or choose another output folder."
    )
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if os.path.lexists(path):
            raise taken from error
        raise
    stream = os.fdopen(number, "r+b", buffering=0)
    facts = os.fstat(number)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size:
        stream.close()
        raise taken
    return stream


def _is_at(path: Path, stream: IO[bytes]) -> bool:
    """Whether a path still is the file that was opened."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class WorkFolder:
    """The work folder of a run that isn't finished.

    Args:
        out: Where the run will be.
        folder: Where its checkpoints are.
        force: Whether `out` may be replaced.
        before: Seconds that earlier attempts took, up to their last checkpoint.
        started: When this attempt began.
    """

    out: Path
    folder: Path
    force: bool
    before: float
    started: float

    def seconds(self) -> float:
        """Wall time of all attempts so far."""
        return self.before + time.monotonic() - self.started

    def note_seconds(self) -> None:
        """Write the wall time down, in case this attempt is killed."""
        write_json(self.folder / SECONDS, self.seconds())

    def finish(self, fill: Callable[[Path], RunManifest]) -> Run:
        """Write the run folder, whole, and clear up.

        Args:
            fill: Writes the model into a folder and returns the manifest.
        """
        with waiting(), whole_folder(self.out, force=self.force) as folder:
            manifest = fill(folder)
            manifests.write(folder, manifest)
        _discard(self.folder)
        return Run(self.out, manifest)


def _discard(folder: Path) -> None:
    """Delete a work folder; what tells that it is one goes last."""
    if _is_ours(folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _REQUEST:
                path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
