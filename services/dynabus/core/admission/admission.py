"""A router's admission: its shares of all tables that it uses. Takes calls, replies, leases and time; sends nothing.

What every request pays is `take`: a look into a dict, a subtraction, a comparison. All else is done when half of a
lease is spent, when a lease ends, and when there is nothing left.

A write of a table also pays each global secondary index of it, out of that index's own throughput: the least that a
row costs before it is sent, and afterwards what the leader counted (`core.global_indexes.charges`), often nothing. An
index that has nothing left holds back the table's writes, whether or not they would touch it, which is known only
afterwards (DynamoDB's back-pressure). Log propagators write what is paid for already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import orjson

from dynabus.core.admission import Mode
from dynabus.core.admission.capacity import READ, WRITE, Limit, capacity_of
from dynabus.core.admission.costs import cost, estimate
from dynabus.core.admission.messages import LeaseRequest, Spending, TokenLease
from dynabus.core.admission.refusals import is_index, reason_of, refusal
from dynabus.core.admission.share import Share
from dynabus.core.admission.throttled import Event, Throttled
from dynabus.core.capacity import NOTHING
from dynabus.core.global_indexes.charges import charges_of
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Outcome
from dynabus.core.tables.indexes import OF

ANSWER_MS = 500.0
"""An answer takes milliseconds; after so long the authority is asked again, and the router goes on alone."""

PAUSE_MS = 25.0
"""Between an answer and the next request."""

SCARCE_MS = 100.0
"""The same where less was granted than wanted: refill comes evenly, and no sooner by asking."""

REPORTED_MS = 30_000.0
"""How long a router tries to say what it spent of a table that is not used any more."""

ADMITTED, UNCHARGED, REFUSED = 0, -1, -2
"""What `take` answers besides what was paid: nothing (yet), it is not counted, it may not be sent. What is lower
means the same as the last: the table's first index refuses it, its second one."""

ROW_HALVES = 2
"""What the smallest row of an index costs."""

Ask = Callable[[Table, LeaseRequest], None]
"""Send a request to the table's authority, as far as it is known."""

FindIndex = Callable[[str, str], Table | None]
"""(table id, index name) -> the index's own partitions and throughput."""


class TableShares:
    """Of one table: reads, writes, and the request for a lease that is under way."""

    __slots__ = ("asked_ms", "heard_ms", "may_ask_ms", "number", "shares", "table", "used_ms", "waiting_since_ms")

    def __init__(self, table: Table, now_ms: float) -> None:
        self.table = table
        self.shares = tuple(Share(capacity_of(table.description, each).rate, now_ms) for each in (READ, WRITE))
        self.number = 0
        self.asked_ms: float | None = None
        self.waiting_since_ms: float | None = None
        self.heard_ms: float | None = None
        self.may_ask_ms = self.used_ms = now_ms

    def unanswered(self, now_ms: float) -> bool:
        """The authority does not answer."""
        return self.waiting_since_ms is not None and now_ms - self.waiting_since_ms >= ANSWER_MS

    def asks(self, now_ms: float) -> bool:
        """Whether a request may be sent: one at a time, and not at once after an answer."""
        return now_ms >= self.may_ask_ms if self.asked_ms is None else now_ms - self.asked_ms >= ANSWER_MS

    @property
    def is_told(self) -> bool:
        """The authority knows all that was spent."""
        return all(share.spent == share.confirmed for share in self.shares)

    def request(self, asker: str, incarnation: int, now_ms: float) -> LeaseRequest:
        """What to send now."""
        self.number += 1
        self.asked_ms = now_ms
        if self.waiting_since_ms is None:
            self.waiting_since_ms = now_ms
        told: list[Spending] = [
            {
                "spent": share.spent,
                "confirmed": share.confirmed,
                "wanted": share.request(now_ms),
                "level": share.level or 0,
                "capacity": share.capacity,
            }
            for share in self.shares
        ]
        return {
            "asker": asker,
            "incarnation": incarnation,
            "number": self.number,
            "log": self.table.id,
            "partition": authority_partition(self.table),
            "age_ms": -1 if self.heard_ms is None else int(now_ms - self.heard_ms),
            "shares": told,
        }

    def answered(self, lease: TokenLease, now_ms: float) -> None:
        """The answer to the newest request; older ones are of no use any more."""
        if self.asked_ms is None or lease["number"] != self.number:
            return
        is_scarce = False
        for share, grant in zip(self.shares, lease["shares"], strict=True):
            share.answered(grant, self.asked_ms, lease["duration_ms"])
            is_scarce = is_scarce or grant["granted"] < share.wanted
        self.asked_ms = self.waiting_since_ms = None
        self.heard_ms = now_ms
        self.may_ask_ms = now_ms + (SCARCE_MS if is_scarce else PAUSE_MS)


