"""Control requests: what routers ask for becomes a decision to be appended, or nothing yet."""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.adapters.logs import logger
from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.global_tables.control import OF_REGIONS, OF_TABLES, GlobalControl
from dynabus.auto_admin.journal import Journal
from dynabus.auto_admin.placement import nodes
from dynabus.auto_admin.placement.nodes import node_key
from dynabus.auto_admin.placement.planner import Load, Placement, plan
from dynabus.auto_admin.placement.rounds import SHOWN_MOST, Rounds
from dynabus.auto_admin.recovery import decisions as recoveries
from dynabus.auto_admin.scaling import decisions as scaling
from dynabus.auto_admin.scaling.scaler import Scaler
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.splitting.splitter import Splitter
from dynabus.auto_admin.tables import decisions, index_lag, ingest, table_topics, tag_decisions, time_to_live
from dynabus.auto_admin.tables.decisions import table_key
from dynabus.auto_admin.tables.kept import streams_named
from dynabus.auto_admin.tables.progress import Tables
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError
from dynabus.core.global_indexes import index_name
from dynabus.core.ids import Incarnation, RequestId
from dynabus.core.key_schema import key_schema
from dynabus.core.limits import INDEX_LAG_LIMIT_MOST_S
from dynabus.core.messages import ControlRequest
from dynabus.core.replication.effects import Write
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.core.tables import auto_scaling
from dynabus.core.tables.changes import Update
from dynabus.core.tables.partition_needs import Policy, of_new

NODE_OPERATIONS = frozenset({"DrainNode", "UndrainNode", "RemoveNode"})
TOLD = frozenset({"DescribePlan", "ListEvents", "PendingDefinitions"})

GENERATION = 1
"""Of the admin log, which is never split."""


