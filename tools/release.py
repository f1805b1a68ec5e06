"""The release checklist: `python tools/release.py --dry-run` says what is off; without `--dry-run` it also tags.

It goes through the checks in order and ends at the first group in which something is off, with exit code 1. Only when
all is well are wheels and sdists put into `dist/` and the tag made, here. Nothing is uploaded or pushed, ever.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("offside-data", "offside-unlearn", "offside-eval")
BRANCH = "main"
_HEADING = re.compile(r"^## +(.*?) *$", re.MULTILINE)
_DATED = re.compile(r"(\S+) - (\d{4}-\d{2}-\d{2})")
_RELEASE = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")


@dataclass(frozen=True)
class Release:
    """What is to be released.

    Args:
        root: The repository.
        scratch: An empty folder to build in.
    """

    root: Path
    scratch: Path

    @property
    def version(self) -> str:
        """As the workspace's own pyproject.toml has it."""
        return str(_project(self.root / "pyproject.toml")["version"])

    @property
    def tag(self) -> str:
        """Name of the release in git."""
        return f"v{self.version}"

    @property
    def built(self) -> Path:
        """Where the files are that would be released."""
        return self.scratch / "first" / "dist"

    def git(self, *words: str) -> str:
        """What git says.

        Raises:
            subprocess.CalledProcessError: If it fails.
        """
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()


def _project(file: Path) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    return project


