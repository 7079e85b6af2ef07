"""What a call is estimated to cost before it is answered, and what it did cost, in half capacity units."""

from __future__ import annotations

from dynabus.core.capacity import read_halves, write_halves
from dynabus.core.global_indexes.charges import charges_of
from dynabus.core.local_indexes import is_noted, note_of
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call, Code

CHARGED_REFUSALS = (b"ConditionalCheckFailedException",)
"""Errors of storage nodes that cost what the write would have cost; all others cost nothing."""

PAGE, OK = int(Code.PAGE), int(ReplyStatus.OK)
"""As plain numbers: every request is compared with them."""

SIZED = frozenset({int(Code.PUT), int(Code.INDEX), int(Code.IMPORT)})
"""Writes that say what they cost."""


def estimate(call: Call) -> int:
    """A put's size is known (and that of another region's); of all else the smallest cost is assumed."""
    if call.write:
        return write_halves(call.size) if call.size else 2
    return 2 if call.consistent else 1


def cost(call: Call, reply: ReplyPart) -> int:
    """Of a call that was answered; what was refused for its throughput costs nothing."""
    status = reply["status"]
    if status == OK:
        if call.table.indexes.all:
            return _cost_with_indexes(call, reply)
        return write_halves(reply["size"]) if call.write else read_halves(reply["size"], call.consistent)
    if status == ReplyStatus.ERROR and is_charged(reply["body"]):
        return write_halves(reply["size"])
    return 0


def is_charged(refusal: bytes) -> bool:
    """Whether an error's JSON is one of those that cost a write; its type stands before what users wrote."""
    return any(name in refusal[:128] for name in CHARGED_REFUSALS)


def _cost_with_indexes(call: Call, reply: ReplyPart) -> int:
    if call.write:
        _, body = charges_of(reply["body"])
        note, _ = note_of(body)
        return write_halves(reply["size"]) + sum(note.get("halves", {}).values())
    halves = read_halves(reply["size"], call.consistent)
    if call.code == PAGE:
        halves += fetched_halves(reply["body"], call.consistent)
    return halves


def fetched_halves(body: bytes, consistent: bool) -> int:
    """Of whole items that a page of an index fetched; a page of the table has no note."""
    if not is_noted(body):
        return 0
    note, _ = note_of(body)
    return note["fetched"] * (2 if consistent else 1)
