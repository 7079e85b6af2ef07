"""Request ids: each change is applied once, however often its request is sent (I10).

The outcome of a request id is kept in the replica's store, written by the same `apply` as the row, until *log time*
passes the request's deadline by `KEEP_MS`. Log time starts where the log's stood and advances by the leader's own
elapsed time since its claim: it never jumps when a leader with another clock takes over, else that leader would
forget ids whose retries are still on their way. Ids are `router incarnation || counter || part`, so one router's ids
sort by age, and the oldest router's sort first: purging looks only at the front. Behind them lie the ids of tokens
(`tokens`), which sort by age among themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple

from dynabus.core.ids import RequestId
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Changes, Mutation, RowChanges
from dynabus.core.replication.store import Follow, Outcome, Store

KEEP_MS = 60_000
"""Beyond the deadline: a copy of a request may lie in the inbox of a node that is paused for longer than that."""

PURGE_OWN = 2
"""Expired ids dropped per write of the same router: one comes, at most two go, so the table shrinks to its bound."""

PURGE_EVERY = 64
"""Each so many sequences the oldest router's ids are looked at, so that a router that is gone leaves nothing."""

_ID = struct.Struct(">QQH")
_VALUE = struct.Struct(">QBI8s")
_ROUTER_BYTES = 8

Applied = Callable[[Mutation, int, Place, bool], None]
"""(mutation, offset of its record, place behind it, whether this replica leads): it was just applied."""

TOKENS = b"\x80"
"""The first byte of ids of tokens: incarnations have 63 bits."""


def ignore(_mutation: Mutation, _offset: int, _place: Place, _leads: bool) -> None:
    """An `Applied` for who looks at none."""


def encode_request_id(request: RequestId) -> bytes:
    """18 bytes that sort by router, then by age."""
    return _ID.pack(*request)


def outcome_digest(key: bytes, row: bytes | None, answer: bytes) -> bytes:
    """64 bits over what a write came to: two records with one request id must agree on it."""
    digest = blake2b(key, digest_size=8)
    digest.update(b"\x00" if row is None else row)
    digest.update(answer)
    return digest.digest()


def apply_mutation(store: Store, mutation: Changes, sequence: int, log_time_ms: int, follow: Follow) -> None:
    """The effect of an accepted mutation: its rows, what is derived from rows, and its request id with it."""
    if isinstance(mutation, RowChanges):
        apply_rows(store, mutation.rows, follow)
        return
    apply_rows(store, ((mutation.key, mutation.old, mutation.new),), follow)
    if mutation.request:
        remember(store, mutation, sequence, log_time_ms)


def apply_rows(store: Store, rows: Iterable[tuple[bytes, bytes | None, bytes | None]], follow: Follow) -> None:
    """Rows and what is derived from them, in order."""
    for key, old, new in rows:
        if new is None:
            store.delete(key)
        else:
            store.put(key, new)
        follow(key, old, new)


def remember(store: Store, mutation: Mutation, sequence: int, log_time_ms: int) -> None:
    """Keep the outcome of an applied mutation and drop what has expired: the same on every replica."""
    value = _VALUE.pack(mutation.expires_ms, mutation.status, mutation.size, mutation.outcome) + mutation.answer
    store.remember(mutation.request, value)
    of_token = mutation.request.startswith(TOKENS)
    _purge(store, TOKENS if of_token else mutation.request[:_ROUTER_BYTES], log_time_ms, PURGE_OWN)
    if sequence % PURGE_EVERY == 0:
        _purge(store, b"", log_time_ms, PURGE_EVERY)
        _purge(store, TOKENS, log_time_ms, PURGE_EVERY)


NO_KEY = b"\0"
"""Shorter than the hash that keys begin with: a mutation of it, from nothing to nothing, is a request id alone."""


def carried_over(request_id: bytes, value: bytes) -> Mutation:
    """A remembered outcome as a record that says it again in another log (a recovery's)."""
    expires_ms, status, size, outcome = _VALUE.unpack_from(value)
    return Mutation(NO_KEY, None, None, 0, request_id, expires_ms, status, value[_VALUE.size :], size, outcome)


def _purge(store: Store, prefix: bytes, log_time_ms: int, most: int) -> None:
    for _ in range(most):
        first = store.first_remembered(prefix)
        if first is None or _VALUE.unpack_from(first[1])[0] >= log_time_ms:
            return
        store.forget(first[0])


class Remembered(NamedTuple):
    """`digest`: of what the write came to; of a token, of its command."""

    expires_ms: int
    digest: bytes
    outcome: Outcome


def read_remembered(value: bytes) -> Remembered:
    """The value of a remembered id."""
    expires_ms, status, size, digest = _VALUE.unpack_from(value)
    return Remembered(expires_ms, digest, Outcome(status, value[_VALUE.size :], size))


def is_outcome(request_id: bytes, value: bytes) -> bool:
    """Whether these bytes have the form of a remembered outcome; they carry no checksum of their own."""
    return len(request_id) == _ID.size and len(value) >= _VALUE.size


def recall(store: Store, request_id: bytes) -> Outcome | None:
    """What was answered to this request id, or None where it was never applied."""
    value = store.remembered(request_id)
    return None if value is None else read_remembered(value).outcome
