"""Streams of a table as the control plane keeps them: in its row, and what DescribeTable shows of them. Pure.

| request                        | at once                                                    | when done           |
|--------------------------------|------------------------------------------------------------|---------------------|
| CreateTable with a stream      | a stream that is ENABLED, once the table is ACTIVE         |                     |
| UpdateTable, StreamEnabled     | UPDATING; StreamSpecification, LatestStreamArn and -Label  | stream ENABLED      |
| UpdateTable, not StreamEnabled | UPDATING; no StreamSpecification, the latest ARN stays     | DISABLED, dated     |
| DeleteTable                    | DELETING                                                   | DISABLED, dated     |

Words and shapes: DDB-TABLE-050 of ack-api-quirks (see `descriptions`). Source of the wordings marked ours: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dynabus.core.errors import invalid_parameter, validation_error
from dynabus.core.streams.messages import ShardMetadata, StreamMetadata
from dynabus.core.streams.view import DISABLED, DISABLING, ENABLED, ENABLING
from dynabus.core.tables.capacity_changes import Changed, updating
from dynabus.core.tables.descriptions import Description, in_use
from dynabus.core.tables.settled import refuse_unsettled

NEW_AND_OLD = "NEW_AND_OLD_IMAGES"
"""The view of streams that replicas are written from."""

Stream = dict[str, Any]
"""In a row: label, view, status, created_ms, closed_ms (0: open), from_start, roots (numbers of partitions)."""


def label_of(wall_ms: int, taken: Iterable[str]) -> str:
    """ISO time to the millisecond; a millisecond later than one that is taken."""
    labels = set(taken)
    while True:
        moment = datetime.fromtimestamp(wall_ms / 1000, UTC)
        label = f"{moment:%Y-%m-%dT%H:%M:%S}.{wall_ms % 1000:03}"
        if label not in labels:
            return label
        wall_ms += 1


def check_specification(specification: Mapping[str, Any]) -> None:
    """Raise the ValidationException for a StreamSpecification that contradicts itself (DDB-TABLE-050)."""
    view = specification.get("StreamViewType")
    if specification["StreamEnabled"] and view is None:
        raise invalid_parameter("If stream is being enabled then UpdateViewType is required")
    if not specification["StreamEnabled"] and view is not None:
        raise invalid_parameter("If stream is being disabled, then UpdateViewType must not be specified")


def new_stream(
    view: str, wall_ms: int, roots: Sequence[int], streams: Sequence[Stream], *, from_start: bool
) -> Stream:
    """`roots`: the partitions in which it begins."""
    return {
        "label": label_of(wall_ms, (each["label"] for each in streams)),
        "view": view,
        "status": ENABLED if from_start else ENABLING,
        "created_ms": wall_ms,
        "closed_ms": 0,
        "from_start": from_start,
        "roots": list(roots),
    }


def described(description: Description, stream: Stream) -> Description:
    """With the members about its stream."""
    arn = f"{description['TableArn']}/stream/{stream['label']}"
    return {
        **description,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": stream["view"]},
        "LatestStreamLabel": stream["label"],
        "LatestStreamArn": arn,
    }


def change_streams(
    specification: Mapping[str, Any],
    existing: Description,
    pending: Description,
    streams: Sequence[Stream],
    partitions: Sequence[Mapping[str, Any]],
    wall_ms: int,
) -> tuple[Changed, list[Stream]]:
    """UpdateTable's StreamSpecification. Raises ApiError.

    A stream begins in partitions that are whole: while one is being split, it is refused (ours).
    """
    name = existing["TableName"]
    on = "StreamSpecification" in existing
    if specification["StreamEnabled"] and on:
        raise validation_error(f"Table already has an enabled stream: TableName: {name}")
    if not specification["StreamEnabled"] and not on:
        raise validation_error(f"Table has no stream to disable: TableName: {name}")
    if existing["TableStatus"] == "UPDATING":
        raise in_use(f"Table is being updated: {name}")
    if not specification["StreamEnabled"]:
        off = {member: value for member, value in existing.items() if member != "StreamSpecification"}
        last = {**streams[-1], "status": DISABLING}
        return updating(off, pending), [*streams[:-1], last]
    refuse_unsettled(partitions, name)
    made = new_stream(
        specification["StreamViewType"], wall_ms, [each["number"] for each in partitions], streams, from_start=False
    )
    return updating(described(existing, made), pending), [*streams, made]


def end_streams(streams: Sequence[Stream]) -> list[Stream]:
    """Their table is being deleted: what its logs hold until now they get, and nothing more."""
    return [{**each, "status": DISABLING} if each["status"] == ENABLED else each for each in streams]


def finish_streams(streams: Sequence[Stream], wall_ms: int) -> list[Stream]:
    """What was under way is done."""
    done: dict[str, dict[str, Any]] = {
        ENABLING: {"status": ENABLED},
        DISABLING: {"status": DISABLED, "closed_ms": wall_ms},
    }
    return [{**each, **done.get(each["status"], {})} for each in streams]


def are_followed(streams: Iterable[Stream]) -> bool:
    """Whether propagators read the table's logs, so that pruning waits for them."""
    return any(each["status"] != DISABLED for each in streams)


