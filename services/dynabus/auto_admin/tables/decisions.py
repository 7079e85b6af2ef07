"""Decisions: what a request, or a step that is done, makes of a table's row in the admin log. Pure.

key    b"table/" + name
row    JSON: id, name, status, description (DescribeTable's members), partitions and their ancestors, tags,
       pending (members that are described when the change is done), revision (one more with each decision)

(none) --CreateTable--> CREATING --finish--> ACTIVE --DeleteTable--> DELETING --remove--> (none, or `kept`)
                                             ACTIVE --UpdateTable--> UPDATING --finish--> ACTIVE

Some changes are done at once, and warm throughput changes while the table is ACTIVE (`core.tables.changes`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import orjson

from dynabus.auto_admin.placement.planner import Placement
from dynabus.core.errors import ApiError, resource_not_found
from dynabus.core.messages import PartitionMetadata, ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.capacity_changes import Changed, as_of
from dynabus.core.tables.changes import Update, change
from dynabus.core.tables.changes import finish as finished
from dynabus.core.tables.descriptions import (
    describe,
    partition_bounds,
    pending_of_new,
    refuse_change,
    refuse_creation,
    refuse_deletion,
)
from dynabus.core.tables.streams import (
    Stream,
    change_streams,
    described,
    end_streams,
    finish_streams,
    new_stream,
)
from dynabus.core.tables.tags import Tags, listed, merge, without

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
    tags: Tags = field(default_factory=dict)
    pending: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    ancestors: list[dict[str, Any]] = field(default_factory=list)
    """Partitions that were split: their ranges, generations and children (`splits`)."""
    changed_ms: int = 0
    """Unix time of the last split, move or scaling that began or ended, or of the table's begin or end."""
    scaling: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Auto scaling settings (`core.tables.auto_scaling`); rows of before they existed have none."""
    streams: list[Stream] = field(default_factory=list)
    """Its streams, the latest last (`core.tables.streams`); rows of before they existed have none."""
    time_to_live: str = ""
    """The attribute by which items expire; empty: none does."""

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
            "description": {**state.description, "TableStatus": state.status},
            "partitions": state.partitions,
            "tags": state.tags,
            "pending": state.pending,
            "revision": state.revision,
            "ancestors": state.ancestors,
            "changed_ms": state.changed_ms,
            **({"scaling": state.scaling} if state.scaling else {}),
            **({"streams": state.streams} if state.streams else {}),
            **({"time_to_live": state.time_to_live} if state.time_to_live else {}),
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
        tags, pending = dict(request.get("Tags", {})), pending_of_new(request, wall_ms)
        streams = _streams_of_new(request, len(partitions), kept, wall_ms)
        if streams:
            description = described(description, streams[-1])
        made = TableState(
            own_id, name, "CREATING", description, partitions, tags, pending, changed_ms=wall_ms, streams=streams
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


def update(asked: Update, limit: ApiError | None = None) -> Evaluate:
    """UpdateTable. `limit`: what stands against one more table that is UPDATING."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        try:
            changed = change(asked, state.description if state is not None else None, _pending(state), wall_ms)
            if state is not None and asked.stream is not None:
                changed, streams = _change_streams(asked.stream, state, changed, wall_ms)
                state = replace(state, streams=streams)
        except ApiError as error:
            return refuse(error)
        if state is None or changed.description is None:
            return Decision(False, None, Outcome(body=_described(changed.answer)))
        status = changed.description["TableStatus"]
        if limit is not None and status != state.status:
            return refuse(limit)
        after = replace(state, status=status, description=changed.description, pending=changed.pending)
        return decide(next_revision(after), changed.answer)

    return evaluate


def _change_streams(
    specification: Mapping[str, Any], state: TableState, changed: Changed, wall_ms: int
) -> tuple[Changed, list[Stream]]:
    """On top of what else the request has changed. Raises ApiError."""
    base = state.description if changed.description is None else changed.description
    base = {**base, "TableStatus": state.description["TableStatus"]}
    return change_streams(specification, base, changed.pending, state.streams, state.partitions, wall_ms)


def _pending(state: TableState | None) -> dict[str, Any]:
    return state.pending if state is not None else {}


def delete(name: str, limit: ApiError | None = None) -> Evaluate:
    """DeleteTable: only an ACTIVE table without protection. `limit`: as in `update`."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        refusal = refuse_deletion(name, state.description if state is not None else None) or limit
        if refusal is not None or state is None:
            assert refusal is not None
            return refuse(refusal)
        after = replace(
            state,
            status="DELETING",
            description=as_of(state.description, wall_ms / 1000),
            pending={},
            changed_ms=wall_ms,
            streams=end_streams(state.streams),
        )
        return decide(next_revision(after))

    return evaluate


# -- tags ---------------------------------------------------------------------------------------------------------


def tag(arn: str, tags: Mapping[str, str]) -> Evaluate:
    """TagResource."""
    return _change_tags(arn, lambda old: merge(old, tags))


def untag(arn: str, keys: Sequence[str]) -> Evaluate:
    """UntagResource."""
    return _change_tags(arn, lambda old: without(old, keys))


def _change_tags(arn: str, make: Callable[[Tags], Tags]) -> Evaluate:
    def evaluate(old: bytes | None, _: int) -> Decision:
        if old is None:
            return refuse(no_such_resource(arn))
        state = read_row(old)
        refusal = refuse_change(state.name, state.description)
        if refusal is not None:
            return refuse(refusal)
        try:
            tags = make(state.tags)
        except ApiError as error:
            return refuse(error)
        if tags == state.tags:
            return Decision(False, None, Outcome())
        # No new revision: metadata does not have tags.
        return Decision(True, written(replace(state, tags=tags)), Outcome())

    return evaluate


def list_tags(arn: str) -> Evaluate:
    """ListTagsOfResource: a decision that changes nothing, so that it sees all that were answered before it.

    Not while the table is CREATING (ack-api-quirks, DDB-TABLE-101).
    """

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.status == "CREATING":
            return refuse(no_such_resource(arn))
        return Decision(False, None, Outcome(body=orjson.dumps({"Tags": listed(state.tags)})))

    return evaluate


def no_such_resource(arn: str) -> ApiError:
    return resource_not_found(f"Requested resource not found: ResourceArn: {arn} not found")


# -- steps that are done ------------------------------------------------------------------------------------------


def finish(own_id: str, revision: int) -> Evaluate:
    """What this revision of the row left to be done is done: a new table's partitions have leaders, say."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.revision != revision or not state.unfinished:
            return Decision(False, None, Outcome())
        description = finished(state.description, state.pending, wall_ms)
        done = replace(state, status="ACTIVE", description=description, pending={})
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
    # Counted: routers wait until they see a change, and only then.
    return Decision(True, written(state), Outcome(body=_described(told), count=1))


def _described(description: dict[str, Any]) -> bytes:
    return orjson.dumps({"TableDescription": description})


def refuse(error: ApiError) -> Decision:
    """Nothing is changed."""
    return Decision(False, None, Outcome(ReplyStatus.ERROR, orjson.dumps(error.body())))