class Control:
    """Makes writes of requests; places new tables on the nodes that are heard."""

    def __init__(
        self,
        settings: AutoAdminSettings,
        tables: Tables,
        view: ClusterView,
        needs: Policy,
        splitter: Splitter,
        rounds: Rounds,
        journal: Journal,
        scaler: Scaler,
        globally: GlobalControl,
    ) -> None:
        self._globally = globally
        self._settings, self._tables, self._view = settings, tables, view
        self._splitter, self._rounds, self._journal = splitter, rounds, journal
        self._needs, self._scaler = needs, scaler
        self._first_node_ms: float | None = None
        self._planned: dict[bytes, list[Placement]] = {}
        self._is_settled = True

    def heard_node(self, now_ms: float) -> None:
        """A storage node lives: from the first one on, others are waited for."""
        self._rounds.inventory.heard(now_ms)
        if self._first_node_ms is None:
            self._first_node_ms = now_ms

    def settled(self) -> None:
        """No decision is under way: all that was planned is in the rows, or refused."""
        self._planned.clear()
        self._is_settled = True

    def write(self, request: ControlRequest, now_ms: float) -> Write | None:
        """None: not a request, or too few nodes are heard and the router will ask again."""
        sender = Sender(request["asker"], request["incarnation"], request["counter"], 0)
        request_id = encode_request_id(RequestId(Incarnation(sender.incarnation), sender.counter, 0))
        try:
            key, evaluate = self._read(request["operation"], orjson.loads(request["body"]), request_id, now_ms)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger().warning("control request skipped", asker=sender.asker, reason=repr(error))
            return None
        if evaluate is None:
            return None
        return Write(sender, request_id, GENERATION, key, evaluate, request["budget_ms"], repeat=request["repeat"])

    def _read(self, operation: str, body: Any, request_id: bytes, now_ms: float) -> tuple[bytes, Evaluate | None]:
        """The row's key and what is to be decided, None for not yet.

        Routers have checked the request. Raises KeyError and the like for what no router would have sent: it would
        stop this process, and every successor, as often as it is sent again.
        """
        if operation in NODE_OPERATIONS:
            return node_key(body["NodeName"]), self._of_node(operation, body["NodeName"], now_ms)
        if operation in TOLD:
            return node_key(""), self._told(operation, body, now_ms)
        if operation == "LimitIndexLag":
            return _lag_limit(body)
        if operation in OF_REGIONS:
            return self._globally.of_region(operation, body)
        if operation in OF_TABLES:
            return self._globally.of_table(operation, body, request_id, self.place, now_ms)
        name = body["TableName"]
        return table_key(name), self._of_table(operation, name, body, request_id, now_ms)

    def _of_table(self, operation: str, name: str, body: Any, request_id: bytes, now_ms: float) -> Evaluate | None:
        if operation == "CreateTable":
            return self._create(body, request_id, now_ms)
        if operation == "UpdateTable" and "ReplicaUpdates" in body:
            return self._globally.update(body)
        if operation == "UpdateTable":
            return decisions.update(Update.of(body), self._tables.refuse_more(), request_id)
        if operation == "DeleteTable":
            return decisions.delete(name, self._tables.refuse_more())
        if operation == "SplitPartition":
            return self._split(name, body, now_ms)
        if operation == "RecoverPartition":
            return self._recover(name, body)
        if operation == "DescribeTableReplicaAutoScaling":
            return scaling.describe(name, self._settings.region, self._settings.account)
        if operation == "UpdateTableReplicaAutoScaling":
            return self._scale(body)
        if operation == "SwitchIngest":
            return ingest.switch(name, enabled=bool(body["Enabled"]))
        if operation == "SwitchTableTopic":
            most = self._splitter.numbers_most
            return table_topics.switch(name, enabled=bool(body["Enabled"]), partitions_most=most)
        if operation == "UpdateTimeToLive":
            asked = body["TimeToLiveSpecification"]
            return time_to_live.update(name, str(asked["AttributeName"]), enabled=bool(asked["Enabled"]))
        return _tags(operation, body)

    def _of_node(self, operation: str, name: str, now_ms: float) -> Evaluate | None:
        """None while another of these is under way: two drains must not both count on the other's node."""
        if not self._is_settled:
            return None
        self._is_settled = False
        if operation == "DrainNode":
            return nodes.drain(name, self._rounds.refuse_drain(name, now_ms))
        if operation == "UndrainNode":
            return nodes.undrain(name)
        return nodes.remove(name, self._rounds.replicas(name))

    def _told(self, operation: str, body: Any, now_ms: float) -> Evaluate:
        """A decision that changes nothing, so that only who is still active answers."""
        if operation == "DescribePlan":
            states = self._tables.all()
            answer = {
                **self._rounds.describe(now_ms),
                "Splits": self._splitter.describe(states, now_ms)[:SHOWN_MOST],
                "Scaling": self._scaler.describe(states, now_ms)[:SHOWN_MOST],
            }
        elif operation == "PendingDefinitions":
            answer = self._globally.pending()
        else:
            answer = {"Events": self._journal.newest(int(body["Count"]))}
        return lambda _old, _wall_ms: Decision(False, None, Outcome(body=orjson.dumps(answer)))

    def _recover(self, name: str, body: Any) -> Evaluate:
        choice = recoveries.Choice(name, int(body["Partition"]), str(body["Node"]), dict(body["Place"]))
        state, begun = self._tables.named(name), frozenset[int]()
        if state is not None:
            led = (each["number"] for each in state.partitions if self._view.leader(state.id, each["number"]))
            begun = frozenset(led)
        return recoveries.recover(choice, begun, self._splitter.numbers_most)

    def _split(self, name: str, body: Any, now_ms: float) -> Evaluate | None:
        """None while the leader looks for the middle of the partition."""
        try:
            wish = self._splitter.wish(self._tables.named(name), body, now_ms)
        except ApiError as error:
            refusal = error
            return lambda _old, _wall_ms: decisions.refuse(refusal)
        return None if wish is None else splits.split(wish, self._load(), self._splitter.numbers_most)

    def _scale(self, body: Any) -> Evaluate:
        """Tried once, so that what no router sends fails here and not in each successor."""
        auto_scaling.try_update(body)
        return scaling.configure(body, self._settings.region, self._settings.account)

    def _create(self, body: Any, request_id: bytes, now_ms: float) -> Evaluate | None:
        if self._tables.is_leaving(body["TableName"]):
            # "Already exists" would contradict what DescribeTable says; the router asks again, and then it is gone.
            return None
        key_schema(body)
        placements = self.place(body, request_id, now_ms)
        if not placements:
            return None
        settings, limit = self._settings, self._tables.refuse_more(new=True)
        kept = streams_named(self._tables.kept(), body["TableName"])
        evaluate = decisions.create(body, request_id, placements, settings.region, settings.account, None, kept)
        # Pure, and for a name that is free it reads the whole request.
        evaluate(None, 0)
        if limit is None:
            return evaluate
        return decisions.create(body, request_id, placements, settings.region, settings.account, limit, kept)

    def place(self, request: dict[str, Any], request_id: bytes, now_ms: float) -> list[Placement]:
        """Where a new table's or index's replicas go; empty while too few nodes are heard."""
        takers = [each for each in self._rounds.candidates(now_ms) if self._view.alive(each.name, now_ms)]
        waited_ms = now_ms - (self._first_node_ms or now_ms)
        if not takers or (len(takers) < self._settings.replicas and waited_ms < self._settings.placement_wait_ms):
            return []
        count = of_new(request, self._needs)
        self._planned.pop(request_id, None)
        placements = self._planned[request_id] = plan(count, takers, self._load(), self._settings.replicas)
        return placements

    def _load(self) -> Load:
        """What is decided, and what was planned a moment ago: tables are often made several at a time."""
        load = self._tables.load()
        for placements in self._planned.values():
            for placement in placements:
                load.add(placement)
        return load


def _lag_limit(body: Any) -> tuple[bytes, Evaluate]:
    table, index, seconds = str(body["TableName"]), str(body["IndexName"]), int(body["Seconds"])
    if not 0 <= seconds <= INDEX_LAG_LIMIT_MOST_S:
        raise ValueError(f"no limit: {seconds} s")
    return table_key(index_name(table, index)), index_lag.limit(table, index, seconds)


def _tags(operation: str, body: Any) -> Evaluate:
    arn = str(body["ResourceArn"])
    if operation == "TagResource":
        return tag_decisions.tag(arn, {str(key): str(value) for key, value in body["Tags"].items()})
    if operation == "UntagResource":
        return tag_decisions.untag(arn, [str(key) for key in body["TagKeys"]])
    if operation == "ListTagsOfResource":
        return tag_decisions.list_tags(arn)
    raise ValueError(f"unknown operation {operation}")
