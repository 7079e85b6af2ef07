"""`dynabus admin recover`: shows where the replicas of a frozen partition stand, which one a recovery would go on
from and what would be lost; with `--yes` it does it.

The nodes are asked directly, as by `scrub`, and the log is read to see which replicas hold what it has lost. What was
shown is what is done: the decision names the very place of the chosen replica, and a replica that stands elsewhere by
then is not taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, Producer

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.control_client import own_reply
from dynabus.cli.control import ASKER, ask, connected
from dynabus.cli.log_left import chains_in
from dynabus.cli.problem import Problem
from dynabus.cli.status import aligned, report
from dynabus.cli.target import Target
from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.messages import ReplyStatus, Request
from dynabus.core.operations.calls import Code
from dynabus.core.topics import Topics

WAIT_S = 5.0
"""For the answers of all nodes, which take milliseconds; a node that is silent for longer has to be named."""

AGAIN_S = 1.0
LOOK_S = 0.3

BUDGET_MS = 5000

Say = Callable[[str], None]
Place = dict[str, Any]

NAMED = ("term", "next_sequence", "next_offset", "log_time_ms", "chain", "checksum")
"""What a decision says of the chosen replica's place."""


HEADINGS = ("NODE", "STATE", "TERM", "SEQUENCE", "OFFSET", "ITEMS", "PLACE", "CHECKSUM", "WHY")


class Wanted(NamedTuple):
    """What the operator says."""

    table: str
    number: int
    node: str | None
    """Whose replica; None: the most advanced."""
    without: Sequence[str]
    """Nodes that may stay silent."""
    yes: bool


def recover(target: Target, wanted: Wanted, say: Say) -> None:
    """Raises Problem: refused, or no cluster."""
    cluster = target.require()
    table, partition = _find(report(target)["tables"], wanted)
    if partition["state"] != "frozen":
        raise Problem(f"partition {wanted.number} of {wanted.table} is not frozen: there is nothing to recover")
    nodes = [each["node"] for each in partition["replicas"]]
    with connected(cluster) as (consumer, producer, topics):
        places = _places(consumer, producer, topics, table["id"], partition, nodes)
        topic, where = topics.log_name(LogId(table["id"])), PartitionId(LogId(table["id"]), wanted.number)
        _compare(
            places, chains_in(consumer, topic, where, [bytes.fromhex(each["chain"]) for each in places.values()])
        )
    chosen = choose(places, wanted.node)
    for line in describe(places, nodes, chosen, f"{wanted.table}/{wanted.number}"):
        say(line)
    silent = [node for node in nodes if node not in places and node not in wanted.without]
    if silent:
        raise Problem(
            f"{', '.join(silent)} did not say what it has, which may be the most: start it, or name it with --without"
        )
    if not wanted.yes:
        say("nothing was done: --yes does it")
        return
    place = {name: places[chosen][name] for name in NAMED}
    body = {"TableName": wanted.table, "Partition": wanted.number, "Node": chosen, "Place": place}
    answer = ask(cluster, "RecoverPartition", body)
    say(f"partition {wanted.number} of {wanted.table} goes on as {answer['Successor']}")
    _follow(target, wanted, answer["Successor"], say)


def _find(tables: list[dict[str, Any]], wanted: Wanted) -> tuple[dict[str, Any], dict[str, Any]]:
    table = next((each for each in tables if each["name"] == wanted.table), None)
    if table is None:
        raise Problem(f"there is no table {wanted.table}, or no process that knows it: see `dynabus status`")
    found = next((each for each in table["partitions"] if each["id"] == wanted.number), None)
    if found is None:
        numbers = ", ".join(str(each["id"]) for each in table["partitions"])
        raise Problem(f"table {wanted.table} has no partition {wanted.number}: it has {numbers}")
    return table, found


# -- what the replicas say ----------------------------------------------------------------------------------------


def _places(
    consumer: Consumer, producer: Producer, topics: Topics, log: str, partition: dict[str, Any], nodes: list[str]
) -> dict[str, Place]:
    """By node, of those that answer in time."""
    incarnation, deadline_s, ask_at_s = new_incarnation(), time.monotonic() + WAIT_S, 0.0
    waiting, places = dict(enumerate(nodes, 1)), dict[str, Place]()
    while waiting and time.monotonic() < deadline_s:
        if time.monotonic() >= ask_at_s:
            ask_at_s = time.monotonic() + AGAIN_S
            for counter, node in waiting.items():
                request = _request(incarnation, counter, log, partition)
                producer.produce(topics.requests(NodeName(node)).name, encode("request", request))
        producer.poll(0)
        message = consumer.poll(0.1)
        reply = own_reply(message.value(), incarnation) if message is not None and not message.error() else None
        if reply is not None and reply["parts"][0]["status"] == ReplyStatus.OK and reply["counter"] in waiting:
            places[waiting.pop(reply["counter"])] = orjson.loads(reply["parts"][0]["body"])
    return places


