"""The router's shell without a bus: grouping, and what ends it."""

from __future__ import annotations

import asyncio
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.unit.request_router.test_asker import lead, view
from tests.unit.request_router.test_sizes import call

from dynabus.core.errors import ApiError
from dynabus.core.messages import ReplyPart
from dynabus.core.operations.calls import Call
from dynabus.core.replication.store import Outcome
from dynabus.request_router import service
from dynabus.request_router.asker import Asked
from dynabus.request_router.bus import Bus
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.service import Router


def loaded_router(*, is_loaded: bool = True, **more: Any) -> Router:
    """That has heard all metadata."""
    router, loaded = Router(RouterSettings(name="router-1", **more)), Event()
    router._bus = cast("Bus", SimpleNamespace(loaded=loaded))
    if is_loaded:
        loaded.set()
    return router


def test_a_router_that_has_not_read_metadata_does_not_say_what_there_is() -> None:
    """To a client, or a waiter, "no such table" is an answer."""

    async def scenario() -> None:
        router = loaded_router(is_loaded=False)
        assert router._bus is not None
        answer = asyncio.create_task(router.run("ListTables", {}, 1))
        done, _ = await asyncio.wait([answer], timeout=0.05)
        assert not done
        router.view.tables.update(view().tables)
        router._bus.loaded.set()
        assert b'"t"' in await answer
        silent = loaded_router(is_loaded=False, request_deadline_ms=500)
        with pytest.raises(ApiError) as refusal:
            await silent.run("DescribeTable", {"TableName": "t"}, 1)
        assert refusal.value.status == 500

    asyncio.run(scenario())


def test_a_ticker_that_fails_ends_the_router(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        router = Router(RouterSettings(name="router-1"))
        failed = asyncio.Event()
        router.failed = failed.set
        monkeypatch.setattr(router.asker, "tick", lambda _now_ms: 1 / 0)
        ticker = asyncio.create_task(router._tick())
        ticker.add_done_callback(router._ticker_ended)
        await asyncio.wait_for(failed.wait(), 5)

    asyncio.run(scenario())


def test_metrics_count_by_operation_and_status() -> None:
    router = Router(RouterSettings(name="router-1"))
    registry = CollectorRegistry()
    registry.register(router.metrics)
    router.metrics.answered("PutItem", 200, 0.0004)
    router.metrics.answered("PutItem", 400, 0.02)
    router.metrics.answered("PutItem", 200, 60.0)
    text = generate_latest(registry).decode()
    assert 'dynabus_router_requests_total{operation="PutItem",status="200"} 2.0' in text
    assert 'dynabus_router_latency_seconds_bucket{le="0.001",operation="PutItem"} 1.0' in text
    assert 'dynabus_router_latency_seconds_bucket{le="10.0",operation="PutItem"} 2.0' in text
    assert 'dynabus_router_latency_seconds_bucket{le="+Inf",operation="PutItem"} 3.0' in text
    assert "dynabus_router_in_flight 0.0" in text
    assert "dynabus_router_sent_again_total 0.0" in text


def test_a_table_that_is_just_being_heard_of_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made through another router, which has said that it is ACTIVE."""

    async def put() -> float:
        router = loaded_router()
        asked: list[Call] = []

        async def answer(calls: list[Call], *_: object) -> list[ReplyPart]:
            asked.extend(calls)
            return [Outcome().part(0)]

        monkeypatch.setattr(router, "_ask_one", answer)
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, router.view.tables.update, view().tables)
        began = loop.time()
        assert await router.run("PutItem", {"TableName": "t", "Item": {"pk": {"S": "a"}}}, 1) == b"{}"
        assert [each.table.name for each in asked] == ["t"]
        return loop.time() - began

    assert asyncio.run(put()) < service.HEARD_MS / 1000


def test_a_table_that_is_not_there_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "HEARD_MS", 60.0)
    router = loaded_router()
    for _ in range(2):
        with pytest.raises(ApiError, match="Requested resource not found"):
            asyncio.run(router.run("PutItem", {"TableName": "none", "Item": {"pk": {"S": "a"}}}, 1))
    with pytest.raises(ApiError, match="Table: none not found"):
        asyncio.run(router.run("DescribeTable", {"TableName": "none"}, 1))


class Collected:
    """A bus that only remembers in which groups requests left."""

    def __init__(self) -> None:
        self.waiting = 0
        self.groups: list[int] = []

    def add(self, _topic: str, _kind: str, _message: object) -> int:
        self.waiting += 1
        return self.waiting

    def send(self) -> None:
        self.groups.append(self.waiting)
        self.waiting = 0


async def ask(under_way: int) -> list[int]:
    """The groups in which so many requests leave that come one after the other, in turns of their own."""
    router, collected = Router(RouterSettings(name="r1")), Collected()
    router._bus, router._loop = cast("Bus", collected), asyncio.get_running_loop()
    lead(router.view, "node-1", 1)
    for _ in range(under_way):
        router._ask_together([call()], None, Asked(1e12))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    while sum(collected.groups) < under_way:
        await asyncio.sleep(0.001)
    return collected.groups


def test_a_lone_request_leaves_at_once_and_many_in_groups() -> None:
    assert asyncio.run(ask(1)) == [1]
    assert asyncio.run(ask(4)) == [1, 1, 1, 1]
    groups = asyncio.run(ask(64))
    assert sum(groups) == 64
    assert len(groups) < 40
    assert max(groups) > 4
