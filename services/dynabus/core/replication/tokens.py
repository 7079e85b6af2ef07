"""Idempotency tokens: a command that comes through Kafka is decided once, whoever brings it how often (I10).

A token's outcome is kept as a request id's is (`request_ids`), under ids of its own space:

| bytes | field  | meaning                                                                             |
|-------|--------|-------------------------------------------------------------------------------------|
| 0-7   | window | the top bit, which no incarnation has, and log time in `WINDOW_MS`: ids sort by age |
| 8-17  | name   | BLAKE2b, 80 bits, of the token; within one partition's store, so within one table   |

The id depends on when the command was decided, so a look-up asks for each window in which that may have been. The
value is that of a request id; in place of the outcome's digest stands that of the command, by which a token that is
used for another command is told, if that one's item lies in the same partition.

A refusal is remembered too, under a mutation of no key (`NO_KEY`): a copy of a refused command that comes late must
not be applied because its condition holds by then, behind later commands of its item.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import orjson

from dynabus.core.errors import idempotent_parameter_mismatch
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.request_ids import TOKENS, read_remembered
from dynabus.core.replication.store import Outcome, Store

KEEP_MS = 600_000
"""Ten minutes, as DynamoDB keeps a ClientRequestToken.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""

WINDOW_MS = 300_000
"""Shorter windows are more look-ups for each command (three now); in longer ones more lies that is over, since within
one ids do not sort by age."""

WINDOWS = KEEP_MS // WINDOW_MS + 1
"""Ten minutes lie in so many, the present one included."""

NAME_BYTES, DIGEST_BYTES = 10, 8
"""Among ten million tokens of one partition any two have one name with a chance of 4 in 10^11; then the later command
is refused as another one, and never taken for applied."""

DECIDED = frozenset({ReplyStatus.OK, ReplyStatus.ERROR})
"""What is remembered. Throttling and a full queue decide nothing: the command comes again."""

_ID = struct.Struct(">Q10s")
_TOP_BIT = TOKENS[0] << 56


class Token(NamedTuple):
    """As it travels and is kept: who the command is, and what it says."""

    name: bytes
    digest: bytes

    def encode(self) -> bytes:
        return self.name + self.digest

    @classmethod
    def decode(cls, raw: bytes) -> Token:
        """Raises ValueError for what is none."""
        if len(raw) != NAME_BYTES + DIGEST_BYTES:
            raise ValueError(f"a token of {len(raw)} bytes")
        return cls(raw[:NAME_BYTES], raw[NAME_BYTES:])


def token_of(text: bytes, command: bytes) -> Token:
    """`text`: what the producer calls the command; `command`: all that it says, in one form."""
    return Token(
        blake2b(text, digest_size=NAME_BYTES, person=b"dynabus-token").digest(),
        blake2b(command, digest_size=DIGEST_BYTES, person=b"dynabus-command").digest(),
    )


def token_ids(token: Token, log_time_ms: int) -> list[bytes]:
    """Ids under which it may be remembered; the first is the one to remember it under now."""
    now = log_time_ms // WINDOW_MS
    return [_ID.pack(_TOP_BIT | window, token.name) for window in range(now, max(-1, now - WINDOWS), -1)]


def recall_token(store: Store, ids: Sequence[bytes], token: Token, log_time_ms: int) -> Outcome | None:
    """What was answered to the command of this token, or that it was another command; None: it is a new one."""
    for each in ids:
        value = store.remembered(each)
        if value is not None and (found := read_remembered(value)).expires_ms >= log_time_ms:
            return found.outcome if found.digest == token.digest else MISMATCH
    return None


MISMATCH = Outcome(ReplyStatus.ERROR, orjson.dumps(idempotent_parameter_mismatch().body()))
