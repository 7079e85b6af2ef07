"""Bodies of replication-log records and places as Avro, for `core.replication`, which knows none."""

from __future__ import annotations

from typing import Any

from dynabus.adapters.codec import UndecodableMessage, decode_body, encode_body
from dynabus.adapters.row_codec import encode_mutation, encode_row_changes
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.messages import SCHEMA_NUMBERS
from dynabus.core.replication.place import Group, Origin, Place, Reign, TermLeader
from dynabus.core.replication.records import (
    Body,
    Child,
    Configure,
    Empty,
    Form,
    Genesis,
    Kind,
    Mutation,
    Recovered,
    Resign,
    RowChange,
    RowChanges,
    Seal,
)

_SCHEMA_OF_KIND = {kind: kind.name.lower() for kind in Kind}
_RECOVERY, _ROWS, _CONFLICT = "recovery_genesis", "row_changes", "conflict_mutation"
_KIND_OF_NUMBER = {
    **{SCHEMA_NUMBERS[name]: kind for kind, name in _SCHEMA_OF_KIND.items()},
    SCHEMA_NUMBERS[_RECOVERY]: Kind.GENESIS,
    SCHEMA_NUMBERS[_ROWS]: Kind.MUTATION,
    SCHEMA_NUMBERS[_CONFLICT]: Kind.MUTATION,
}
_NAME_OF_NUMBER = {number: name for name, number in SCHEMA_NUMBERS.items()}


class AvroBodies:
    """`core.replication.records.Bodies` over the schemas of `schemas/*.avsc`."""

    def encode(self, kind: Kind, body: Body) -> tuple[int, bytes]:
        if isinstance(body, RowChanges):
            return SCHEMA_NUMBERS[_ROWS], encode_row_changes(body)
        if isinstance(body, Mutation):
            return SCHEMA_NUMBERS["mutation" if body.losing is None else _CONFLICT], encode_mutation(body)
        # Only a recovery is written so: the genesis of a child must be the same bytes, whoever writes it.
        name = _RECOVERY if isinstance(body, Genesis) and body.recovered is not None else _SCHEMA_OF_KIND[kind]
        return SCHEMA_NUMBERS[name], encode_body(name, _to_message(body))

    def decode(self, schema_number: int, body: bytes) -> Body | None:
        kind = _KIND_OF_NUMBER.get(schema_number)
        if kind is None:
            return None
        try:
            return _from_message(kind, decode_body(_NAME_OF_NUMBER[schema_number], body))
        except UndecodableMessage:
            return None


def _to_message(body: Body) -> dict[str, Any]:
    message = body._asdict()
    if isinstance(body, Genesis):
        message["form"] = body.form.name
        if body.recovered is not None:
            message["recovered"] = body.recovered._asdict()
    elif isinstance(body, Resign):
        message["successor"] = body.successor or ""
    elif isinstance(body, Seal):
        message["children"] = [child._asdict() for child in body.children]
    return message


def _from_message(kind: Kind, message: dict[str, Any]) -> Body:
    if kind is Kind.MUTATION:
        if "rows" in message:
            rows = tuple(RowChange(row["key"], row["old"], row["new"]) for row in message["rows"])
            return RowChanges(message["timestamp_ms"], rows)
        return Mutation(**message)
    if kind is Kind.GENESIS:
        members = tuple(map(NodeName, message["members"]))
        recovered = Recovered(**message["recovered"]) if "recovered" in message else None
        form, lower, upper = Form[message["form"]], message["lower"], message["upper"]
        return Genesis(form, lower, upper, members, message["term"], recovered)
    if kind is Kind.CONFIGURE:
        return Configure(tuple(map(NodeName, message["members"])), message["plan"])
    if kind is Kind.RESIGN:
        return Resign(message["clean"], NodeName(message["successor"]) if message["successor"] else None)
    if kind is Kind.SEAL:
        return Seal(tuple(Child(**child) for child in message["children"]))
    return Empty()


def encode_place(place: Place) -> bytes:
    """A place as one Avro value, for LMDB and for snapshots."""
    group, reign, origin = place.group, place.reign, place.origin
    leader = reign.leader
    return encode_body(
        "place",
        {
            "cluster": origin.cluster,
            "topic": origin.topic,
            "log": origin.partition.log,
            "partition": origin.partition.number,
            "fold_version": place.fold_version,
            "next_offset": place.next_offset,
            "leader_epoch": place.leader_epoch,
            "begun": group is not None,
            "generation": group.generation if group else 0,
            "lower": group.lower if group else b"",
            "upper": group.upper if group else None,
            "members": list(group.members) if group else [],
            "form": group.form.name if group else "",
            "term": reign.term,
            "next_sequence": place.next_sequence,
            "chain": place.chain,
            "leader": leader
            and {
                "node": leader.writer.node,
                "incarnation": leader.writer.incarnation,
                "nonce": leader.nonce,
            },
            "resigned": reign.resigned,
            "clean": reign.clean,
            "successor": reign.successor or "",
            "sealed": place.sealed,
            "children": [child._asdict() for child in place.children or ()],
            "log_time_ms": place.log_time_ms,
            "plan": group.plan if group else 0,
        },
    )


def decode_place(value: bytes) -> Place:
    """The place of `encode_place`; raises UndecodableMessage where it is damaged."""
    raw = _read_place(value)
    leader = raw["leader"]
    group = None
    if raw["begun"]:
        members = tuple(map(NodeName, raw["members"]))
        group = Group(raw["generation"], raw["lower"], raw["upper"], members, Form[raw["form"]], raw["plan"])
    return Place(
        origin=Origin(raw["cluster"], raw["topic"], PartitionId(LogId(raw["log"]), raw["partition"])),
        next_offset=raw["next_offset"],
        leader_epoch=raw["leader_epoch"],
        group=group,
        reign=Reign(
            raw["term"],
            leader
            and TermLeader(
                Writer(NodeName(leader["node"]), Incarnation(leader["incarnation"])),
                leader["nonce"],
            ),
            raw["resigned"],
            raw["clean"],
            NodeName(raw["successor"]) if raw["successor"] else None,
        ),
        next_sequence=raw["next_sequence"],
        chain=raw["chain"],
        log_time_ms=raw["log_time_ms"],
        children=tuple(Child(**child) for child in raw["children"]) if raw["sealed"] else None,
        fold_version=raw["fold_version"],
    )


def _read_place(value: bytes) -> dict[str, Any]:
    """An older place ends where the plan would stand, which no value of today does."""
    try:
        raw: dict[str, Any] = decode_body("place", value)
    except UndecodableMessage:
        raw = {**decode_body("place_40", value), "plan": 0}
    return raw
