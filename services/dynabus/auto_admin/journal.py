"""What auto-admin did, told from its log: each accepted change of a row becomes a line or none.

Every auto-admin reads the whole admin log at its start, so whoever is active knows the history; nothing else is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import orjson

from dynabus.core.tables.auto_scaling import kind_and_index

EVENTS_MOST = 1000
"""The newest; a move makes two of them."""


class Journal:
    """`follow` is told of each mutation of the admin log, in order."""

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MOST)
        self._changed_ms = 0

    def follow(self, _key: bytes, old: bytes | None, new: bytes | None) -> None:
        """A `core.replication.store.Follow`."""
        before, after = _read(old), _read(new)
        # A row that is removed, or that only tables' own operations change, tells no time: it is later than the last.
        self._changed_ms = max(self._changed_ms, int(after.get("changed_ms", 0)))
        row = after or before
        tell = _of_table if "partitions" in row else _of_region if "kafka" in row else _of_node
        for event in tell(before, after):
            self._events.append({"changed_ms": self._changed_ms, "event": event})

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The last ones, oldest first."""
        return [*self._events][-count:] if count > 0 else []


def _read(row: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(row) if row else {}
    return found


def _of_node(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    if not before and after:
        yield f"node {after['name']} in zone {after['zone']} was heard for the first time"
    elif after and before["state"] != after["state"]:
        yield f"node {after['name']}: {before['state']} -> {after['state']}"


def _of_region(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    if not after["kafka"]:
        yield f"this cluster is region {after['name']}"
    elif after["removed"]:
        yield f"region {after['name']} is known no more"
    else:
        yield f"region {after['name']} is known, at {after['kafka']}"


def _of_table(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    name = (after or before)["name"]
    if before.get("status") != after.get("status"):
        yield f"table {name}: {before.get('status', 'new')} -> {after.get('status', 'removed')}"
    had = {each["number"]: each for each in before.get("partitions", ())}
    for partition in after.get("partitions", ()):
        yield from _of_partition(f"{name}/{partition['number']}", had.get(partition["number"], {}), partition)
    yield from _of_scaling(name, before.get("scaling", {}), after.get("scaling", {}))
    yield from _of_replicas(name, _replicas(before), _replicas(after))
    for closed in after.get("ancestors", ())[len(before.get("ancestors", ())) :]:
        children = closed.get("children", ())
        if len(children) > 1:
            yield f"{name}/{closed['number']} was split into {children[0]} and {children[1]}"
        elif children:
            node = closed["recovered"]["node"]
            yield f"{name}/{closed['number']} was recovered as {children[0]}, from the replica of {node}"
        else:
            yield f"{name}/{closed['number']} was given up before it served"


def _replicas(row: dict[str, Any]) -> dict[str, str]:
    """In other regions: their statuses."""
    shown = row.get("description", {}).get("Replicas", ())
    return {each["RegionName"]: each["ReplicaStatus"] for each in shown}


def _of_replicas(name: str, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for region in sorted({*before, *after}):
        was, now = before.get(region, "none"), after.get(region, "none")
        if was != now:
            yield f"table {name}: replica in {region}: {was} -> {now}"


def _of_scaling(name: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for what in sorted({*before, *after}):
        was, now = before.get(what, {}), after.get(what, {})
        kind, index = kind_and_index(what)
        of = f" of index {index}" if index else ""
        if not now:
            yield f"table {name}: auto scaling of {kind}s{of} is off"
            continue
        if any(was.get(each) != now[each] for each in ("MinimumUnits", "MaximumUnits", "Target")):
            limits, percent = f"{now['MinimumUnits']} to {now['MaximumUnits']}", now["Target"]["TargetValue"]
            yield f"table {name}: {limits} {kind} units{of}, target {percent:g} %"
        if (
            now.get("why") != was.get("why")
            or now.get("out_s") != was.get("out_s")
            or now.get("in_s") != was.get("in_s")
        ):
            yield f"table {name}: {now['why']}"


def _of_partition(name: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    was, now = before.get("move"), after.get("move")
    if now != was and now is not None:
        yield f"{name}: {_words(now)}, because {now['why']} (plan {after['plan']})"
    elif now != was:
        yield f"{name}: done, its members are {', '.join(after['members'])} (plan {after['plan']})"
    if before and before.get("state") != after.get("state") and after.get("state") == "splitting":
        yield f"{name} is being split, because {after['why']}"
    if "frozen" in after and "frozen" not in before:
        yield f"{name} is frozen: {after['frozen']['node']} says: {after['frozen']['why']}"
    if after.get("recovery") != before.get("recovery"):
        yield f"{name} is being recovered as {after['recovery']}"


def _words(move: dict[str, Any]) -> str:
    if move["get"] and move["lose"]:
        return f"{move['lose']} is replaced by {move['get']}"
    if move["get"]:
        return f"{move['get']} joins"
    return f"{move['lose']} leaves" if move["lose"] else "stays as it was"
