"""A cluster under test: started, watched and hurt from outside, through the command line and process ids only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
from botocore.config import Config

from dynabus.adapters.ports import choose_neighbours
from dynabus.cli.cluster import DataFolder
from dynabus.cli.status import report

DYNABUS = str(Path(sys.executable).parent / "dynabus")
SECONDS_TO_SERVE = 90
"""`up` may download Kafka's jars in the first test of a new machine; it prints what it does."""
MOST_ROUTERS = 4
"""That a test's cluster has; they serve on neighbouring ports."""


def wait_until(what: str, condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """The condition's first true value; fails with `what` when it does not come in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.05)


def client(port: int, **retries: Any) -> Any:
    """A boto3 client with boto3's own defaults, but for what a test says about retries."""
    own: dict[str, Any] = {"retries": retries} if retries else {}
    config = Config(**own, max_pool_connections=32, read_timeout=30)
    return boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )


class RunningCluster:
    """One cluster in its own data directory on ports of its own."""

    def __init__(self, folder: Path, *arguments: str, program: str = DYNABUS) -> None:
        self.data = folder / "data"
        self.program = program
        self.port = choose_neighbours(MOST_ROUTERS)
        self.arguments = arguments

    def command(self, *arguments: str, timeout_s: float = SECONDS_TO_SERVE) -> str:
        done = subprocess.run(
            [self.program, *arguments, "--data", str(self.data)], capture_output=True, text=True, timeout=timeout_s
        )
        if done.returncode:
            raise AssertionError(f"dynabus {' '.join(arguments)}: {done.stdout}{done.stderr}\n{self.last_words()}")
        return done.stdout

    def up(self) -> float:
        """Start what is not running; seconds until it serves."""
        started = time.monotonic()
        self.command("up", "--detach", "--kafka", "local", "--port", str(self.port), *self.arguments)
        return time.monotonic() - started

    def down(self) -> None:
        self.command("down")

    def status(self) -> dict[str, Any]:
        """What `status --json` prints; tests look often, so looks are made without a process of their own."""
        own = self.program == DYNABUS
        told = json.dumps(report(DataFolder(self.data))) if own else self.command("status", "--json")
        parsed: dict[str, Any] = json.loads(told)
        return parsed

    def last_words(self) -> str:
        """The ends of all logs, for a test that fails."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in sorted(self.data.glob("*.log"))
        )

    def pids(self, service: str) -> dict[str, int]:
        """Process ids by name of the running processes of a service."""
        return {
            process["name"]: process["pid"]
            for process in self.status()["processes"]
            if process["service"] == service and process["state"] == "running"
        }

    def metrics(self, name: str) -> str:
        """What the process of this name tells Prometheus."""
        state = json.loads((self.data / "cluster.json").read_text())
        (port,) = (each["ops_port"] for each in state["processes"] if each["name"] == name)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def partition(self, table: str, number: int = 0) -> dict[str, Any]:
        """As status shows it; empty while it is not there: a new table is announced before it has partitions."""
        tables = [each for each in self.status()["tables"] if each["name"] == table]
        partitions = tables[0]["partitions"] if tables else []
        return next((each for each in partitions if each["id"] == number), {})

    def leader(self, table: str) -> tuple[str, int]:
        """(node, term) of the table's first partition, once there is one."""
        found = wait_until("a leader", lambda: self.partition(table).get("leader") and self.partition(table))
        return found["leader"], found["term"]

    def create_table(self, table: str, sort_key: bool = False) -> None:
        keys = [("pk", "HASH", "S")] + ([("sk", "RANGE", "S")] if sort_key else [])
        db = client(self.port)
        db.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, _, kind in keys],
            KeySchema=[{"AttributeName": name, "KeyType": role} for name, role, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


@contextmanager
def running(folder: Path, *arguments: str, program: str = DYNABUS) -> Iterator[RunningCluster]:
    """A cluster for one test; taken down whatever happens. `program`: the command of another version."""
    cluster = RunningCluster(folder, *arguments, program=program)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


def kill(pid: int) -> None:
    """kill -9, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    wait_until(f"process {pid} gone", lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """SIGSTOP for the duration, and proof that it stopped."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until("stopped", lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
