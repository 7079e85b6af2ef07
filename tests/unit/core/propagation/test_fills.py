"""How far indexes are filled, and that nothing is written for one before it is committed where it begins."""

from __future__ import annotations

from typing import Any

from tests.simulation.histories import TABLE, origin
from tests.simulation.indexes import INDEX_ID, item_of
from tests.simulation.kafka import BODIES
from tests.unit.core.propagation.test_follower import ROOT
from tests.unit.core.propagation.test_index_logs import index_of, logs

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.backfill import Page
from dynabus.core.global_indexes.view import label_of
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.messages import ReplyStatus
from dynabus.core.propagation.fills import POSITION_BYTES, Fills
from dynabus.core.propagation.owned_log import Found
from dynabus.core.propagation.paging import AGAIN_MS, SILENT_MS, Paging
from dynabus.core.propagation.propagator import PageWish, Propagator, Wish
from dynabus.core.propagation.view import DerivedView
from dynabus.core.replication.store import Outcome

LABEL = label_of(INDEX_ID)


def adding() -> tuple[Propagator, Any]:
    """An index that is added to a table that has records."""
    view = DerivedView()
    view.take_index(index_of(status="ENABLING", from_start=False))
    brain = Propagator(view, BODIES)
    brain.assigned(ROOT, Found(origin(0), 0, None))
    history = logs()
    assert brain.wishes() == [(ROOT, Wish.PLACE)]
    brain.told_place(ROOT, history.place_at(0, len(history.logs[0]) // 2))
    brain.read({ROOT: history.logs[0]})
    assert brain.wishes() == [(ROOT, Wish.END)]
    brain.told_end(ROOT, len(history.logs[0]))
    return brain, history


def commit(brain: Propagator) -> None:
    brain.outputs()
    brain.confirm()
    due = brain.due()
    assert due[ROOT].open == (LABEL,)
    brain.commit_done(due)


def test_what_came_before_is_not_written_and_nothing_is_before_the_commit() -> None:
    brain, history = adding()
    assert brain.outputs() == []
    assert brain.writes() == []
    assert brain.pages() == []
    assert brain.positions() == {}
    commit(brain)
    assert brain.positions()[ROOT].next_offset == len(history.logs[0])
    assert brain.pages() == [PageWish(ROOT, LABEL, b"", len(history.logs[0]))]


def test_pages_are_written_as_of_the_record_before_their_place() -> None:
    brain, history = adding()
    commit(brain)
    (wish,) = brain.pages()
    at = len(history.logs[0]) + 7
    brain.told_page(wish, Page([item_of("k01", "a|5"), item_of("k02", "|5")], at, b"k03"))
    brain.outputs()
    (write,) = brain.writes()
    assert write.of.write.source == (0, 1, at - 1)
    brain.confirm()
    assert brain.due() == {}
    brain.acknowledged(ROOT, [write.number])
    assert brain.due()[ROOT].fills == ((LABEL, b"k03"),)
    (wish,) = brain.pages()
    assert wish.position == b"k03"
    brain.told_page(wish, Page([], at, None))
    brain.confirm()
    assert brain.due()[ROOT].fills == ()
    assert brain.pages() == []


def test_a_page_that_comes_before_the_confirmation_is_waited_for_too() -> None:
    brain, _ = adding()
    commit(brain)
    (wish,) = brain.pages()
    brain.outputs()
    brain.told_page(wish, Page([item_of("k01", "a|5")], 99, None))
    brain.confirm()
    assert brain.due() == {}, "the checkpoint says that all is filled, and nothing is written"
    (write,) = brain.writes()
    brain.acknowledged(ROOT, [write.number])
    assert brain.due()[ROOT].fills == ()


def test_a_page_that_comes_again_is_not_written_again() -> None:
    brain, _ = adding()
    commit(brain)
    (wish,) = brain.pages()
    for _ in range(2):
        brain.told_page(wish, Page([item_of("k01", "a|5")], 99, b"k03"))
    brain.outputs()
    assert len(brain.writes()) == 1


def test_items_whose_attributes_are_no_keys_are_counted() -> None:
    brain, _ = adding()
    commit(brain)
    (wish,) = brain.pages()
    brain.told_page(wish, Page([{**item_of("k01", "a|5"), "i": {"N": "1"}}, item_of("k02", "|5")], 99, None))
    assert brain.logs[ROOT].follower.skipped == 1
    brain.outputs()
    assert brain.writes() == []


def test_a_begin_that_was_only_confirmed_is_not_believed_after_a_failure() -> None:
    brain, _ = adding()
    brain.outputs()
    brain.confirm()
    brain.fail()
    assert brain.pages() == []
    assert brain.positions() == {}
    brain.commit_done(brain.due())
    assert len(brain.pages()) == 1


def test_positions_in_checkpoints_are_short() -> None:
    fills = Fills()
    fills.restore([("a", b"k" * 500)], 5)
    assert fills.positions == (("a", b"k" * POSITION_BYTES),)
    assert fills.next == ("a", (b"k" * 500, 5))
    fills.keep_only(["b"])
    assert fills.next is None


# -- asking -------------------------------------------------------------------------------------------------------


class Desk:
    def __init__(self) -> None:
        self.view = ClusterView()
        self.paging = Paging(self.view, lambda nodes: nodes[0])
        self.wish = PageWish(PartitionId(LogId(TABLE), 0), LABEL, b"k", 5)

    def reply(self, counter: int, status: ReplyStatus = ReplyStatus.OK) -> None:
        body = (7).to_bytes(8, "big") + b"[]"
        part = Outcome(status, body).part(0)
        reply: Any = {"incarnation": 1, "counter": counter, "node": "node-1", "parts": [part]}
        self.paging.take(reply, 0.0)

    def know(self) -> Desk:
        partition = {
            "number": 0,
            "generation": 3,
            "lower": b"",
            "upper": None,
            "members": ["node-1"],
            "preferred": "node-1",
            "state": "active",
            "lineage": [],
            "joining": [],
        }
        description = (
            b'{"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],'
            b'"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}'
        )
        table = {"id": TABLE, "name": "music", "version": 1, "status": "ACTIVE", "description": description}
        self.view.take("table_metadata", {**table, "partitions": [partition]}, 0.0)
        said = {
            "log": TABLE,
            "partition": 0,
            "generation": 3,
            "state": "active",
            "leading": False,
            "checked": [],
            "totals": [],
        }
        beat = {"node": "node-1", "service": "storage-node", "zone": "a", "incarnation": 1, "stopping": False}
        self.view.take("heartbeat", {**beat, "number": 0, "whole": True, "replicas": [said]}, 0.0)
        return self


def test_a_page_is_asked_of_an_active_replica_once() -> None:
    desk = Desk().know()
    (send,) = desk.paging.due([desk.wish], 0.0)
    assert (send.node, send.parts[0]["generation"], send.parts[0]["key"]) == ("node-1", 3, b"k")
    assert desk.paging.due([desk.wish], 1.0) == []
    desk.reply(send.counter)
    assert desk.paging.take_pages() == [(desk.wish, Page([], 7, None))]
    assert len(desk.paging) == 0


def test_refusals_and_silence_are_asked_again() -> None:
    desk = Desk().know()
    (send,) = desk.paging.due([desk.wish], 0.0)
    desk.reply(send.counter, ReplyStatus.BUSY)
    assert desk.paging.due([desk.wish], AGAIN_MS - 1) == []
    (send,) = desk.paging.due([desk.wish], AGAIN_MS)
    assert desk.paging.due([desk.wish], AGAIN_MS + SILENT_MS - 1) == []
    assert len(desk.paging.due([desk.wish], AGAIN_MS + SILENT_MS)) == 1
    desk.reply(send.counter)  # of the one that was given up
    assert desk.paging.take_pages() == []


def test_nobody_is_asked_while_nobody_is_known() -> None:
    desk = Desk()
    assert desk.paging.due([desk.wish], 0.0) == []
    assert len(desk.know().paging.due([desk.wish], AGAIN_MS)) == 1


def test_wishes_that_are_no_more_are_forgotten() -> None:
    desk = Desk().know()
    (send,) = desk.paging.due([desk.wish], 0.0)
    assert desk.paging.due([], 1.0) == []
    desk.reply(send.counter)
    assert desk.paging.take_pages() == []
