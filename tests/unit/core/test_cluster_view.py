"""The cluster as one process knows it: late, doubled and lost messages must not lead it astray."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynabus.core import cluster_view
from dynabus.core.cluster_status import tables_status
from dynabus.core.cluster_view import NODE_SILENT_MS, ClusterView
from dynabus.core.heartbeats import ASK_AGAIN_MS

LOG = "a" * 32
DESCRIPTION = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}


def table(version: int, status: str = "ACTIVE", log: str = LOG, name: str = "tab") -> dict[str, Any]:
    bounds: list[tuple[bytes, bytes | None]] = [(b"\x80", None), (b"", b"\x40"), (b"\x40", b"\x80")]
    partitions = [
        {
            "number": number,
            "generation": 1,
            "lower": lower,
            "upper": upper,
            "members": ["node-1", "node-2"],
            "preferred": "node-1",
            "state": "active",
            "lineage": [],
            "joining": [],
        }
        for number, (lower, upper) in enumerate(bounds)
    ]
    return {
        "id": log,
        "name": name,
        "version": version,
        "status": status,
        "description": orjson.dumps(DESCRIPTION),
        "partitions": partitions,
    }


def heartbeat(node: str, incarnation: int = 1, **replica: Any) -> dict[str, Any]:
    state = {
        "log": LOG,
        "partition": 0,
        "generation": 1,
        "state": "active",
        "leading": False,
        "appending": True,
        "term": 1,
        "sequence": 4,
        "next_offset": 9,
        "lag": 0,
        "alarm": "",
        "totals": [],
        "checked": [],
    }
    return {
        "node": node,
        "service": "storage-node",
        "zone": "a",
        "incarnation": incarnation,
        "stopping": False,
        "number": 0,
        "whole": True,
        "replicas": [{**state, **replica}] if replica else [],
    }


@pytest.fixture
def view() -> ClusterView:
    found = ClusterView()
    found.take("table_metadata", table(5), 0.0)
    return found


@pytest.mark.parametrize(
    ("key", "number"), [(b"", 1), (b"\x3f\xff", 1), (b"\x40", 2), (b"\x7f", 2), (b"\x80", 0), (b"\xff" * 9, 0)]
)
def test_keys_find_their_partition(view: ClusterView, key: bytes, number: int) -> None:
    assert view.tables["tab"].partition_of(key)["number"] == number


@pytest.mark.parametrize(("upper", "number"), [(None, 0), (b"\x81", 0), (b"\x80", 2), (b"\x40", 1), (b"\x01", 1)])
def test_the_partition_below_a_bound(view: ClusterView, upper: bytes | None, number: int) -> None:
    assert view.tables["tab"].partition_below(upper)["number"] == number


def test_older_metadata_changes_nothing(view: ClusterView) -> None:
    view.take("table_metadata", table(4, "CREATING"), 0.0)
    view.take("table_metadata", table(5, "DELETING"), 0.0)
    assert view.tables["tab"].status == "ACTIVE"
    view.take("table_metadata", table(6, "DELETING"), 0.0)
    assert view.tables["tab"].status == "DELETING"


def test_a_deleted_table_stays_deleted(view: ClusterView) -> None:
    view.take("table_metadata", table(6, "DELETED"), 0.0)
    view.take("table_metadata", table(4, "ACTIVE"), 0.0)
    assert view.tables == {}


def test_what_is_remembered_of_deleted_tables_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_view, "DELETED_MOST", 3)
    view = ClusterView()
    for number in range(10):
        view.take("table_metadata", table(number, "DELETED", f"{number:032x}"), 0.0)
    assert len(view._deleted) == 3


def test_a_new_table_of_an_old_name_wins_in_any_order(view: ClusterView) -> None:
    view.take("table_metadata", table(9, "CREATING", "b" * 32), 0.0)
    view.take("table_metadata", table(8, "DELETING"), 0.0)
    assert view.tables["tab"].id == "b" * 32
    view.take("table_metadata", table(10, "DELETED"), 0.0)
    assert view.tables["tab"].id == "b" * 32


def test_the_highest_term_leads(view: ClusterView) -> None:
    view.take("heartbeat", heartbeat("node-1", leading=True, term=3), 0.0)
    view.take("heartbeat", heartbeat("node-2", leading=True, term=2), 0.0)
    assert view.leader(LOG, 0) == (3, "node-1")
    told = {"log": LOG, "partition": 0, "term": 2, "node": "node-2", "incarnation": 1}
    view.take("leader_metadata", told, 0.0)
    assert view.leader(LOG, 0) == (3, "node-1")
    view.take("leader_metadata", {**told, "term": 4}, 0.0)
    assert view.leader(LOG, 0) == (4, "node-2")
    assert view.leader(LOG, 1) is None


def test_an_older_incarnation_is_not_heard(view: ClusterView) -> None:
    view.take("heartbeat", heartbeat("node-1", 2, leading=False), 0.0)
    view.take("heartbeat", heartbeat("node-1", 1, leading=True, term=9), 0.0)
    assert view.leader(LOG, 0) is None


def test_silent_and_stopping_nodes_are_not_alive(view: ClusterView) -> None:
    view.take("heartbeat", heartbeat("node-1"), 1000.0)
    view.take("heartbeat", {**heartbeat("node-2"), "stopping": True}, 1000.0)
    assert view.alive("node-1", 1000.0 + NODE_SILENT_MS - 1)
    assert not view.alive("node-1", 1000.0 + NODE_SILENT_MS)
    assert not view.alive("node-2", 1000.0)
    assert not view.alive("node-3", 1000.0)


@pytest.mark.parametrize(("state", "serves"), [("active", True), ("opening", False), ("frozen", False)])
def test_only_open_replicas_serve(view: ClusterView, state: str, serves: bool) -> None:
    view.take("heartbeat", heartbeat("node-1", state=state), 0.0)
    assert view.serves("node-1", LOG, 0, 1.0) is serves
    assert not view.serves("node-1", LOG, 1, 1.0)
    assert not view.serves("node-1", LOG, 0, NODE_SILENT_MS)


def test_auto_admin_is_heard_apart_from_nodes(view: ClusterView) -> None:
    assert not view.hears_admin(0.0)
    view.take("heartbeat", {**heartbeat("admin-1"), "service": "auto-admin"}, 10.0)
    assert view.hears_admin(11.0)
    assert view.nodes == {}


def test_status_is_the_contract_of_the_command(view: ClusterView) -> None:
    view.take("heartbeat", heartbeat("node-1", leading=True, term=3, lag=-1), 0.0)
    view.take("heartbeat", heartbeat("node-2", state="frozen", alarm="beyond the log's end"), 0.0)
    (shown,) = tables_status(view)
    assert (shown["name"], shown["id"], shown["status"]) == ("tab", LOG, "ACTIVE")
    first = next(each for each in shown["partitions"] if each["id"] == 0)
    assert first == {
        "id": 0,
        "generation": 1,
        "index": None,
        "range": ["80", None],
        "leader": "node-1",
        "term": 3,
        "state": "active",
        "lineage": [],
        "heirs": [],
        "replicas": [
            {"node": "node-1", "zone": "a", "state": "active", "sequence": 4, "lag": None},
            {
                "node": "node-2",
                "zone": "a",
                "state": "frozen",
                "sequence": 4,
                "lag": 0,
                "alarm": "beyond the log's end",
            },
        ],
    }
    other = next(each for each in shown["partitions"] if each["id"] == 1)
    assert [replica["state"] for replica in other["replicas"]] == ["unknown", "unknown"]


def test_totals_are_what_the_leaders_said(view: ClusterView) -> None:
    """Followers count too, but the leader's word is the latest."""
    one = view.tables["tab"]
    assert view.totals(one) == [0, 0]
    view.take("heartbeat", heartbeat("node-1", partition=0, leading=True, totals=[3, 300]), 0.0)
    view.take("heartbeat", heartbeat("node-2", partition=0, totals=[2, 200]), 0.0)
    assert view.totals(one) == [3, 300]


