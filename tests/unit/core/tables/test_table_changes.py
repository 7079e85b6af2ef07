"""UpdateTable's rules, without a cluster around them. tests/conformance/test_update_table.py names the sources."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.tables.capacity_changes import as_of
from dynabus.core.tables.changes import Update, change, finish
from dynabus.core.tables.descriptions import describe, pending_of_new

NOON_MS = 1_700_049_600_000
"""2023-11-15 12:00:00 UTC."""

MIDNIGHT_MS = NOON_MS + 12 * 3_600_000

KEYS = {
    "TableName": "music",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
ON_DEMAND: dict[str, Any] = {**KEYS, "BillingMode": "PAY_PER_REQUEST"}


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


class Table:
    """One table's description, as the admin log keeps it."""

    def __init__(self, **request: Any) -> None:
        asked = {**KEYS, **(request or {"ProvisionedThroughput": units(10, 10)})}
        created = describe(asked, "0" * 32, "eu-west-1", "123456789012", NOON_MS)
        self.description = finish(created, pending_of_new(asked, NOON_MS), NOON_MS)
        self.pending: dict[str, Any] = {}
        self.now_ms = NOON_MS

    def update(self, **request: Any) -> dict[str, Any]:
        """The answer; the change is under way."""
        update = Update.of({"TableName": "music", **request})
        found = change(update, self.description, self.pending, self.now_ms)
        if found.description is not None:
            self.description, self.pending = found.description, found.pending
        return found.answer

    def finish(self) -> dict[str, Any]:
        self.now_ms += 1000
        self.description, self.pending = finish(self.description, self.pending, self.now_ms), {}
        return self.description

    def refusal(self, **request: Any) -> str:
        with pytest.raises(ApiError) as caught:
            self.update(**request)
        return f"{caught.value.type.partition('#')[2]}: {caught.value.message}"

    def lower(self, read: int) -> dict[str, Any]:
        self.update(ProvisionedThroughput=units(read, 10))
        throughput: dict[str, Any] = self.finish()["ProvisionedThroughput"]
        return throughput


def test_four_decreases_a_day_and_then_one_an_hour() -> None:
    table = Table()
    assert [table.lower(read)["NumberOfDecreasesToday"] for read in (9, 8, 7, 6)] == [1, 2, 3, 4]
    last_s = table.now_ms / 1000
    assert table.refusal(ProvisionedThroughput=units(5, 10)).endswith(
        "Number of decreases today: 4. Last decrease at Wednesday, November 15, 2023 at 12:00:04 PM Coordinated "
        "Universal Time. Next decrease can be made at Wednesday, November 15, 2023 at 1:00:04 PM Coordinated "
        "Universal Time"
    )
    table.now_ms = int(last_s * 1000) + 3_599_999
    assert table.refusal(ProvisionedThroughput=units(5, 10)).startswith("LimitExceededException: Subscriber limit")
    table.now_ms += 1
    assert table.lower(5)["NumberOfDecreasesToday"] == 5
    assert "Number of decreases today: 5." in table.refusal(ProvisionedThroughput=units(4, 10))


