"""A cluster in one process: both halves of every operation over stores, with nothing between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from dynabus.adapters.memory_store import MemoryStore
from dynabus.auto_admin.global_tables import replicas
from dynabus.auto_admin.placement.planner import Placement
from dynabus.auto_admin.scaling import decisions as scaling
from dynabus.auto_admin.tables import decisions, tag_decisions, time_to_live
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.contents import Contents
from dynabus.core.errors import ApiError
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import versioned
from dynabus.core.local_indexes import COLLECTION_BYTES_MOST, IndexRules, local_indexes
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations import registry
from dynabus.core.operations.calls import Call, Code, Context, Control, Reply, Until
from dynabus.core.operations.items import Refused
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Store
from dynabus.core.tables.changes import Update
from dynabus.core.tables.replica_changes import actions_of

REGION, ACCOUNT = "eu-west-1", "123456789012"
PEERS = ["us-east-1", "us-west-2"]
"""Other regions, which nobody tells anything."""


class Cluster:
    """`ask` answers like the HTTP API, errors as their JSON; `run` raises. `silent` stores answer nothing."""

    def __init__(self, partitions: int = 3, open_store: Callable[[], Store] = MemoryStore) -> None:
        self.partitions = partitions
        self._open_store = open_store
        self.view = ClusterView()
        self.context = Context(self.view, REGION, ACCOUNT, lambda: self.wall_ms)
        self.stores: dict[tuple[str, int], Store] = {}
        self.contents: dict[tuple[str, int], Contents] = {}
        self.collection_bytes = COLLECTION_BYTES_MOST
        self.calls: list[Call] = []
        self.silent: set[int] = set()
        self.rows: dict[str, bytes] = {}
        self.wall_ms, self.stuck = 1_700_000_000_000, False
        self.floors: Floors | None = None
        """All tables are global, as these say."""
        self._version = 0

    def table(self, name: str, range_type: str | None = None, hash_type: str = "S") -> str:
        keys = [("pk", "HASH", hash_type)] + ([("sk", "RANGE", range_type)] if range_type else [])
        request = {
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, _, kind in keys],
            "KeySchema": [{"AttributeName": key, "KeyType": role} for key, role, _ in keys],
            "BillingMode": "PAY_PER_REQUEST",
        }
        assert "TableDescription" in self.ask("CreateTable", **request)
        return name

    def ask(self, operation: str, **request: Any) -> Any:
        return self.answer(operation, request)

    def answer(self, operation: str, body: Any) -> Any:
        try:
            return self.run(operation, orjson.loads(orjson.dumps(body)))
        except Refused as refused:
            return orjson.loads(refused.body)
        except ApiError as error:
            return error.body()

    def message(self, operation: str, **request: Any) -> str:
        """Of a request that is refused."""
        answer = self.ask(operation, **request)
        assert "__type" in answer, answer
        return str(answer.get("message", answer.get("Message")))

    def run(self, operation: str, body: Any) -> Any:
        steps = registry.routes[operation](body, self.context)
        try:
            calls = next(steps)
            while True:
                if isinstance(calls, Until):
                    calls = steps.send([])
                else:
                    calls = steps.send([self._decide(calls)] if isinstance(calls, Control) else self._ask(calls))
        except StopIteration as done:
            return orjson.loads(done.value or b"{}")

    # -- storage nodes ------------------------------------------------------------------------------------------

    def _ask(self, calls: list[Call]) -> list[Reply]:
        self.calls += calls
        return [self._one(call) for call in calls]

    def _one(self, call: Call) -> Reply:
        number = call.table.partition_of(call.route)["number"]
        if number in self.silent:
            return None
        part: RequestPart = {
            "operation": call.code,
            "log": call.table.id,
            "partition": number,
            "generation": 1,
            "consistent": call.consistent,
            "key": call.key,
            "value": call.value,
            "size": call.size,
            "detail": call.detail,
        }
        store = self.stores[call.table.id, number]
        try:
            return (
                self._write(call.table, store, part) if call.write else registry.reads[call.code](part)(store)
            ).part(0)
        except ApiError as error:
            return Outcome(ReplyStatus.ERROR, orjson.dumps(error.body())).part(0)

    def _write(self, table: Table, store: Store, part: RequestPart) -> Outcome:
        rules = IndexRules(table.indexes, store, self.collection_bytes)
        evaluate, old = (
            rules.evaluation(registry.writes[part["operation"]](part), is_update=part["operation"] == Code.UPDATE),
            store.get(part["key"]),
        )
        decision = evaluate(old, 1)
        assert evaluate(old, 1) == decision, "an evaluation is pure and may be repeated"
        if self.floors is not None and decision.write:
            decision = versioned(self.floors, old, decision, 1)
        if decision.write and decision.row is not None:
            store.put(part["key"], decision.row)
        elif decision.write:
            store.delete(part["key"])
        if decision.write:
            self.contents[part["log"], part["partition"]].follow(part["key"], old, decision.row)
        return decision.outcome

    # -- auto-admin ---------------------------------------------------------------------------------------------

    def _decide(self, control: Control) -> Reply:
        """As auto-admin does, which then finishes at once what takes its time. `stuck`: it does not."""
        request = orjson.loads(control.body)
        name, evaluate = request["TableName"], self._evaluate(control.operation, request)
        old = self.rows.get(name)
        decision = evaluate(old, self.wall_ms)
        assert evaluate(old, self.wall_ms) == decision, "an evaluation is pure and may be repeated"
        self._apply(name, decision)
        if decision.write and name in self.rows and not self.stuck:
            self._follow(name)
        decision.outcome.count = 1
        return decision.outcome.part(0)

    def _evaluate(self, operation: str, request: dict[str, Any]) -> Evaluate:
        if operation == "CreateTable":
            return self._create(request)
        if operation == "CreateGlobalTable":
            return replicas.create_global(request["TableName"], request["Regions"], REGION, PEERS)
        if operation == "UpdateGlobalTable":
            return replicas.update_global(request["TableName"], actions_of(request["ReplicaUpdates"]), REGION, PEERS)
        if operation == "UpdateTable" and "ReplicaUpdates" in request:
            return replicas.change(request["TableName"], actions_of(request["ReplicaUpdates"]), REGION, PEERS)
        if operation == "UpdateTable":
            return decisions.update(Update.of(request))
        if operation == "DeleteTable":
            return decisions.delete(request["TableName"])
        if operation == "DescribeTableReplicaAutoScaling":
            return scaling.describe(request["TableName"], REGION, ACCOUNT)
        if operation == "UpdateTableReplicaAutoScaling":
            return scaling.configure(request, REGION, ACCOUNT)
        if operation == "UpdateTimeToLive":
            asked = request["TimeToLiveSpecification"]
            return time_to_live.update(request["TableName"], asked["AttributeName"], enabled=asked["Enabled"])
        if operation == "TagResource":
            return tag_decisions.tag(request["ResourceArn"], request["Tags"])
        if operation == "UntagResource":
            return tag_decisions.untag(request["ResourceArn"], request["TagKeys"])
        return tag_decisions.list_tags(request["ResourceArn"])

    def _create(self, request: dict[str, Any]) -> Evaluate:
        placements = [Placement(("node-1",), "node-1")] * self.partitions
        return decisions.create(request, b"%d" % self._version, placements, REGION, ACCOUNT)

    def _follow(self, name: str) -> None:
        state = decisions.read_row(self.rows[name])
        if state.status == "DELETING":
            self._apply(name, decisions.remove(state.id)(self.rows[name], self.wall_ms))
        elif state.unfinished:
            self._apply(name, decisions.finish(state.id, state.revision)(self.rows[name], self.wall_ms + 1))

    def _apply(self, name: str, decision: Decision) -> None:
        if not decision.write:
            return
        self._version += 1
        before = self.rows.pop(name, None)
        if decision.row is None:
            assert before is not None
            self._publish(replace(decisions.read_row(before), status="DELETED"))
            return
        self.rows[name] = decision.row
        state = decisions.read_row(decision.row)
        for each in state.partitions:
            if (state.id, each["number"]) not in self.stores:
                store = self.stores[state.id, each["number"]] = self._open_store()
                self.contents[state.id, each["number"]] = Contents(store, local_indexes(state.description))
        self._publish(state)

    def _publish(self, state: TableState) -> None:
        message = {
            "id": state.id,
            "name": state.name,
            "version": self._version,
            "status": state.status,
            "description": orjson.dumps(state.description),
            "partitions": state.metadata_partitions(),
        }
        self.view.take("table_metadata", message, 0.0)
