"""Which partitions are split, and where: asked for, or found by a rule.

A split needs a bound. Who names none gets the middle of the contents: the leader is asked for it, looks in a thread,
and answers on the control topic. Meanwhile a request is not answered; its asker asks again. The rule of size does the
same; that of heat takes the middle of the load, which leaders tell unasked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dynabus.adapters.logs import logger
from dynabus.auto_admin.orders import LeaderOrders, Tell
from dynabus.auto_admin.splitting import growth, splits
from dynabus.auto_admin.splitting.heat import HeatBook, Verdict
from dynabus.auto_admin.splitting.splits import ACTIVE, SPLITTING, Wish, state_of
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError, validation_error
from dynabus.core.messages import SplitPoint
from dynabus.core.tables.partition_needs import Policy

ASK_AGAIN_MS = 1000.0
"""A leader that has changed meanwhile did not get the question."""

POINT_KEPT_MS = 10_000.0
"""A middle that is older is asked for again."""

RULES_MS = 1000.0
"""Between two looks at sizes, which heartbeats tell every 1.5 s, and at heat, which is told every 5 s."""

REFUSED_MS = 60_000.0
"""What cannot be split for its size is looked at again, and told again, after so long; other rules go on."""

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
        heat: HeatBook,
        policy: Policy,
    ) -> None:
        self.numbers_most, self.heat, self._policy = numbers_most, heat, policy
        self._view, self._split_bytes = view, split_bytes
        self._orders = LeaderOrders(view, tell, ASK_AGAIN_MS)
        self._points: dict[Place, _Point] = {}
        self._rules_due_ms = 0.0
        self._not_before_ms: dict[Place, float] = {}
        """Partitions that are too large and could not be split."""

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
        """What the rules want split: for throughput, by size, by heat."""
        if now_ms < self._rules_due_ms:
            return
        self._rules_due_ms = now_ms + RULES_MS
        for state in states.values():
            yield from growth.wishes(state, self._policy, self.numbers_most)
            if state.status == "ACTIVE" and not state.pending and not splits.splitting(state):
                yield from self._of_table(state, now_ms)

    def short(self, state: TableState) -> bool:
        """A change of its throughput has to wait for splits."""
        return growth.short(state, self._policy, self.numbers_most)

    def _of_table(self, state: TableState, now_ms: float) -> Iterator[Wish]:
        count = len(state.partitions)
        for partition in [each for each in state.partitions if state_of(each) == ACTIVE]:
            wish = self._by_size(state, partition, now_ms) or self._by_heat(state, partition, count, now_ms)
            if wish is not None:
                count += 1
                yield wish

    def _by_size(self, state: TableState, partition: Mapping[str, Any], now_ms: float) -> Wish | None:
        place = (state.id, partition["number"])
        size = self._size(*place)
        if size <= self._split_bytes or now_ms < self._not_before_ms.get(place, float("-inf")):
            return None
        try:
            splits.find(state, state.name, partition["number"], self.numbers_most)
            at = self._middle(state, partition, now_ms)
        except ApiError as error:
            logger().warning("too large, not split", table=state.name, partition=partition["number"], why=str(error))
            self._not_before_ms[place] = now_ms + REFUSED_MS
            return None
        self._not_before_ms.pop(place, None)
        return None if at is None else Wish(state.name, partition["number"], at, f"{size} bytes", "size")

    def _by_heat(self, state: TableState, partition: Mapping[str, Any], count: int, now_ms: float) -> Wish | None:
        verdict = self._verdict(state, partition, count, now_ms)
        if verdict is None or verdict.at is None:
            return None
        return Wish(state.name, partition["number"], verdict.at, verdict.why, "heat")

    def _verdict(self, state: TableState, partition: Mapping[str, Any], count: int, now_ms: float) -> Verdict | None:
        """None: it is not hot. What stands against any split stands against this one too."""
        verdict = self.heat.verdict((state.id, partition["number"]), count, now_ms)
        if verdict is None or verdict.at is None:
            return verdict
        try:
            splits.find(state, state.name, partition["number"], self.numbers_most)
        except ApiError as error:
            return verdict._replace(at=None, against=str(error))
        return verdict

    def describe(self, states: Mapping[str, TableState], now_ms: float) -> list[dict[str, Any]]:
        """For the plan: splits that are under way, and hot partitions with what is done about them."""
        return [
            {"table": state.name, "number": partition["number"], **told}
            for state in states.values()
            for partition in state.partitions
            if (told := self._told(state, partition, now_ms)) is not None
        ]

    def _told(self, state: TableState, partition: Mapping[str, Any], now_ms: float) -> dict[str, str] | None:
        if state_of(partition) == SPLITTING:
            children = " and ".join(map(str, partition["children"]))
            return {"what": f"is being split into {children}", "why": partition["why"]}
        verdict = self._verdict(state, partition, len(state.partitions), now_ms)
        if verdict is None:
            return None
        against = verdict.against or "it is not known yet where its load lies"
        what = "will be split" if verdict.at is not None else f"is hot and not split: {against}"
        return {"what": what, "why": verdict.why}

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
