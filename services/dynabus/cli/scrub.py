"""`dynabus admin scrub`: asks nodes to read replicas as a whole now, and says what each of them found.

The nodes are asked directly, over their inboxes, as routers ask them: nothing is decided, so no auto-admin is needed,
and it works while none is up. Several replicas of one node are read one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, Producer

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.control_client import own_reply
from dynabus.cli.control import ASKER, connected
from dynabus.cli.problem import Problem
from dynabus.cli.status import report
from dynabus.cli.target import Target
from dynabus.core.ids import NodeName
from dynabus.core.messages import ReplyStatus, Request
from dynabus.core.operations.calls import Code
from dynabus.core.topics import Topics

ASK_AGAIN_S = 60.0
"""A node that was restarted meanwhile has forgotten the question; one that is reading is not disturbed by it."""

BUDGET_MS = 60_000

Say = Callable[[str], None]


class Asked(NamedTuple):
    """One replica."""

    table: str
    log: str
    partition: int
    generation: int
    node: str

    def __str__(self) -> str:
        return f"{self.table}/{self.partition} on {self.node}"


def scrub(target: Target, table: str | None, number: int | None, say: Say) -> int:
    """0: all is well, 1: something was found. Raises Problem: no such table or partition, no cluster."""
    cluster = target.require()
    wanted = [*_wanted(report(target)["tables"], table, number)]
    if not wanted:
        what = "no tables" if table is None else f"no table {table}" + ("" if number is None else f"/{number}")
        raise Problem(f"{what} with replicas of nodes that are heard")
    say(f"{len(wanted)} replicas to read")
    with connected(cluster) as (consumer, producer, topics):
        damaged = [_said(*each) for each in _answers(consumer, producer, topics, wanted)]
    return int(any(damaged))


def _wanted(tables: list[dict[str, Any]], table: str | None, number: int | None) -> Iterator[Asked]:
    for each in tables:
        for partition in each["partitions"] if table in (None, each["name"]) else ():
            for replica in partition["replicas"] if number in (None, partition["id"]) else ():
                if replica["state"] != "unknown":
                    yield Asked(each["name"], each["id"], partition["id"], partition["generation"], replica["node"])


def _answers(
    consumer: Consumer, producer: Producer, topics: Topics, wanted: list[Asked]
) -> Iterator[tuple[Asked, dict[str, Any]]]:
    """Each replica's, as they come."""
    incarnation, ask_at_s = new_incarnation(), float("-inf")
    waiting = dict(enumerate(wanted, 1))
    while waiting:
        if time.monotonic() >= ask_at_s:
            ask_at_s = time.monotonic() + ASK_AGAIN_S
            for counter, asked in waiting.items():
                inbox = topics.requests(NodeName(asked.node)).name
                producer.produce(inbox, encode("request", _request(incarnation, counter, asked)))
        producer.poll(0)
        message = consumer.poll(0.1)
        if message is None or message.error() is not None:
            continue
        found = _answer(message.value(), incarnation)
        if found is not None and found[0] in waiting:
            yield waiting.pop(found[0]), found[1]


def _request(incarnation: int, counter: int, asked: Asked) -> Request:
    part = {"operation": int(Code.SCRUB), "log": asked.log, "partition": asked.partition}
    rest = {"generation": asked.generation, "consistent": False, "key": b"", "value": b"", "size": 0, "detail": b""}
    return {
        "asker": ASKER,
        "incarnation": incarnation,
        "counter": counter,
        "budget_ms": BUDGET_MS,
        "parts": [{**part, **rest}],  # type: ignore[typeddict-item]
    }


def _answer(value: bytes | None, incarnation: int) -> tuple[int, dict[str, Any]] | None:
    """(counter, report) if it is an answer to us."""
    message = own_reply(value, incarnation)
    if message is None:
        return None
    part = message["parts"][0]
    if part["status"] != ReplyStatus.OK:
        return message["counter"], {"found": ["no replica there, or one that is still being opened"]}
    return message["counter"], orjson.loads(part["body"])


def _said(asked: Asked, told: dict[str, Any]) -> bool:
    """Print one answer. True if something was found."""
    found: list[str] = told["found"]
    if "entries" in told:
        figures = (
            f"{told['items']} items, {told['bytes']} bytes, checksum {told['checksum']} at offset {told['offset']}"
        )
        verdict = "damaged" if found else "whole" if told["whole"] else "not read to its end"
        print(f"{asked}: {verdict}; {figures}; {told['seconds']} s")
    for each in found:
        print(f"{asked}: {each}")
    return bool(found)
