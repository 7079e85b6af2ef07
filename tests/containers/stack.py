"""A cluster in containers under test: brought up by its compose file, hurt and watched through the engine alone."""

from __future__ import annotations

import contextlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
from docker.models.containers import Container  # type: ignore[import-untyped]
from testcontainers.compose import DockerCompose

from dynabus.adapters.ports import choose_ports
from tests.integration.cluster import client, wait_until

ROOT = Path(__file__).resolve().parents[2]
ENGINE_S = 10
"""An engine says at once that it is there."""

HEALTHY_S = 180
"""A service is healthy seconds after its start; on a machine that does other things at the same time later."""

WORDS = 15
"""First and last lines of each log that a failed test shows: what a service waited for, and what it last did."""

ASK_STATUS = (
    "exec 3<>/dev/tcp/127.0.0.1/8001; printf 'GET /status HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; cat <&3"
)
"""In bash, which the image has: containers' addresses cannot be reached from every host."""


class Stack:
    """One compose project of its own name, on ports of its own."""

    def __init__(self, folder: Path, *env_files: str) -> None:
        self.project = f"dynabus-test-{uuid.uuid4().hex[:8]}"
        self.port, self.far_port, self.far_kafka_port, *self.kafka_ports = choose_ports(6)
        own = folder / "stack.env"
        own.write_text(self._variables())
        # The image is built from the checkout as it is: cached, unless the code has changed.
        self.compose = DockerCompose(ROOT, build=True, env_file=[*env_files, str(own)])
        self.engine = docker.from_env()

    def _variables(self) -> str:
        first, second, third = self.kafka_ports
        return (
            f"COMPOSE_PROJECT_NAME={self.project}\nDYNABUS_PORT={self.port}\n"
            f"KAFKA_PORT={first}\nKAFKA_PORT_2={second}\nKAFKA_PORT_3={third}\n"
            f"DYNABUS_PORT_FAR={self.far_port}\nKAFKA_PORT_FAR={self.far_kafka_port}\n"
        )

    @property
    def bootstrap(self) -> str:
        """Kafka, as programs on this host reach it; those ports that no broker listens on are passed over."""
        return ",".join(f"127.0.0.1:{port}" for port in self.kafka_ports)

    def container(self, service: str) -> Container:
        """The one container of a service, running or not."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        (found,) = self.engine.containers.list(all=True, filters={"label": labels})
        return found

    def state(self, service: str) -> dict[str, Any]:
        """The engine's word on a container: Status, ExitCode, StartedAt, RestartCount, Health."""
        attributes = self.container(service).attrs
        found: dict[str, Any] = {**attributes["State"], "RestartCount": attributes["RestartCount"]}
        return found

    def wait_healthy(self, service: str) -> None:
        """Until its own health check says so."""
        wait_until(
            f"{service} healthy",
            lambda: self.state(service).get("Health", {}).get("Status") == "healthy",
            HEALTHY_S,
        )

    @property
    def network(self) -> Any:
        return self.engine.networks.get(f"{self.project}_default")

    def status(self, service: str = "request-router-a") -> dict[str, Any]:
        """`/status` of a running service, which may have no time for it at once."""
        container = self.container(service)

        def told() -> dict[str, Any] | None:
            answer = container.exec_run(["bash", "-c", ASK_STATUS])
            assert answer.exit_code == 0, answer.output
            head, _, body = answer.output.partition(b"\r\n\r\n")
            return json.loads(body) if b" 200 " in head.partition(b"\r\n")[0] else None

        found: dict[str, Any] = wait_until(f"status of {service}", told)
        return found

    def dynabus(self, *arguments: str, service: str = "storage-node-a") -> tuple[int, str]:
        """Exit code and output of the command, run where Kafka can be reached: in a service's container."""
        answer = self.container(service).exec_run(["dynabus", *arguments])
        return answer.exit_code, answer.output.decode()

    def up(self, profile: str, service: str) -> None:
        """Start a service of another profile, which from now on is taken down with the others."""
        self.compose = replace(self.compose, profiles=[*(self.compose.profiles or []), profile])
        command = [*self.compose.docker_compose_command(), "up", "--detach", "--no-deps", service]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)

    def partition(self, table: str) -> dict[str, Any]:
        """The table's only partition, as a router sees it; empty while it does not."""
        for each in self.status()["tables"]:
            if each["name"] == table and each["partitions"]:
                found: dict[str, Any] = each["partitions"][0]
                return found
        return {}

    def leader(self, table: str) -> tuple[str, int]:
        """(service, term) of the leader, once there is one."""

        def led() -> dict[str, Any] | None:
            partition = self.partition(table)
            return partition if partition.get("leader") else None

        found = wait_until("a leader", led)
        return service_of(found["leader"]), found["term"]

    def wait_for_other_leader(self, table: str, service: str, term: int) -> None:
        """Until another node than this one leads, in a later term: the fault has taken effect."""
        wait_until("another leader", lambda: _is_other(self.leader(table), service, term))

    def wait_active(self, table: str, service: str) -> None:
        """Until the node's replica of the table is caught up again."""

        def state() -> bool:
            replicas = self.partition(table).get("replicas", [])
            return any(service_of(each["node"]) == service and each["state"] == "active" for each in replicas)

        wait_until(f"{service} caught up", state, HEALTHY_S)

    def create_table(self, table: str) -> None:
        db = client(self.port)
        db.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def last_words(self) -> str:
        """States and the ends of all logs, for a test that fails."""
        label = f"com.docker.compose.project={self.project}"
        containers = self.engine.containers.list(all=True, filters={"label": label})
        # Kafka has much to say and is seldom the one to blame: ours come last, where output is not cut off.
        return "\n".join(map(_last_words, sorted(containers, key=lambda each: "-kafka-" not in each.name)))


def _last_words(container: Container) -> str:
    state, logs = container.attrs["State"], container.logs().decode(errors="replace").splitlines()
    words = logs if len(logs) <= 2 * WORDS else [*logs[:WORDS], "[...]", *logs[-WORDS:]]
    return "\n".join([f"--- {container.name}: {state['Status']}, exit code {state['ExitCode']}", *words])


def service_of(node: str) -> str:
    """The compose service of a storage node's name."""
    return f"storage-{node}"


def _is_other(found: tuple[str, int], service: str, term: int) -> bool:
    return found[0] != service and found[1] > term


@contextmanager
def running(folder: Path, *env_files: str) -> Iterator[Stack]:
    """A stack for the tests of one module; taken down with its volumes whatever happens."""
    stack = Stack(folder, *env_files)
    try:
        try:
            stack.compose.start()
            # A later start must bring up these very containers.
            stack.compose.build = False
        except Exception as error:
            error.add_note(getattr(error, "stderr", b"").decode(errors="replace")[-2000:])
            error.add_note(stack.last_words())
            raise
        yield stack
    finally:
        with contextlib.closing(stack.engine):
            stack.compose.stop()


def engine_answers() -> str | None:
    """None where containers can be run with compose, else why not."""
    for command in (["docker", "version", "--format", "{{.Server.Version}}"], ["docker", "compose", "version"]):
        try:
            asked = subprocess.run(command, capture_output=True, text=True, timeout=ENGINE_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"no container engine answers: {error}"
        if asked.returncode:
            return f"no container engine answers: {(asked.stderr or asked.stdout).strip().splitlines()[-1]}"
    return None
