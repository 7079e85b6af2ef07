"""Decisions: what a request, or a step that is done, makes of a table's row in the admin log. Pure.

key    b"table/" + name
row    JSON: id, name, status, description (DescribeTable's members), partitions

(none) --CreateTable--> CREATING --activate--> ACTIVE --DeleteTable--> DELETING --remove--> (none)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from dynabus.auto_admin.planner import Placement
from dynabus.core.errors import ApiError
from dynabus.core.messages import PartitionMetadata, ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables import describe, partition_bounds, refuse_creation, refuse_deletion

FIRST_GENERATION = 1
PREFIX = b"table/"


@dataclass(frozen=True, slots=True)
class TableState:
    """A row, read."""

    id: str
    name: str
    status: str
    description: dict[str, Any]
    partitions: list[dict[str, Any]]

    def metadata_partitions(self) -> list[PartitionMetadata]:
        """As the metadata topic carries them."""
        return [
            {
                "number": each["number"],
                "generation": each["generation"],
                "lower": bytes.fromhex(each["lower"]),
                "upper": None if each["upper"] is None else bytes.fromhex(each["upper"]),
                "members": each["members"],
                "preferred": each["preferred"],
                "state": "active",
            }
            for each in self.partitions
        ]


def table_key(name: str) -> bytes:
    return PREFIX + name.encode()


def read_row(row: bytes) -> TableState:
    return TableState(**orjson.loads(row))


def _write(state: TableState) -> bytes:
    return orjson.dumps(
        {
            "id": state.id,
            "name": state.name,
            "status": state.status,
            "description": {**state.description, "TableStatus": state.status},
            "partitions": state.partitions,
        }
    )


def table_id(request_id: bytes) -> str:
    """32 hexadecimal digits, the same whenever this request is evaluated again."""
    return blake2b(request_id, digest_size=16, person=b"dynabus-table").hexdigest()


def create(
    request: dict[str, Any], request_id: bytes, placements: Sequence[Placement], region: str, account: str
) -> Evaluate:
    """CreateTable: nothing of that name may exist."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        name = request["TableName"]
        refusal = refuse_creation(name, read_row(old).description if old is not None else None)
        if refusal is not None:
            return _refuse(refusal)
        own_id = table_id(request_id)
        description = describe(request, own_id, region, account, wall_ms)
        bounds = partition_bounds(len(placements))
        partitions = [
            {
                "number": number,
                "generation": FIRST_GENERATION,
                "lower": lower.hex(),
                "upper": None if upper is None else upper.hex(),
                "members": list(placement.members),
                "preferred": placement.preferred,
            }
            for number, ((lower, upper), placement) in enumerate(zip(bounds, placements, strict=True))
        ]
        return _decide(TableState(own_id, name, "CREATING", description, partitions))

    return evaluate


def delete(name: str) -> Evaluate:
    """DeleteTable: only an ACTIVE table without protection."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        refusal = refuse_deletion(name, state.description if state is not None else None)
        if refusal is not None or state is None:
            assert refusal is not None
            return _refuse(refusal)
        return _decide(TableState(state.id, name, "DELETING", state.description, state.partitions))

    return evaluate


def activate(own_id: str) -> Evaluate:
    """Every partition has a leader."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.status != "CREATING":
            return Decision(False, None, Outcome())
        return _decide(TableState(state.id, state.name, "ACTIVE", state.description, state.partitions))

    return evaluate


def remove(own_id: str) -> Evaluate:
    """The topic of a table that was being deleted is gone."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.status != "DELETING":
            return Decision(False, None, Outcome())
        return Decision(True, None, Outcome())

    return evaluate


def _decide(state: TableState) -> Decision:
    row = _write(state)
    answer = orjson.dumps({"TableDescription": {**state.description, "TableStatus": state.status}})
    return Decision(True, row, Outcome(body=answer))


def _refuse(error: ApiError) -> Decision:
    return Decision(False, None, Outcome(ReplyStatus.ERROR, orjson.dumps(error.body())))
