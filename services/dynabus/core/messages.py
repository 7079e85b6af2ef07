"""What travels over the bus, field for field as in `schemas/*.avsc`.

A message's value is a fixed prefix and an Avro body:

| bytes | field | meaning |
|---|---|---|
| 0     | format version | of this prefix (1) |
| 1-2   | schema number  | `SCHEMA_NUMBERS`, big-endian; says how to read the body |
| 3-6   | CRC-32         | over everything behind it |
| 7-    | body           | Avro, schemaless |

Replication-log records put an envelope between CRC and body (`core.replication.records`).
Messages are plain dictionaries, which is what fastavro reads and writes: hot hops copy nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NotRequired, TypedDict

SCHEMA_NUMBERS: dict[str, int] = {
    "request": 140,
    "reply": 141,
    "control_request": 142,
    "heartbeat": 80,
    "heartbeats_wanted": 81,
    "question": 5,
    "answer": 6,
    "table_metadata": 200,
    "order": 18,
    "split_point": 16,
    "leader_metadata": 8,
    "genesis": 20,
    "recovery_genesis": 70,
    "claim": 21,
    "resign": 22,
    "configure": 27,
    "mutation": 24,
    "barrier": 25,
    "seal": 26,
    "lease_request": 30,
    "lease": 31,
    "heat": 154,
    "place": 41,
    "place_40": 40,
    "clone_request": 50,
    "clone_manifest": 51,
    "clone_chunk": 52,
    "clone_refusal": 53,
    "durable_places": 54,
    "stream_metadata": 90,
    "stream_record": 91,
    "checkpoint": 92,
    "place_request": 93,
    "place_reply": 94,
    "index_metadata": 110,
    "filling_checkpoint": 111,
    "ingest_request": 131,
    "ingest_command": 132,
    "ingest_outcome": 133,
    "table_topic_metadata": 135,
    "table_item": 136,
    "row_changes": 150,
    "index_request": 151,
    "index_reply": 152,
    "index_progress": 153,
    "region_metadata": 161,
    "link_metadata": 190,
    "replication_batch": 195,
    "replication_acknowledgement": 171,
    "parked_change": 172,
    "conflict": 180,
    "conflict_mutation": 182,
}
"""Numbers are never re-used; a changed schema gets a new number, and readers learn it before writers use it.

`place_40` is what disks may still hold from before plans."""


class ReplyStatus(IntEnum):
    """How one part of a request ended. All but OK, ERROR and THROTTLED make the router look again and re-send."""

    OK = 0
    ERROR = 1  # body: the API error's JSON
    NOT_LEADER = 2  # body: the name of the leader as far as known
    STALE_ROUTE = 3  # unknown partition or another generation
    BUSY = 4  # a queue is full; nothing was changed
    THROTTLED = 5  # body: the API error's JSON; nothing was changed and nothing is charged
    BEHIND = 7  # an eventually consistent read: the replica has not read as far as the client has seen
    EXPIRED = 6  # of a mutation in a log: nobody asked for it, its item's time to live was over


SETTLED = frozenset({ReplyStatus.OK, ReplyStatus.ERROR, ReplyStatus.THROTTLED})
"""What the asker is told."""

SEALED = b"sealed"
"""The body of a STALE_ROUTE from a partition that was split: its children serve, or are about to."""


class RequestPart(TypedDict):
    """One operation on one partition; the fields' use per operation is in `core/operations`.

    `token`: of an `ingest_request` only (`core.replication.tokens`). `at_least`: `core.places`; -1 for don't care.
    """

    operation: int
    log: str
    partition: int
    generation: int
    consistent: bool
    key: bytes
    value: bytes
    size: int
    detail: bytes
    token: NotRequired[bytes]
    at_least: NotRequired[int]


class Request(TypedDict):
    """A request router asks a storage node; (incarnation, counter, index of the part) is the request id (I10).

    As `ingest_request` it has commands that came through Kafka, whose tokens stand in for that. `repeat`: it was sent
    before under this id, so what it comes to is remembered even where nothing is written.
    """

    asker: str
    incarnation: int
    counter: int
    budget_ms: int
    repeat: bool
    parts: list[RequestPart]


class ReplyPart(TypedDict):
    """The outcome of one part. `provisional`: see `core.replication.store.Outcome`; `place`: see `core.places`."""

    index: int
    status: int
    body: bytes
    size: int
    count: int
    scanned: int
    last: bytes
    provisional: bool
    place: bytes


class Reply(TypedDict):
    """Parts may be answered in several replies, each below the message limit."""

    incarnation: int
    counter: int
    node: str
    parts: list[ReplyPart]


class ControlRequest(TypedDict):
    """A request router asks auto-admin; answered by a `Reply` of one part whose body is the answer's JSON."""

    asker: str
    incarnation: int
    counter: int
    budget_ms: int
    repeat: bool
    operation: str
    body: bytes