def test_the_count_begins_anew_at_midnight_utc() -> None:
    table = Table()
    table.now_ms = MIDNIGHT_MS - 10_000
    for read in (9, 8, 7, 6):
        table.lower(read)
    assert "Next decrease can be made at Thursday, November 16, 2023 at 12:00:00 AM" in table.refusal(
        ProvisionedThroughput=units(5, 10)
    )
    table.now_ms = MIDNIGHT_MS
    answer = table.update(ProvisionedThroughput=units(5, 10))
    assert answer["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0
    assert table.finish()["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 1


def counted(table: Table) -> int:
    """The decreases of today, as they are shown."""
    shown = as_of(table.description, table.now_ms / 1000)
    return int(shown["ProvisionedThroughput"]["NumberOfDecreasesToday"])


def test_yesterdays_decreases_are_not_shown() -> None:
    table = Table()
    assert counted(table) == 0
    table.lower(9)
    table.now_ms = MIDNIGHT_MS - 1
    assert counted(table) == 1
    table.now_ms = MIDNIGHT_MS
    assert counted(table) == 0
    answer = table.update(DeletionProtectionEnabled=False)
    assert answer["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0
    answer = table.update(ProvisionedThroughput=units(20, 10))
    assert answer["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0
    assert table.finish()["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0
    assert table.lower(9)["NumberOfDecreasesToday"] == 1


def test_a_decrease_over_midnight_is_of_the_day_on_which_it_is_done() -> None:
    table = Table()
    table.lower(9)
    table.lower(8)
    table.now_ms = MIDNIGHT_MS - 1
    answer = table.update(ProvisionedThroughput=units(7, 10))
    assert answer["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 2
    done = table.finish()["ProvisionedThroughput"]
    assert (done["NumberOfDecreasesToday"], done["LastDecreaseDateTime"]) == (1, table.now_ms / 1000)
    assert table.lower(6)["NumberOfDecreasesToday"] == 2


def test_a_table_that_goes_on_demand_shows_no_decreases_of_yesterday() -> None:
    """Its time of the last decrease is that of the switch as long as it takes."""
    table = Table()
    table.lower(9)
    table.now_ms = MIDNIGHT_MS
    answer = table.update(BillingMode="PAY_PER_REQUEST")
    assert answer["ProvisionedThroughput"]["LastDecreaseDateTime"] == MIDNIGHT_MS / 1000
    assert counted(table) == 0
    table.finish()
    assert counted(table) == 0


def test_raising_is_never_limited() -> None:
    table = Table()
    for read in (9, 8, 7, 6):
        table.lower(read)
    table.update(ProvisionedThroughput=units(100, 10))
    assert table.finish()["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 4


def test_one_up_and_one_down_is_a_decrease_too() -> None:
    table = Table()
    answer = table.update(ProvisionedThroughput=units(20, 5))["ProvisionedThroughput"]
    assert answer["LastIncreaseDateTime"] == answer["LastDecreaseDateTime"] == NOON_MS / 1000
    done = table.finish()["ProvisionedThroughput"]
    assert done["LastIncreaseDateTime"] == done["LastDecreaseDateTime"] == NOON_MS / 1000 + 1
    assert done["NumberOfDecreasesToday"] == 1


@pytest.mark.parametrize(
    ("first", "second", "refusal"),
    [
        (
            {"ProvisionedThroughput": units(11, 11)},
            {"ProvisionedThroughput": units(12, 12)},
            "Table IOPS are currently being updated. Table: music",
        ),
        (
            {"ProvisionedThroughput": units(11, 11)},
            {"BillingMode": "PAY_PER_REQUEST"},
            "Table IOPS are currently being updated. Table: music",
        ),
        (
            {"ProvisionedThroughput": units(11, 11)},
            {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
            "Can't update table class while table IOPS are being updated. Table: music",
        ),
        (
            {"BillingMode": "PAY_PER_REQUEST"},
            {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(1, 1)},
            "Table IOPS are currently being updated. Table: music",
        ),
        (
            {"BillingMode": "PAY_PER_REQUEST"},
            {"OnDemandThroughput": {"MaxReadRequestUnits": 1}},
            "OnDemandThroughput cannot be updated while BillingMode update is in progress",
        ),
        (
            {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
            {"TableClass": "STANDARD"},
            "Can't update table class when a table class update is in progress. Table: music "
            "TableClassUpdateInProgress: STANDARD_INFREQUENT_ACCESS",
        ),
        (
            {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
            {"ProvisionedThroughput": units(11, 11)},
            "Can't change table IOPS when a table class update is in progress. Table: music "
            "TableClassUpdateInProgress: STANDARD_INFREQUENT_ACCESS",
        ),
    ],
)
def test_one_change_at_a_time(first: dict[str, Any], second: dict[str, Any], refusal: str) -> None:
    table = Table()
    table.update(**first)
    prefix = "ResourceInUseException: Attempt to change a resource which is still in use: "
    assert table.refusal(**second) == prefix + refusal
    table.finish()
    assert table.description["TableStatus"] == "ACTIVE"


def test_maximums_wait_for_a_table_class() -> None:
    table = Table(**ON_DEMAND)
    table.update(TableClass="STANDARD_INFREQUENT_ACCESS")
    assert table.refusal(OnDemandThroughput={"MaxReadRequestUnits": 1}).endswith(
        "OnDemandThroughput cannot be updated while TableClass update is in progress. "
        "TableClassUpdateInProgress: STANDARD_INFREQUENT_ACCESS"
    )


def test_protection_changes_while_throughput_does() -> None:
    table = Table()
    table.update(ProvisionedThroughput=units(11, 11))
    answer = table.update(DeletionProtectionEnabled=True)
    assert (answer["TableStatus"], answer["DeletionProtectionEnabled"]) == ("UPDATING", True)
    done = table.finish()
    assert (done["DeletionProtectionEnabled"], done["ProvisionedThroughput"]["ReadCapacityUnits"]) == (True, 11)


def test_warm_throughput_while_throughput_changes() -> None:
    table = Table()
    table.update(ProvisionedThroughput=units(20, 5))
    answer = table.update(WarmThroughput={"WriteUnitsPerSecond": 50})
    assert answer["TableStatus"] == "UPDATING"
    warm = {"ReadUnitsPerSecond": 20, "WriteUnitsPerSecond": 50, "Status": "ACTIVE"}
    assert table.finish()["WarmThroughput"] == warm


def test_throughput_while_warm_throughput_changes() -> None:
    table = Table()
    table.update(WarmThroughput={"ReadUnitsPerSecond": 100})
    table.update(ProvisionedThroughput=units(20, 30))
    done = table.finish()
    assert done["WarmThroughput"] == {"ReadUnitsPerSecond": 100, "WriteUnitsPerSecond": 30, "Status": "ACTIVE"}
    assert done["TableStatus"] == "ACTIVE"


def test_of_two_changes_of_warm_throughput_the_later_counts() -> None:
    table = Table(**ON_DEMAND)
    table.update(WarmThroughput={"ReadUnitsPerSecond": 13_000, "WriteUnitsPerSecond": 5_000})
    answer = table.update(WarmThroughput={"ReadUnitsPerSecond": 12_500})
    assert answer["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12_000,
        "WriteUnitsPerSecond": 4_000,
        "Status": "UPDATING",
    }
    warm = {"ReadUnitsPerSecond": 12_500, "WriteUnitsPerSecond": 5_000, "Status": "ACTIVE"}
    assert table.finish()["WarmThroughput"] == warm


def test_to_on_demand_and_back_keeps_what_was_counted() -> None:
    table = Table()
    last = table.lower(9)
    answer = table.update(BillingMode="PAY_PER_REQUEST")
    assert answer["ProvisionedThroughput"]["LastDecreaseDateTime"] == table.now_ms / 1000
    done = table.finish()
    assert done["ProvisionedThroughput"] == {**last, **units(0, 0)}
    since = {"LastUpdateToPayPerRequestDateTime": table.now_ms / 1000}
    assert done["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST", **since}
    assert done["TableThroughputModeSummary"] == {"TableThroughputMode": "PAY_PER_REQUEST", **since}
    table.update(OnDemandThroughput={"MaxReadRequestUnits": 7})
    answer = table.update(BillingMode="PROVISIONED", ProvisionedThroughput=units(3, 4))
    assert answer["ProvisionedThroughput"] == {**last, **units(3, 4)}
    done = table.finish()
    assert done["BillingModeSummary"] == {"BillingMode": "PROVISIONED", **since}
    assert done["TableThroughputModeSummary"] == {"TableThroughputMode": "PROVISIONED", **since}
    assert "OnDemandThroughput" not in done


def test_the_same_mode_with_maximums() -> None:
    table = Table(**ON_DEMAND)
    answer = table.update(BillingMode="PAY_PER_REQUEST", OnDemandThroughput={"MaxReadRequestUnits": 7})
    assert answer["TableStatus"] == "UPDATING"
    assert table.description["OnDemandThroughput"] == {"MaxReadRequestUnits": 7}
    assert table.description["TableStatus"] == "ACTIVE"


def test_a_mode_without_its_units() -> None:
    """No router sends it, and it must not make a table something else."""
    assert "ProvisionedThroughput must be specified" in Table(**ON_DEMAND).refusal(BillingMode="PROVISIONED")


@pytest.mark.parametrize(
    "request_", [{}, {"TableName": "t", "ProvisionedThroughput": {}}, {"TableName": "t", "WarmThroughput": {"a": []}}]
)
def test_what_no_router_sends_is_found_before_anything_is_decided(request_: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Update.of(request_)
