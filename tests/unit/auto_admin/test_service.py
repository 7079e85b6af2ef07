"""Auto-admin's loop over a Kafka of lists: whatever dies, and whenever, a successor comes to the same end."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.world import NODES, TURN_MS, Crash, Kafka, Nodes, auto_admin

from dynabus.auto_admin.service import AutoAdmin

RESEND_TURNS = 5
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
TURNS_MOST = 600


class Life:
    """A cluster in turns: nodes, then auto-admins; one that crashes is followed by another run of it."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.kafka = Kafka()
        self.nodes = Nodes(self.kafka)
        self.settings = settings
        self.admins = {name: auto_admin(self.kafka, name, **settings) for name in names or ("admin-1",)}
        self.restarts, self.runs = True, 1
        self.counter = 0

    def turn(self) -> None:
        self.kafka.now_ms += TURN_MS
        self.nodes.turn()
        for name, admin in list(self.admins.items()):
            try:
                admin.turn()
            except Crash:
                del self.admins[name]
                if self.restarts:
                    self.runs += 1
                    self.admins[name] = auto_admin(self.kafka, name, self.runs, **self.settings)

    def until(self, what: str, condition: Any) -> None:
        for _ in range(TURNS_MOST):
            if condition():
                return
            self.turn()
        raise AssertionError(f"never: {what}")

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """Send as a router does, until answered; the answer."""
        self.counter += 1
        message = {
            "asker": "router-1",
            "incarnation": 7,
            "counter": self.counter,
            "budget_ms": 15_000,
            "repeat": False,
            "operation": operation,
            "body": orjson.dumps(request),
        }
        for turn in range(TURNS_MOST):
            if turn % RESEND_TURNS == 0:
                self.kafka.messages.append(("control_request", message))
            self.turn()
            if self.replies(self.counter):
                return self.replies(self.counter)[0]
        raise AssertionError("no answer")

    def replies(self, counter: int) -> list[dict[str, Any]]:
        found = [reply for reply in self.kafka.replies if reply["counter"] == counter]
        return [orjson.loads(reply["parts"][0]["body"] or b"{}") for reply in found]

    def active(self) -> list[AutoAdmin]:
        return [admin for admin in self.admins.values() if admin.active_term is not None]

    def status(self) -> str | None:
        """Of the only table, in metadata after compaction."""
        tables = [message for key, message in self.kafka.metadata.items() if key.startswith("table/")]
        assert len(tables) <= 1
        return tables[0]["status"] if tables else None

    def rows(self) -> list[str]:
        return [state.status for admin in self.active() for state in admin.tables.all().values()]

    def create(self) -> dict[str, Any]:
        answer = self.ask("CreateTable", **REQUEST)
        self.until("active", lambda: self.status() == "ACTIVE" and self.rows() == ["ACTIVE"])
        return answer

    def table(self) -> dict[str, Any]:
        """The only table as metadata describes it, after compaction."""
        (message,) = (message for key, message in self.kafka.metadata.items() if key.startswith("table/"))
        description: dict[str, Any] = orjson.loads(message["description"])
        assert description["TableStatus"] == message["status"]
        return description

    def update(self, **changes: Any) -> dict[str, Any]:
        answer = self.ask("UpdateTable", TableName=REQUEST["TableName"], **changes)
        self.until("updated", lambda: self.status() == "ACTIVE" and self.rows() == ["ACTIVE"])
        return answer

    def delete(self) -> dict[str, Any]:
        answer = self.ask("DeleteTable", TableName=REQUEST["TableName"])
        self.until("gone", lambda: self.status() is None and self.active() and not self.rows())
        return answer


def run(crash_after: int | None, *, names: tuple[str, ...], restarts: bool) -> Life:
    """A table's whole life; every auto-admin that reaches that effect dies right after it."""
    life = Life(*names)
    life.restarts = restarts
    life.kafka.crash_after = crash_after
    created = life.create()["TableDescription"]
    (logs,) = life.kafka.logs.values()
    assert {number: len(records) for number, records in logs.items()} == {0: 1, 1: 1}
    leaders = [key for key in life.kafka.metadata if key.startswith("leader/")]
    assert len(leaders) == 2
    answers = life.replies(life.counter)
    assert all(answer["TableDescription"] == created for answer in answers)
    assert created["TableStatus"] == "CREATING"
    _change(life)
    deleted = life.delete()["TableDescription"]
    assert (deleted["TableStatus"], deleted["TableId"]) == ("DELETING", created["TableId"])
    assert life.kafka.logs == {}
    assert life.kafka.metadata == {}
    return life


