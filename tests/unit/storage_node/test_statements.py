"""What heartbeats say of checksums and damage."""

from __future__ import annotations

from pathlib import Path

from tests.unit.storage_node.upkeep.test_scrubbing import leading

from dynabus.adapters.codec import decode, encode
from dynabus.core.checksum import signed
from dynabus.core.rows import CorruptRow
from dynabus.storage_node.replicas.heartbeats import replica_state


def test_a_replica_at_rest_says_its_checksum_once(tmp_path: Path) -> None:
    made = leading(tmp_path / "0", 3)
    said = [replica_state(made, 5.0)["checked"] for _ in range(3)]
    assert said == [[], [made.replica.place.next_offset, signed(made.contents.checksum)], []]


def test_a_replica_that_failed_says_no_checksum_and_why(tmp_path: Path) -> None:
    made = leading(tmp_path / "0", 3)
    replica_state(made, 5.0)
    made.quarantine(CorruptRow("bits"), 6.0, b"\x07")
    state = replica_state(made, 7.0)
    assert state["checked"] == []
    assert "bits" in state["alarm"]


def test_it_costs_a_byte_where_there_is_nothing_to_say(tmp_path: Path) -> None:
    state = replica_state(leading(tmp_path / "0", 3), 5.0)
    beat = {"node": "node-1", "service": "storage-node", "zone": "a", "incarnation": 1, "stopping": False}
    quiet, told = (
        {**beat, "number": 0, "whole": True, "replicas": [{**state, "checked": each}]}
        for each in ([], [1 << 40, -(1 << 63)])
    )
    assert len(encode("heartbeat", told)) - len(encode("heartbeat", quiet)) <= 20
    assert decode(encode("heartbeat", told))[1] == told
