"""What each Python step of one put and one consistent get takes by itself: one thread, warm caches, best round.

    python -m bench.steps

Items of 1 KB, the old image among a record's parts, as in `workload`. It is the least that a step can take; at
concurrency 1 every step finds cold caches and takes two to four times as much.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from bench import workload
from dynabus.adapters.codec import decode, encode
from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import AvroBodies
from dynabus.core.admission import Mode
from dynabus.core.admission.admission import Admission
from dynabus.core.admission.partition import PartitionMeter
from dynabus.core.cluster_view import ClusterView
from dynabus.core.contents import Contents
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, RequestId, Writer
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.operations.calls import Call, Code, Context
from dynabus.core.operations.registry import reads, routes, writes
from dynabus.core.replication.fold import fold
from dynabus.core.replication.place import Group, Origin, Place, Reign, TermLeader
from dynabus.core.replication.records import (
    CHAIN_START,
    Envelope,
    Form,
    Kind,
    Mutation,
    decode_record,
    encode_record,
    next_chain,
)
from dynabus.core.replication.request_ids import apply_mutation, encode_request_id, outcome_digest, recall
from dynabus.core.replication.store import Follow, Outcome, no_more
from dynabus.core.rows import encode_row
from dynabus.request_router.asker import request_part

ROUNDS, PER_ROUND = 60, 200
TABLE_ID = "0" * 32
ME = Writer(NodeName("node-1"), Incarnation(1))
MEMBERS = tuple(NodeName(f"node-{number}") for number in (1, 2, 3))
WALL_MS = 1_700_000_000_000

Step = tuple[str, str, Callable[[], object]]
"""(process, what, code)."""


def best_us(code: Callable[[], object]) -> float:
    """Microseconds of one call in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(PER_ROUND):
            code()
        best = min(best, time.perf_counter() - started)
    return 1e6 * best / PER_ROUND


def table() -> Context:
    """A view with the benchmark's table, one partition."""
    view = ClusterView()
    description = {
        "TableName": workload.TABLE,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/bench",
        "ProvisionedThroughput": {"ReadCapacityUnits": 40_000, "WriteCapacityUnits": 40_000},
    }
    partition = {"number": 0, "generation": 0, "lower": b"", "upper": None, "members": list(MEMBERS)}
    partition |= {"state": "active", "lineage": []}
    message = {"id": TABLE_ID, "name": workload.TABLE, "version": 1, "status": "ACTIVE", "partitions": [partition]}
    view.take("table_metadata", {**message, "description": orjson.dumps(description)}, 0.0)
    return Context(view, "us-east-1", "000000000000", lambda: 0)


def body_of(operation: str) -> bytes:
    """The JSON of the workload's first request."""
    return next(iter(workload.prepared(operation))).partition(b"\r\n\r\n")[2]


def router_steps(operation: str, target: str, context: Context) -> Iterator[Step]:
    """From JSON to a message, and from a reply back."""
    raw = body_of(operation)

    def ask() -> Call:
        calls = next(routes[target](orjson.loads(raw), context))
        assert isinstance(calls, list)
        return calls[0]

    call = ask()
    reply = reply_of(call)
    yield "router", "JSON, shapes, values, key", ask
    yield "router", "admit, settle", admitting(call)
    yield "router", "encode the request", lambda: message_of(call, context)
    yield "router", "decode the reply", lambda: decode(reply)


def admitting(call: Call) -> Callable[[], object]:
    """What every request pays for throttling, in the middle of a lease."""
    admission = Admission(Mode.ON, "router-1", 1, lambda *_: None, lambda: 0)
    reply = decode(reply_of(call))[1]["parts"][0]
    admission.take(call, 0.0)
    admission.tables[TABLE_ID].shares[call.write].limit = 1 << 60
    admission.tables[TABLE_ID].shares[call.write].renew_ms = 1e12
    return lambda: admission.settle(call, admission.take(call, 1.0), reply)


def metered(part: Any, evaluate: Any, old: bytes | None) -> Callable[[], object]:
    """The evaluation of a put, or a read, behind the partition's cap."""
    meter = PartitionMeter(table().view.tables[workload.TABLE].description, 1, (1 << 40, 1 << 40), 0.0)
    if part["operation"] == Code.PUT:
        return lambda: meter.evaluation(evaluate(part), part, lambda *_: True, 1.0)(old, WALL_MS)
    return lambda: meter.reading(evaluate(part), part, lambda *_: True, 1.0)(evaluate)


def reply_of(call: Call) -> bytes:
    body = b"" if call.write else orjson.dumps({"pk": {"S": "user"}, "pad": {"S": workload.PADDING}})
    part = Outcome(0, body, size=950, count=1).part(0)
    return encode("reply", {"incarnation": 1, "counter": 77, "node": ME.node, "parts": [part]})