def _change(life: Life) -> None:
    updated = life.update(BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)["TableDescription"]
    assert (updated["TableStatus"], updated["BillingModeSummary"]["BillingMode"]) == ("UPDATING", "PROVISIONED")
    life.until("published", lambda: life.table()["ProvisionedThroughput"]["ReadCapacityUnits"] == 5)
    warm = life.update(WarmThroughput={"ReadUnitsPerSecond": 13_000})["TableDescription"]
    assert (warm["TableStatus"], warm["WarmThroughput"]["Status"]) == ("ACTIVE", "UPDATING")
    ready = {"ReadUnitsPerSecond": 13_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"}
    life.until("warm", lambda: life.table()["WarmThroughput"] == ready)
    assert life.ask("TagResource", TableName="music", ResourceArn=ARN, Tags={"a": "b"}) == {}
    assert life.ask("ListTagsOfResource", TableName="music", ResourceArn=ARN) == {
        "Tags": [{"Key": "a", "Value": "b"}]
    }


EFFECTS = run(None, names=("admin-1",), restarts=False).kafka.effects


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_restart(crash_after: int) -> None:
    run(crash_after, names=("admin-1",), restarts=True)


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_standby_that_takes_over(crash_after: int) -> None:
    run(crash_after, names=("admin-1", "admin-2"), restarts=False)


def test_a_router_sees_the_table_when_it_gets_the_answer() -> None:
    life = Life()
    life.until("active", life.active)
    life.ask("CreateTable", **REQUEST)
    assert life.status() == "CREATING"


def test_a_standby_only_follows() -> None:
    life = Life("admin-1", "admin-2")
    life.create()
    (active,) = life.active()
    assert len(life.replies(life.counter)) == 1
    standby = next(admin for admin in life.admins.values() if admin is not active)
    life.turn()
    assert standby.replica.place.next_offset == active.replica.place.next_offset
    assert [state.status for state in standby.tables.all().values()] == ["ACTIVE"]


def test_a_planned_stop_hands_over_at_once() -> None:
    life = Life("admin-1", "admin-2")
    life.create()
    (active,) = life.active()
    active.stopping = True
    active.run()
    del life.admins[active.me.node]
    before_ms = life.kafka.now_ms
    life.until("the other is active", life.active)
    assert life.kafka.now_ms - before_ms <= 500


def test_a_deposed_one_that_wakes_up_does_no_harm() -> None:
    life = Life("admin-1", "admin-2")
    life.create()
    (zombie,) = life.active()
    del life.admins[zombie.me.node]
    life.until("the other is active", life.active)
    old = dict(life.kafka.metadata)
    life.delete()
    life.create()
    life.admins[zombie.me.node] = zombie
    for key, message in old.items():
        if key.startswith("table/"):
            # What it had sent before it paused arrives last.
            life.kafka.put_metadata(key, "table_metadata", message)
    life.until("the ghost is gone", lambda: not old.keys() & life.kafka.metadata.keys() - _leaders(old))
    assert len(life.active()) == 1
    assert life.status() == "ACTIVE"


def _leaders(metadata: dict[str, Any]) -> set[str]:
    return {key for key in metadata if key.startswith("leader/")}


def test_an_old_record_that_arrives_last_is_overwritten() -> None:
    life = Life()
    life.ask("CreateTable", **REQUEST)
    life.until("published", lambda: life.status() == "CREATING")
    old = dict(life.kafka.metadata)
    life.until("active", lambda: life.status() == "ACTIVE")
    for key, message in old.items():
        life.kafka.put_metadata(key, "table_metadata", message)
    life.until("active again", lambda: life.status() == "ACTIVE")


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_metadata_that_is_not_delivered_is_sent_again(lost: int) -> None:
    life = Life()
    life.until("active", life.active)
    life.kafka.lose_metadata = lost
    life.create()
    life.kafka.lose_metadata = lost
    life.delete()


def test_a_step_that_fails_is_tried_again() -> None:
    life = Life()
    life.admins["admin-1"].tables._steps.fail = 3  # type: ignore[attr-defined]
    life.create()


def test_requests_are_answered_as_dynamodb_does() -> None:
    life = Life()
    assert life.ask("DeleteTable", TableName="music")["__type"].endswith("ResourceNotFoundException")
    life.create()
    assert life.ask("CreateTable", **REQUEST)["message"] == "Table already exists: music"


def test_a_table_shows_that_it_is_updated() -> None:
    """And is published as it was before, so that routers go on serving it."""
    life = Life()
    life.create()
    seen: list[tuple[str, int]] = []
    put = life.kafka.put_metadata

    def watch(key: str, kind: str, message: Any | None) -> None:
        if kind == "table_metadata" and message is not None:
            seen.append((message["status"], len(message["partitions"])))
        put(key, kind, message)

    life.kafka.put_metadata = watch  # type: ignore[method-assign]
    life.update(TableClass="STANDARD_INFREQUENT_ACCESS")
    assert seen == [("UPDATING", 2), ("ACTIVE", 2)]
    assert life.table()["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"


def test_what_is_done_at_once_is_published_too() -> None:
    life = Life()
    life.create()
    life.update(DeletionProtectionEnabled=True)
    life.until("published", lambda: life.table()["DeletionProtectionEnabled"])
    assert "protected" in life.ask("DeleteTable", TableName="music")["message"]


def test_changes_that_come_together_are_all_published() -> None:
    life = Life()
    life.create()
    changes: list[dict[str, Any]] = [
        {"DeletionProtectionEnabled": True},
        {"WarmThroughput": {"ReadUnitsPerSecond": 13_000}},
    ]
    for number, change in enumerate(changes):
        body = orjson.dumps({"TableName": "music", **change})
        request = {
            "asker": "router-1",
            "incarnation": 7,
            "counter": 100 + number,
            "budget_ms": 15_000,
            "repeat": False,
        }
        life.kafka.messages.append(("control_request", {**request, "operation": "UpdateTable", "body": body}))
    life.until("both", lambda: life.table()["WarmThroughput"]["ReadUnitsPerSecond"] == 13_000)
    assert life.table()["DeletionProtectionEnabled"]


def test_quotas(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life()
    life.create()
    monkeypatch.setattr("dynabus.core.tables.descriptions.TABLES_MOST", 1)
    full = life.ask("CreateTable", **{**REQUEST, "TableName": "more"})
    assert full["message"] == "Subscriber limit exceeded: There is a limit of 1 tables per subscriber"
    assert life.ask("CreateTable", **REQUEST)["message"] == "Table already exists: music"
    monkeypatch.setattr("dynabus.core.tables.descriptions.CHANGES_MOST", 0)
    busy = "Subscriber limit exceeded: Only 0 tables can be created, updated, or deleted simultaneously"
    assert life.ask("DeleteTable", TableName="music")["message"] == busy
    asked = {"TableName": "music", "TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert life.ask("UpdateTable", **asked)["message"] == busy
    assert "TableDescription" in life.ask("UpdateTable", TableName="music", DeletionProtectionEnabled=True)


def test_a_table_waits_for_nodes_and_then_makes_do() -> None:
    life = Life(placement_wait_ms=3000)
    life.until("active", life.active)
    life.nodes.names = {}
    life.kafka.now_ms += 10_000
    for _ in range(20):
        life.turn()
    life.nodes.names = dict(list(NODES.items())[:2])
    before_ms = life.kafka.now_ms
    life.create()
    assert life.kafka.now_ms > before_ms
    (table,) = (message for key, message in life.kafka.metadata.items() if key.startswith("table/"))
    assert [sorted(each["members"]) for each in table["partitions"]] == [["node-1", "node-2"]] * 2


def test_tables_made_together_are_balanced() -> None:
    life = Life(initial_partitions=1)
    life.until("nodes heard", lambda: len(life.active()) == 1 and len(life.active()[0].view.nodes) == 3)
    for number in range(6):
        body = orjson.dumps({**REQUEST, "TableName": f"table-{number}"})
        request = {
            "asker": "router-1",
            "incarnation": 7,
            "counter": 100 + number,
            "budget_ms": 15_000,
            "repeat": False,
        }
        life.kafka.messages.append(("control_request", {**request, "operation": "CreateTable", "body": body}))
    life.until("all active", lambda: life.rows() == ["ACTIVE"] * 6)
    (active,) = life.active()
    assert set(active.tables.load().preferred.values()) == {2}


def test_another_genesis_changes_nothing_and_lost_history_freezes() -> None:
    life = Life()
    life.create()
    (admin,) = life.active()
    life.kafka.admin_log.append(life.kafka.admin_log[0])
    life.turn()
    assert life.active() == [admin]
    life.kafka.out_of_range = True
    life.turn()
    assert admin.replica.alarm is not None
    assert life.active() == []
