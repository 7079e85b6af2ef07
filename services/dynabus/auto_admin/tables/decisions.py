"""Decisions: what a request, or a step that is done, makes of a table's row in the admin log. Pure.

key    b"table/" + name (of an index: "<table>/index/<index>", which no table is called)
row    JSON: id, name, status, description (DescribeTable's members), partitions and their ancestors, tags,
       pending (members that are described when the change is done), revision (one more with each decision),
       indexes (`core.tables.indexes`); of an index: of_table, and otherwise the same

(none) --CreateTable--> CREATING --finish--> ACTIVE --DeleteTable--> DELETING --remove--> (none, or `kept`)
                                             ACTIVE --UpdateTable--> UPDATING --finish--> ACTIVE

Some changes are done at once, and warm throughput changes while the table is ACTIVE (`core.tables.changes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import orjson

from dynabus.auto_admin.global_tables.stamping import left, refuse_stream_change, stamped
from dynabus.auto_admin.placement.planner import Placement
from dynabus.auto_admin.tables.new_partitions import first_partitions
from dynabus.core.errors import ApiError, no_such_table
from dynabus.core.global_tables.description import described as described_globally
from dynabus.core.global_tables.register import Register
from dynabus.core.messages import PartitionMetadata, ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.auto_scaling import of_present
from dynabus.core.tables.capacity_changes import Changed, as_of
from dynabus.core.tables.changes import Update, change
from dynabus.core.tables.changes import finish as finished
from dynabus.core.tables.descriptions import (
    describe,
    pending_of_new,
    refuse_creation,
    refuse_deletion,
)
from dynabus.core.tables.index_changes import change_indexes, changes_mode, finish_indexes, follow_mode
from dynabus.core.tables.indexes import Index, new_indexes
from dynabus.core.tables.replica_changes import refuse_origin
from dynabus.core.tables.streams import (
    Stream,
    change_streams,
    described,
    end_streams,
    finish_streams,
    new_stream,
)
from dynabus.core.tables.tags import Tags

PREFIX = b"table/"


@dataclass(frozen=True, slots=True)
class TableState:
    """A row, read."""

    id: str
    name: str
    status: str
    description: dict[str, Any]
    partitions: list[dict[str, Any]]
    tags: Tags = field(default_factory=dict)
    pending: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    ancestors: list[dict[str, Any]] = field(default_factory=list)
    """Partitions that were split: their ranges, generations and children (`splits`)."""
    changed_ms: int = 0
    """Unix time of the last split, move or scaling that began or ended, or of the table's begin or end."""
    scaling: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Auto scaling settings, its indexes' too (`core.tables.auto_scaling`); old rows have none."""
    streams: list[Stream] = field(default_factory=list)
    """Its streams, the latest last (`core.tables.streams`); rows of before they existed have none."""
    time_to_live: str = ""
    """The attribute by which items expire; empty: none does."""
    indexes: list[Index] = field(default_factory=list)
    """Its global secondary indexes (`core.tables.indexes`); rows of before they existed have none."""
    of_table: str = ""
    """Of an index: id of its table."""
    ingest: str = ""
    """Whether it takes commands from Kafka: on, off (it has the topics), empty (it never did)."""
    table_topic: dict[str, Any] = field(default_factory=dict)
    """Its compacted topic (`core.tables.table_topics`); empty: it has none."""
    global_table: Register = field(default_factory=dict)
    """Its replicas in other regions (`core.global_tables.register`); empty: it never had any."""

    @property
    def unfinished(self) -> bool:
        """Something is still to be done before the description is final."""
        return self.status in ("CREATING", "UPDATING") or bool(self.pending)

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
                "state": "frozen" if "frozen" in each else each.get("state", "active"),
                "lineage": each.get("lineage", []),
                "joining": [node for node in [each.get("move", {}).get("get")] if node],
            }
            for each in self.partitions
        ]


def table_key(name: str) -> bytes:
    return PREFIX + name.encode()


def read_row(row: bytes) -> TableState:
    return TableState(**orjson.loads(row))


