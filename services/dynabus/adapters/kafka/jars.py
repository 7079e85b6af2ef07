"""The jars of Apache Kafka, from Maven Central, in pure Python: pinned by coordinate and by SHA-256.

`deploy/kafka/jars.lock` names every jar with its checksum, so a start resolves nothing: it fetches what is
missing (a few at a time), compares checksums and renames the whole file into place. Two starts at once, or
one that was interrupted, can leave a spare temporary folder behind but never half a jar.

The lock is written by `python -m dynabus.adapters.kafka.jars`, which is where versions are chosen.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import as_completed
from functools import partial
from importlib.resources import files
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from dynabus.adapters.volume import with_remedy
from dynabus.adapters.worker import Worker

KAFKA_VERSION = "4.1.1"
KAFKA_COORDINATE = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
SLF4J_COORDINATE = "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"
"""Kafka logs through slf4j. Resolved in a call of its own: beside Kafka's coordinate its managed versions
would win, and a kafka-clients that does not fit would be taken (NoSuchMethodError at start)."""

DOWNLOADS_AT_ONCE = 6
"""The jars are many and small; six connections fill a home line and do not annoy a repository."""

FETCH_TIMEOUTS_S = (5, 30)
"""Until a repository is connected, and between two parts of its answer: one that is behind a wall is told soon."""

Progress = Callable[[str], None]


class JarError(Exception):
    """A jar is not to be had or is not the one that was pinned; the message says what to do."""


class Jar(NamedTuple):
    """One pinned jar; `sha256` is hexadecimal."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def deploy_folder() -> Path:
    """The folder `deploy/kafka`: inside the installed package, or in the checkout."""
    installed = Path(str(files("dynabus"))) / "deploy" / "kafka"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[4] / "deploy" / "kafka"


def jar_folder() -> Path:
    """Where jars are kept, for all clusters of this user: `$XDG_CACHE_HOME/dynabus/kafka-<version>`."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "dynabus" / f"kafka-{KAFKA_VERSION}"


def pinned_jars() -> list[Jar]:
    """The jars of the lock file, in class path order."""
    lines = (deploy_folder() / "jars.lock").read_text().splitlines()
    return [_parse(line) for line in lines if line and not line.startswith("#")]


def _parse(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def ensure_jars(progress: Progress, folder: Path | None = None) -> list[Path]:
    """Paths of all jars, checked against the lock; fetches what is missing. Raises JarError."""
    folder = folder or jar_folder()
    jars = pinned_jars()
    missing = [jar for jar in jars if not _is_whole(folder / jar.filename, jar)]
    if missing:
        progress(f"fetching Apache Kafka {KAFKA_VERSION}: {len(missing)} jars, once")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _fetch_all(missing, folder, progress)
        except OSError as error:
            raise JarError(f"cannot keep Kafka's jars in {folder}: {with_remedy(error, folder)}") from error
    return [folder / jar.filename for jar in jars]


def _is_whole(path: Path, jar: Jar) -> bool:
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_all(jars: Iterable[Jar], folder: Path, progress: Progress) -> None:
    """The first that cannot be had, or Ctrl-C, ends all: what is under way then is waited for by nobody."""
    workers = [Worker(f"jars-{number}") for number in range(DOWNLOADS_AT_ONCE)]
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-", ignore_cleanup_errors=True) as staging:
        context = _maven_context(Path(staging))
        jobs = {
            worker.submit(partial(_fetch, context, jar, folder, Path(staging))): jar
            for jar, worker in zip(jars, cycle(workers), strict=False)
        }
        try:
            for count, job in enumerate(as_completed(jobs), start=1):
                job.result()
                progress(f"fetched {jobs[job].filename} ({count}/{len(jobs)})")
        finally:
            for job in jobs:
                job.cancel()


def _maven_context(staging: Path) -> Any:
    """jgo's view of the repositories: Maven Central and those of the user's jgo settings."""
    try:
        from jgo import MAVEN_CENTRAL_URL, GlobalSettings, MavenContext
    except ImportError as error:
        raise JarError("the package jgo is missing: pip install 'dynabus[local]'") from error
    from jgo.constants import default_maven_repo

    repositories = {"central": MAVEN_CENTRAL_URL, **(GlobalSettings.load().repositories or {})}
    return MavenContext(
        repo_cache=staging,
        local_repos=[default_maven_repo()],
        remote_repos=repositories,
        timeout=FETCH_TIMEOUTS_S,  # type: ignore[arg-type]  # requests, to which it goes, takes both
    )


def _fetch(context: Any, jar: Jar, folder: Path, staging: Path) -> None:
    """Fetch one jar, check it, move it into place in one step."""
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        source = Path(component.artifact().resolve())
    except (OSError, RuntimeError) as error:
        raise JarError(
            f"cannot fetch {jar.filename} from Maven Central: the first start needs the network "
            f"(or use --kafka HOST:PORT or --kafka mock). Cause: {type(error).__name__}"
        ) from error
    if _sha256(source) != jar.sha256:
        where = "" if source.is_relative_to(staging) else f": delete {source} and run it again"
        raise JarError(f"{jar.filename} is not the jar that was pinned (SHA-256 differs){where}; nothing was started")
    part = staging / f"{jar.filename}.part"
    shutil.copyfile(source, part)
    part.replace(folder / jar.filename)


def write_lock() -> None:
    """Resolve the coordinates above anew and write the lock file."""
    from jgo import resolve

    kafka = {(a.groupId, a.artifactId): a for a in resolve(KAFKA_COORDINATE)}
    slf4j = resolve(SLF4J_COORDINATE)[0]
    artifacts = [*kafka.values(), slf4j]
    lines = [
        "# Jars of Apache Kafka for `dynabus up --kafka local`: coordinate, SHA-256.",
        "# Written by `python -m dynabus.adapters.kafka.jars`; class path order.",
        *(f"{a.groupId}:{a.artifactId}:{a.version} {_sha256(Path(a.resolve()))}" for a in artifacts),
    ]
    (deploy_folder() / "jars.lock").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_lock()
