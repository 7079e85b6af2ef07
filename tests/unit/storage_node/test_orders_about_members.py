"""Orders about members, from the message to the record, and what heartbeats say afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.storage_node.stand_ins import BODIES, ME, PARTITION, hosted, hosting, leading, read_back

from dynabus.core.heartbeats import Saying
from dynabus.core.ids import Incarnation, NodeName
from dynabus.core.replication.effects import Append, Leading, Peer
from dynabus.core.replication.records import Configure, Kind, Resign, decode_record
from dynabus.storage_node.orders import Orders
from dynabus.storage_node.replicas.heartbeats import compose
from dynabus.storage_node.replicas.hosted import Hosted


def obey(replica: Hosted, kind: str, plan: int, *members: str, generation: int = 1) -> list[tuple[int, Any]]:
    """(kind, body) of what is appended then."""
    order: Any = {
        "log": PARTITION.log,
        "partition": PARTITION.number,
        "generation": generation,
        "kind": kind,
        "children": [],
        "plan": plan,
        "members": list(members),
    }
    Orders(lambda _: None).obey(order, replica, 2.0)
    records = [decode_record(0, 0, effect.value) for effect in replica.replica._effects if isinstance(effect, Append)]
    return [(record.kind, BODIES.decode(record.schema_number, record.body)) for record in records]


def test_a_leader_configures_and_says_the_plan() -> None:
    leader = leading()
    (configure,) = obey(leader, "configure", 5, ME.node, "node-3")
    assert configure == (Kind.CONFIGURE, Configure((ME.node, NodeName("node-3")), 5))
    assert compose(ME, "a", hosting(leader), False, Saying(), 2.0)["replicas"][0]["plan"] == 0, "not read back"
    read_back(leader, 3.0)
    (said,) = compose(ME, "a", hosting(leader), False, Saying(), 3.0)["replicas"]
    assert (said["plan"], said["state"], said["leading"]) == (5, "active", True)
    assert obey(leader, "configure", 4, ME.node) == []


@pytest.mark.parametrize("kind", ["configure", "transfer"])
def test_a_leader_hands_over(kind: str) -> None:
    leader = leading()
    node = NodeName("node-2")
    leader.replica.hear(node, Incarnation(1), Leading(False, False, 1), Peer(1, 2, 1.0, True), 1.0)
    assert obey(leader, kind, 1, "node-2") == [(Kind.RESIGN, Resign(True, node))]


def test_others_and_other_generations_do_nothing() -> None:
    assert obey(hosted(), "configure", 1, ME.node) == []
    assert obey(leading(), "configure", 1, ME.node, generation=2) == []
    assert obey(leading(), "something new", 1, ME.node) == []


def test_who_is_no_member_says_that_it_joins() -> None:
    leader = leading(members=("node-1", "node-2"))
    joining = hosted()
    assert joining.state == "opening"
    joining.replica.place = leader.replica.place._replace(
        group=leader.replica.place.group._replace(members=(NodeName("node-2"),))  # type: ignore[union-attr]
    )
    joining.replica.end_offset = joining.replica.place.next_offset
    assert joining.state == "joining"
    (said,) = compose(ME, "a", hosting(joining), False, Saying(), 3.0)["replicas"]
    assert (said["state"], said["lag"]) == ("joining", 0)
