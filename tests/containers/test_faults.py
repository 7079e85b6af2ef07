"""Faults on containers under load, one broker: nothing lost, nothing stale, back without help."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.containers.conftest import Note
from tests.containers.stack import Stack
from tests.containers.under_load import ACKS_AFTER, under_load
from tests.integration.cluster import client, wait_until
from tests.integration.load import Load
from tests.integration.streams import Poller, create_streaming

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(600)]

SIGKILLED = 137
"""Exit code of a container whose process was killed."""

STREAMED = 20
"""Changes before and after a propagator's death: a batch or more."""

FAILOVER_S = 8.0
"""Suspicion takes 4.5 s and up to 0.5 s of jitter, the election 0.3 s; the rest is for a busy machine."""


def test_kill_leader(stack: Stack, table: str, note: Note) -> None:
    service, term = stack.leader(table)

    def fault(load: Load) -> None:
        stack.container(service).kill()
        stack.wait_for_other_leader(table, service, term)
        load.wait_for_acks(ACKS_AFTER)
        # An explicit kill is not undone by the restart policy: what was seen so far was fail-over alone.
        state = stack.state(service)
        assert (state["Status"], state["ExitCode"]) == ("exited", SIGKILLED)
        stack.container(service).start()
        stack.wait_healthy(service)
        stack.wait_active(table, service)

    result = note(under_load(stack, table, fault))
    assert result.rows[0].longest_gap_s <= FAILOVER_S
    assert not result.recorded.errors


def test_pause_leader_past_its_lease(stack: Stack, table: str, note: Note) -> None:
    service, term = stack.leader(table)

    def fault(load: Load) -> None:
        stack.container(service).pause()
        assert stack.state(service)["Paused"]
        stack.wait_for_other_leader(table, service, term)
        load.wait_for_acks(ACKS_AFTER)
        stack.container(service).unpause()
        load.wait_for_acks(ACKS_AFTER)
        stack.wait_active(table, service)

    result = note(under_load(stack, table, fault))
    assert result.rows[0].longest_gap_s <= FAILOVER_S


def test_kill_router(stack: Stack, table: str, note: Note) -> None:
    service = "request-router-b"

    def fault(load: Load) -> None:
        stack.container(service).kill()
        assert stack.state(service)["ExitCode"] == SIGKILLED
        load.wait_for_acks(ACKS_AFTER)
        stack.container(service).start()
        stack.wait_healthy(service)

    result = note(under_load(stack, table, fault))
    assert result.rows[0].longest_gap_s <= FAILOVER_S


def test_kill_log_propagators_in_turn(stack: Stack, last_words: Callable[[Stack], None]) -> None:
    """One of them reads the table's log: the other one takes it over, and the stream has each change once."""
    last_words(stack)
    table = "streamed"
    poller, db = Poller(stack.port, create_streaming(stack.port, table)), client(stack.port)
    for version, service in enumerate(("log-propagator-a", "log-propagator-b")):
        stack.container(service).kill()
        assert stack.state(service)["ExitCode"] == SIGKILLED
        for key in range(STREAMED):
            db.put_item(TableName=table, Item={"pk": {"S": f"k{key}"}, "v": {"N": str(version)}})
        poller.read_until_equal(table)
        stack.container(service).start()
        stack.wait_healthy(service)
    poller.check()
    assert len(poller.records) == 2 * STREAMED


def test_restart_broker(stack: Stack, table: str, note: Note) -> None:
    before = stack.state("kafka-1")["StartedAt"]

    def fault(load: Load) -> None:
        stack.container("kafka-1").restart()
        assert stack.state("kafka-1")["StartedAt"] != before
        stack.wait_healthy("kafka-1")
        load.wait_for_acks(ACKS_AFTER)

    note(under_load(stack, table, fault))


def test_cut_network_of_leader(stack: Stack, table: str, note: Note) -> None:
    service, term = stack.leader(table)

    def fault(load: Load) -> None:
        container, network = stack.container(service), stack.network
        network.disconnect(container)
        assert not stack.container(service).attrs["NetworkSettings"]["Networks"]
        stack.wait_for_other_leader(table, service, term)
        load.wait_for_acks(ACKS_AFTER)
        network.connect(container, aliases=[service])
        stack.wait_active(table, service)
        stack.wait_healthy(service)

    result = note(under_load(stack, table, fault))
    assert result.rows[0].longest_gap_s <= FAILOVER_S
    assert stack.state(service)["RestartCount"] == 0


def test_stop_everything_and_start_again(stack: Stack, table: str, note: Note) -> None:
    services = ("haproxy", "kafka-1", "request-router-a", "storage-node-a", "auto-admin")
    before = {service: stack.state(service)["StartedAt"] for service in services}

    def fault(load: Load) -> None:
        stack.compose.stop(down=False)
        assert {stack.state(service)["Status"] for service in services} == {"exited"}
        stack.compose.start()
        load.wait_for_acks(ACKS_AFTER)

    note(under_load(stack, table, fault))
    after = {service: stack.state(service)["StartedAt"] for service in services}
    assert all(before[service] != after[service] for service in services)
    wait_until("a leader", lambda: stack.leader(table))