def written(state: TableState) -> bytes:
    """As it is stored."""
    return orjson.dumps(
        {
            "id": state.id,
            "name": state.name,
            "status": state.status,
            "description": described_globally({**state.description, "TableStatus": state.status}, state.global_table),
            "partitions": state.partitions,
            "tags": state.tags,
            "pending": state.pending,
            "revision": state.revision,
            "ancestors": state.ancestors,
            "changed_ms": state.changed_ms,
            **({"scaling": state.scaling} if state.scaling else {}),
            **({"streams": state.streams} if state.streams else {}),
            **({"time_to_live": state.time_to_live} if state.time_to_live else {}),
            **({"indexes": state.indexes} if state.indexes else {}),
            **({"of_table": state.of_table} if state.of_table else {}),
            **({"ingest": state.ingest} if state.ingest else {}),
            **({"table_topic": state.table_topic} if state.table_topic else {}),
            **({"global_table": state.global_table} if state.global_table else {}),
        }
    )


def table_id(request_id: bytes) -> str:
    """32 hexadecimal digits, the same whenever this request is evaluated again."""
    return blake2b(request_id, digest_size=16, person=b"dynabus-table").hexdigest()


def create(
    request: dict[str, Any],
    request_id: bytes,
    placements: Sequence[Placement],
    region: str,
    account: str,
    limit: ApiError | None = None,
    kept: Sequence[Stream] = (),
) -> Evaluate:
    """CreateTable: nothing of that name may exist. `limit`: what else stands against one more table.

    `kept`: streams of deleted tables of that name, which are still read by their labels.
    """

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        name = request["TableName"]
        refusal = refuse_creation(name, read_row(old).description if old is not None else None) or limit
        if refusal is not None:
            return refuse(refusal)
        own_id = table_id(request_id)
        description = describe(request, own_id, region, account, wall_ms)
        partitions = first_partitions(placements)
        tags, pending = dict(request.get("Tags", {})), pending_of_new(request, wall_ms)
        streams = _streams_of_new(request, len(partitions), kept, wall_ms)
        if streams:
            description = described(description, streams[-1])
        made = TableState(
            own_id,
            name,
            "CREATING",
            description,
            partitions,
            tags,
            pending,
            changed_ms=wall_ms,
            streams=streams,
            indexes=new_indexes(request, request_id, range(len(partitions))),
        )
        return decide(made)

    return evaluate


def _streams_of_new(
    request: Mapping[str, Any], partitions: int, kept: Sequence[Stream], wall_ms: int
) -> list[Stream]:
    specification = request.get("StreamSpecification")
    if specification is None or not specification["StreamEnabled"]:
        return []
    return [new_stream(specification["StreamViewType"], wall_ms, range(partitions), kept, from_start=True)]


