"""Partitions whose logs lost records, as decisions: frozen, recovered, done (I9). Pure.

    partition   (no "frozen") --freeze--> "frozen" --recover--> "recovery" --finish--> (gone; kept in `ancestors`)
    successor   (none) ----------------------------recover--> restoring ---finish--> active

Nothing thaws: the log of a frozen partition is fenced, so that its history goes on in a successor's log only. That
one has the whole range, a number and a topic partition of its own, the next generation, and one member: the node
whose replica it goes on from. The others are added by ordinary moves once it is active.

Until that is done another `recover` may choose another replica: the first successor never served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from dynabus.auto_admin.placement.moves import MOVABLE, joining
from dynabus.auto_admin.splitting.splits import ACTIVE, HEIR, SPLITTING, Partition, heirs_of, highest, state_of
from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, refuse, written
from dynabus.core.errors import ApiError, no_such_table, resource_in_use, resource_not_found, validation_error
from dynabus.core.global_tables.register import lost_writes
from dynabus.core.ids import NodeName
from dynabus.core.replication.records import Recovered
from dynabus.core.replication.restoration import RESTORED_PLAN
from dynabus.core.replication.store import Decision, Evaluate, Outcome

RESTORING = "restoring"

_KEPT = ("number", "generation", "lower", "upper", "lineage")
"""Of a partition that is no more."""


class Choice(NamedTuple):
    """What an operator chose: the replica of a node, at the place at which it was shown."""

    table: str
    number: int
    node: str
    place: dict[str, Any]

    def recovered(self, generation: int) -> Recovered:
        """As the successor's genesis says it. Raises KeyError, ValueError, TypeError."""
        place = self.place
        term, sequence, offset = int(place["term"]), int(place["next_sequence"]), int(place["next_offset"])
        chain, checksum = bytes.fromhex(place["chain"]), bytes.fromhex(place["checksum"])
        return Recovered(self.number, generation, NodeName(self.node), term, sequence, offset, chain, checksum)


def is_frozen(partition: Mapping[str, Any]) -> bool:
    """Its log lost records: whoever is not an operator leaves it alone."""
    return "frozen" in partition


def was_recovered(ancestor: Mapping[str, Any]) -> bool:
    """A closed partition whose log lost records, and which a recovery went on from."""
    return "recovered" in ancestor


def recovering(state: TableState) -> list[Partition]:
    """Successors that are being restored."""
    return [each for each in state.partitions if state_of(each) == RESTORING]


def recovered_of(successor: Mapping[str, Any]) -> tuple[Recovered, int]:
    """What it goes on from, and the log's time there."""
    told = successor["recovered"]
    choice = Choice("", int(told["partition"]), str(told["node"]), told)
    return choice.recovered(int(told["generation"])), int(told["log_time_ms"])


def freeze(own_id: str, number: int, node: str, why: str) -> Evaluate:
    """A replica says that its log lost records."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        found = _find(state, number)
        if state is None or state.id != own_id or found is None or is_frozen(found):
            return Decision(False, None, Outcome())
        if state.status == "DELETING" or state_of(found) not in (ACTIVE, SPLITTING):
            return Decision(False, None, Outcome())
        marked = {**found, "frozen": {"node": node, "why": why, "since_ms": wall_ms}}
        partitions = [marked if each is found else each for each in state.partitions]
        after = next_revision(replace(state, partitions=partitions, changed_ms=wall_ms))
        return Decision(True, written(after), Outcome())

    return evaluate


def recover(choice: Choice, begun: frozenset[int], numbers_most: int) -> Evaluate:
    """The decision to go on from one replica. `begun`: children of a split that have leaders already."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        try:
            found = _recoverable(state, choice, begun, numbers_most)
            assert state is not None
            running = _successor(state, found)
            if running is not None and _same(running, choice):
                return Decision(False, None, Outcome(body=_answer(choice, running)))
            return _recover(state, found, running, choice, wall_ms)
        except ApiError as error:
            return refuse(error)

    return evaluate


