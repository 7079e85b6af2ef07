"""Regions that this cluster knows: rows of the admin log, and the same in metadata.

key    b"region/" + name
row    JSON: name, kafka, namespace, endpoint, settings, removed, version (one more with each decision)

Its own region's row has no `kafka`; there is one of these, for ever, since ARNs and items' versions have its name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson

from dynabus.adapters.logs import logger
from dynabus.auto_admin.outside import Bus
from dynabus.auto_admin.tables.decisions import refuse
from dynabus.core.errors import validation_error
from dynabus.core.global_tables.messages import RegionMetadata
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Reader

PREFIX, BEHIND = b"region/", b"region0"
ADDRESS = ("kafka", "namespace", "endpoint", "settings")

Row = dict[str, Any]
Decide = Callable[[bytes, Evaluate], None]


def region_key(name: str) -> bytes:
    return PREFIX + name.encode()


def read_regions(store: Reader) -> dict[str, Row]:
    """By name, the removed ones too."""
    return {row["name"]: row for row in (orjson.loads(each) for _, each in store.scan(PREFIX, BEHIND))}


def own_of(rows: Mapping[str, Row]) -> str:
    """Name of this cluster's region; empty: it has none."""
    return next((row["name"] for row in rows.values() if not row["kafka"]), "")


def peers_of(rows: Mapping[str, Row]) -> list[str]:
    """Names of the other ones."""
    return sorted(row["name"] for row in rows.values() if row["kafka"] and not row["removed"])


def be(name: str, namespace: str) -> Evaluate:
    """This cluster is this region."""
    row = {"name": name, "kafka": "", "namespace": namespace, "endpoint": "", "settings": {}, "removed": False}

    def evaluate(old: bytes | None, _: int) -> Decision:
        return Decision(False, None, Outcome()) if old is not None else _write(row, 1)

    return evaluate


def add(asked: Mapping[str, Any], own: str) -> Evaluate:
    """`dynabus region add`; what is so already is answered as if it were done now."""
    name = str(asked["Name"])
    row = {
        "name": name,
        "kafka": str(asked["Kafka"]),
        "namespace": str(asked["Namespace"]),
        "endpoint": str(asked["Endpoint"]),
        "settings": {str(key): str(value) for key, value in asked["Settings"].items()},
        "removed": False,
    }
    if not row["kafka"]:
        raise ValueError("a peer without an address")

    def evaluate(old: bytes | None, _: int) -> Decision:
        if not own:
            return refuse(
                validation_error("this cluster has no region of its own: start it with `dynabus up --region NAME`")
            )
        if name == own:
            return refuse(validation_error(f"{name} is this cluster's own region"))
        known = orjson.loads(old) if old is not None else {"version": 0}
        if all(known.get(member) == value for member, value in row.items()):
            return Decision(False, None, _answer(name))
        return _write(row, known["version"] + 1)

    return evaluate


def remove(name: str, own: str, tables: Collection[str], *, force: bool) -> Evaluate:
    """`dynabus region remove`. `tables`: those with a replica there."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        known = orjson.loads(old) if old is not None else {"removed": True}
        if name == own:
            return refuse(validation_error(f"{name} is this cluster's own region"))
        if known["removed"]:
            return refuse(validation_error(f"there is no region {name}"))
        if tables and not force:
            named = ", ".join(sorted(tables))
            return refuse(
                validation_error(
                    f"tables have replicas in {name}: {named}: delete those first (UpdateTable with ReplicaUpdates), "
                    "or give the region up with --force, as it is"
                )
            )
        return _write({**known, "removed": True}, known["version"] + 1)

    return evaluate


def _write(row: Row, version: int) -> Decision:
    return Decision(True, orjson.dumps({**row, "version": version}), _answer(row["name"]))


def _answer(name: str) -> Outcome:
    return Outcome(body=orjson.dumps({"Region": name}))


class RegionRecords:
    """The metadata topic's records of regions, kept as the rows are."""

    def __init__(self, bus: Bus, store: Reader) -> None:
        self._bus, self._store = bus, store
        self._published: dict[str, int] = {}
        """Version by name, as this process sent it or saw it last."""
        self._complained = False

    def saw(self, message: RegionMetadata) -> None:
        """A record of the topic, whoever wrote it."""
        self._published[message["name"]] = message["version"]

    def step(self, own: str, namespace: str, decide: Decide) -> dict[str, Row]:
        """The rows. `own`: what this cluster's region shall be called, if somebody said so."""
        rows = read_regions(self._store)
        known = own_of(rows)
        if own and not known:
            decide(region_key(own), be(own, namespace))
        elif own and known != own and not self._complained:
            self._complained = True
            logger().error("this cluster is another region, for good", region=known, asked=own)
        for name, row in rows.items():
            if self._published.get(name) != row["version"]:
                self._published[name] = row["version"]
                message = {**row, "settings": orjson.dumps(row["settings"]).decode()}
                self._bus.metadata(f"region/{name}", "region_metadata", message, self._told(name))
        return rows

    def _told(self, name: str) -> Callable[[bool], None]:
        def delivered(well: bool) -> None:
            if not well:
                self._published.pop(name, None)

        return delivered
