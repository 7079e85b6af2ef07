"""What a node says and hears."""

from __future__ import annotations

from typing import Any

from tests.unit.storage_node.stand_ins import BODIES, ME, PARTITION, hosted, hosting, leading

from dynabus.core.cluster_view import ClusterView
from dynabus.core.heartbeats import Saying
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.replication.effects import Ask
from dynabus.core.replication.place import encode_claim
from dynabus.core.replication.records import (
    CHAIN_START,
    NOBODY,
    Envelope,
    Form,
    Genesis,
    Kind,
    decode_record,
    encode_record,
)
from dynabus.storage_node.replicas.heartbeats import acquaint, compose, hear
from dynabus.storage_node.replicas.hosted import Hosted


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
        acquaint(replica, view, 20.0)
        assert replica.state == becomes
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
    replica, view = hosted(), ClusterView()
    hear(ME, beat("node-2", 3), view, hosting(replica), 10.0)
    assert replica.replica.election.tick(60_000.0, able=True, caught_up=True) is None, "nothing was ever heard"
    hear(ME, beat(ME.node, ME.incarnation), view, hosting(replica), 20.0)
    assert replica.replica.election.due_ms <= 5000.0


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


def followed(*members: str) -> Hosted:
    """A replica that follows node-2, the leader of term 1, and has heard its own node at 0."""
    replica = hosted()
    writer, number, body = Writer(NodeName("node-2"), Incarnation(3)), *BODIES.encode(Kind.GENESIS, genesis(*members))
    begin = encode_record(Envelope(1, 0, 0, CHAIN_START, 0, NOBODY, 0, Kind.GENESIS), number, body)
    replica.replica.end_offset = 2
    replica.read_log([decode_record(0, 0, begin)], 0.0)
    claim = encode_claim(replica.replica.place, writer, 5, BODIES)
    replica.read_log([decode_record(1, 0, claim)], 0.0)
    return replica


def genesis(*members: str) -> Genesis:
    return Genesis(Form.NEW, b"", None, tuple(map(NodeName, members)), 0)


def asks(replica: Hosted, now_ms: float) -> bool:
    replica.tick(now_ms)
    return any(isinstance(effect, Ask) for effect in replica.replica.take_effects())


def live(replica: Hosted, numbers: range, view: ClusterView, leader: Any) -> float:
    """Both nodes' heartbeats, of which only the first ones name anything; when the last ones came."""
    for number in numbers:
        now_ms = 1500.0 * (number + 1)
        hear(ME, beat(ME.node, ME.incarnation, number=number, whole=number == 0), view, hosting(replica), now_ms)
        hear(
            ME,
            beat("node-2", 3, *([leader] if number == 0 else []), number=number, whole=number == 0),
            view,
            hosting(replica),
            now_ms,
        )
    return 1500.0 * numbers.stop


def test_a_leader_that_is_not_named_again_is_not_suspected_until_its_node_is_silent() -> None:
    replica, view = followed("node-1", "node-2"), ClusterView()
    last_ms = live(replica, range(20), view, state(leading=True, appending=True))
    assert not asks(replica, last_ms)
    for number in range(20, 23):
        hear(ME, beat(ME.node, ME.incarnation, number=number, whole=False), view, hosting(replica), 1500.0 * number)
    assert not asks(replica, last_ms + 4400.0), "three heartbeats are not missed yet"
    assert asks(replica, last_ms + 5001.0)


def test_a_whole_heartbeat_that_does_not_name_it_ends_the_leader() -> None:
    replica, view = followed("node-1", "node-2"), ClusterView()
    last_ms = live(replica, range(3), view, state(leading=True, appending=True))
    for number in range(3, 8):
        now_ms = 1500.0 * (number + 1)
        hear(ME, beat(ME.node, ME.incarnation, number=number, whole=False), view, hosting(replica), now_ms)
        hear(ME, beat("node-2", 3, number=number, whole=number == 3), view, hosting(replica), now_ms)
    assert asks(replica, last_ms + 5001.0)


def test_a_leader_that_says_that_its_appends_fail_is_suspected_though_its_node_goes_on() -> None:
    replica, view = followed("node-1", "node-2"), ClusterView()
    last_ms = live(replica, range(3), view, state(leading=True, appending=True))
    for number in range(3, 8):
        stuck = [state(leading=True)] if number == 3 else []
        now_ms = 1500.0 * (number + 1)
        hear(ME, beat(ME.node, ME.incarnation, number=number, whole=False), view, hosting(replica), now_ms)
        hear(ME, beat("node-2", 3, *stuck, number=number, whole=False), view, hosting(replica), now_ms)
    assert asks(replica, last_ms + 5001.0)


def test_a_replica_that_is_opened_later_learns_what_was_said_before() -> None:
    replica, view = followed("node-1", "node-2"), ClusterView()
    leader = state(leading=True, appending=True)
    hear(ME, beat(ME.node, ME.incarnation), view, hosting(), 1500.0)
    hear(ME, beat("node-2", 3, leader), view, hosting(), 1500.0)
    acquaint(replica, view, 0.0)
    last_ms = live(replica, range(1, 9), view, leader)
    assert not asks(replica, last_ms)
    assert replica.replica.neighbours.successor(last_ms - 1.0) == "node-2"


def test_of_a_node_that_stops_no_replica_is_a_successor() -> None:
    replica, view = hosted(), ClusterView()
    hear(ME, beat("node-2", 3, state()), view, hosting(replica), 10.0)
    last = beat("node-2", 3, number=1, whole=False)
    last["stopping"] = True
    hear(ME, last, view, hosting(replica), 20.0)
    assert replica.replica.neighbours.successor(0.0) is None


def test_what_an_older_run_says_late_is_not_heard() -> None:
    replica, view = followed("node-1", "node-2"), ClusterView()
    hear(ME, beat("node-2", 4, state()), view, hosting(replica), 10.0)
    assert list(hear(ME, beat("node-2", 3, state(leading=True, appending=True)), view, hosting(replica), 20.0)) == []
