"""Splits as decisions: what one makes of a table's row. Pure.

    partition   "state" active --split--> splitting --finish--> (gone; kept in `ancestors`)
    children    (none) --split--> heir --finish--> active

Numbers go on from the highest that the table ever had, so that topic partition and number stay the same; a child's
generation is its parent's + 1. `ancestors` keeps what was closed, since later readers need the lineage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from dynabus.auto_admin.placement.planner import Load
from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, refuse, written
from dynabus.core.errors import ApiError, no_such_table, resource_in_use, resource_not_found, validation_error
from dynabus.core.key_schema import key_schema
from dynabus.core.keys import encode_partition_key
from dynabus.core.keys.cuts import refuse_bound
from dynabus.core.messages import OrderedChild, ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.streams import begins
from dynabus.core.values import normalise_item

ACTIVE, SPLITTING, HEIR = "active", "splitting", "heir"
THROUGHPUT = "throughput"
"""Cause of a split that a change of the table waits for."""

Partition = dict[str, Any]


class Wish(NamedTuple):
    """A split that somebody asks for. `at` is the encoded bound; `cause` one word or two, for counting."""

    name: str
    number: int
    at: bytes
    why: str
    cause: str = "asked for"


def state_of(partition: Mapping[str, Any]) -> str:
    """Rows of before splits do not say it."""
    return str(partition.get("state", ACTIVE))


def highest(state: TableState) -> int:
    """The highest number that the table ever had."""
    return max(int(each["number"]) for each in (*state.partitions, *state.ancestors))


def splitting(state: TableState) -> list[Partition]:
    """Partitions that are being split."""
    return [each for each in state.partitions if state_of(each) == SPLITTING]


def heirs_of(state: TableState, parent: Mapping[str, Any]) -> list[Partition]:
    """The children of a partition that is being split."""
    return [each for each in state.partitions if each["number"] in parent["children"]]


def ordered(heir: Mapping[str, Any]) -> OrderedChild:
    """As the order to seal names it."""
    upper = None if heir["upper"] is None else bytes.fromhex(heir["upper"])
    return {
        "number": heir["number"],
        "generation": heir["generation"],
        "lower": bytes.fromhex(heir["lower"]),
        "upper": upper,
    }


# -- what may be split ----------------------------------------------------------------------------------------


def find(state: TableState | None, name: str, number: int, numbers_most: int, *, updating: bool = False) -> Partition:
    """The partition, if it can be split at all. Raises ApiError that says what to do.

    `updating`: the split is part of a change of the table.
    """
    if state is None:
        raise no_such_table(name)
    if state.status != "ACTIVE" and not (updating and state.status == "UPDATING"):
        raise resource_in_use(f"Table {name} is {state.status}: only partitions of an ACTIVE table are split; wait")
    found = next((each for each in state.partitions if each["number"] == number), None)
    if found is None:
        active = [each["number"] for each in state.partitions if state_of(each) != HEIR]
        raise resource_not_found(f"Table {name} has no partition {number}: it has {_named(active)}")
    if begins(state.streams):
        # It begins in partitions that are whole.
        raise resource_in_use(f"A stream of table {name} is being enabled: wait until that is done")
    if "frozen" in found:
        raise resource_in_use(f"Partition {number} is frozen: its log lost records (`dynabus admin recover`)")
    if "move" in found:
        raise resource_in_use(f"Replicas of partition {number} are being moved: wait until that is done")
    if state_of(found) == SPLITTING:
        raise resource_in_use(f"Partition {number} is being split already, into {_named(found['children'])}: wait")
    if state_of(found) == HEIR:
        raise resource_in_use(f"Partition {number} is just being made by a split: wait until it is active")
    if highest(state) + 2 >= numbers_most:
        raise validation_error(f"Table {name} has used {numbers_most} partition numbers, all that its topic may have")
    return found


def bound_of(state: TableState, key: Any) -> bytes:
    """The bound before a key in DynamoDB's JSON, whole or its partition key alone. Raises ApiError."""
    if state.of_table:
        raise validation_error("An index is split where its leader finds the middle: give no split point")
    schema = key_schema(state.description)
    if not isinstance(key, dict):
        raise validation_error("The split point is no key: give one in DynamoDB's JSON")
    item = normalise_item(key)
    if schema.range is not None and set(item) == {schema.hash} and schema.hash_type in item[schema.hash]:
        return encode_partition_key(item[schema.hash])
    if schema.range is not None and state.description.get("LocalSecondaryIndexes"):
        raise validation_error(
            "The split point lies inside an item collection, and a table with local secondary indexes is not split "
            f"there: give the partition key {schema.hash} alone"
        )
    return schema.encode(item)


def _named(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


# -- decisions ------------------------------------------------------------------------------------------------


def split(wish: Wish, load: Load, numbers_most: int) -> Evaluate:
    """The decision to split; `load` is how preferred replicas lie, for the children's."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        try:
            parent = find(state, wish.name, wish.number, numbers_most, updating=wish.cause == THROUGHPUT)
            upper = None if parent["upper"] is None else bytes.fromhex(parent["upper"])
            refusal = refuse_bound(wish.at, bytes.fromhex(parent["lower"]), upper)
            if refusal is not None:
                raise validation_error(f"Partition {wish.number} cannot be split there: {refusal}")
        except ApiError as error:
            return refuse(error)
        assert state is not None
        children = _children(parent, highest(state) + 1, wish.at, load)
        marked = {**parent, "state": SPLITTING, "children": [each["number"] for each in children], "why": wish.why}
        kept = [each for each in state.partitions if each["number"] != wish.number]
        after = next_revision(replace(state, partitions=[*kept, marked, *children], changed_ms=wall_ms))
        return Decision(True, written(after), Outcome(body=_answer(wish, children), count=1))

    return evaluate


def _children(parent: Partition, first: int, at: bytes, load: Load) -> list[Partition]:
    children: list[Partition] = []
    preferred = dict(load.preferred)
    for number, (lower, upper) in enumerate(((parent["lower"], at.hex()), (at.hex(), parent["upper"])), first):
        members = parent["members"]
        chosen = min(members, key=lambda name: (preferred.get(name, 0), name))
        preferred[chosen] = preferred.get(chosen, 0) + 1
        children.append(
            {
                "number": number,
                "generation": parent["generation"] + 1,
                "lower": lower,
                "upper": upper,
                "members": members,
                "preferred": chosen,
                "state": HEIR,
                "lineage": [*parent.get("lineage", ()), parent["number"]],
            }
        )
    return children


def _answer(wish: Wish, children: Sequence[Partition]) -> bytes:
    numbers = [each["number"] for each in children]
    return orjson.dumps({"Partition": wish.number, "Children": numbers, "At": wish.at.hex()})


def finish(own_id: str, numbers: Sequence[int]) -> Evaluate:
    """The children of these partitions serve: they take their parents' places."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        done = [] if state is None else [each for each in splitting(state) if each["number"] in numbers]
        if state is None or state.id != own_id or state.status == "DELETING" or not done:
            return Decision(False, None, Outcome())
        born = {number for each in done for number in each["children"]}
        closed = [{name: each[name] for name in _KEPT if name in each} for each in done]
        partitions = [
            {**each, "state": ACTIVE} if each["number"] in born else each
            for each in state.partitions
            if each not in done
        ]
        ancestors = [*state.ancestors, *closed]
        after = next_revision(replace(state, partitions=partitions, ancestors=ancestors, changed_ms=wall_ms))
        return Decision(True, written(after), Outcome(ReplyStatus.OK))

    return evaluate


_KEPT = ("number", "generation", "lower", "upper", "lineage", "children", "why")
