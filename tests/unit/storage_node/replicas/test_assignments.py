"""From table metadata to a node's replicas."""

from __future__ import annotations

from typing import Any

from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.messages import TableMetadata
from dynabus.core.replication.heir import Inheritance
from dynabus.storage_node.replicas.assignments import Assignments, Change

ME = NodeName("node-1")
LOG = LogId("a" * 32)
NO_INDEXES = LocalIndexes("pk", ())
DESCRIPTION = (
    b'{"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}], '
    b'"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}'
)


def table(version: int, *members: str, status: str = "ACTIVE", preferred: str = "node-1") -> TableMetadata:
    partition: dict[str, Any] = {
        "generation": 1,
        "lower": b"",
        "upper": None,
        "members": list(members),
        "preferred": preferred,
        "state": "active",
        "lineage": [],
        "joining": [],
    }
    made: Any = {
        "id": LOG,
        "name": "t",
        "version": version,
        "status": status,
        "description": DESCRIPTION,
        "partitions": [{"number": 0, **partition}, {"number": 1, **partition, "preferred": "node-2"}],
    }
    found: TableMetadata = made
    return found


def at(number: int) -> PartitionId:
    return PartitionId(LOG, number)


def test_members_open_and_the_preferred_claims() -> None:
    change = Assignments(ME).learn(table(1, "node-1", "node-2"))
    assert change == Change((at(0), at(1)), frozenset({at(0)}), indexes=NO_INDEXES, table=LOG)


def test_strangers_open_nothing() -> None:
    change = Assignments(ME).learn(table(1, "node-2"))
    assert change == Change(elsewhere=(at(0), at(1)), table=LOG)


def test_what_is_frozen_is_said_again_with_every_record() -> None:
    assignments = Assignments(ME)
    for version in (1, 2):
        frozen = table(version, "node-1", "node-2")
        frozen["partitions"][1]["state"] = "frozen"
        assert assignments.learn(frozen).frozen == {at(1)}
    elsewhere = table(3, "node-2")
    elsewhere["partitions"][0]["state"] = "frozen"
    change = assignments.learn(elsewhere)
    assert change.frozen == frozenset()
    assert change.elsewhere == (at(1),), "what is here of a frozen one may be all that is left"


def test_a_joining_node_opens_and_claims_nothing() -> None:
    joins = table(1, "node-2")
    joins["partitions"][1]["joining"] = [ME]
    assignments = Assignments(ME)
    change = assignments.learn(joins)
    assert (change.opened, change.preferred, change.elsewhere) == ((at(1),), frozenset(), (at(0),))
    joined = table(2, "node-2")
    joined["partitions"][1]["members"] = ["node-2", ME]
    change = assignments.learn(joined)
    assert (change.opened, change.left) == ((), ())
    change = assignments.learn(table(3, "node-2"))
    assert (change.left, change.elsewhere) == ((at(1),), (at(0), at(1)))


def test_only_newer_versions_count() -> None:
    assignments = Assignments(ME)
    assignments.learn(table(5, "node-1"))
    assert assignments.learn(table(5, "node-2")) == Change()
    assert assignments.learn(table(4, "node-1", status="DELETED")) == Change()
    assert assignments.learn(table(6, "node-1")).opened == ()


def test_whoever_is_no_member_any_more_leaves() -> None:
    assignments = Assignments(ME)
    assignments.learn(table(1, "node-1"))
    change = assignments.learn(table(2, "node-2"))
    assert (change.left, change.opened, change.deleted) == ((at(0), at(1)), (), None)
    assert assignments.learn(table(3, "node-1")).opened == (at(0), at(1))


def test_a_deleted_table_goes_even_if_it_was_never_here() -> None:
    assignments = Assignments(ME)
    assert assignments.learn(table(1, "node-2", status="DELETING")).deleted == LOG
    assert assignments.learn(table(2, "node-1", status="DELETED")).deleted == LOG


def test_a_child_that_is_opened_inherits_and_only_then() -> None:
    assignments = Assignments(ME)
    assert assignments.learn(table(1, "node-1")).inherited == {}
    divided = table(2, "node-1")
    child: Any = {"number": 2, "generation": 2, "lower": b"m", "state": "heir", "lineage": [0]}
    divided["partitions"].append({**divided["partitions"][0], **child})
    change = assignments.learn(divided)
    assert (change.opened, dict(change.inherited)) == ((at(2),), {at(2): Inheritance(at(2), b"m", None, (0,))})
    later: Any = {**divided, "version": 3}
    later["partitions"] = [{**each, "state": "active"} for each in divided["partitions"][1:]]
    change = assignments.learn(later)
    assert (change.opened, change.left, dict(change.inherited)) == ((), (at(0),), {})