def begins(streams: Iterable[Stream]) -> bool:
    """Whether one is being switched on."""
    return any(each["status"] == ENABLING for each in streams)


def are_changing(streams: Iterable[Stream]) -> bool:
    """Whether propagators have yet to begin or to end one."""
    return any(each["status"] in (ENABLING, DISABLING) for each in streams)


def shards_of(
    stream: Stream, partitions: Sequence[Mapping[str, Any]], ancestors: Sequence[Mapping[str, Any]]
) -> list[ShardMetadata]:
    """Of the partitions in which it began and of all that came of them, the closed ones too.

    Heirs that never served, since a recovery took their parent's place, have no shard.
    """
    parents = _parents(partitions, ancestors)
    open_numbers = {int(each["number"]) for each in partitions}
    found: list[ShardMetadata] = []
    for each in sorted((*partitions, *ancestors), key=lambda partition: int(partition["number"])):
        number = int(each["number"])
        line = _line(number, parents)
        if not set(line) & set(stream["roots"]) or each.get("children") == []:
            continue
        lost = "recovered" in each and number not in open_numbers
        found.append(
            {
                "number": number,
                "generation": int(each["generation"]),
                "parent": -1 if number in stream["roots"] else line[-2],
                "open": number in open_numbers,
                "successor": int(each["children"][0]) if lost else -1,
                "recovered_offset": int(each["recovered"]["next_offset"]) if lost else 0,
            }
        )
    return found


def _parents(partitions: Sequence[Mapping[str, Any]], ancestors: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """The partition before each one: what was split, or what a recovery went on from."""
    parents = {
        int(each["number"]): int(each["lineage"][-1]) for each in (*partitions, *ancestors) if each.get("lineage")
    }
    for each in ancestors:
        if "recovered" in each:
            parents.update({int(child): int(each["number"]) for child in each["children"]})
    return parents


def _line(number: int, parents: Mapping[int, int]) -> list[int]:
    """Its ancestors, the oldest first, and itself."""
    line = [number]
    while line[0] in parents:
        line.insert(0, parents[line[0]])
    return line


def stream_message(
    stream: Stream,
    table_id: str,
    description: Description,
    version: int,
    partitions: Sequence[Mapping[str, Any]],
    ancestors: Sequence[Mapping[str, Any]],
    key_schema: bytes,
) -> StreamMetadata:
    """As the metadata topic carries it."""
    return {
        "table": table_id,
        "name": description["TableName"],
        "label": stream["label"],
        "version": version,
        "status": stream["status"],
        "view": stream["view"],
        "key_schema": key_schema,
        "created_ms": stream["created_ms"],
        "from_start": stream["from_start"],
        "shards": shards_of(stream, partitions, ancestors),
    }
