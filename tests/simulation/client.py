"""Modelled routers, one per client: one operation at a time, re-sent with the same request id until a deadline.

A third of them send commands, as through Kafka: with a token, and each try under another request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynabus.core.ids import Incarnation, RequestId
from dynabus.core.messages import SEALED, ReplyStatus
from dynabus.core.replication.effects import Query, Write
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Decision, Outcome, Reader
from dynabus.core.replication.tokens import token_of
from dynabus.core.replication.unresolved import Sender
from tests.simulation.audit import ABSENT
from tests.simulation.partitions import ROWS

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

RESEND_MS = 250.0
DEADLINE_MS = 10_000.0
_ABSENT_BYTES = ABSENT.to_bytes(8, "big")


def operation_of(row: bytes | None) -> bytes:
    """Rows say which operation wrote them."""
    return _ABSENT_BYTES if row is None else row[:8]


def put(operation: int) -> Callable[[bytes | None, int], Decision]:
    """Replace the row; the answer names the operation and the one that it replaced."""
    name = operation.to_bytes(8, "big")
    return lambda old, _: Decision(True, name, Outcome(body=name + operation_of(old)))


def delete(operation: int) -> Callable[[bytes | None, int], Decision]:
    """Remove the row; nothing is written where there is none."""
    name = operation.to_bytes(8, "big")

    def evaluate(old: bytes | None, _: int) -> Decision:
        if old is None:
            return Decision(False, None, Outcome(body=_ABSENT_BYTES, count=1))
        return Decision(True, None, Outcome(body=name + operation_of(old)))

    return evaluate


def swap(operation: int, expected: bytes) -> Callable[[bytes | None, int], Decision]:
    """Replace the row if it is the expected one; else say which it is."""
    name = operation.to_bytes(8, "big")

    def evaluate(old: bytes | None, _: int) -> Decision:
        if operation_of(old) != expected:
            return Decision(False, None, Outcome(ReplyStatus.ERROR, operation_of(old)))
        return Decision(True, name, Outcome(body=name + expected))

    return evaluate


@dataclass
class Pending:
    """The operation that a client waits for."""

    counter: int
    operation: int
    key: bytes
    kind: str
    floor: int
    deadline_ms: float
    expected: bytes
    tries: int = 0
    partition: int = 0
    """Where it was sent last."""


class Client:
    """Issues operations, records what it was told."""

    new_request_id_on_retry = False
    """Broken on purpose by `broken`: a router that re-sends under a new id."""

    takes_any_answer = False
    """The same: one that takes what its first copy came to, while another is under way."""

    def __init__(self, cluster: Cluster, number: int, pause_ms: float) -> None:
        self.cluster, self.world, self.number = cluster, cluster.world, number
        self.pause_ms = pause_ms
        self.uses_tokens = number % 3 == 0
        """Its writes are commands: known by a token, and each try is another router's."""
        self.pending: Pending | None = None
        self.acknowledged = 0
        self.unknown = 0
        self.stopped = False
        self._counter = 0
        self._last: dict[bytes, bytes] = {}

    def begin(self) -> None:
        """The next operation, or nothing once the history is over."""
        if self.stopped or self.pending is not None:
            return
        key, kind = self._choose()
        self._counter += 1
        pending = Pending(
            self._counter,
            self.cluster.next_operation(),
            key,
            kind,
            self.cluster.linear.begin(key),
            self.world.now_ms + DEADLINE_MS,
            self._last.get(key, _ABSENT_BYTES),
        )
        self.pending = pending
        self._send(pending)

    def _choose(self) -> tuple[bytes, str]:
        """(key, kind) of the next operation."""
        dice = self.world.random
        key = dice.choice(self.cluster.keys)
        deletions = 6 if self.cluster.deletes else 0
        return key, dice.choices(("put", "swap", "delete", "read", "look"), (30, 22, deletions, 40, 2))[0]

    def _send(self, pending: Pending) -> None:
        if self.pending is not pending:
            return
        if self.world.now_ms >= pending.deadline_ms:
            self.unknown += 1
            self._done()
            return
        pending.tries += 1
        if (self.new_request_id_on_retry or self.uses_tokens) and pending.tries > 1:
            self._counter += 1
            pending.counter = self._counter
        sender = Sender(f"router-{self.number}", self.number, pending.counter, 0)
        to = self.cluster.route(pending.key)
        pending.partition = to.number
        message = self._message(pending, sender, to.generation)
        self.cluster.ask(to, message, pending.tries, pending.deadline_ms, pending.kind == "look")
        self.world.after(RESEND_MS, self._send_again, pending, pending.tries)

    def _send_again(self, pending: Pending, tries: int) -> None:
        if pending.tries == tries:
            self._send(pending)

    def _message(self, pending: Pending, sender: Sender, generation: int) -> Write | Query:
        if pending.kind in ("read", "look"):
            key = pending.key

            def read(store: Reader) -> Outcome:
                return Outcome(body=operation_of(store.get(key)))

            return Query(sender, generation, pending.kind == "read", read)
        evaluate = {
            "put": lambda: put(pending.operation),
            "delete": lambda: delete(pending.operation),
            "swap": lambda: swap(pending.operation, pending.expected),
        }[pending.kind]()
        budget_ms = int(pending.deadline_ms - self.world.now_ms)
        if self.uses_tokens:
            token = token_of(b"%d" % pending.operation, pending.kind.encode())
            return Write(sender, b"", generation, pending.key, evaluate, budget_ms, token)
        request = encode_request_id(RequestId(Incarnation(self.number), pending.counter, 0))
        return Write(sender, request, generation, pending.key, evaluate, budget_ms, repeat=pending.tries > 1)

    def receive(self, counter: int, outcome: Outcome) -> None:
        """An answer, perhaps to an operation that is long over."""
        pending = self.pending
        if pending is None or counter != pending.counter:
            return
        if outcome.status in (ReplyStatus.OK, ReplyStatus.ERROR):
            if outcome.provisional and pending.tries > 1 and not self.takes_any_answer:
                return
            self._judge(pending, outcome)
            self.acknowledged += 1
            self._done()
        elif outcome.status == ReplyStatus.NOT_LEADER and outcome.body:
            self.cluster.partitions[pending.partition].hint = outcome.body.decode()
            if self.world.random.random() < 0.5:
                self._send(pending)
        elif outcome.body == SEALED:
            self.cluster.partitions[pending.partition].sealed = True
            if self.world.random.random() < 0.5:
                self._send(pending)

    def _judge(self, pending: Pending, outcome: Outcome) -> None:
        linear, key, floor = self.cluster.linear, pending.key, pending.floor
        seen = outcome.body[:8]
        if pending.kind == "look":
            return
        if pending.kind == "read" or outcome.status == ReplyStatus.ERROR or len(outcome.body) == 8:
            what = "strong read" if pending.kind == "read" else "failed condition"
            linear.read(key, int.from_bytes(seen, "big"), floor, what)
            if pending.kind not in ("read", "raise"):
                linear.refused(key, pending.operation)
            self._last[key] = seen
            return
        linear.wrote(key, int.from_bytes(seen, "big"), floor, int.from_bytes(outcome.body[8:], "big"))
        self._last[key] = _ABSENT_BYTES if pending.kind == "delete" else seen

    def _done(self) -> None:
        self.pending = None
        self.world.after(self.world.random.uniform(0.0, 2 * self.pause_ms), self.begin)


def raise_to(operation: int) -> Callable[[bytes | None, int], Decision]:
    """Replace an older operation's row; a repeat, or what comes late, changes nothing, as of rows of indexes."""
    name = operation.to_bytes(8, "big")

    def evaluate(old: bytes | None, _: int) -> Decision:
        if old is not None and operation_of(old) >= name:
            return Decision(False, None, Outcome(body=operation_of(old)))
        return Decision(True, name, Outcome(body=name + operation_of(old)))

    return evaluate


class RowsClient(Client):
    """Writes without request ids, which leaders gather: of keys of their own, which nobody else writes."""

    def _choose(self) -> tuple[bytes, str]:
        dice = self.world.random
        return dice.choice(ROWS), dice.choices(("raise", "read"), (70, 30))[0]

    def _message(self, pending: Pending, sender: Sender, generation: int) -> Write | Query:
        if pending.kind == "read":
            return super()._message(pending, sender, generation)
        budget_ms = int(pending.deadline_ms - self.world.now_ms)
        return Write(sender, b"", generation, pending.key, raise_to(pending.operation), budget_ms, gathered=True)
