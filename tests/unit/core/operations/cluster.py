"""A cluster in one process: both halves of every operation over stores, with nothing between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.cluster_view import ClusterView, Table
from dynabus.core.contents import Contents
from dynabus.core.errors import ApiError
from dynabus.core.local_indexes import COLLECTION_BYTES_MOST, IndexRules, local_indexes
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations import registry
from dynabus.core.operations.calls import Call, Context, Control, Reply
from dynabus.core.operations.items import Refused
from dynabus.core.replication.store import Outcome, Store
from dynabus.core.tables import describe, partition_bounds, refuse_creation, refuse_deletion

REGION, ACCOUNT = "eu-west-1", "123456789012"


class Cluster:
    """`ask` answers like the HTTP API, errors as their JSON; `run` raises. `silent` stores answer nothing."""

    def __init__(self, partitions: int = 3, open_store: Callable[[], Store] = MemoryStore) -> None:
        self.partitions = partitions
        self._open_store = open_store
        self.view = ClusterView()
        self.context = Context(self.view, REGION, ACCOUNT)
        self.stores: dict[tuple[str, int], Store] = {}
        self.contents: dict[tuple[str, int], Contents] = {}
        self.collection_bytes = COLLECTION_BYTES_MOST
        self.calls: list[Call] = []
        self.silent: set[int] = set()
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
                calls = steps.send([self._decide(calls)] if isinstance(calls, Control) else self._ask(calls))
        except StopIteration as done:
            return orjson.loads(done.value)

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
        evaluate, old = rules.evaluation(registry.writes[part["operation"]](part)), store.get(part["key"])
        decision = evaluate(old, 1)
        assert evaluate(old, 1) == decision, "an evaluation is pure and may be repeated"
        if decision.write and decision.row is not None:
            store.put(part["key"], decision.row)
        elif decision.write:
            store.delete(part["key"])
        if decision.write:
            self.contents[part["log"], part["partition"]].follow(old, decision.row)
        return decision.outcome

    # -- auto-admin ---------------------------------------------------------------------------------------------

    def _decide(self, control: Control) -> Reply:
        request = orjson.loads(control.body)
        table = self.view.tables.get(request["TableName"])
        existing = None if table is None else {**table.description, "TableStatus": table.status}
        refuse = refuse_creation if control.operation == "CreateTable" else refuse_deletion
        error = refuse(request["TableName"], existing)
        if error is not None:
            return Outcome(ReplyStatus.ERROR, orjson.dumps(error.body())).part(0)
        self._version += 1
        described = self._create(request) if table is None else self._delete(table)
        return Outcome(body=orjson.dumps({"TableDescription": described}), count=1).part(0)

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        table_id = f"{self._version:032x}"
        description = describe(request, table_id, REGION, ACCOUNT, 1_700_000_000_000)
        bounds = list(enumerate(partition_bounds(self.partitions)))
        for number, _ in bounds:
            store = self.stores[table_id, number] = self._open_store()
            self.contents[table_id, number] = Contents(store, local_indexes(description))
        self._publish(table_id, request["TableName"], "ACTIVE", description, bounds)
        return description

    def _delete(self, table: Table) -> dict[str, Any]:
        self._publish(table.id, table.name, "DELETED", table.description, [])
        return {**table.description, "TableStatus": "DELETING"}

    def _publish(self, table_id: str, name: str, status: str, description: Any, bounds: list[Any]) -> None:
        parts = [
            {
                "number": number,
                "generation": 1,
                "lower": lower,
                "upper": upper,
                "members": ["node-1"],
                "preferred": "node-1",
                "state": "active",
            }
            for number, (lower, upper) in bounds
        ]
        message = {
            "id": table_id,
            "name": name,
            "version": self._version,
            "status": status,
            "description": orjson.dumps(description),
            "partitions": parts,
        }
        self.view.take("table_metadata", message, 0.0)