# -- splits -------------------------------------------------------------------------------------------------------


def dividing(version: int) -> Any:
    """Partition 0 (from 80 on) is being split into 3 and 4, at a0."""
    message = table(version)
    parent = next(each for each in message["partitions"] if each["number"] == 0)
    parent["state"] = "splitting"
    for number, lower, upper in ((3, b"\x80", b"\xa0"), (4, b"\xa0", None)):
        heir = {
            "number": number,
            "generation": 2,
            "lower": lower,
            "upper": upper,
            "state": "heir",
            "lineage": [0],
            "joining": [],
        }
        message["partitions"].append({**parent, **heir})
    return message


def serving(view: ClusterView) -> list[int]:
    return [partition["number"] for partition in view.tables["tab"].partitions]


def test_heirs_do_not_serve_before_they_lead() -> None:
    view = ClusterView()
    view.take("table_metadata", dividing(5), 0.0)
    assert serving(view) == [1, 2, 0]
    assert view.tables["tab"].partition_of(b"\xb0")["number"] == 0
    (shown,) = (each for each in tables_status(view)[0]["partitions"] if each["id"] == 0)
    assert [heir["id"] for heir in shown["heirs"]] == [3, 4]


def test_children_serve_when_one_is_led_and_that_is_not_unlearned() -> None:
    view = ClusterView()
    view.take("table_metadata", dividing(5), 0.0)
    view.take("heartbeat", heartbeat("node-2", partition=4, leading=True), 1.0)
    assert serving(view) == [1, 2, 3, 4]
    assert view.tables["tab"].partition_of(b"\xb0")["number"] == 4
    assert [each["id"] for each in tables_status(view)[0]["sealed"]] == [0]
    view.take("table_metadata", dividing(6), 2.0)
    assert serving(view) == [1, 2, 3, 4]


