"""At a node: what a table's index is behind, which writes that holds back, and what is shown of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.core.admission.tables import provisioned
from tests.unit.core.global_indexes.indexes import described, index, item
from tests.unit.storage_node.capacity.test_admission import part
from tests.unit.storage_node.stand_ins import PARTITION, leading, read_back, regions

from dynabus.adapters.codec import decode, encode
from dynabus.core.admission import Mode
from dynabus.core.admission.messages import NodeHeat
from dynabus.core.global_indexes.messages import IndexProgress
from dynabus.core.ids import NodeName
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations.calls import Code
from dynabus.core.replication.effects import Write
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.core.rows import encode_row
from dynabus.core.tables.indexes import LAG_LIMIT, OF
from dynabus.core.values import Item
from dynabus.storage_node.capacity.admission import NodeAdmission
from dynabus.storage_node.capacity.heat import PERIOD_MS, HeatTeller
from dynabus.storage_node.capacity.lags import LOOK_MS, TOLD_MS
from dynabus.storage_node.replicas.hosted import Hosted

INDEX_LOG = "i" * 32
TOUCHES = item(a={"S": "x"})


class Desk:
    """A node that leads a partition of a table with the index `by-a`, whose lag may be 5 s."""

    def __init__(self, mode: Mode = Mode.ON, limit_s: int = 5, status: str = "ACTIVE") -> None:
        self.admission = NodeAdmission(mode, (3000, 1000), NodeName("node-1"), lambda *_: None, regions())
        self.replica = leading()
        self.now_ms, self.counter, self.version = 10.0, 0, 0
        shown = {**index("a"), "IndexStatus": status}
        self.describe(PARTITION.log, "music", {**provisioned(), **described(shown, sort=False)})
        of = {"Table": PARTITION.log, "TableName": "music", "Name": "by-a", LAG_LIMIT: limit_s}
        self.describe(INDEX_LOG, "music/index/by-a", {**provisioned(), OF: of})

    def describe(self, log: str, name: str, description: dict[str, Any]) -> None:
        self.version += 1
        partition = {"number": 0, "generation": 1, "lower": b"", "upper": None, "members": ["node-1"]}
        message = {"id": log, "name": name, "version": self.version, "status": "ACTIVE"}
        whole = {**message, "partitions": [{**partition, "preferred": "node-1", "state": "active"}]}
        self.admission.view.take("table_metadata", {**whole, "description": orjson.dumps(description)}, 0.0)

    def write(self, new: Item = TOUCHES) -> int:
        """As it is decided, and accepted and applied if it is a write."""
        row = encode_row(orjson.dumps(new), 3, 0)
        evaluate = self.admission.evaluation(
            self.replica, lambda _old, _ms: Decision(True, row, Outcome(size=3)), part(Code.PUT), self.now_ms
        )
        self.counter += 1
        outcomes: list[int] = []

        def noted(old: bytes | None, wall_ms: int) -> Decision:
            decision = evaluate(old, wall_ms)
            outcomes.append(decision.outcome.status)
            return decision

        key = b"\0" * 8 + str(self.counter).encode() + b"\0\0"
        sender = Sender("router-1", 1, self.counter, 0)
        self.replica.write(Write(sender, b"%018d" % self.counter, 1, key, noted, 1000), self.now_ms, 0)
        read_back(self.replica, self.now_ms)
        return outcomes[0]

    def wait(self, ms: float) -> None:
        self.now_ms += ms
        self.admission.lags.step([self.replica], self.now_ms)

    def tell(self, *over: int, generation: int = 1, index_id: str = INDEX_LOG, behind: int = 0) -> None:
        """A propagator has all that the log has, but for the last `behind` records."""
        place = {"index": index_id, "next_offset": self.replica.replica.place.next_offset - behind}
        log = {"log": PARTITION.log, "partition": 0, "generation": generation, "indexes": [place]}
        full = [{"index": index_id, "partitions": [*over]}] if over else []
        kind, body = decode(encode("index_progress", {"asker": "propagator-1", "logs": [log], "over": full}))
        progress: IndexProgress = body
        assert kind == "index_progress"
        self.admission.lags.told(progress, self.find, self.now_ms)

    def find(self, log: str, number: int) -> Hosted | None:
        return self.replica if (log, number) == PARTITION else None

    @property
    def lag_s(self) -> float:
        (shown,) = self.admission.lags.shown
        assert (shown.table, shown.index) == ("music", "by-a")
        return shown.lag_s


def test_writes_that_touch_an_index_that_is_too_far_behind_are_refused_until_it_is_not() -> None:
    desk = Desk()
    assert desk.write() == ReplyStatus.OK
    desk.wait(5000.0)
    assert desk.write() == ReplyStatus.OK, "as far as the limit"
    desk.wait(LOOK_MS)
    assert desk.write() == ReplyStatus.THROTTLED
    assert desk.write(item()) == ReplyStatus.OK, "it does not touch the index"
    assert desk.lag_s == pytest.approx(5.25)
    desk.tell()
    desk.wait(LOOK_MS)
    assert (desk.lag_s, desk.write()) == (0.0, ReplyStatus.OK)
    assert desk.admission.throttled.counts == {("music/index/by-a", "IndexWriteProvisionedThroughputExceeded"): 1}


def test_an_idle_log_has_no_lag_though_nobody_tells_anything() -> None:
    desk = Desk()
    desk.write(item())
    desk.wait(3_600_000.0)
    assert (desk.lag_s, desk.write()) == (0.0, ReplyStatus.OK)


def test_a_propagator_that_is_dead_lets_lag_grow() -> None:
    desk = Desk()
    desk.write()
    desk.tell(behind=1)
    desk.wait(60_000.0)
    assert desk.lag_s == pytest.approx(60.0)
    desk.tell(behind=1)
    desk.wait(60_000.0)
    assert desk.lag_s == pytest.approx(120.0), "to say the same again is no progress"


@pytest.mark.parametrize("more", [{"generation": 2}, {"index_id": "another"}])
def test_what_is_told_of_another_log_or_index_counts_for_nothing(more: dict[str, Any]) -> None:
    desk = Desk()
    desk.write()
    desk.tell(**more)
    desk.wait(9000.0)
    assert desk.lag_s == pytest.approx(9.0)


@pytest.mark.parametrize(("limit_s", "status"), [(0, "ACTIVE"), (5, "CREATING")])
def test_without_a_limit_or_while_it_is_filled_it_holds_nothing_back(limit_s: int, status: str) -> None:
    desk = Desk(limit_s=limit_s, status=status)
    desk.write()
    desk.tell(0, behind=1) if status == "CREATING" else None
    desk.wait(3_600_000.0)
    assert (desk.write(), desk.lag_s) == (ReplyStatus.OK, 3600.0)


def test_partitions_over_their_cap_hold_back_writes_while_somebody_says_so() -> None:
    desk = Desk(limit_s=0)
    desk.tell(0)
    desk.wait(LOOK_MS)
    assert (desk.write(), desk.write(item())) == (ReplyStatus.THROTTLED, ReplyStatus.OK)
    assert desk.admission.throttled.counts == {("music/index/by-a", "IndexWriteKeyRangeThroughputExceeded"): 1}
    desk.tell()
    desk.wait(LOOK_MS)
    assert desk.write() == ReplyStatus.OK
    desk.tell(0)
    desk.wait(LOOK_MS)
    assert desk.write() == ReplyStatus.THROTTLED
    desk.wait(TOLD_MS + LOOK_MS)
    assert desk.write() == ReplyStatus.OK, "who said so has died"


def test_a_report_refuses_nothing_and_off_counts_nothing() -> None:
    reported, off = Desk(Mode.REPORT), Desk(Mode.OFF)
    for desk in (reported, off):
        desk.write()
        desk.wait(9000.0)
        assert desk.write() == ReplyStatus.OK
        assert desk.lag_s == 9.0
    assert sum(reported.admission.throttled.counts.values()) == 1
    assert off.admission.throttled.counts == {}


def test_what_is_refused_is_charged_nowhere() -> None:
    desk = Desk()
    desk.write()
    assert desk.replica.meter is not None
    before = [*desk.replica.meter.meter.served]
    desk.wait(9000.0)
    assert desk.write() == ReplyStatus.THROTTLED
    assert desk.replica.meter.meter.served == before


def test_auto_admin_is_told_what_writes_cost_an_index() -> None:
    desk, sent = Desk(), list[NodeHeat]()
    teller = HeatTeller(NodeName("node-1"), (3000, 1000), desk.admission.view, sent.append)
    teller.step([desk.replica], 0.0)
    for _ in range(3):
        desk.write()
    desk.write(item())
    teller.step([desk.replica], PERIOD_MS)
    teller.step([desk.replica], 2 * PERIOD_MS)
    (told,) = [partition["charges"] for heat in sent for partition in heat["partitions"]]
    assert told == [{"index": INDEX_LOG, "units": 6}]
    assert decode(encode("heat", sent[0])) == ("heat", sent[0])