class ReplicaState(TypedDict):
    """What a node says of one of its replicas."""

    log: str
    partition: int
    generation: int
    state: str
    leading: bool
    appending: bool
    term: int
    sequence: int
    next_offset: int
    lag: int
    alarm: str
    totals: list[int]
    checked: list[int]
    plan: int


class Heartbeat(TypedDict):
    """One per node per heartbeat period, and one at once after an accepted claim or resign (`core.heartbeats`)."""

    node: str
    service: str
    zone: str
    incarnation: int
    stopping: bool
    number: int
    whole: bool
    replicas: list[ReplicaState]


class HeartbeatsWanted(TypedDict):
    """Somebody began to listen, or missed a heartbeat: every storage node names all its replicas in its next one."""

    asker: str


class Question(TypedDict):
    """Before a claim: do you hear a healthy leader of this partition, in a term at least mine?"""

    log: str
    partition: int
    node: str
    incarnation: int
    term: int
    nonce: int


class Answer(TypedDict):
    """Answer to a question, recognised by its nonce."""

    log: str
    partition: int
    node: str
    nonce: int
    hears_leader: bool
    caught_up: bool
    able: bool


class OrderedChild(TypedDict):
    """A child that a seal is to name."""

    number: int
    generation: int
    lower: bytes
    upper: bytes | None


class Order(TypedDict):
    """Auto-admin to a partition's leader.

    `kind`: "middle" (say where to split), "seal" (end the log), "configure" (`members` shall be the members) or
    "transfer" (hand leadership to one of `members`). `plan`: of the partition's row; a node refuses older ones.

    To any member: "rebuild" (its rows differ from others' and its scrub found nothing: let the log tell).
    """

    log: str
    partition: int
    generation: int
    kind: str
    children: list[OrderedChild]
    plan: int
    members: list[str]


class SplitPoint(TypedDict):
    """A node's answer to the order "middle", on the control topic: the bound, or why there is none."""

    log: str
    partition: int
    generation: int
    at: bytes | None
    why: str


class PartitionMetadata(TypedDict):
    """One partition of a table: `lower` inclusive, `upper` exclusive (None: unbounded), both encoded keys.

    `state`: active, splitting (still active, its heirs are being prepared) or heir (of the last of `lineage`, which
    has the numbers of its ancestors, the root first). `joining`: nodes that replay the log and are no members yet.
    """

    number: int
    generation: int
    lower: bytes
    upper: bytes | None
    members: list[str]
    preferred: str
    state: str
    lineage: list[int]
    joining: list[str]


class TableMetadata(TypedDict):
    """A table as auto-admin decided it; `description` is the JSON of DescribeTable's `Table`.

    `time_to_live`: the attribute by which items expire; empty: none does. `ingest`: it takes commands from Kafka.
    `regions`: of a global table, this cluster's own first. `former`: those that were among them.
    `lacks_items`: one of them sends it every item, and it does not have all yet.
    """

    id: str
    name: str
    version: int
    status: str
    description: bytes
    partitions: list[PartitionMetadata]
    time_to_live: NotRequired[str]
    ingest: NotRequired[bool]
    regions: NotRequired[list[str]]
    former: NotRequired[list[str]]
    lacks_items: NotRequired[bool]


class LeaderMetadata(TypedDict):
    """The last known leader of a partition: the durable copy of what heartbeats say."""

    log: str
    partition: int
    term: int
    node: str
    incarnation: int