def test_children_serve_when_the_parent_says_that_it_is_sealed() -> None:
    view = ClusterView()
    view.take("table_metadata", dividing(5), 0.0)
    assert view.sealed(LOG, 0)
    assert not view.sealed(LOG, 0)
    assert not view.sealed(LOG, 1)
    view.take("table_metadata", dividing(6), 2.0)
    assert serving(view) == [1, 2, 3, 4]


def test_leaders_that_are_known_first_count_too() -> None:
    view = ClusterView()
    view.take("leader_metadata", {"log": LOG, "partition": 3, "term": 1, "node": "node-1", "incarnation": 1}, 0.0)
    view.take("table_metadata", dividing(5), 0.0)
    assert serving(view) == [1, 2, 3, 4]


def later(node: str, number: int, **replica: Any) -> dict[str, Any]:
    """A heartbeat that names what is new."""
    return {**heartbeat(node, **replica), "number": number, "whole": False}


def test_a_heartbeat_leaves_what_it_does_not_name(view: ClusterView) -> None:
    view.take("heartbeat", heartbeat("node-1", leading=True), 0.0)
    view.take("heartbeat", later("node-1", 1), 1000.0)
    assert view.serves("node-1", LOG, 0, 1000.0)
    view.take("heartbeat", later("node-1", 2, state="failed"), 2000.0)
    assert not view.serves("node-1", LOG, 0, 2000.0)
    assert not view.wants_heartbeats(2000.0)


def test_whoever_missed_one_asks_now_and_then_until_all_is_named(view: ClusterView) -> None:
    view.take("heartbeat", later("node-1", 5), 0.0)
    assert view.wants_heartbeats(0.0)
    assert not view.wants_heartbeats(ASK_AGAIN_MS - 1)
    assert view.wants_heartbeats(ASK_AGAIN_MS)
    view.take("heartbeat", {**heartbeat("node-1", leading=True), "number": 6}, ASK_AGAIN_MS)
    assert not view.wants_heartbeats(3 * ASK_AGAIN_MS)
    view.take("heartbeat", later("node-1", 8), 3 * ASK_AGAIN_MS)
    assert view.wants_heartbeats(3 * ASK_AGAIN_MS)


def test_of_a_node_that_died_nothing_is_asked(view: ClusterView) -> None:
    view.take("heartbeat", later("node-1", 5), 0.0)
    assert not view.wants_heartbeats(NODE_SILENT_MS)


def test_another_run_begins_anew(view: ClusterView) -> None:
    view.take("heartbeat", heartbeat("node-1", leading=True), 0.0)
    view.take("heartbeat", {**later("node-1", 1), "incarnation": 2}, 10.0)
    assert not view.serves("node-1", LOG, 0, 10.0)
    assert view.wants_heartbeats(10.0)


def test_by_what_items_of_which_tables_expire() -> None:
    view = ClusterView()
    view.take("table_metadata", table(1), 0.0)
    assert view.expiring == {}
    view.take("table_metadata", {**table(2), "time_to_live": "ttl"}, 0.0)
    view.take("table_metadata", table(1), 0.0)
    assert view.expiring == {LOG: "ttl"}
    view.take("table_metadata", {**table(3), "time_to_live": ""}, 0.0)
    assert view.expiring == {}
    for status in ("DELETING", "DELETED"):
        view.take("table_metadata", {**table(4, log=status, name=status), "time_to_live": "ttl"}, 0.0)
        assert view.expiring == {status: "ttl"}
        view.take("table_metadata", {**table(5, status, log=status, name=status), "time_to_live": "ttl"}, 0.0)
        assert view.expiring == {}
