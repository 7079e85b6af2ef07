"""What a node says and hears."""

from __future__ import annotations

from typing import Any

from tests.unit.storage_node.replicas import ME, PARTITION, hosted, hosting, leading

from dynabus.core.cluster_view import ClusterView
from dynabus.core.heartbeats import Saying
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.storage_node.heartbeats import compose, hear


def beat(
    node: str, incarnation: int, *states: Any, service: str = "storage-node", number: int = 0, whole: bool = True
) -> Any:
    return {
        "node": node,
        "service": service,
        "zone": "a",
        "incarnation": incarnation,
        "stopping": False,
        "number": number,
        "whole": whole,
        "replicas": list(states),
    }


def state(**members: Any) -> Any:
    return {
        "log": PARTITION.log,
        "partition": PARTITION.number,
        "generation": 1,
        "state": "active",
        "leading": False,
        "appending": False,
        "term": 1,
        "sequence": 0,
        "next_offset": 2,
        "lag": 0,
        "alarm": "",
        "totals": [],
        "checked": [],
        **members,
    }


def test_a_leader_says_so() -> None:
    heartbeat = compose(ME, "a", hosting(leading()), False, Saying(), 2.0)
    (said,) = heartbeat["replicas"]
    assert (said["leading"], said["appending"], said["term"], said["sequence"]) == (True, True, 1, 0)
    assert (said["state"], said["next_offset"], said["lag"], said["generation"]) == ("active", 2, 0, 1)


def test_an_alarm_is_said() -> None:
    replica = leading()
    replica.replica.lose("lost", 2.0)
    (said,) = compose(ME, "a", hosting(replica), False, Saying(), 2.0)["replicas"]
    assert (said["state"], said["alarm"], said["leading"]) == ("frozen", "lost", False)


def test_doubt_is_said_though_nothing_else_is_new_and_until_it_is_over() -> None:
    replica, saying = leading(), Saying()
    here = hosting(replica)
    for _ in range(2):
        # A checksum is said once the place has rested.
        compose(ME, "a", here, False, saying, 2.0)
    assert compose(ME, "a", here, False, saying, 3.0)["replicas"] == []
    replica.replica.doubt("beyond the end", 4.0, beyond=True)
    for expected in (["doubtful"], []):
        beat_now = compose(ME, "a", here, False, saying, 5.0)
        assert (beat_now["whole"], [each["state"] for each in beat_now["replicas"]]) == (False, expected)
    replica.replica.standstill.clear()
    assert [each["state"] for each in compose(ME, "a", here, False, saying, 6.0)["replicas"]] == ["active"]


def test_doubt_and_loss_are_heard_of_replicas_that_are_not_named_again() -> None:
    """By one that was opened only after they were said."""
    for said, becomes in (("doubtful", "held"), ("frozen", "frozen")):
        replica, view = leading(), ClusterView()
        hear(ME, beat("node-2", 3, state(state=said, alarm="lost")), view, hosting(), 10.0)
        hear(ME, beat("node-2", 3, number=1, whole=False), view, hosting(replica), 1500.0)
        assert replica.state == becomes
        if said == "doubtful":
            cleared = beat("node-2", 3, state(), number=2, whole=False)
            assert list(hear(ME, cleared, view, hosting(replica), 1600.0)) == [replica]
            assert replica.state == "active"


def test_able_peers_are_known_as_successors() -> None:
    replica = leading()
    told = hear(ME, beat("node-2", 3, state()), ClusterView(), hosting(replica), 10.0)
    assert list(told) == [replica]
    assert replica.replica.neighbours.successor(0.0) == "node-2"
    hear(ME, beat("node-2", 3, state(state="opening")), ClusterView(), hosting(replica), 11.0)
    assert replica.replica.neighbours.successor(0.0) is None


def test_the_own_heartbeat_reaches_all_replicas_and_others_only_those_they_mention() -> None:
    replica = hosted()
    assert list(hear(ME, beat(ME.node, ME.incarnation), ClusterView(), hosting(replica), 10.0)) == [replica]
    assert list(hear(ME, beat("node-2", 3), ClusterView(), hosting(replica), 10.0)) == []


def test_a_newer_run_of_the_leaders_node_says_that_the_leader_is_gone() -> None:
    replica = leading()
    other = Writer(NodeName("node-2"), Incarnation(1))
    assert list(hear(other, beat(ME.node, ME.incarnation + 1), ClusterView(), hosting(replica), 10.0)) == [replica]
    assert list(hear(other, beat(ME.node, ME.incarnation), ClusterView(), hosting(replica), 10.0)) == []


def test_auto_admins_heartbeats_are_not_those_of_a_node() -> None:
    assert (
        list(hear(ME, beat(ME.node, ME.incarnation, service="auto-admin"), ClusterView(), hosting(hosted()), 10.0))
        == []
    )


def test_a_replica_that_is_not_named_is_as_it_was() -> None:
    replica, view = hosted(), ClusterView()
    here = hosting(replica)
    assert list(hear(ME, beat("node-2", 3, state()), view, here, 10.0)) == [replica]
    assert list(hear(ME, beat("node-2", 3, number=1, whole=False), view, here, 5000.0)) == []
    assert replica.replica.neighbours.successor(4000.0) == "node-2"


def test_after_a_heartbeat_that_was_missed_nothing_is_known_of_one_that_is_not_named() -> None:
    replica, view = hosted(), ClusterView()
    here = hosting(replica)
    hear(ME, beat("node-2", 3, state()), view, here, 10.0)
    hear(ME, beat("node-2", 3, number=2, whole=False), view, here, 5000.0)
    assert replica.replica.neighbours.successor(4000.0) is None
    assert view.wants_heartbeats(5000.0)
