"""The peers: other servers of DynamoDB's API, installed into a cache folder by npm and pip and started from there.

A peer that cannot be installed or started is Unavailable; the run goes on without it and says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.wire import HOST, RefusedError, call
from dynabus.adapters.ports import choose_ports

INSTALL_S = 600
START_S = 60
"""moto imports for ten seconds on a slow machine."""


class UnavailableError(Exception):
    """Why a system takes no part, in one line."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One server. In `command` and `environment`, {cache}, {port} and {folder} (an empty one) are filled in."""

    package: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)


_DYNALITE = ("node", "{cache}/node/node_modules/.bin/dynalite", "--port", "{port}", "--createTableMs", "0")
PEERS = {
    "dynalite": Peer("dynalite", _DYNALITE),
    "dynalite disk": Peer("dynalite", (*_DYNALITE, "--path", "{folder}")),
    "moto": Peer("moto", ("{cache}/moto/bin/moto_server", "-H", HOST, "-p", "{port}")),
    "ministack": Peer(
        "ministack", ("{cache}/ministack/bin/ministack",), {"BIND_HOST": HOST, "GATEWAY_PORT": "{port}"}
    ),
}
_PIP_NAMES = {"moto": "moto[server]"}


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dynabus-bench"


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise UnavailableError(f"{' '.join(command[:3])}: {said[-1] if said else error}") from error


def _install_by_npm(package: str) -> str:
    if not shutil.which("npm"):
        raise UnavailableError("npm is not installed")
    folder = cache_folder() / "node"
    manifest = folder / "node_modules" / package / "package.json"
    if not manifest.exists():
        _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), package)
    return str(json.loads(manifest.read_text())["version"])


def _install_by_pip(package: str) -> str:
    """Into a virtual environment of its own: two peers need not agree on their dependencies."""
    folder = cache_folder() / package
    python, done = str(folder / "bin" / "python"), folder / ".installed"
    if not done.exists():
        print(f"installing {package} into {folder} (once)", flush=True)
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", _PIP_NAMES.get(package, package))
        done.touch()
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def install(name: str) -> str:
    """Installs what is missing; the version. Raises UnavailableError."""
    peer = PEERS[name]
    return _install_by_npm(peer.package) if peer.command[0] == "node" else _install_by_pip(peer.package)


@contextmanager
def serving(name: str) -> Iterator[int]:
    """Its port, while it runs. Raises UnavailableError where it does not start."""
    peer, port = PEERS[name], choose_ports(1)[0]
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder:
        names = {"cache": str(cache_folder()), "port": str(port), "folder": f"{folder}/data"}
        command = [word.format(**names) for word in peer.command]
        environment = {key: value.format(**names) for key, value in peer.environment.items()}
        log = Path(folder) / "log"
        with log.open("w") as output, _started(command, environment, output.fileno()) as process:
            _wait_until_it_answers(process, port, log)
            yield port


@contextmanager
def _started(command: list[str], environment: dict[str, str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
    except OSError as error:
        raise UnavailableError(str(error)) from error
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            call(port, "ListTables", {}, timeout_s=5)
        except (OSError, RefusedError):
            time.sleep(0.1)
        else:
            return
    said = log.read_text(errors="replace").strip().splitlines()
    raise UnavailableError(f"does not start: {said[-1] if said else 'it says nothing'}")
