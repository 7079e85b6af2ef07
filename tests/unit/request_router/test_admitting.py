"""What a router does with throughput: what is refused leaves nowhere, batches go on with the rest, pages are admitted
once. The bus is a loop that answers every message at once, and the clock stands still: a machine that is busy
elsewhere for half a second would be an authority that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, cast
from unittest.mock import patch

import orjson
import pytest
from tests.unit.core.admission.tables import ARN, provisioned

from dynabus.core.admission import Mode
from dynabus.core.admission.authority import Authority
from dynabus.core.errors import ApiError
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations.items import Refused
from dynabus.core.replication.store import Outcome
from dynabus.request_router import service
from dynabus.request_router.bus import Bus
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.service import Router

LOG = "a" * 32


class Loop:
    """A bus behind which one node leads every partition, with answers as `answers` makes them."""

    def __init__(self, router: Router, described: dict[str, Any]) -> None:
        self.router = router
        self.authority = Authority(described, 0.0, is_first=True, now_ms=0.0)
        self.answers: Callable[[Any], dict[str, Any]] = lambda _: {}
        self.parts: list[Any] = []
        self.leases = 0
        self.loaded = Event()
        self.loaded.set()

    def add(self, _topic: str, kind: str, message: Mapping[str, Any]) -> int:
        loop = asyncio.get_running_loop()
        if kind == "lease_request":
            self.leases += 1
            lease = self.authority.answer(cast("Any", message), "node-1", 0.0)
            loop.call_soon(self.router._take, [("lease", lease)])
            return 1
        self.parts += message["parts"]
        answers = [
            {**Outcome(0, b"", size=100, scanned=1).part(at), **self.answers(part)}
            for at, part in enumerate(message["parts"])
        ]
        reply = {"incarnation": message["incarnation"], "counter": message["counter"], "node": "n", "parts": answers}
        loop.call_soon(self.router._take, [("reply", reply)])
        return 1

    def send(self) -> None:
        """All was sent by `add`."""


def run(scenario: Callable[[Router, Loop], Any], mode: Mode = Mode.ON, partitions: int = 1) -> None:
    async def main() -> None:
        described = provisioned(read=1, write=1)
        router = Router(RouterSettings(name="r1", throttling=mode))
        loop = Loop(router, described)
        router._bus, router._loop = cast("Bus", loop), asyncio.get_running_loop()
        cuts = [b"", *(bytes([256 * number // partitions]) for number in range(1, partitions)), None]
        message = {
            "id": LOG,
            "name": "tab",
            "version": 1,
            "status": "ACTIVE",
            "description": orjson.dumps(described),
            "partitions": [
                {
                    "number": n,
                    "generation": 1,
                    "lower": cuts[n],
                    "upper": cuts[n + 1],
                    "members": ["node-1"],
                    "preferred": "n",
                    "state": "active",
                    "lineage": [],
                }
                for n in range(partitions)
            ],
        }
        router.view.take("table_metadata", message, 0.0)
        for number in range(partitions):
            leader = {"log": LOG, "partition": number, "term": 1, "node": "node-1", "incarnation": 1}
            router.view.take("leader_metadata", leader, 0.0)
        await scenario(router, loop)

    with patch.object(service, "monotonic_ms", lambda: 1000):
        asyncio.run(main())


async def put(router: Router, key: str = "k") -> Any:
    return await router.run("PutItem", {"TableName": "tab", "Item": {"pk": {"S": key}}}, 0)


async def use_up(router: Router) -> None:
    """Spend what there is; leases come between."""
    for _ in range(2000):
        try:
            await put(router)
        except Refused:
            return
    raise AssertionError("nothing was refused")


def test_what_is_refused_is_not_sent() -> None:
    async def scenario(router: Router, loop: Loop) -> None:
        await use_up(router)
        sent = len(loop.parts)
        assert sent >= 20
        with pytest.raises(Refused) as refused:
            await put(router)
        assert len(loop.parts) == sent
        body = orjson.loads(refused.value.body)
        assert body["__type"].endswith("#ProvisionedThroughputExceededException")
        reason = {"reason": "TableWriteProvisionedThroughputExceeded", "resource": ARN}
        assert body["ThrottlingReasons"] == [reason]

    run(scenario)


def test_a_report_sends_everything_and_lists_what_exceeds() -> None:
    async def scenario(router: Router, loop: Loop) -> None:
        for number in range(1000):
            await put(router, f"k{number}")
        assert len(loop.parts) == 1000
        assert router.admission.throttled.counts

    run(scenario, Mode.REPORT)


def test_off_asks_for_no_lease() -> None:
    async def scenario(router: Router, loop: Loop) -> None:
        for _ in range(1000):
            await put(router)
        assert (len(loop.parts), loop.leases) == (1000, 0)

    run(scenario, Mode.OFF)


def test_the_refused_part_of_a_batch_comes_back() -> None:
    async def scenario(router: Router, loop: Loop) -> None:
        await use_up(router)
        shares = router.admission.tables[LOG]
        share = shares.shares[1]
        share.limit, share.expires_ms, shares.may_ask_ms = share.spent + 6, float("inf"), float("inf")
        writes = [{"PutRequest": {"Item": {"pk": {"S": f"b{number}"}}}} for number in range(5)]
        answer = orjson.loads(await router.run("BatchWriteItem", {"RequestItems": {"tab": writes}}, 0))
        assert len(answer["UnprocessedItems"]["tab"]) == 2
        assert [part["key"] for part in loop.parts[-3:]]
        with pytest.raises(Refused) as refused:
            await router.run("BatchWriteItem", {"RequestItems": {"tab": writes}}, 0)
        assert b"ProvisionedThroughputExceededException" in refused.value.body

    run(scenario)


def test_parts_that_a_partition_refused_come_back_and_cost_nothing() -> None:
    async def scenario(router: Router, loop: Loop) -> None:
        refusal = {"status": ReplyStatus.THROTTLED, "body": b'{"__type":"x#ProvisionedThroughputExceededException"}'}
        loop.answers = lambda part: refusal if part["key"].endswith(b"3\0\0") else {}
        keys = [{"pk": {"S": f"k{number}"}} for number in range(4)]
        asked = {"RequestItems": {"tab": {"Keys": keys, "ConsistentRead": True}}}
        answer = orjson.loads(await router.run("BatchGetItem", asked, 0))
        assert answer["UnprocessedKeys"]["tab"]["Keys"] == [{"pk": {"S": "k3"}}]
        assert router.admission.tables[LOG].shares[0].spent == 3 * 2
        loop.answers = lambda _: refusal
        with pytest.raises(Refused):
            await router.run("BatchGetItem", asked, 0)
        with pytest.raises(Refused):
            await put(router)
        assert [share.spent for share in router.admission.tables[LOG].shares] == [6, 0]

    run(scenario)


def test_a_scan_is_admitted_once_and_charged_for_every_partition() -> None:
    async def scenario(router: Router, loop: Loop) -> None:
        loop.answers = lambda _: {"size": 9000}
        await router.run("Scan", {"TableName": "tab", "ConsistentRead": True}, 0)
        assert len(loop.parts) == 3
        assert router.admission.tables[LOG].shares[0].spent == 3 * 6

    run(scenario, partitions=3)


def test_a_router_that_is_full_gives_back_what_was_paid() -> None:
    async def scenario(router: Router, _: Loop) -> None:
        router.asker._most = 0
        with pytest.raises(ApiError):
            await put(router)
        assert router.admission.tables[LOG].shares[1].spent == 0

    run(scenario)


def test_a_deleted_table_is_forgotten() -> None:
    async def scenario(router: Router, _: Loop) -> None:
        await put(router)
        gone = {"id": LOG, "name": "tab", "version": 2, "status": "DELETED", "description": b"{}", "partitions": []}
        router._take([("table_metadata", gone)])
        assert router.admission.tables == {}

    run(scenario)
