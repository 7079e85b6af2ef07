"""What a lost log left in an index: who looks for it, where, and as of when it is deleted."""

from __future__ import annotations

from typing import Any

import orjson
from tests.simulation.histories import TABLE, origin
from tests.simulation.indexes import DESCRIPTION, INDEX, INDEX_ID, item_of
from tests.simulation.kafka import BODIES
from tests.unit.core.propagation.test_follower import ROOT
from tests.unit.core.propagation.test_index_logs import INDEX_ROW, logs

from dynabus.adapters.checkpoint_codec import METADATA_BYTES_MOST, decode_checkpoint, encode_checkpoint
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.backfill import Page, page, page_of, page_part
from dynabus.core.global_indexes.view import label_of
from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.keys import encode_key
from dynabus.core.messages import ReplyStatus
from dynabus.core.propagation.fills import Fills
from dynabus.core.propagation.owned_log import Found
from dynabus.core.propagation.paging import AGAIN_MS, Paging
from dynabus.core.propagation.propagator import PageWish, Propagator, Sending
from dynabus.core.propagation.sweeps import Sweep, sweep_of, sweeps_of
from dynabus.core.propagation.sweeps import index_of as index_label
from dynabus.core.propagation.view import DerivedView
from dynabus.core.replication.place import Group, Origin, start_of_log
from dynabus.core.replication.records import Form
from dynabus.core.replication.store import Outcome
from dynabus.core.rows import Source, encode_index_row
from dynabus.core.tables.indexes import index_message, own_description

LABEL = label_of(INDEX_ID)
SWEEP = Sweep(2, LABEL)
CHILD = PartitionId(LogId(TABLE), 1)


def test_labels() -> None:
    assert sweep_of(SWEEP.label) == SWEEP
    assert sweep_of(LABEL) is None
    assert index_label(SWEEP.label) == index_label(LABEL) == LABEL
    assert sweeps_of(["2026-11-28T22:53:32.001", LABEL], 7) == [f"sweep/7/{LABEL}"], "streams have no rows"


def test_a_sweep_need_not_be_committed_first_and_goes_with_its_index() -> None:
    fills = Fills()
    fills.sweep([SWEEP.label])
    assert not fills.holds
    fills.restore(fills.positions, 0, ())
    assert not fills.holds
    fills.keep_only([LABEL])
    assert fills.positions == ((SWEEP.label, b""),)
    fills.keep_only([])
    assert not fills.positions


def recovered() -> tuple[Propagator, Any]:
    """A propagator that has the successor of a log that lost its end, and has read nothing of it yet."""
    history = logs()
    history.lose(0)
    closed = {"number": 0, "generation": 1, "lineage": [], "children": [1]}
    closed["recovered"] = {"next_offset": history.recovered[0][1]}
    serving = {"number": 1, "generation": 2, "lineage": []}
    view = DerivedView()
    view.take_index(index_message(INDEX_ROW, TABLE, DESCRIPTION, 8, [serving], [closed]))
    brain = Propagator(view, BODIES)
    brain.assigned(ROOT, Found(origin(0), 0, None))
    brain.read({ROOT: history.logs[0]})
    acknowledge(brain)
    brain.assigned(CHILD, Found(origin(1), 0, None))
    brain.told_parent(CHILD, brain.due()[ROOT])
    return brain, history


def acknowledge(brain: Propagator) -> list[Sending]:
    """What was written; all of it is."""
    brain.outputs()
    writes = brain.writes()
    brain.confirm()
    for each in writes:
        brain.acknowledged(each.partition, [each.number])
    return writes


def test_a_recovered_partition_is_swept_once_its_contents_are_read() -> None:
    brain, history = recovered()
    log = history.logs[1]
    brain.read({CHILD: log[:2]})
    acknowledge(brain)
    assert brain.due()[CHILD].fills == ((SWEEP.label, b""),), "it stands in the checkpoint from the genesis on"
    assert brain.pages() == [], "its contents are not all there yet"
    brain.read({CHILD: log})
    acknowledge(brain)
    (wish,) = brain.pages()
    assert wish == PageWish(CHILD, SWEEP.label, b"", 0)
    stale = item_of("k01", "a|5")
    brain.told_page(wish, Page([stale], 0, b"next"))
    (write,) = acknowledge(brain)
    assert write.of.write == (INDEX.row_key(stale), b"", 0, Source(1, 2, 0)), "as of before all contents"
    (wish,) = brain.pages()
    assert wish.position == b"next"
    brain.told_page(wish, Page([], 0, None))
    acknowledge(brain)
    assert brain.due()[CHILD].fills == ()


def test_who_takes_over_goes_on_with_it() -> None:
    brain, history = recovered()
    brain.read({CHILD: history.logs[1]})
    acknowledge(brain)
    brain.told_page(brain.pages()[0], Page([], 0, b"next"))
    acknowledge(brain)
    checkpoint = decode_checkpoint(encode_checkpoint(brain.due()[CHILD]))
    brain.assigned(CHILD, Found(origin(1), 0, checkpoint))
    assert [each.position for each in brain.pages()] == [b"next"]


