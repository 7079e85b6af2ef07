"""What cannot work is said in one line, with an exit code that tells an orchestrator what kind of trouble it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import docker  # type: ignore[import-untyped]
import pytest
from docker.models.containers import Container  # type: ignore[import-untyped]

from tests.containers.conftest import build_image
from tests.integration.cluster import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(600)]

CANNOT_RUN, WRONG_SETTINGS = 1, 2
NOWHERE = "127.0.0.1:1"
"""An address where no broker answers."""

VOLUME = "/var/lib/dynabus"
KAFKA = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://127.0.0.1:9092",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
}
SERVICES_ON = {"request-router": "8001", "storage-node": "8002", "auto-admin": "8003", "log-propagator": "8004"}
"""With their ops ports, for those that share one network."""

SERVICES = tuple(SERVICES_ON)

Run = Callable[..., Container]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    build_image()
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def run(engine: Any) -> Iterator[Run]:
    """Starts a container of the image with variables and options; all are removed afterwards."""
    started: list[Container] = []

    def start(command: str, options: dict[str, Any] | None = None, image: str = "dynabus", **variables: str) -> Any:
        settings = {"DYNABUS_NAME": "one", "DYNABUS_KAFKA": NOWHERE, **variables}
        container = engine.containers.run(
            image, command or None, detach=True, init=True, environment=settings, **(options or {})
        )
        started.append(container)
        return container

    yield start
    for container in reversed(started):
        container.remove(force=True, v=True)


def ended(container: Container) -> tuple[int, list[str]]:
    """Exit code, and what it printed for people: lines that are no JSON of its log."""
    code = int(container.wait(timeout=60)["StatusCode"])
    lines = container.logs().decode().splitlines()
    return code, [line for line in lines if not line.startswith("{")]


@pytest.fixture
def kafka(run: Run) -> Container:
    """An Apache Kafka; services that share its network find it at 127.0.0.1:9092."""
    return run("", image="apache/kafka:4.1.1", **KAFKA)


def beside(container: Container) -> dict[str, Any]:
    return {"network_mode": f"container:{container.id}"}


@pytest.mark.parametrize("service", SERVICES)
def test_too_little_memory(run: Run, service: str) -> None:
    code, lines = ended(run(service, {"mem_limit": "40m"}))
    assert code == CANNOT_RUN
    assert lines == [
        f"dynabus {service}: only 40 MB of memory are allowed, 64 MB are the least: raise the container's memory "
        "limit (Compose: mem_limit, Kubernetes: resources.limits.memory)"
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_wrong_variable(run: Run, service: str) -> None:
    code, lines = ended(run(service, DYNABUS_ZONE="Zone A", DYNABUS_OPS_PORT="eight"))
    assert code == WRONG_SETTINGS
    assert len(lines) == 2
    assert lines[0].startswith(f"dynabus {service}: --zone (DYNABUS_ZONE): ")
    assert lines[1].startswith(f"dynabus {service}: --ops-port (DYNABUS_OPS_PORT): ")


@pytest.mark.parametrize("service", ["storage-node", "auto-admin"])
def test_full_volume(run: Run, service: str) -> None:
    code, lines = ended(run(service, {"tmpfs": {VOLUME: "size=4k,uid=10001"}}))
    assert code == CANNOT_RUN
    (line,) = lines
    assert line.startswith(f"dynabus {service}: cannot ")
    assert VOLUME in line
    assert line.endswith("the volume is full; free space on it or make it larger, then start again")


def test_folder_of_somebody_else(run: Run) -> None:
    code, lines = ended(run("storage-node", {"tmpfs": {VOLUME: "size=4m,uid=0,mode=755"}}))
    assert code == CANNOT_RUN
    (line,) = lines
    assert line.endswith(f"Permission denied: '{VOLUME}/lock': let user 10001 write there")


def _start_beside(run: Run, kafka: Container, service: str, port: str) -> Container:
    settings = {"DYNABUS_NAME": service, "DYNABUS_KAFKA": "127.0.0.1:9092", "DYNABUS_OPS_PORT": port}
    return run(service, beside(kafka), **settings)


def _waits(container: Container) -> bool:
    return b'"not yet"' in container.logs()


def _is_ready(container: Container, port: str) -> bool:
    return bool(container.exec_run(["ready", port]).exit_code == 0)


def test_services_wait_for_a_broker_that_is_slow_to_start(run: Run, kafka: Container) -> None:
    kafka.pause()
    waiting = [_start_beside(run, kafka, service, port) for service, port in SERVICES_ON.items()]
    for container in waiting:
        wait_until(f"{container.name} says what it waits for", partial(_waits, container), 90)
    kafka.unpause()
    for container, port in zip(waiting, SERVICES_ON.values(), strict=True):
        wait_until("ready", partial(_is_ready, container, port), 180)
        container.reload()
        assert container.attrs["RestartCount"] == 0
        assert container.attrs["State"]["Status"] == "running"


def test_two_nodes_with_one_name(run: Run, kafka: Container) -> None:
    settings = {"DYNABUS_NAME": "node-1", "DYNABUS_KAFKA": "127.0.0.1:9092"}
    first = run("storage-node", beside(kafka), **settings, DYNABUS_ZONE="a", DYNABUS_OPS_PORT="8001")
    wait_until("the first is ready", lambda: first.exec_run(["ready", "8001"]).exit_code == 0, 180)
    second = run("storage-node", beside(kafka), **settings, DYNABUS_ZONE="b", DYNABUS_OPS_PORT="8002")
    code, lines = ended(second)
    assert code == CANNOT_RUN
    (line,) = lines
    assert line.startswith("dynabus storage-node: another storage node runs under the name node-1 (zone a, ")
    first.reload()
    assert first.attrs["State"]["Status"] == "running"