def first_call(operation: str, target: str, context: Context) -> Call:
    calls = next(routes[target](orjson.loads(body_of(operation)), context))
    assert isinstance(calls, list)
    return calls[0]


def message_of(call: Call, context: Context) -> bytes:
    part = request_part(call, TABLE_ID, context.view.tables[workload.TABLE].partitions[0])
    ids = {"asker": "router-1", "incarnation": 1, "counter": 77, "budget_ms": 10_000}
    return encode("request", {**ids, "parts": [part]})


def get_steps(context: Context, store: LmdbStore) -> Iterator[Step]:
    """What the leader does for a consistent get."""
    call = first_call("get", "GetItem", context)
    message, reply = message_of(call, context), reply_of(call)
    part: Any = decode(message)[1]["parts"][0]
    read = reads[call.code]
    store.put(call.key, encode_row(b'{"pk":{"S":"user"},"pad":{"S":"' + b"x" * 900 + b'"}}', 950, WALL_MS))
    yield "leader", "decode the request", lambda: decode(message)
    behind_cap = metered(part, lambda _: lambda _: read(part)(store), None)
    yield "leader", "cap, read the row, check its CRC", behind_cap
    answer = decode(reply)[1]
    yield "leader", "encode the reply", lambda: encode("reply", answer)


def put_steps(context: Context, store: LmdbStore) -> Iterator[Step]:
    """What the leader does for a put, and what every replica does with its record."""
    call, bodies = first_call("put", "PutItem", context), AvroBodies()
    message = message_of(call, context)
    part: Any = decode(message)[1]["parts"][0]
    row = encode_row(call.value, call.size, WALL_MS)
    request = encode_request_id(RequestId(Incarnation(1), 77, 0))
    digest = outcome_digest(call.key, row, b"")
    mutation = Mutation(call.key, row, row, WALL_MS, request, WALL_MS, 0, b"", call.size, digest)
    number, body = bodies.encode(Kind.MUTATION, mutation)
    envelope = Envelope(0, 1, 5, CHAIN_START, WALL_MS, ME, 0, Kind.MUTATION)
    record = decode_record(10, 1, encode_record(envelope, number, body))
    evaluate = writes[call.code]
    yield "leader", "decode the request", lambda: decode(message)
    yield "leader", "request id known?", lambda: recall(store, request)
    yield "leader", "cap, evaluate", metered(part, evaluate, row)
    yield "leader", "digest of the outcome", lambda: outcome_digest(call.key, row, b"")
    yield "leader", "encode the body", lambda: bodies.encode(Kind.MUTATION, mutation)
    yield "leader", "envelope and CRC", lambda: encode_record(envelope, number, body)
    yield "leader", "chain checksum", lambda: next_chain(CHAIN_START, record.value)
    yield "each replica", "decode the envelope, check its CRC", lambda: decode_record(10, 1, record.value)
    place = place_before(record.sequence)
    yield "each replica", "fold", lambda: fold(place, record, bodies)
    yield "followers", "decode the body", lambda: bodies.decode(number, body)
    contents = Contents(store, LocalIndexes("pk", ()))
    yield "each replica", "apply: row, request id, purge", _applying(store, mutation, no_more)
    yield "each replica", "count: items, bytes, checksum", lambda: contents.follow(call.key, row, row)


def place_before(sequence: int) -> Place:
    group = Group(0, b"", None, MEMBERS, Form.NEW)
    origin = Origin("cluster", "topic", PartitionId(LogId(TABLE_ID), 0))
    return Place(origin, 10, 1, group, Reign(1, TermLeader(ME, 5)), sequence, CHAIN_START, WALL_MS)


def _applying(store: LmdbStore, mutation: Mutation, follow: Follow) -> Callable[[], object]:
    numbers = count()

    def apply() -> None:
        number = next(numbers)
        request = encode_request_id(RequestId(Incarnation(1), number, 0))
        # Ids expire as they do in a long run: one comes, one goes.
        fresh = mutation._replace(key=b"%08d" % (number * 7919 % workload.KEYS), request=request, expires_ms=number)
        apply_mutation(store, fresh, number, number - 1000, follow)

    return apply


def show(title: str, steps: Iterator[Step]) -> None:
    """A table of one operation."""
    print(title)
    total = 0.0
    for process, what, code in steps:
        took_us = best_us(code)
        total += took_us
        print(f"    {process:14} {what:36} {took_us:6.1f} us")
    print(f"    {'':14} {'together':36} {total:6.1f} us")


def main() -> None:
    context = table()
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder:
        store = LmdbStore(Path(folder) / "replica")
        show("consistent get, router", router_steps("get", "GetItem", context))
        show("consistent get, storage node", get_steps(context, store))
        show("put, router", router_steps("put", "PutItem", context))
        show("put, storage nodes", put_steps(context, store))
        store.abandon()


if __name__ == "__main__":
    main()