def _compare(places: dict[str, Place], in_log: set[bytes] | None) -> None:
    """Note which replicas stand in the log; where it was pruned, what they noticed themselves has to do."""
    for place in places.values():
        chain = bytes.fromhex(place["chain"])
        place["in_log"] = not place["saw_loss"] if in_log is None else chain in in_log


def _request(incarnation: int, counter: int, log: str, partition: dict[str, Any]) -> Request:
    part = {"operation": int(Code.PLACE), "log": log, "partition": partition["id"], "consistent": False}
    rest = {"generation": partition["generation"], "key": b"", "value": b"", "size": 0, "detail": b""}
    return {
        "asker": ASKER,
        "incarnation": incarnation,
        "counter": counter,
        "budget_ms": BUDGET_MS,
        "parts": [{**part, **rest}],  # type: ignore[typeddict-item]
    }


# -- the choice ---------------------------------------------------------------------------------------------------


def choose(places: dict[str, Place], wanted: str | None) -> str:
    """The node to go on from: the most advanced of those that hold what the log has lost. Raises Problem."""
    usable = {node: place for node, place in places.items() if place["state"] != "failed" and place["generation"]}
    if wanted is not None:
        if wanted not in usable:
            raise Problem(f"{wanted} has no replica of it that could be read now")
        return wanted
    if not usable:
        raise Problem("no replica of it answers with a place to go on from: start its nodes")
    return max(usable, key=lambda node: (not usable[node]["in_log"], advance(usable[node]), node))


def advance(place: Place) -> tuple[int, int, int]:
    """How far a replica is in its own history."""
    return place["term"], place["next_sequence"], place["next_offset"]


def _beyond(place: Place, best: Place) -> str | None:
    """What it is that the other one has not; None where that is nothing.

    Histories part at the loss: terms tell who is further only among those on one side of it.
    """
    if best["in_log"] and not place["in_log"]:
        return ", what its log has lost"
    if advance(place) <= advance(best):
        return None
    return ", written after the loss, before it was found" if place["in_log"] and not best["in_log"] else ""


def describe(places: dict[str, Place], nodes: Sequence[str], chosen: str, name: str) -> list[str]:
    """For people: each replica, the choice, and what it costs."""
    rows: list[Sequence[str]] = [HEADINGS]
    for node in nodes:
        place = places.get(node)
        if place is None:
            rows.append((node, "silent", *"-------"))
        else:
            figures = (place["term"], place["next_sequence"] - 1, place["next_offset"], place["items"])
            in_log = "in the log" if place["in_log"] else "has lost records"
            rows.append((node, place["state"], *map(str, figures), in_log, place["checksum"], place["alarm"]))
    best = places[chosen]
    lines = [*aligned(rows), "", f"{name} would go on from the replica of {chosen}, with its {best['items']} items."]
    for node, place in places.items():
        if node == chosen or not place["generation"]:
            continue
        why = _beyond(place, best)
        if why is not None:
            up_to = f"up to term {place['term']}, sequence {place['next_sequence'] - 1}"
            lines.append(f"LOST: what {node} has beyond it, {up_to}{why}.")
    if len(lines) == len(rows) + 2:
        lines.append("No other replica that answers has anything that it has not.")
    lines.append("The other replicas stay where they are on disk, unused.")
    return lines


# -- progress -----------------------------------------------------------------------------------------------------


def _follow(target: Target, wanted: Wanted, successor: int, say: Say) -> None:
    said = ""
    while said != "done":
        table = next((each for each in report(target)["tables"] if each["name"] == wanted.table), None)
        now = "the table is gone" if table is None else progress(table, successor)
        if now != said:
            say(now)
        if table is None:
            return
        said = now
        time.sleep(LOOK_S)


def progress(table: dict[str, Any], successor: int) -> str:
    """How far a recovery is, from the table's status."""
    serving = next((each for each in table["partitions"] if each["id"] == successor), None)
    if serving is None:
        restoring = next((each for each in table.get("restoring", ()) if each["id"] == successor), None)
        if restoring is None:
            return "decided"
        told = [each for each in restoring["replicas"] if each.get("alarm")]
        return f"restoring: {told[0]['alarm']}" if told else "restoring"
    return "done" if serving["leader"] else f"restored: {serving['replicas'][0]['node']} claims"