class Admission:
    """`take` before a call is sent, `settle` with what came back."""

    def __init__(
        self,
        mode: Mode,
        asker: str,
        incarnation: int,
        ask: Ask,
        wall_ms: Callable[[], int],
        index: FindIndex = lambda _table, _name: None,
    ) -> None:
        self.mode = mode
        self.throttled = Throttled()
        self.tables: dict[str, TableShares] = {}
        """By table id; those that were used since the router started."""
        self._asker, self._incarnation, self._ask, self._wall_ms = asker, incarnation, ask, wall_ms
        self._index = index
        self._is_off = mode is Mode.OFF
        self._used: dict[str, TableShares] = {}

    def take(self, call: Call, now_ms: float) -> int:
        """What the call pays before it is sent: its estimate; UNCHARGED where nothing is counted; or REFUSED, or
        less (`refused` says by whom)."""
        if self._is_off:
            return UNCHARGED
        paid = self._take(call, now_ms)
        if paid > 0 and call.write and call.table.global_indexes.all:
            return self._take_of_indexes(call, paid, now_ms)
        return paid

    def _take(self, call: Call, now_ms: float) -> int:
        """Of the table itself."""
        known = self.tables.get(call.table.id)
        if known is None:
            known = self.tables[call.table.id] = TableShares(call.table, now_ms)
        share = known.shares[call.write]
        units = estimate(call)
        share.tried += units
        spent = share.spent + units
        if share.limit - spent >= share.ask_below and now_ms < share.renew_ms:
            share.spent = spent
            return units
        return self._take_last(known, share, call, units, now_ms)

    def _take_last(self, known: TableShares, share: Share, call: Call, units: int, now_ms: float) -> int:
        """Little is left of the lease, or it ends soon, or there is none."""
        if self._spend(known, call.table, share, units, now_ms):
            return units
        self._note(call.table, call, units, share)
        return REFUSED if self.mode is Mode.ON else UNCHARGED

    def _spend(self, known: TableShares, table: Table, share: Share, units: int, now_ms: float) -> bool:
        """Whether it was there to be spent."""
        spent = share.spent + units
        if share.limit - spent >= share.ask_below and now_ms < share.renew_ms:
            share.spent = spent
            return True
        known.table, known.used_ms = table, now_ms
        self._used[table.id] = known
        admitted = share.take(units, now_ms, known.unanswered(now_ms))
        if known.asks(now_ms):
            self._request(known, now_ms)
        return admitted

    def _take_of_indexes(self, call: Call, paid: int, now_ms: float) -> int:
        """All pay, or none does, and the table neither."""
        payers: list[Share] = []
        for number, table in self._indexes(call):
            known = self.tables.get(table.id)
            if known is None:
                known = self.tables[table.id] = TableShares(table, now_ms)
            share = known.shares[WRITE]
            share.tried += ROW_HALVES
            if not self._spend(known, table, share, ROW_HALVES, now_ms):
                # While nobody leads the index, nobody can say that it has nothing left: its table serves on.
                away = known.unanswered(now_ms)
                if not away:
                    self._note(table, call, ROW_HALVES, share)
                if self.mode is Mode.ON and not away:
                    self.tables[call.table.id].shares[WRITE].spent -= paid
                    for each in payers:
                        each.spent -= ROW_HALVES
                    return REFUSED - 1 - number
                share.spent += ROW_HALVES
            payers.append(share)
        return paid

    def _indexes(self, call: Call) -> Iterator[tuple[int, Table]]:
        """Those that are there; one that was just added has no partitions yet."""
        for number, index in enumerate(call.table.global_indexes.all):
            table = self._index(call.table.id, index.name)
            if table is not None and table.partitions:
                yield number, table

    def settle(self, call: Call, paid: int, reply: ReplyPart | None) -> None:
        """What was paid becomes what the call cost; a call that nobody answered may have been executed.

        Further calls of a request that was admitted (the next partition of a page) have paid nothing before.
        """
        known = self.tables.get(call.table.id)
        if known is None or reply is None:
            return
        known.shares[call.write].spent += cost(call, reply) - paid
        if call.write and call.table.global_indexes.all:
            charges, _ = charges_of(reply["body"])
            self._correct(call, charges, paid)

    def give_back(self, call: Call, paid: int) -> None:
        """The call was not sent after all."""
        if paid > 0:
            self.tables[call.table.id].shares[call.write].spent -= paid
            if call.write and call.table.global_indexes.all:
                self._correct(call, NOTHING, paid)

    def _correct(self, call: Call, charges: Mapping[str, int], paid: int) -> None:
        """Indexes paid if the table did: that becomes what the write cost them."""
        estimated = ROW_HALVES if paid > 0 else 0
        for _, table in self._indexes(call):
            known = self.tables.get(table.id)
            if known is not None:
                known.shares[WRITE].spent += charges.get(table.description[OF]["Name"], 0) - estimated

    def refused(self, call: Call, paid: int) -> ReplyPart:
        """As a storage node would answer it. `paid`: what `take` said."""
        dimension = WRITE if call.write else READ
        table = call.table if paid == REFUSED else dict(self._indexes(call)).get(REFUSED - 1 - paid, call.table)
        known = self.tables.get(table.id)
        limit = _limit(table, dimension, known.shares[dimension] if known is not None else None)
        error = refusal(table.description, dimension, limit)
        return Outcome(ReplyStatus.THROTTLED, orjson.dumps(error.body())).part(0)

    # -- leases -------------------------------------------------------------------------------------------------

    def answered(self, lease: TokenLease, now_ms: float) -> None:
        """A lease came."""
        known = self.tables.get(lease["log"])
        if known is not None and lease["incarnation"] == self._incarnation:
            known.answered(lease, now_ms)

    def tick(self, now_ms: float) -> None:
        """Say a last time what was spent of tables that are not used any more, and forget them."""
        for log, known in list(self._used.items()):
            if any(now_ms < share.expires_ms for share in known.shares) or now_ms - known.used_ms < ANSWER_MS:
                continue
            if known.is_told or now_ms - known.used_ms > REPORTED_MS:
                del self._used[log]
            elif known.asks(now_ms):
                self._request(known, now_ms)

    def forget(self, log: str) -> None:
        """The table was deleted."""
        self.tables.pop(log, None)
        self._used.pop(log, None)

    def _request(self, known: TableShares, now_ms: float) -> None:
        self._ask(known.table, known.request(self._asker, self._incarnation, now_ms))

    def _note(self, table: Table, call: Call, units: int, share: Share) -> None:
        """`table`: the call's, or an index of it."""
        dimension = int(call.write)
        reason = reason_of(dimension, _limit(table, dimension, share), of_index=is_index(table.description))
        number = call.table.partition_of(call.route)["number"]
        self.throttled.note(Event(self._wall_ms(), table.name, number, call.key, reason, units))


def _limit(table: Table, dimension: int, share: Share | None) -> Limit:
    return capacity_of(table.description, dimension, share.capacity // 2 if share is not None else 0).limit


def authority_partition(table: Table) -> int:
    """The partition whose leader owns the table's buckets."""
    return min(partition["number"] for partition in table.partitions)
