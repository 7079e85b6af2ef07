"""Get the Kafka of a cluster to run: the one that `--kafka` asks for, or the one it has had so far."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

from dynabus.adapters.interrupts import no_interrupt
from dynabus.adapters.kafka.local import (
    LocalBroker,
    LocalBrokerError,
    answers_or_stands_still,
    count_brokers,
    last_line,
    start_local_broker,
)
from dynabus.adapters.kafka.source import DOCKER_BOOTSTRAP, KafkaSource, SourceKind
from dynabus.adapters.kafka.topic_rules import warnings_for
from dynabus.adapters.tail import last_lines
from dynabus.cli.cluster import KAFKA, Cluster, DataFolder, Process
from dynabus.cli.kafka_config import kafka_properties
from dynabus.cli.problem import Problem
from dynabus.cli.processes import begin_log, keep, spawn

Say = Callable[[str], None]

EXTERNAL_TIMEOUT_S = 10.0
"""An existing Kafka answers in milliseconds; ten seconds also cover a far one with TLS."""

DOCKER_TIMEOUT_S = 120.0
MOCK_TIMEOUT_S = 10.0


def start_kafka(folder: DataFolder, cluster: Cluster, asked: KafkaSource, say: Say) -> None:
    """Start (or reach) Kafka, and note in `cluster` where it is. Raises Problem."""
    if asked.kind is SourceKind.AUTO:
        _start_auto(folder, cluster, say)
    elif asked.kind is SourceKind.LOCAL:
        _start_local(folder, cluster, say)
    elif asked.kind is SourceKind.MOCK:
        _start_mock(folder, cluster, say)
    elif asked.kind is SourceKind.DOCKER:
        _start_docker(cluster, say)
    else:
        _reach(cluster, asked.bootstrap or cluster.kafka_bootstrap, say)
    _warn(cluster, say)


def _warn(cluster: Cluster, say: Say) -> None:
    """A Kafka with fewer copies than production needs is allowed, and never in silence."""
    if cluster.kafka_source != SourceKind.MOCK:
        brokers = count_brokers(cluster.kafka_bootstrap, kafka_properties(cluster), timeout_s=2.0)
        for warning in warnings_for(brokers):
            say(f"WARNING: {warning}")


def _start_auto(folder: DataFolder, cluster: Cluster, say: Say) -> None:
    try:
        _start_local(folder, cluster, say)
        say("Kafka: local, the real server as a child process (what --kafka auto takes first)")
    except Problem as problem:
        if folder.home(KAFKA).joinpath("data").exists():
            raise
        say(f"Kafka: local cannot start: {problem}")
        _start_mock(folder, cluster, say)


def _start_local(folder: DataFolder, cluster: Cluster, say: Say) -> None:
    def note(broker: LocalBroker) -> None:
        cluster.kafka_source, cluster.kafka_bootstrap = SourceKind.LOCAL, broker.identity.bootstrap
        note_started(folder, cluster, cluster.kafka, broker.process)

    begin_log(folder.log(KAFKA))
    try:
        start_local_broker(folder.home(KAFKA), folder.log(KAFKA), say, note)
    except LocalBrokerError as error:
        raise Problem(str(error)) from error


def _start_mock(folder: DataFolder, cluster: Cluster, say: Say) -> None:
    home, log = folder.home(KAFKA), folder.log(KAFKA)
    home.mkdir(exist_ok=True)
    address = home / "mock.address"
    address.unlink(missing_ok=True)
    cluster.kafka_source = SourceKind.MOCK
    with no_interrupt():
        child = spawn([sys.executable, "-P", "-m", "dynabus.cli.main", "mock-kafka", str(address)], os.environ, log)
        note_started(folder, cluster, cluster.kafka, child)
    deadline = time.monotonic() + MOCK_TIMEOUT_S
    while not address.exists():
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            raise Problem(f"librdkafka's mock cluster did not start: {last_line(chr(10).join(last_lines(log, 3)))}")
        time.sleep(0.02)
    cluster.kafka_bootstrap = address.read_text()
    say("WARNING: Kafka is librdkafka's in-memory mock: NOTHING IS KEPT when it ends; for trying out only")


def _start_docker(cluster: Cluster, say: Say) -> None:
    from dynabus.adapters.kafka.jars import deploy_folder

    if shutil.which("docker") is None:
        raise Problem("--kafka docker: there is no docker command here; use --kafka local")
    say(f"starting Apache Kafka with docker compose on {DOCKER_BOOTSTRAP}")
    compose = ["docker", "compose", "-f", str(deploy_folder() / "compose.yml"), "up", "--detach"]
    done = subprocess.run(compose, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"docker compose failed: {last_line(done.stderr + done.stdout)}")
    cluster.kafka_source, cluster.kafka_bootstrap = SourceKind.DOCKER, DOCKER_BOOTSTRAP
    _wait_for(DOCKER_BOOTSTRAP, {}, DOCKER_TIMEOUT_S, "see `docker compose logs`")


def _reach(cluster: Cluster, bootstrap: str, say: Say) -> None:
    properties = kafka_properties(cluster)
    _wait_for(
        bootstrap, properties, EXTERNAL_TIMEOUT_S, "check the address, and --kafka-config if it needs TLS or SASL"
    )
    cluster.kafka_source, cluster.kafka_bootstrap = SourceKind.EXTERNAL, bootstrap
    say(f"Kafka: the existing cluster at {bootstrap}")


def await_kafka(folder: DataFolder, cluster: Cluster, say: Say) -> None:
    """A Kafka whose process runs may still be starting, for minutes, or be paused. Raises Problem."""
    bootstrap, log = cluster.kafka_bootstrap, folder.log(KAFKA)
    if not answers_or_stands_still(bootstrap, log, EXTERNAL_TIMEOUT_S, lambda: cluster.kafka.is_alive, say):
        raise Problem(
            f"Kafka runs, does not answer at {bootstrap}, and has logged nothing for {EXTERNAL_TIMEOUT_S:.0f} s: "
            "`dynabus logs kafka` tells more"
        )


def note_started(folder: DataFolder, cluster: Cluster, process: Process, child: subprocess.Popen[bytes]) -> None:
    """Write down a child of this command. One that cannot be written down is ended: no later command would find it.
    Raises OSError."""
    keep(child)
    process.started(child.pid)
    try:
        folder.save(cluster)
    except OSError:
        child.terminate()
        child.wait()
        raise


def _wait_for(bootstrap: str, properties: dict[str, str], timeout_s: float, remedy: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not count_brokers(bootstrap, properties, timeout_s=2.0):
        if time.monotonic() > deadline:
            raise Problem(f"no Kafka answers at {bootstrap} within {timeout_s:.0f} s: {remedy}")
        time.sleep(0.2)
