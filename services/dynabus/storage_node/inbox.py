"""What arrives in a node's inbox, and which replica's brain it goes to: requests, questions, answers, orders;
requests for a share of a table's throughput, for clones, and for a replica's place; how far indexes are.

A request whose budget has run out is dropped: its asker has stopped waiting, or has sent it again. A part for a
partition that is not here is answered STALE_ROUTE; everything else is the brain's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

import orjson
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.core.cloning.messages import CloneRequest
from dynabus.core.errors import ApiError, unknown_operation
from dynabus.core.global_indexes import arrival, backfill
from dynabus.core.global_indexes.messages import parts_of
from dynabus.core.global_tables import pages
from dynabus.core.ids import Incarnation, NodeName, RequestId
from dynabus.core.messages import Answer, Question, ReplyStatus, Request, RequestPart
from dynabus.core.operations.calls import Code
from dynabus.core.replication.effects import Query, Write
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Evaluate, Outcome, Read, Reader
from dynabus.core.replication.tokens import Token
from dynabus.core.replication.unresolved import Sender
from dynabus.core.streams.messages import PlaceRequest
from dynabus.storage_node.broker_clock import BrokerClock
from dynabus.storage_node.capacity.admission import NodeAdmission
from dynabus.storage_node.orders import Orders
from dynabus.storage_node.places import placing
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.readers import Arrival
from dynabus.storage_node.replicas.whereabouts import whereabouts


class Operations(Protocol):
    """What storage nodes can do, by operation code (`core.operations.registry`). Both raise ApiError."""

    writes: Mapping[int, Callable[[RequestPart], Evaluate]]
    reads: Mapping[int, Callable[[RequestPart], Read]]


Find = Callable[[str, int], Hosted | None]
"""(log, partition) -> the replica, marked as touched in this turn; None where it is not here."""

Respond = Callable[[Sender, Outcome], None]

Clear = Callable[[Hosted, RequestPart], Read]
"""(replica of an index, what a propagator tells it) -> its answer."""

Clone = Callable[[CloneRequest, "Hosted | None", float], None]
"""(request, the replica, now): another node wants a copy of it."""


def age_of(message: Arrival, clock: BrokerClock, now_ms: float) -> float:
    """How long it has waited, by the clock of its topic partition."""
    kind, stamp_ms = message.timestamp()
    if kind != TIMESTAMP_LOG_APPEND_TIME:
        return 0.0  # librdkafka's mock broker: its time of creation is of another host's clock
    return clock.age_ms(now_ms, stamp_ms, message.leader_epoch())


KNOW_REPEATS = frozenset({int(Code.INDEX), int(Code.IMPORT)})
"""Writes that see by the versions of rows that a repeat changes nothing: they need no request id."""


class _Message(NamedTuple):
    """What holds for all parts of a request: how long its asker still waits, whether it was sent before, the time."""

    budget_ms: int
    repeat: bool
    now_ms: float
    wall_ms: int
    is_brief: bool


INDEX_REQUEST = "index_request"
REQUESTS = frozenset({"request", "ingest_request", INDEX_REQUEST})

NOT_ASKED = -1
"""In place of the offset from which on an asker wants to read: it does not want to know it either."""


class Inbox:
    """Decodes and hands over. Counters: `requests` (parts), `expired` and `strays` (parts for nobody here)."""

    def __init__(
        self,
        operations: Operations,
        find: Find,
        respond: Respond,
        orders: Orders,
        admission: NodeAdmission,
        scrub: Callable[[Hosted, Sender], None],
        clear: Clear,
        clone: Clone,
        tell_place: Callable[[PlaceRequest, Hosted], None],
    ) -> None:
        self._clone, self._tell_place = clone, tell_place
        self._writes, self._reads = operations.writes, operations.reads
        self._find, self._respond, self.orders, self._admission = find, respond, orders, admission
        self._scrub, self._clear = scrub, clear
        self._clock = BrokerClock()
        self.requests = self.expired = self.strays = 0

    def take(self, message: Arrival, now_ms: float, wall_ms: int) -> None:
        """One message of the inbox. Raises UndecodableMessage."""
        kind, body = decode(message.value())
        if kind in REQUESTS:
            if kind == INDEX_REQUEST:
                body["parts"] = parts_of(body)
            age_ms = age_of(message, self._clock, now_ms)
            if age_ms > body["budget_ms"]:
                self.expired += len(body["parts"])
            else:
                budget_ms = int(body["budget_ms"] - age_ms)
                is_brief = kind == INDEX_REQUEST
                self._request(body, _Message(budget_ms, body.get("repeat", False), now_ms, wall_ms, is_brief))
        elif kind == "question":
            self._question(body, now_ms)
        elif kind == "answer":
            self._answer(body, now_ms)
        elif kind == "order":
            hosted = self._find(body["log"], body["partition"])
            if hosted is not None:
                self.orders.obey(body, hosted, now_ms)
        elif kind == "lease_request":
            self._admission.lease(self._find(body["log"], body["partition"]), body, now_ms)
        elif kind == "index_progress":
            self._admission.lags.told(body, self._find, now_ms)
        elif kind == "clone_request":
            self._clone(body, self._find(body["log"], body["partition"]), now_ms)
        elif kind == "place_request":
            hosted = self._find(body["log"], body["partition"])
            if hosted is not None and hosted.state in ("active", "sealed"):
                self._tell_place(body, hosted)
        else:
            raise UndecodableMessage(f"a {kind} does not belong here")

    def _request(self, request: Request, message: _Message) -> None:
        asker, incarnation, counter = request["asker"], request["incarnation"], request["counter"]
        for index, part in enumerate(request["parts"]):
            self.requests += 1
            wants_place = part.get("at_least", NOT_ASKED) != NOT_ASKED
            sender = Sender(asker, incarnation, counter, index, wants_place, message.is_brief)
            hosted = self._find(part["log"], part["partition"])
            if hosted is None:
                self.strays += 1
                self._respond(sender, Outcome(ReplyStatus.STALE_ROUTE))
                continue
            try:
                self._part(hosted, sender, part, message)
            except ApiError as error:
                self._respond(sender, Outcome(ReplyStatus.ERROR, orjson.dumps(error.body())))

    def _part(self, hosted: Hosted, sender: Sender, part: RequestPart, message: _Message) -> None:
        budget_ms, repeat, now_ms, wall_ms, _ = message
        code = part["operation"]
        if (write := self._write(code, hosted)) is not None:
            token = Token.decode(part["token"]) if "token" in part else None
            request_id = b"" if code in KNOW_REPEATS or token is not None else _id_of(sender)
            evaluate = self._admission.evaluation(hosted, write(part), part, now_ms)
            to = (part["generation"], part["key"])
            change = Write(sender, request_id, *to, evaluate, budget_ms, token, repeat, code == Code.INDEX)
            hosted.write(change, now_ms, wall_ms)
        elif (read := self._reads.get(code)) is not None:
            if not part["consistent"] and hosted.replica.place.next_offset < part.get("at_least", NOT_ASKED):
                self._respond(sender, Outcome(ReplyStatus.BEHIND))
                return
            reading = self._admission.reading(hosted, read(part), part, now_ms)
            if sender.wants_place:
                reading = placing(reading, hosted)
            hosted.query(Query(sender, part["generation"], part["consistent"], reading), now_ms)
        elif code == Code.SCRUB:
            self._scrub(hosted, sender)
        elif code == Code.BACKFILL:
            # Outside of the partition's cap, as of DynamoDB's own backfills.
            hosted.query(
                Query(
                    sender,
                    part["generation"],
                    part["consistent"],
                    lambda store: backfill.page(part, hosted.replica.place, store),
                ),
                now_ms,
            )
        elif code == Code.ROWS:
            # Outside of the cap, likewise.
            hosted.query(Query(sender, part["generation"], part["consistent"], partial(_rows, part, hosted)), now_ms)
        elif code == Code.FLOORS:
            heard = self._admission.regions.hearing(hosted, part)
            hosted.query(Query(sender, part["generation"], part["consistent"], heard), now_ms)
        elif code == Code.CLEAR:
            hosted.query(Query(sender, part["generation"], part["consistent"], self._clear(hosted, part)), now_ms)
        elif code == Code.PLACE:
            self._respond(sender, Outcome(body=orjson.dumps(whereabouts(hosted))))
        else:
            raise unknown_operation()

    def _write(self, code: int, hosted: Hosted) -> Callable[[RequestPart], Evaluate] | None:
        """What an index may be told again depends on what its replica has applied, as do other regions' writes."""
        if code == Code.INDEX:
            return lambda part: arrival(part, hosted.store)
        if code == Code.IMPORT:
            return lambda part: self._admission.regions.importing(hosted, part)
        return self._writes.get(code)

    def _question(self, question: Question, now_ms: float) -> None:
        hosted = self._find(question["log"], question["partition"])
        if hosted is not None:
            asker = NodeName(question["node"])
            hosted.replica.question(asker, question["incarnation"], question["term"], question["nonce"], now_ms)

    def _answer(self, answer: Answer, now_ms: float) -> None:
        hosted = self._find(answer["log"], answer["partition"])
        if hosted is not None:
            better = answer["caught_up"] and answer["able"]
            hosted.replica.answer(answer["nonce"], answer["hears_leader"], better, now_ms)


def _rows(part: RequestPart, hosted: Hosted, _store: Reader) -> Outcome:
    return pages.page(part, hosted.replica.place, hosted.store)


def _id_of(sender: Sender) -> bytes:
    return encode_request_id(RequestId(Incarnation(sender.incarnation), sender.counter, sender.part))
