"""What a client's program needs: its runtime, its packages, its binary. Fetched and built once, then kept.

Everything is in `$XDG_CACHE_HOME/dynabus/clients`, one folder for each content of the files that pin it, so a
changed pin is a new folder and an unchanged one costs nothing. What is missing for a reason outside of this
repository (no runtime, no registry in reach) raises UnavailableError; what does not compile is our mistake and fails.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
FETCH_TIMEOUT_S = 240
"""Packages over a slow line: the largest part, Java's, is 16 MB."""

BUILD_TIMEOUT_S = 240
"""Go compiles its whole SDK the first time: a minute on two free cores."""

OLDEST_NODE = 20
"""What the SDK's pinned version asks for (`engines` in its package)."""

OLDEST_JAVA = 17
"""As Kafka's own."""


class UnavailableError(Exception):
    """The client cannot be tried on this machine; one line says why."""


def run(
    command: Sequence[str], timeout_s: float, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end, or kill it with all that it started and raise TimeoutExpired."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment and {**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def boto3_python() -> str:
    """The Python that runs the tests, which has boto3."""
    return sys.executable


def python_environment(name: str) -> str:
    """The Python of a virtual environment with the packages of `programs/<name>/requirements.txt`."""
    pins = PROGRAMS / name / "requirements.txt"

    def install(folder: Path) -> None:
        build([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        if uv := shutil.which("uv"):
            command = [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
        else:
            command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
        fetch([*command, "--no-deps", "-r", str(pins)])

    return str(kept(f"{name}-{sys.version_info[0]}.{sys.version_info[1]}", [pins], install) / "bin" / "python")


def javascript(program: str) -> Path:
    """A JavaScript program beside its `node_modules`, which Node looks for nowhere else."""
    _require("node", "npm")
    version = _first_number(build(["node", "--version"]))
    if version < OLDEST_NODE:
        raise UnavailableError(f"Node {version} is too old: the AWS SDK needs {OLDEST_NODE}")
    source = PROGRAMS / "javascript"
    pins = [source / "package.json", source / "package-lock.json", source / ".npmrc"]
    programs = sorted(source.glob("*.mjs"))

    def install(folder: Path) -> None:
        _copy(pins, folder)
        fetch(["npm", "ci", "--loglevel", "error"], folder)

    packages = kept("javascript-packages", pins, install)

    def set_beside(folder: Path) -> None:
        _copy(programs, folder)
        (folder / "node_modules").symlink_to(packages / "node_modules")

    return kept("javascript", [*pins, *programs], set_beside) / program


def _copy(files: Sequence[Path], folder: Path) -> None:
    for each in files:
        shutil.copy(each, folder)


def go_binary() -> Path:
    """The Go program, compiled. Modules and objects are in Go's own caches."""
    _require("go")
    source = PROGRAMS / "go"

    def compile_(folder: Path) -> None:
        fetch(["go", "mod", "download"], source)
        build(["go", "build", "-mod=readonly", "-o", str(folder / "program"), "."], source)

    return kept("go", sorted(source.iterdir()), compile_) / "program"


def java(name: str, program: str) -> Sequence[str]:
    """The command that runs a class of `programs/<name>`, compiled, with the jars that are pinned there."""
    _require("java", "javac", "mvn")
    version = _first_number(build(["javac", "-version"]))
    if version < OLDEST_JAVA:
        raise UnavailableError(f"Java {version} is too old: the program needs {OLDEST_JAVA}")
    source = PROGRAMS / name
    sources = sorted({*source.glob("*.java"), PROGRAMS / "java" / "Json.java"})

    def copy_jars(folder: Path) -> None:
        maven = ["mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", str(source / "pom.xml")]
        fetch([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={folder}"])

    jars = f"{kept(f'{name}-jars', [source / 'pom.xml'], copy_jars)}/*"

    def compile_(folder: Path) -> None:
        options = ["-encoding", "UTF-8", "-Xlint:all,-processing", "-Werror"]
        build(["javac", *options, "-cp", jars, "-d", str(folder), *map(str, sources)])

    classes = kept(name, [source / "pom.xml", *sources], compile_)
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{jars}", program]


def _require(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise UnavailableError(f"{' and '.join(missing)} not installed")


def _first_number(words: str) -> int:
    """The major version in what a program says of itself, such as `v20.20.2` or `javac 17.0.15`."""
    return int("".join(each if each.isdigit() else " " for each in words).split()[0])


def kept(name: str, pins: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled, in this run or in an earlier one with the same pins."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in pins)).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dynabus" / "clients"
    folder = root / f"{name}-{digest}"
    whole = folder / ".whole"
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{name}.lock"):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two test runs at once fetch once."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch(command: Sequence[str], folder: Path | None = None) -> None:
    """A command that fails where a registry is out of reach."""
    try:
        done = run(command, FETCH_TIMEOUT_S, folder)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"packages not fetched within {FETCH_TIMEOUT_S} s: {command[0]}") from None
    if done.returncode:
        said = (done.stderr + done.stdout).strip() or f"exit code {done.returncode}"
        raise UnavailableError(f"packages cannot be fetched: {Path(command[0]).name}: {said.splitlines()[0][:200]}")


def build(command: Sequence[str], folder: Path | None = None) -> str:
    done = run(command, BUILD_TIMEOUT_S, folder)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout
