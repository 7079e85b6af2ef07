"""Replication-log records: the fixed envelope that `fold` reads, and what the bodies say.

Normative layout of a record's value (big-endian; test vectors in tests/vectors/records.json):

| bytes  | field          | meaning |
|--------|----------------|---------|
| 0      | format version | of this envelope (1) |
| 1-2    | schema number  | Avro schema of the body (`core.messages.SCHEMA_NUMBERS`) |
| 3-6    | CRC-32         | over everything behind it |
| 7-10   | generation     | of the partition; a record of another generation is void |
| 11-18  | term           | |
| 19-26  | sequence       | position within the term; the claim is 0 |
| 27-42  | previous       | chain checksum before this record, 16 bytes (I1) |
| 43-50  | log time       | milliseconds; see `request_ids` (I10) |
| 51-58  | incarnation    | of the writer's process |
| 59-66  | nonce          | of a claim; 0 elsewhere |
| 67     | kind           | `Kind` |
| 68     | name length    | |
| 69-    | writer's node name, then the body | |

The chain checksum after a record is BLAKE2b (128 bits) of the checksum before it followed by the whole value.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple, Protocol
from zlib import crc32

from dynabus.core.ids import Incarnation, NodeName, Writer

FORMAT_VERSION = 1
CHAIN_BYTES = 16
CHAIN_START = bytes(CHAIN_BYTES)
_ENVELOPE = struct.Struct(">BHIIQQ16sQQQBB")
_CHECKED_FROM = 7


class Kind(IntEnum):
    """Kinds of replication-log record. New kinds get new numbers; a reader that meets an unknown one stops."""

    GENESIS = 1
    CLAIM = 2
    RESIGN = 3
    CONFIGURE = 4
    MUTATION = 5
    BARRIER = 6
    SEAL = 7


class Form(IntEnum):
    """Why a log begins. A recovery keeps the term of the log that it goes on from, and its leader defers."""

    NEW = 0
    CHILD = 1
    RECOVERY = 2


class Child(NamedTuple):
    """A partition that a split makes: half-open range of encoded keys, `upper` None for unbounded."""

    number: int
    generation: int
    lower: bytes
    upper: bytes | None


class Recovered(NamedTuple):
    """What a recovery goes on from: the place of one replica of a partition whose log lost records.

    `checksum`: of its contents (`core.checksum`), 8 bytes, which the new log's must be once it holds them.
    """

    partition: int
    generation: int
    node: NodeName
    term: int
    next_sequence: int
    next_offset: int
    chain: bytes
    checksum: bytes


class Genesis(NamedTuple):
    """First record of a log; its generation stands in the envelope."""

    form: Form
    lower: bytes
    upper: bytes | None
    members: tuple[NodeName, ...]
    term: int
    recovered: Recovered | None = None


class Configure(NamedTuple):
    """The members of the replication group from here on, if `plan` is newer than the group's."""

    members: tuple[NodeName, ...]
    plan: int


class Resign(NamedTuple):
    """Ends its term. `clean`: the sender's own deferral had ended, so the next leader need not wait (I7)."""

    clean: bool
    successor: NodeName | None


class Seal(NamedTuple):
    """Ends the log; the children go on."""

    children: tuple[Child, ...]


class Mutation(NamedTuple):
    """The effect of one write (I5): rows are opaque, None means absent; `request` is the request id (I10).

    `losing`: of a write of another region that met one which neither knew of (`global_tables.versions`), the row that
    lost; empty: the old one did.
    """

    key: bytes
    old: bytes | None
    new: bytes | None
    timestamp_ms: int
    request: bytes
    expires_ms: int
    status: int
    answer: bytes
    size: int
    outcome: bytes
    losing: bytes | None = None


class RowChange(NamedTuple):
    """From one row to another, None means absent."""

    key: bytes
    old: bytes | None
    new: bytes | None

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.key) + len(self.old or b"") + len(self.new or b"")


class RowChanges(NamedTuple):
    """The effects of several writes without request ids, in order: another body of a mutation (`gathering`)."""

    timestamp_ms: int
    rows: tuple[RowChange, ...]


class Empty(NamedTuple):
    """The body of a claim or a barrier."""


Changes = Mutation | RowChanges
"""What a mutation says."""

Body = Genesis | Configure | Resign | Seal | Changes | Empty


class Bodies(Protocol):
    """The encoding of bodies, which the pure core leaves to an adapter (Avro)."""

    def encode(self, kind: Kind, body: Body) -> tuple[int, bytes]:
        """(schema number, bytes)."""

    def decode(self, schema_number: int, body: bytes) -> Body | None:
        """The body, or None where the schema is unknown or the bytes do not fit it."""


class Envelope(NamedTuple):
    """What a writer says of a record besides its body."""

    generation: int
    term: int
    sequence: int
    previous: bytes
    log_time_ms: int
    writer: Writer
    nonce: int
    kind: Kind


NOBODY = Writer(NodeName(""), Incarnation(0))


@dataclass(slots=True)
class Record:
    """A record as a reader sees it: where it lies, its envelope, its body undecoded. Never changed once made.

    `intact` is False where the value is damaged or no record at all; its other fields mean nothing then.
    """

    offset: int
    leader_epoch: int
    value: bytes
    intact: bool
    version: int = 0
    schema_number: int = 0
    generation: int = 0
    term: int = 0
    sequence: int = 0
    previous: bytes = b""
    log_time_ms: int = 0
    writer: Writer = NOBODY
    nonce: int = 0
    kind: int = 0
    body: bytes = b""


def encode_record(envelope: Envelope, schema_number: int, body: bytes) -> bytes:
    """The value to append."""
    generation, term, sequence, previous, log_time_ms, writer, nonce, kind = envelope
    node = writer.node.encode()
    value = bytearray(
        _ENVELOPE.pack(
            FORMAT_VERSION,
            schema_number,
            0,
            generation,
            term,
            sequence,
            previous,
            log_time_ms,
            writer.incarnation,
            nonce,
            kind,
            len(node),
        )
    )
    value += node
    value += body
    struct.pack_into(">I", value, 3, crc32(memoryview(value)[_CHECKED_FROM:]))
    return bytes(value)


def decode_record(offset: int, leader_epoch: int, value: bytes | None) -> Record:
    """Read the envelope. Anything that is no intact record comes back with `intact=False`, never as an error."""
    if value is None or len(value) < _ENVELOPE.size:
        return Record(offset, leader_epoch, value or b"", False)
    (
        version,
        schema_number,
        crc,
        generation,
        term,
        sequence,
        previous,
        log_time_ms,
        incarnation,
        nonce,
        kind,
        length,
    ) = _ENVELOPE.unpack_from(value)
    body_from = _ENVELOPE.size + length
    if crc32(memoryview(value)[_CHECKED_FROM:]) != crc or len(value) < body_from:
        return Record(offset, leader_epoch, value, False)
    try:
        node = NodeName(str(value[_ENVELOPE.size : body_from], "utf-8"))
    except UnicodeDecodeError:
        return Record(offset, leader_epoch, value, False)
    return Record(
        offset,
        leader_epoch,
        value,
        True,
        version,
        schema_number,
        generation,
        term,
        sequence,
        previous,
        log_time_ms,
        Writer(node, Incarnation(incarnation)),
        nonce,
        kind,
        value[body_from:],
    )


def next_chain(chain: bytes, value: bytes) -> bytes:
    """The chain checksum after the record `value`."""
    digest = blake2b(chain, digest_size=CHAIN_BYTES)
    digest.update(value)
    return digest.digest()