def update(asked: Update, limit: ApiError | None = None, request_id: bytes = b"") -> Evaluate:
    """UpdateTable. `limit`: what stands against one more table that is UPDATING."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if old is None:
            return refuse(no_such_table(asked.name))
        state = read_row(old)
        try:
            refuse_stream_change(asked.stream, state.global_table)
            after, answer = updated(asked, state, wall_ms, request_id)
        except ApiError as error:
            return refuse(error)
        if after is state:
            return Decision(False, None, Outcome(body=_described(answer)))
        if limit is not None and after.status != state.status:
            return refuse(limit)
        return decide(next_revision(stamped(state, after, wall_ms)), answer)

    return evaluate


def updated(
    asked: Update, state: TableState, wall_ms: int, request_id: bytes = b""
) -> tuple[TableState, dict[str, Any]]:
    """The row that UpdateTable makes of it, itself where nothing changes, and what is answered. Raises ApiError."""
    after = state
    changed = change(asked, state.description, state.pending, wall_ms)
    if asked.stream is not None:
        changed, streams = _change_streams(asked.stream, after, changed, wall_ms)
        after = replace(after, streams=streams)
    if asked.indexes or changes_mode(asked.mode, state.description):
        changed, indexes = _change_indexes(asked, after, changed, request_id, wall_ms)
        after = replace(after, indexes=indexes)
    if changed.description is None:
        return state, changed.answer
    status = changed.description["TableStatus"]
    return replace(after, status=status, description=changed.description, pending=changed.pending), changed.answer


def _change_streams(
    specification: Mapping[str, Any], state: TableState, changed: Changed, wall_ms: int
) -> tuple[Changed, list[Stream]]:
    """On top of what else the request has changed. Raises ApiError."""
    base = state.description if changed.description is None else changed.description
    base = {**base, "TableStatus": state.description["TableStatus"]}
    return change_streams(specification, base, changed.pending, state.streams, state.partitions, wall_ms)


def _change_indexes(
    asked: Update, state: TableState, changed: Changed, request_id: bytes, wall_ms: int
) -> tuple[Changed, list[Index]]:
    """The same of its global secondary indexes. Raises ApiError."""
    base = state.description if changed.description is None else changed.description
    base = {**base, "TableStatus": state.description["TableStatus"]}
    indexes: Sequence[Index] = state.indexes
    if changes_mode(asked.mode, state.description):
        base, indexes = follow_mode(asked, base, indexes)
    return change_indexes(asked, base, changed.pending, indexes, state.partitions, request_id, wall_ms / 1000)


def delete(name: str, limit: ApiError | None = None) -> Evaluate:
    """DeleteTable: only an ACTIVE table without protection. `limit`: as in `update`."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        refusal = refuse_deletion(name, state.description if state is not None else None) or limit
        if refusal is not None or state is None:
            assert refusal is not None
            return refuse(refusal)
        try:
            refuse_origin(name, state.global_table)
        except ApiError as error:
            return refuse(error)
        after = replace(
            state,
            status="DELETING",
            description=as_of(state.description, wall_ms / 1000),
            pending={},
            changed_ms=wall_ms,
            streams=end_streams(state.streams),
            global_table=left(state.global_table, wall_ms),
        )
        return decide(next_revision(after))

    return evaluate


# -- steps that are done ------------------------------------------------------------------------------------------


def finish(own_id: str, revision: int, *, is_short: bool = False) -> Evaluate:
    """What this revision of the row left to be done is done: a new table's partitions have leaders, say. `is_short`:
    but for partitions that it is to get, which are split once its streams have begun."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.revision != revision or not state.unfinished:
            return Decision(False, None, Outcome())
        if is_short:
            return decide(next_revision(replace(state, streams=finish_streams(state.streams, wall_ms))))
        if state.of_table:
            # Its table's row has the dates and counts of its changes.
            description = {**state.description, **state.pending}
        else:
            description = finished(state.description, state.pending, wall_ms)
        description, indexes = finish_indexes(description, state.indexes)
        scaling = of_present(state.scaling, description)
        done = replace(state, status="ACTIVE", description=description, pending={}, indexes=indexes, scaling=scaling)
        return decide(next_revision(replace(done, streams=finish_streams(state.streams, wall_ms))))

    return evaluate


def remove(own_id: str) -> Evaluate:
    """The topic of a table that was being deleted is gone."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.status != "DELETING":
            return Decision(False, None, Outcome())
        return Decision(True, None, Outcome())

    return evaluate


def next_revision(state: TableState) -> TableState:
    """Metadata must be published again."""
    return replace(state, revision=state.revision + 1)


def decide(state: TableState, answer: dict[str, Any] | None = None) -> Decision:
    """Write the row; `answer`: what is described, if it is not the row."""
    told = {**state.description, "TableStatus": state.status} if answer is None else answer
    told = described_globally(told, state.global_table)
    # Counted: routers wait until they see a change, and only then.
    return Decision(True, written(state), Outcome(body=_described(told), count=1))


def _described(description: dict[str, Any]) -> bytes:
    return orjson.dumps({"TableDescription": description})


def refuse(error: ApiError) -> Decision:
    """Nothing is changed."""
    return Decision(False, None, Outcome(ReplyStatus.ERROR, orjson.dumps(error.body())))
