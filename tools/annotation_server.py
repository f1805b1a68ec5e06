"""A real Label Studio server on loopback, for tests and benches: installed into an environment of its own, kept.

    python tools/annotation_server.py          # runs one until Ctrl-C; prints its address and token

It is installed from PyPI once, with an empty database beside it, into the user's cache (`OFFSIDE_LABEL_STUDIO` names
another folder). Each run has a copy of that database, and goes with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

VERSION = "1.23.2"
EMAIL, PASSWORD = "curator@example.com", "correct-horse-battery"
TOKEN = "0123456789abcdef" * 2 + "01234567"
"""Of the user that each server begins with; servers are on loopback, and gone soon."""
_DONE = "installed"
_FIRST_START, _LATER_START = 900, 600
"""Seconds after which a server that doesn't come up is given up; the first start fills the database."""
_STOP = 30


class NotInstallable(RuntimeError):  # noqa: N818 - no fault of a program's: the machine has no way to the package.
    """Label Studio can't be installed here; the message says why."""


@dataclass(frozen=True)
class RunningServer:
    """A server that runs.

    Args:
        url: Its address.
        documents: The folder that it serves local pictures from.
        process: Its number.
    """

    url: str
    documents: Path
    process: int
    token: str = TOKEN
    email: str = EMAIL
    password: str = PASSWORD

    def cpu_seconds(self) -> float:
        """Processor time that it took so far."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cache() -> Path:
    """Where the server is installed."""
    named = os.environ.get("OFFSIDE_LABEL_STUDIO")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else home / "offside" / f"label-studio-{VERSION}"


def installed() -> Path:
    """The folder of an installed server; installs it if it isn't there.

    Raises:
        NotInstallable: If it can't be.
    """
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if (folder / _DONE).is_file():
            return folder
        for left in ("venv", "data"):  # Of an installation that was killed.
            shutil.rmtree(folder / left, ignore_errors=True)
        print(f"installing Label Studio {VERSION} into {folder}, some minutes", file=sys.stderr, flush=True)
        _run([sys.executable, "-m", "venv", str(folder / "venv")])
        _run([str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", f"label-studio=={VERSION}"])
        with _started(folder, folder / "data", folder, _FIRST_START):
            pass  # Its database is filled now.
        (folder / _DONE).write_text(f"{VERSION}\n")
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise NotInstallable(f"Label Studio {VERSION} can't be installed: {' '.join(last)}")


@contextlib.contextmanager
def running() -> Iterator[RunningServer]:
    """Start a server with an empty database of its own; it ends with the block.

    Raises:
        NotInstallable: If it can't be installed, or doesn't come up.
    """
    folder = installed()
    with tempfile.TemporaryDirectory(prefix="offside-label-studio-") as place:
        work = Path(place)
        shutil.copytree(folder / "data", work / "data")
        (work / "documents").mkdir()
        with _started(folder, work / "data", work, _LATER_START) as server:
            yield server


@contextlib.contextmanager
def _started(folder: Path, data: Path, work: Path, seconds: float) -> Iterator[RunningServer]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    documents = work / "documents"
    settings = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(documents),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    # Neither our packages nor the address of another server.
    kept = {n: v for n, v in os.environ.items() if n != "PYTHONPATH" and not n.startswith("LABEL_STUDIO_")}
    command = [
        str(folder / "venv/bin/label-studio"), "start", "--no-browser", "--internal-host", "127.0.0.1",
        "--port", str(port), "--data-dir", str(data),
        "--username", EMAIL, "--password", PASSWORD, "--user-token", TOKEN,
    ]  # fmt: skip
    with (work / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=kept | settings, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _wait(process, port, seconds, work / "server.log")
            yield RunningServer(f"http://127.0.0.1:{port}", documents, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, seconds: float, log: Path) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer,
        ):
            if b"UP" in answer.read():
                return
        time.sleep(0.5)
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
    raise NotInstallable(f"Label Studio {VERSION} doesn't come up: {' '.join(last)}")


if __name__ == "__main__":
    with running() as server, contextlib.suppress(KeyboardInterrupt):
        print(f"LABEL_STUDIO_URL={server.url} LABEL_STUDIO_API_KEY={server.token}", flush=True)
        print(f"log in as {server.email} with {server.password}; Ctrl-C ends it", file=sys.stderr, flush=True)
        while True:
            time.sleep(3600)