def _recoverable(state: TableState | None, choice: Choice, begun: frozenset[int], numbers_most: int) -> Partition:
    name, number = choice.table, choice.number
    if state is None:
        raise no_such_table(name)
    found = _find(state, number)
    if found is None or state_of(found) == HEIR:
        serving = ", ".join(str(each["number"]) for each in state.partitions if state_of(each) != HEIR)
        raise resource_not_found(f"Table {name} has no partition {number}: it has {serving}")
    if state.status not in MOVABLE:
        raise resource_in_use(f"Table {name} is {state.status}: wait")
    if not is_frozen(found):
        raise validation_error(f"Partition {number} of {name} is not frozen: there is nothing to recover")
    if choice.node not in (*found["members"], *joining(found)):
        raise validation_error(
            f"{choice.node} has no replica of partition {number}: {', '.join(found['members'])} have"
        )
    if begun.intersection(found.get("children", ())):
        raise resource_in_use(f"Partition {number} was sealed before that: its children take its place")
    if highest(state) + 1 >= numbers_most:
        raise validation_error(f"Table {name} has used {numbers_most} partition numbers, all that its topic may have")
    return found


def _recover(
    state: TableState, found: Partition, running: Partition | None, choice: Choice, wall_ms: int
) -> Decision:
    gone = [*([running] if running is not None else []), *(heirs_of(state, found) if "children" in found else [])]
    number, generation = highest(state) + 1, int(found["generation"]) + 1
    if running is not None:
        generation = int(running["generation"]) + 1
    told = {"partition": choice.number, "generation": found["generation"], "node": choice.node, **choice.place}
    try:
        choice.recovered(int(found["generation"]))
        int(choice.place["log_time_ms"])
    except (KeyError, ValueError, TypeError) as error:
        raise validation_error(f"That is no place of a replica: {error!r}") from error
    successor = {
        "number": number,
        "generation": generation,
        "lower": found["lower"],
        "upper": found["upper"],
        "members": [choice.node],
        "preferred": choice.node,
        "state": RESTORING,
        "lineage": [],
        "recovered": told,
    }
    # A move stays until the partition is closed: the node that was joining may be the one to go on from.
    marked = {name: value for name, value in found.items() if name != "children"}
    marked |= {"recovery": number, "state": ACTIVE}
    kept = [each for each in state.partitions if each is not found and each not in gone]
    ancestors = [*state.ancestors, *({**_closed(each), "children": []} for each in gone)]
    after = replace(state, partitions=[*kept, marked, successor], ancestors=ancestors, changed_ms=wall_ms)
    return Decision(True, written(next_revision(after)), Outcome(body=_answer(choice, successor), count=1))


def finish(own_id: str, number: int) -> Evaluate:
    """The successor holds all: it takes the frozen partition's place. What it lost, other regions may have."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        successor = _find(state, number)
        if state is None or state.id != own_id or successor is None or state_of(successor) != RESTORING:
            return Decision(False, None, Outcome())
        frozen = next(each for each in state.partitions if each.get("recovery") == number)
        serves = {name: value for name, value in successor.items() if name != "recovered"}
        serves |= {"state": ACTIVE, "plan": RESTORED_PLAN}
        closed = {
            **_closed(frozen),
            "children": [number],
            "why": frozen["frozen"]["why"],
            "recovered": successor["recovered"],
        }
        kept = [each for each in state.partitions if each not in (frozen, successor)]
        after = replace(state, partitions=[*kept, serves], ancestors=[*state.ancestors, closed], changed_ms=wall_ms)
        if state.global_table:
            after = replace(after, global_table=lost_writes(state.global_table, wall_ms))
        return Decision(True, written(next_revision(after)), Outcome())

    return evaluate


def _find(state: TableState | None, number: int) -> Partition | None:
    return next((each for each in state.partitions if each["number"] == number), None) if state is not None else None


def _successor(state: TableState, frozen: Partition) -> Partition | None:
    return _find(state, int(frozen["recovery"])) if "recovery" in frozen else None


def _same(running: Partition, choice: Choice) -> bool:
    told = running["recovered"]
    return told["node"] == choice.node and all(told.get(name) == value for name, value in choice.place.items())


def _closed(partition: Partition) -> Partition:
    return {name: partition[name] for name in _KEPT if name in partition}


def _answer(choice: Choice, successor: Partition) -> bytes:
    return orjson.dumps({"Partition": choice.number, "Successor": successor["number"], "Node": choice.node})
