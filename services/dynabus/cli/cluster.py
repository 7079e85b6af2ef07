"""What the command knows of a cluster: `DIR/cluster.json`, and the folder around it.

DIR/LAYOUT          version of this layout; another one is refused
DIR/lock            held by the command that changes the cluster now
DIR/cluster.json    this module's `Cluster`
DIR/<name>/         data of one process; DIR/<name>.log beside it
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from dynabus.adapters.synced_file import part_of, replace_synced
from dynabus.adapters.volume import with_remedy
from dynabus.cli.problem import Problem
from dynabus.cli.processes import birth

LAYOUT_VERSION = 1
LOCK_WAIT_S = 2.0
"""A command in the foreground holds the lock for the moment in which it looks around; others hold it longer."""

ZONES = ("a", "b", "c")

ROUTER, NODE, ADMIN = "request-router", "storage-node", "auto-admin"
PROPAGATOR = "log-propagator"
REPLICATION = ("rep-out", "rep-in", "repl-admin")
"""Services of global tables, in clusters that have a region."""

DEFAULT_REGION = "us-east-1"
"""In ARNs of clusters that were given none."""

KAFKA = "kafka"


@dataclass(slots=True)
class Process:
    """One process of the cluster. `pid` 0: stopped on purpose. `born` is `processes.birth` of that pid."""

    service: str
    name: str
    zone: str
    ops_port: int = 0
    port: int = 0
    pid: int = 0
    born: str | None = None

    @property
    def is_alive(self) -> bool:
        return self.pid > 0 and self.born is not None and birth(self.pid) == self.born

    @property
    def state(self) -> str:
        """`running`, `stopped` (by `down`, or never started) or `dead` (ended by itself or killed)."""
        if self.is_alive:
            return "running"
        return "dead" if self.pid else "stopped"

    def started(self, pid: int) -> None:
        self.pid, self.born = pid, birth(pid)

    def stopped(self) -> None:
        self.pid, self.born = 0, None


@dataclass(slots=True)
class Cluster:
    """A cluster on this machine.

    `kafka_source` is local, mock, docker or external, and empty as long as no Kafka has run for it;
    `kafka_asked` is what `--kafka` said: a mock that was only the way out is not taken again without need.
    """

    namespace: str
    host: str
    port: int
    kafka_source: str = ""
    kafka_asked: str = "auto"
    kafka_bootstrap: str = ""
    kafka_config: str | None = None
    auth: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    throttling: str = "on"
    region: str | None = None
    """As which other clusters know it; None: it has no global tables."""
    kafka: Process = field(default_factory=lambda: Process(KAFKA, KAFKA, ""))
    processes: list[Process] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    """Names of nodes that were removed: never given again."""

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.tls_cert else 'http'}://{self.host}:{self.port}"

    def of(self, service: str) -> list[Process]:
        return [process for process in self.processes if process.service == service]

    @property
    def everything(self) -> list[Process]:
        return [*self.processes, self.kafka]


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder of one cluster."""

    path: Path

    def open(self) -> None:
        """Make it, or check that it is one of ours and of this layout. Raises Problem."""
        layout = self.path / "LAYOUT"
        try:
            if layout.exists():
                self._check_layout(layout.read_text().strip())
                return
            self.path.mkdir(parents=True, exist_ok=True)
            if any(each != part_of(layout) for each in self.path.iterdir()):
                raise Problem(f"{self.path} holds other files: give an empty or a new folder with --data")
            replace_synced(layout, f"{LAYOUT_VERSION}\n".encode())
        except FileExistsError as error:
            raise Problem(f"{self.path} is a file: give a folder with --data") from error
        except OSError as error:
            raise Problem(f"cannot use the folder {self.path}: {with_remedy(error, self.path)}") from error

    def require(self) -> Cluster:
        """The cluster that lives here. Raises Problem where there is none."""
        cluster = self.load()
        if cluster is None:
            raise Problem(f"no cluster in {self.path}: start one with `dynabus up`, or name it with --data DIR")
        return cluster

    def load(self) -> Cluster | None:
        """The cluster that was started here before, if any. Raises Problem where the folder is of another layout."""
        if not self._state.exists():
            return None
        layout = self.path / "LAYOUT"
        self._check_layout(layout.read_text().strip() if layout.exists() else "missing")
        try:
            return _from_json(json.loads(self._state.read_text()))
        except (ValueError, TypeError, KeyError) as error:
            raise Problem(
                f"{self._state} is damaged: end what runs in {self.path} by hand (`pgrep -af dynabus`), then remove "
                "that file and run `dynabus up` with the flags that the cluster had; its data stay"
            ) from error

    def save(self, cluster: Cluster) -> None:
        """Written whole or not at all: other commands read it without the lock."""
        replace_synced(self._state, f"{json.dumps(asdict(cluster), indent=2)}\n".encode())

    @contextmanager
    def locked(self, *, patient: bool = False) -> Iterator[None]:
        """Keep other commands from changing this cluster at the same time; a patient one waits however long another
        takes. Raises Problem."""
        with (self.path / "lock").open("w") as file:
            deadline = time.monotonic() + LOCK_WAIT_S
            while not _try_lock(file):
                if not patient and time.monotonic() > deadline:
                    raise Problem(f"another dynabus command is at work on {self.path}: let it finish")
                time.sleep(0.02)
            yield

    def log(self, name: str) -> Path:
        return self.path / f"{name}.log"

    def home(self, name: str) -> Path:
        """The folder of one process's data."""
        return self.path / name

    @property
    def _state(self) -> Path:
        return self.path / "cluster.json"

    def _check_layout(self, found: str) -> None:
        if found != str(LAYOUT_VERSION):
            raise Problem(
                f"{self.path} was written by another version of dynabus (layout {found}, this one reads "
                f"{LAYOUT_VERSION}): use that version, or another folder with --data"
            )


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _from_json(state: dict[str, Any]) -> Cluster:
    kafka = Process(**state.pop("kafka"))
    processes = [Process(**process) for process in state.pop("processes")]
    return Cluster(**state, kafka=kafka, processes=processes)
