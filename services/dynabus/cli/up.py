"""`dynabus up`: start what is missing of a cluster, wait until it serves."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dynabus.adapters.interrupts import no_interrupt
from dynabus.adapters.kafka.source import KafkaSource, SourceKind
from dynabus.adapters.ports import LOOPBACK, check_free, choose_ports, is_free
from dynabus.adapters.tail import last_lines
from dynabus.cli.cluster import NODE, ROUTER, Cluster, DataFolder, Process
from dynabus.cli.door import check_door, environment
from dynabus.cli.down import stop_cluster
from dynabus.cli.kafka_config import kafka_properties
from dynabus.cli.kafka_start import Say, await_kafka, note_started, start_kafka
from dynabus.cli.plan import Wish, plan
from dynabus.cli.probe import get
from dynabus.cli.problem import Problem
from dynabus.cli.processes import spawn

READY_TIMEOUT_S = 60.0
"""A few seconds are usual; replicas that catch up far behind, on a slow disk, take longer."""

OF_CLUSTER = frozenset({"DYNABUS_KAFKA_CONFIG", "DYNABUS_REGION"})
"""Variables of services that say what the cluster is, which `up` alone decides."""

POLL_S = 0.05
LOG_LINES = 15

Command = Callable[[str], list[str]]


def service_command(service: str) -> list[str]:
    """The command line of a service. `-P`: the folder that the user is in must not shadow modules."""
    return [sys.executable, "-P", "-m", "dynabus.cli.main", service]


@dataclass(slots=True)
class Start:
    """One run of `up`; `children` are the processes that it started, by name."""

    folder: DataFolder
    cluster: Cluster
    say: Say
    command: Command
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, source: KafkaSource) -> None:
        """Start what does not run and wait until every router is ready. Raises Problem."""
        kafka_properties(self.cluster)  # a file that cannot be used is refused before anything is written down
        fresh = not any(process.is_alive for process in self.cluster.everything)
        try:
            self._check_addresses()
            self._start_kafka(source)
            self._start_services()
            self._wait_until_ready()
        except (Problem, OSError, KeyboardInterrupt):
            # Nobody relies yet on a cluster that never served; one that served before is left as it is.
            if fresh:
                stop_cluster(self.folder, self.cluster, lambda _line: None)
            raise

    def _check_addresses(self) -> None:
        if not all(router.is_alive for router in self.cluster.of(ROUTER)):
            check_door(self.cluster)
        for router in self.cluster.of(ROUTER):
            if not router.is_alive:
                _check_address(self.cluster.host, router.port)

    def _start_kafka(self, source: KafkaSource) -> None:
        if self.cluster.kafka.is_alive:
            await_kafka(self.folder, self.cluster, self.say)
            return
        if self.cluster.kafka_source == SourceKind.MOCK:
            self._forget()
        start_kafka(self.folder, self.cluster, source, self.say)
        self.folder.save(self.cluster)

    def _forget(self) -> None:
        """A mock that ended took the logs with it; what nodes derived from them is worth nothing."""
        stop_cluster(self.folder, self.cluster, lambda _line: None)
        for process in self.cluster.processes:
            shutil.rmtree(self.folder.home(process.name), ignore_errors=True)

    def _start_services(self) -> None:
        for process in self.cluster.processes:
            if not process.is_alive:
                self._start(process)

    def _start(self, process: Process) -> None:
        self.say(f"starting {process.name}")
        home = self.folder.home(process.name)
        home.mkdir(exist_ok=True)
        if not is_free(process.ops_port):
            taken = {port for other in self.cluster.processes for port in (other.ops_port, other.port)}
            process.ops_port = choose_ports(1, taken)[0]
        command = [*self.command(process.service), "--name", process.name]
        environment = self._environment(process)
        with no_interrupt():
            child = spawn(command, environment, self.folder.log(process.name))
            self.children[process.name] = child
            note_started(self.folder, self.cluster, process, child)

    def _environment(self, process: Process) -> dict[str, str]:
        cluster = self.cluster
        own = {
            "DYNABUS_KAFKA": cluster.kafka_bootstrap,
            "DYNABUS_NAMESPACE": cluster.namespace,
            "DYNABUS_NAME": process.name,
            "DYNABUS_ZONE": process.zone,
            "DYNABUS_DATA": str(self.folder.home(process.name).resolve()),
            "DYNABUS_OPS_PORT": str(process.ops_port),
            "PYTHONUNBUFFERED": "1",
            # glibc keeps a heap per thread; librdkafka has many threads that allocate little.
            "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        }
        # What the cluster has not must not come from the caller's environment either.
        inherited = {name: value for name, value in os.environ.items() if name not in OF_CLUSTER}
        if cluster.kafka_config:
            own["DYNABUS_KAFKA_CONFIG"] = cluster.kafka_config
        if cluster.region:
            own["DYNABUS_REGION"] = cluster.region
        if process.service in (ROUTER, NODE, "rep-in"):
            own["DYNABUS_THROTTLING"] = cluster.throttling
        if process.service == ROUTER:
            own |= {"DYNABUS_HOST": cluster.host, "DYNABUS_PORT": str(process.port), **environment(cluster)}
        return {**inherited, **own}

    def _wait_until_ready(self) -> None:
        """Until the routers serve and every process that was started lives (a replica may yet catch up)."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        tls = self.cluster.tls_cert is not None
        waiting = [
            Check(router.name, self.cluster.host, router.port, "/readyz", tls) for router in self.cluster.of(ROUTER)
        ]
        started = [process for process in self.cluster.processes if process.name in self.children]
        waiting += [Check(process.name, LOOPBACK, process.ops_port, "/healthz") for process in started]
        while waiting:
            self._raise_if_one_died()
            waiting = [check for check in waiting if not check.passes(self.say)]
            if waiting and time.monotonic() > deadline:
                raise Problem(
                    f"{waiting[0].name} is not ready after {READY_TIMEOUT_S:.0f} s: {waiting[0].reason}; "
                    f"`dynabus logs --data {self.folder.path}` tells more"
                )
            time.sleep(POLL_S if waiting else 0)

    def _raise_if_one_died(self) -> None:
        for name, child in self.children.items():
            if child.poll() is not None:
                raise Problem(died(self.folder, name, child.returncode))
        if self.cluster.kafka.pid and not self.cluster.kafka.is_alive:
            raise Problem(died(self.folder, self.cluster.kafka.name, None))


