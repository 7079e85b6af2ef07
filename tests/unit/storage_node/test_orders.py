"""What a leader does when auto-admin orders it to seal, or asks it for the middle."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.unit.storage_node.stand_ins import leading, read_back

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import encode_place
from dynabus.core.messages import Order, SplitPoint
from dynabus.core.replication.effects import Append
from dynabus.core.replication.records import Kind, decode_record
from dynabus.core.replication.succession import AGAIN_MS
from dynabus.storage_node.orders import Orders
from dynabus.storage_node.replicas.hosted import Hosted

CHILDREN: list[Any] = [
    {"number": 1, "generation": 2, "lower": b"", "upper": b"m"},
    {"number": 2, "generation": 2, "lower": b"m", "upper": None},
]


def order(hosted: Hosted, kind: str, generation: int = 1) -> Order:
    children = CHILDREN if kind == "seal" else []
    log, number = hosted.partition
    return {
        "log": log,
        "partition": number,
        "generation": generation,
        "kind": kind,
        "children": children,
        "plan": 0,
        "members": [],
    }


def appended(hosted: Hosted) -> list[int]:
    effects = hosted.replica.take_effects()
    return [decode_record(0, 0, effect.value).kind for effect in effects if isinstance(effect, Append)]


def test_a_seal_is_sent_once_and_leaves_two_children() -> None:
    hosted = leading()
    orders = Orders(lambda _: None)
    orders.obey(order(hosted, "seal"), hosted, 10_000.0)
    assert hosted.replica.leader is not None
    assert not hosted.replica.leader.serving
    orders.obey(order(hosted, "seal"), hosted, 10_001.0)
    assert hosted.begins(10_001.0) == []
    read_back(hosted, 10_002.0)
    assert hosted.state == "sealed"
    assert [begin.number for begin in hosted.begins(10_002.0)] == [1, 2]
    assert hosted.begins(10_003.0) == []
    assert [begin.number for begin in hosted.begins(10_002.0 + AGAIN_MS)] == [1, 2]
    assert hosted.replica.leader is None


def test_an_order_for_another_generation_is_not_obeyed() -> None:
    hosted = leading()
    Orders(lambda _: None).obey(order(hosted, "seal", generation=2), hosted, 10_000.0)
    assert Kind.SEAL not in appended(hosted)


def test_a_follower_obeys_nothing() -> None:
    hosted = leading()
    hosted.replica.leader = None
    orders = Orders(lambda _: None)
    for kind in ("seal", "middle"):
        orders.obey(order(hosted, kind), hosted, 10_000.0)
    assert appended(hosted) == []
    assert not orders


def test_the_middle_is_told_when_it_is_found(tmp_path: Path) -> None:
    told: list[SplitPoint] = []
    hosted = leading(LmdbStore(tmp_path / "0"))
    place = encode_place(hosted.replica.place)
    hosted.store.commit(place, hosted.contents.encode(place))
    orders = Orders(told.append)
    orders.obey(order(hosted, "middle"), hosted, 10_000.0)
    orders.obey(order(hosted, "middle"), hosted, 10_000.0)
    deadline = time.monotonic() + 10
    while orders and time.monotonic() < deadline:
        orders.step()
    assert [(point["partition"], point["generation"], point["at"]) for point in told] == [(0, 1, b"\x80" + bytes(7))]


def test_an_order_to_rebuild_makes_a_member_damaged_whoever_leads() -> None:
    """Only of the generation that is meant, and once."""
    hosted, orders = leading(), Orders(lambda _point: None)
    orders.obey(order(hosted, "rebuild", 2), hosted, 5.0)
    assert hosted.damage == ""
    orders.obey(order(hosted, "rebuild"), hosted, 5.0)
    assert "other rows than another replica" in hosted.damage
    hosted.damage = "known"
    orders.obey(order(hosted, "rebuild"), hosted, 5.0)
    assert hosted.damage == "known"
