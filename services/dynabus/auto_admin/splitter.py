"""Which partitions are split, and where: asked for, or found by a rule.

A split needs a bound. Who names none, as rules never do, gets the middle of the contents: the leader is asked for it,
looks in a thread, and answers on the control topic. Meanwhile a request is not answered; its asker asks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dynabus.adapters.logs import logger
from dynabus.auto_admin import splits
from dynabus.auto_admin.decisions import TableState
from dynabus.auto_admin.orders import LeaderOrders, Tell
from dynabus.auto_admin.splits import ACTIVE, Wish, state_of
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError, validation_error
from dynabus.core.messages import SplitPoint

ASK_AGAIN_MS = 1000.0
"""A leader that has changed meanwhile did not get the question."""

POINT_KEPT_MS = 10_000.0
"""A middle that is older is asked for again."""

RULES_MS = 1000.0
"""Between two looks at sizes, which heartbeats tell every 1.5 s."""

Place = tuple[str, int]
"""(table id, partition)."""


class _Point(NamedTuple):
    point: SplitPoint
    told_ms: float


class Splitter:
    """Keeps the middles that leaders told."""

    def __init__(
        self,
        view: ClusterView,
        tell: Tell,
        split_bytes: int,
        numbers_most: int,
    ) -> None:
        self.numbers_most = numbers_most
        self._view, self._split_bytes = view, split_bytes
        self._orders = LeaderOrders(view, tell, ASK_AGAIN_MS)
        self._points: dict[Place, _Point] = {}
        self._rules_due_ms = 0.0

    def told(self, point: SplitPoint, now_ms: float) -> None:
        """A leader's answer."""
        self._points[point["log"], point["partition"]] = _Point(point, now_ms)

    def wish(self, state: TableState | None, body: Mapping[str, Any], now_ms: float) -> Wish | None:
        """What a request asks for; None while the middle is not known. Raises ApiError."""
        name, number = str(body["TableName"]), int(body["Partition"])
        parent = splits.find(state, name, number, self.numbers_most)
        assert state is not None
        if body.get("At") is not None:
            return Wish(name, number, splits.bound_of(state, body["At"]), "asked for")
        at = self._middle(state, parent, now_ms)
        return None if at is None else Wish(name, number, at, "asked for")

    def due(self, states: Mapping[str, TableState], now_ms: float) -> Iterator[Wish]:
        """What the rules want split. Sustained heat and provisioned throughput will be further rules beside size."""
        if now_ms < self._rules_due_ms:
            return
        self._rules_due_ms = now_ms + RULES_MS
        for state in states.values():
            if state.status == "ACTIVE" and not splits.splitting(state):
                yield from self._of_table(state, now_ms)

    def _of_table(self, state: TableState, now_ms: float) -> Iterator[Wish]:
        for partition in [each for each in state.partitions if state_of(each) == ACTIVE]:
            size = self._size(state.id, partition["number"])
            if size <= self._split_bytes:
                continue
            try:
                splits.find(state, state.name, partition["number"], self.numbers_most)
                at = self._middle(state, partition, now_ms)
            except ApiError as error:
                logger().warning(
                    "too large, not split", table=state.name, partition=partition["number"], why=str(error)
                )
                self._rules_due_ms = now_ms + 60 * RULES_MS
                continue
            if at is not None:
                yield Wish(state.name, partition["number"], at, f"{size} bytes")

    def _size(self, table_id: str, number: int) -> int:
        """Bytes of rows and entries, as the leader said last."""
        led = self._view.leader(table_id, number)
        said = self._view.said(led[1], table_id, number) if led is not None else None
        return sum(said["totals"][1::2]) if said is not None else 0

    def _middle(self, state: TableState, parent: Mapping[str, Any], now_ms: float) -> bytes | None:
        """None while it is not known. Raises ApiError: the leader found none."""
        place = (state.id, parent["number"])
        known = self._points.get(place)
        fresh = known is not None and now_ms - known.told_ms < POINT_KEPT_MS
        if known is not None and fresh and known.point["generation"] == parent["generation"]:
            if known.point["at"] is None:
                raise validation_error(f"Partition {parent['number']} cannot be split: {known.point['why']}")
            return known.point["at"]
        self._orders.send("middle", state.id, parent, now_ms)
        return None