def test_checkpoints_have_room_for_sweeps_of_all_indexes() -> None:
    brain, history = recovered()
    brain.read({CHILD: history.logs[1]})
    acknowledge(brain)
    labels = tuple(label_of(f"{number:016x}") for number in range(20))
    fills = tuple((each, b"") for each in sweeps_of(labels, 2**31 - 1))
    largest = brain.due()[CHILD]._replace(open=labels, fills=((fills[0][0], b"x" * 128), *fills[1:]))
    assert len(encode_checkpoint(largest)) < METADATA_BYTES_MOST - 1200, "so much is a place at the most"


# -- pages --------------------------------------------------------------------------------------------------------


def test_a_page_of_an_index_has_rows_of_older_generations_and_no_tombstones() -> None:
    store = MemoryStore()
    for number, (generation, json) in enumerate(
        [(1, b'{"a":{"N":"1"}}'), (2, b'{"a":{"N":"2"}}'), (1, b""), (1, b'{"a":{"N":"3"}}')]
    ):
        store.put(b"%d" % number, encode_index_row(json, len(json), 5, Source(0, generation, 9)))
    group = Group(4, b"", None, (NodeName("node-1"),), Form.NEW)
    place = start_of_log(Origin("c", "t", PartitionId(LogId("t.i"), 0)), 3)._replace(group=group)
    part = page_part("t.i", 0, 4, b"", 0, 2)
    assert part["consistent"]
    found = page_of(page(part, place, store).part(0))
    assert found == Page([{"a": {"N": "1"}}, {"a": {"N": "3"}}], 3, None)


LOG = LogId(f"{TABLE}.{INDEX_ID}")


def partition(number: int, lower: bytes, upper: bytes | None) -> dict[str, Any]:
    more = {"members": ["node-1", "node-2"], "preferred": "node-1", "state": "active", "lineage": [], "joining": []}
    return {"number": number, "generation": 3, "lower": lower, "upper": upper, **more}


class Desk:
    """An index of two partitions that meet at `m`, and a table's partition that holds some keys."""

    def __init__(self) -> None:
        self.view = ClusterView()
        self.paging = Paging(self.view, lambda nodes: nodes[-1])
        middle = sorted(encode_key({"S": key}) for key in ("k01", "k02"))[1]
        own = own_description(DESCRIPTION, TABLE, "by-i")
        self.take(TABLE, "music", DESCRIPTION, [partition(1, b"", middle), partition(2, middle, None)])
        self.take(LOG, "music/index/by-i", own, [partition(0, b"", b"m"), partition(1, b"m", None)])
        self.view.take("leader_metadata", {"log": LOG, "partition": 0, "term": 5, "node": "node-1"}, 0.0)

    def take(self, log: str, name: str, described: Any, partitions: list[dict[str, Any]]) -> None:
        message = {"id": log, "name": name, "version": 1, "status": "ACTIVE", "partitions": partitions}
        self.view.take("table_metadata", {**message, "description": orjson.dumps(described)}, 0.0)

    def reply(self, counter: int, status: ReplyStatus = ReplyStatus.OK, last: bytes = b"") -> list[Page]:
        items = [item_of(key, "a|1") for key in ("k01", "k02")]
        body = (7).to_bytes(8, "big") + orjson.dumps(items)
        part = Outcome(status, body, last=last).part(0)
        reply: Any = {"incarnation": 1, "counter": counter, "node": "node-1", "parts": [part]}
        self.paging.take(reply, 0.0)
        return [page for _, page in self.paging.take_pages()]


def test_the_indexs_leader_is_asked_and_what_others_hold_is_left_alone() -> None:
    desk = Desk()
    (send,) = desk.paging.due([PageWish(CHILD, SWEEP.label, b"b", 0)], 0.0)
    (part,) = send.parts
    assert (send.node, part["log"], part["partition"], part["key"]) == ("node-1", LOG, 0, b"b")
    first = min(("k01", "k02"), key=lambda key: encode_key({"S": key}))
    (page,) = desk.reply(send.counter, last=b"c")
    assert [item["pk"]["S"] for item in page.items] == [first]
    assert page.behind == b"c"


def test_the_indexs_next_partition_follows() -> None:
    desk = Desk()
    (send,) = desk.paging.due([PageWish(CHILD, SWEEP.label, b"b", 0)], 0.0)
    (page,) = desk.reply(send.counter)
    assert page.behind == b"m"
    (send,) = desk.paging.due([PageWish(CHILD, SWEEP.label, b"m", 0)], 0.0)
    assert (send.parts[0]["partition"], send.node) == (1, "node-2"), "who leads it is not known: any member is asked"
    (page,) = desk.reply(send.counter)
    assert page.behind is None


def test_a_leader_that_is_none_is_asked_again() -> None:
    desk = Desk()
    wish = PageWish(CHILD, SWEEP.label, b"b", 0)
    (send,) = desk.paging.due([wish], 0.0)
    assert desk.reply(send.counter, ReplyStatus.NOT_LEADER) == []
    assert desk.paging.due([wish], AGAIN_MS - 1) == []
    assert len(desk.paging.due([wish], AGAIN_MS)) == 1
