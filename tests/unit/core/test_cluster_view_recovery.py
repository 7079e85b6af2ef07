"""A successor serves when metadata says so, and not before: until then routers know the frozen partition only."""

from __future__ import annotations

from tests.unit.request_router.test_asker import LOG, view, view_message

from dynabus.core.cluster_status import tables_status


def test_a_successor_that_is_being_restored_gets_no_requests() -> None:
    found = view()
    told = {**view_message(), "version": 2}
    (frozen,) = told["partitions"]
    successor = {**frozen, "number": 1, "generation": 2, "members": ["node-2"], "state": "restoring"}
    told["partitions"] = [{**frozen, "state": "frozen"}, successor]
    found.take("table_metadata", told, 0.0)
    # That it leads already changes nothing.
    found.take("leader_metadata", {"log": LOG, "partition": 1, "term": 5, "node": "node-2", "incarnation": 1}, 0.0)
    table = found.tables["t"]
    assert table.partition_of(b"key")["state"] == "frozen"
    (status,) = tables_status(found)
    assert [each["id"] for each in status["restoring"]] == [1]
    done = {**told, "version": 3, "partitions": [{**successor, "state": "active"}]}
    found.take("table_metadata", done, 0.0)
    assert found.tables["t"].partition_of(b"key")["number"] == 1