def versions(release: Release) -> Iterator[str]:
    """One version everywhere, and pins that name it."""
    if not _RELEASE.fullmatch(release.version):
        yield f"pyproject.toml: {release.version!r} is no version of a release, e.g. 1.2.3 or 1.2.3rc1"
    for package in PACKAGES:
        project = _project(release.root / "packages" / package / "pyproject.toml")
        if project["version"] != release.version:
            yield f"packages/{package}/pyproject.toml: {project['version']}, but pyproject.toml has {release.version}"
        wanted = f"offside-data[vlm]=={release.version}"
        needs = project.get("dependencies")
        pins = [need for need in needs if need.startswith("offside-")] if isinstance(needs, list) else []
        if package != "offside-data" and pins != [wanted]:
            yield f"packages/{package}/pyproject.toml: needs {', '.join(pins) or 'no offside-data'}, not {wanted}"
    cited = re.search(r"^version: *(\S+)$", (release.root / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    if cited is None or cited[1].strip("\"'") != release.version:
        yield f"CITATION.cff: version {cited[1] if cited else 'missing'}, not {release.version}"


def changelog(release: Release) -> Iterator[str]:
    """The newest section is this version's, dated; nothing waits under Unreleased."""
    parts = _HEADING.split((release.root / "CHANGELOG.md").read_text(encoding="utf-8"))[1:]
    sections = {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}
    if sections.pop("Unreleased", ""):
        yield f"CHANGELOG.md: entries under Unreleased; move them to `## {release.version} - YYYY-MM-DD`"
    newest = next(iter(sections), "")
    dated = _DATED.fullmatch(newest)
    if dated is None or dated[1] != release.version:
        yield f"CHANGELOG.md: the newest section is {newest!r}, not `{release.version} - YYYY-MM-DD`"
        return
    try:
        day = datetime.date.fromisoformat(dated[2])
    except ValueError:
        yield f"CHANGELOG.md: {dated[2]} is no day"
        return
    if day > datetime.datetime.now(datetime.UTC).date():
        yield f"CHANGELOG.md: {day} is still to come"
    if not sections[newest]:
        yield f"CHANGELOG.md: nothing is said of {release.version}"


def repository(release: Release) -> Iterator[str]:
    """All is committed, on the branch that is released, and the tag is free."""
    changed = release.git("status", "--porcelain").splitlines()
    if changed:
        yield f"git: {len(changed)} files aren't committed, e.g. {changed[0][3:]}"
    branch = release.git("branch", "--show-current")
    if branch != BRANCH:
        yield f"git: on {branch or 'no branch'}, not {BRANCH}"
    if release.git("tag", "--list", release.tag):
        yield f"git: the tag {release.tag} exists; a version is released once"


def licences(release: Release) -> Iterator[str]:
    """Each package has the root's LICENSE beside its pyproject.toml: it is built from there alone."""
    text = (release.root / "LICENSE").read_bytes()
    for package in PACKAGES:
        file = release.root / "packages" / package / "LICENSE"
        if not file.is_file() or file.read_bytes() != text:
            yield f"packages/{package}/LICENSE: missing, or another than LICENSE"


def builds(release: Release) -> Iterator[str]:
    """Wheels and sdists of what is committed, built twice in two places: the same bytes."""
    moment = release.git("log", "-1", "--format=%ct")
    for name in ("first", "second"):
        place = release.scratch / name
        place.mkdir()
        archive = release.scratch / f"{name}.tar"
        release.git("archive", "--output", str(archive), "HEAD")
        with tarfile.open(archive) as packed:
            packed.extractall(place, filter="data")
        for package in PACKAGES:
            command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place / "dist")]
            done = subprocess.run(
                [*command, str(place / "packages" / package)],
                env={**os.environ, "SOURCE_DATE_EPOCH": moment},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                yield f"{package} can't be built: {(done.stderr or done.stdout).strip()[-500:]}"
                return
    first, second = (
        {f.name: f.read_bytes() for f in (release.scratch / n / "dist").iterdir()} for n in ("first", "second")
    )
    for file in sorted(first.keys() | second.keys()):
        if first.get(file) != second.get(file):
            yield f"{file}: built twice, its bytes differ"


def contents(release: Release) -> Iterator[str]:
    """Each wheel and sdist has the licence, and metadata that an index would take."""
    text = (release.root / "LICENSE").read_bytes()
    for package in PACKAGES:
        stem = f"{package.replace('-', '_')}-{release.version}"
        wheel, sdist = release.built / f"{stem}-py3-none-any.whl", release.built / f"{stem}.tar.gz"
        for file in (wheel, sdist):
            if not file.is_file():
                yield f"{file.name}: not built; there are {', '.join(sorted(f.name for f in release.built.iterdir()))}"
                continue
            packed = _packed(file)
            if text not in [data for name, data in packed.items() if name.endswith("/LICENSE")]:
                yield f"{file.name}: no LICENSE"
            facts = [d for name, d in packed.items() if re.fullmatch(r"[^/]+(\.dist-info/METADATA|/PKG-INFO)", name)]
            if len(facts) != 1:
                yield f"{file.name}: {len(facts)} files of metadata"
                continue
            yield from (f"{file.name}: {problem}" for problem in _metadata(facts[0].decode(), package, release.version))


def _packed(file: Path) -> dict[str, bytes]:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(file) as sdist:
        return {m.name: f.read() for m in sdist.getmembers() if m.isfile() and (f := sdist.extractfile(m)) is not None}


def _metadata(text: str, package: str, version: str) -> Iterator[str]:
    from packaging.metadata import Metadata

    try:
        metadata = Metadata.from_email(text, validate=True)
    except ExceptionGroup as error:
        yield from (f"metadata: {problem}" for problem in error.exceptions)
        return
    if (metadata.name, str(metadata.version)) != (package, version):
        yield f"metadata of {metadata.name} {metadata.version}"
    if not metadata.summary or metadata.license_expression is None or not metadata.license_files:
        yield "metadata without a summary, a licence or its file"
    described = message_from_string(text)
    if metadata.description_content_type != "text/markdown" or not str(described.get_payload()).strip():
        yield "metadata without a README as its description"


def documentation(release: Release) -> Iterator[str]:
    """The site builds without a warning."""
    # Not with --quiet: mkdocs then counts no warning, and strictness finds none.
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        str(release.scratch / "site"),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=release.root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"the documentation doesn't build: {(done.stderr or done.stdout).strip()[-500:]}"


Check = Callable[[Release], Iterator[str]]
GROUPS: tuple[tuple[Check, ...], ...] = (
    (versions, changelog, repository, licences),
    (builds,),
    (contents, documentation),
)
"""What is cheap comes first and is told all at once."""


def passes(release: Release) -> bool:
    """Whether nothing is off; says of each check how it went.

    Args:
        release: What is to be released.
    """
    for group in GROUPS:
        found = {check: list(check(release)) for check in group}
        for check, problems in found.items():
            said = (check.__doc__ or "").split("\n", 1)[0]
            print(f"{'NOT OK' if problems else 'ok':6} {check.__name__}: {said}")
            for problem in problems:
                print(f"       - {problem}")
        if any(found.values()):
            return False
    return True


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Check, and unless it is a dry run keep the files and make the tag; the exit code."""
    parser = argparse.ArgumentParser(description="The release checklist. Nothing is uploaded or pushed.")
    parser.add_argument("--dry-run", action="store_true", help="Only check: no tag, no files.")
    dry = parser.parse_args(arguments).dry_run
    with tempfile.TemporaryDirectory(prefix="offside-release-") as scratch:
        release = Release(root, Path(scratch))
        if not passes(release):
            print(f"{release.version} is not released: mend what is off and run this again.")
            return 1
        if dry:
            print(f"{release.version} can be released. A dry run: no tag was made, no file kept.")
            return 0
        dist = root / "dist"
        shutil.rmtree(dist, ignore_errors=True)
        shutil.copytree(release.built, dist)
        release.git("tag", "--annotate", release.tag, "--message", f"Release {release.version}")
    print(f"{release.tag} is tagged, here only; its files are in dist/. Left to a person: push the tag, upload dist/*.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
