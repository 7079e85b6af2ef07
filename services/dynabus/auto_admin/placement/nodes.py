"""Storage nodes as decisions: what is known of each for good. Pure.

    key    b"node/" + name
    row    JSON: name, zone, state, changed_ms

    (none) --heard--> active --drain--> draining --remove--> removed
                      active <-undrain- draining

A row is made when a node is first heard, so that its zone is known after it has died. A node that was removed may run
on and does no harm; it gets no replicas. What a node's zone is does not change: the replicas of its groups lie where
they lie because of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import orjson

from dynabus.auto_admin.tables.decisions import refuse
from dynabus.core.errors import ApiError, resource_in_use, resource_not_found, validation_error
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Reader

PREFIX = b"node/"
_BEHIND = b"node0"

ACTIVE, DRAINING, REMOVED = "active", "draining", "removed"


@dataclass(frozen=True, slots=True)
class NodeState:
    """A row, read."""

    name: str
    zone: str
    state: str = ACTIVE
    changed_ms: int = 0


def node_key(name: str) -> bytes:
    return PREFIX + name.encode()


def read_node(row: bytes) -> NodeState:
    return NodeState(**orjson.loads(row))


def known_nodes(store: Reader) -> dict[str, NodeState]:
    """All rows, by name."""
    found = [read_node(row) for _, row in store.scan(PREFIX, _BEHIND)]
    return {state.name: state for state in found}


def register(name: str, zone: str) -> Evaluate:
    """A node was heard for the first time."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if old is not None:
            return Decision(False, None, Outcome())
        return _decide(NodeState(name, zone, ACTIVE, wall_ms))

    return evaluate


def drain(name: str, reasons: list[str]) -> Evaluate:
    """No replicas any more on this node. `reasons`: why its replicas have nowhere to go."""

    def make(state: NodeState) -> str:
        if state.state == DRAINING:
            return DRAINING
        if state.state == REMOVED:
            raise resource_in_use(f"Node {name} was removed")
        if reasons:
            raise validation_error(f"Node {name} cannot be drained: {'; '.join(reasons[:3])}")
        return DRAINING

    return _change(name, make)


def undrain(name: str) -> Evaluate:
    """Replicas may lie on it again, also on one that was removed."""
    return _change(name, lambda _: ACTIVE)


def remove(name: str, replicas: int) -> Evaluate:
    """For good. `replicas`: how many it still has."""

    def make(state: NodeState) -> str:
        if state.state == ACTIVE:
            raise validation_error(f"Node {name} is in use: `dynabus admin drain {name}` first")
        if replicas:
            raise resource_in_use(f"Node {name} still has {replicas} replicas: wait until it is drained")
        return REMOVED

    return _change(name, make)


def _change(name: str, make: Callable[[NodeState], str]) -> Evaluate:
    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if old is None:
            return refuse(resource_not_found(f"There is no node {name}: `dynabus status` shows their names"))
        state = read_node(old)
        try:
            after = make(state)
        except ApiError as error:
            return refuse(error)
        if after == state.state:
            return Decision(False, None, Outcome(body=_told(state)))
        return _decide(replace(state, state=after, changed_ms=wall_ms))

    return evaluate


def _decide(state: NodeState) -> Decision:
    return Decision(True, orjson.dumps(asdict(state)), Outcome(ReplyStatus.OK, _told(state)))


def _told(state: NodeState) -> bytes:
    return orjson.dumps({"Node": state.name, "Zone": state.zone, "State": state.state})