def _check_address(host: str, port: int) -> None:
    try:
        check_free(port, host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = (
                f"port {port} is taken by another program: choose another with --port, "
                f"or stop that program (`ss -ltnp 'sport = :{port}'` tells which it is)"
            )
        elif error.errno == errno.EACCES:
            why = f"port {port} is for the system's own services: choose one from 1024 on with --port"
        else:
            why = f"cannot serve on {host}: {error.strerror}: give an address of this machine with --host"
        raise Problem(why) from error


@dataclass(slots=True)
class Check:
    """A page of a process that must answer 200; `reason` is what was said last instead."""

    name: str
    host: str
    port: int
    path: str
    tls: bool = False
    reason: str = "no answer"

    def passes(self, say: Say) -> bool:
        """Ask once; a new reason for waiting is said."""
        answer = get(self.host, self.port, self.path, tls=self.tls)
        if answer is None:
            return False
        status, body = answer
        if status != 200 and self.reason != (reason := reason_of(body)):
            self.reason = reason
            say(f"waiting for {self.name}: {reason}")
        return status == 200


def reason_of(body: bytes) -> str:
    """What a service says of why it is not ready; its answer may be of any form."""
    try:
        answer = json.loads(body)
    except ValueError:
        return body[:80].decode(errors="replace")
    return str(answer.get("reason", answer)) if isinstance(answer, dict) else str(answer)


def died(folder: DataFolder, name: str, exit_code: int | None) -> str:
    """A process ended while it was needed: the end of its log, and what to do."""
    log = folder.log(name)
    lines = "\n".join(f"    {line}" for line in last_lines(log, LOG_LINES))
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return f"{name} ended{code}; the last lines of {log}:\n{lines}\nMend what they say and run `dynabus up` again"


def up(folder: DataFolder, wish: Wish, say: Say, command: Command = service_command) -> Cluster:
    """Start what is missing of the cluster in `folder`; it serves when this returns. Raises Problem."""
    folder.open()
    with folder.locked():
        cluster, source = plan(folder.load(), wish)
        Start(folder, cluster, say, command).run(source)
    return cluster
