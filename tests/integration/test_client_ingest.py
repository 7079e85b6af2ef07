"""`dynabus.client.ingest` on a real Kafka: routers and leaders die, each command counts once and is told of."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from decimal import Decimal
from pathlib import Path
from threading import Thread

import pytest

from dynabus.client import Ingest, NoIngestError, Outcome, RefusedError, UnknownOutcomeError, ingest
from tests.integration.cluster import RunningCluster, client, kill, running, wait_until
from tests.integration.streams import items_of

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    folder = tmp_path_factory.mktemp("client-ingest")
    with running(folder, "--routers", "2", "--throttling", "report") as made:
        yield made


def kafka_of(cluster: RunningCluster) -> str:
    return str(cluster.status()["kafka"]["bootstrap"])


def table_for(cluster: RunningCluster, table: str) -> str:
    """A table that takes commands; where its Kafka is."""
    cluster.create_table(table)
    cluster.command("admin", "ingest", table, "on")
    kafka = kafka_of(cluster)
    wait_until("it takes commands", lambda: _takes_commands(table, kafka), 60)
    return kafka


def _takes_commands(table: str, kafka: str) -> bool:
    try:
        ingest(table, kafka=kafka).close()
    except NoIngestError:
        return False
    return True


def add(table: Ingest, key: str, number: int, token: str | None = None) -> Outcome:
    """Counts, and notes the order."""
    return table.update(
        {"pk": key},
        token=token,
        UpdateExpression="ADD n :one SET seen = list_append(if_not_exists(seen, :none), :number)",
        ExpressionAttributeValues={":one": 1, ":none": [], ":number": [number]},
    )


class Load:
    """Adds to counters as fast as outcomes come."""

    def __init__(self, table: Ingest) -> None:
        self._table, self._dice = table, random.Random(11)
        self._outcomes: dict[str, list[Outcome]] = {f"k{number}": [] for number in range(40)}

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            key = self._dice.choice([*self._outcomes])
            self._outcomes[key].append(add(self._table, key, len(self._outcomes[key])))

    def check(self, port: int, table: str) -> None:
        """All outcomes are there, each command was applied once, and an item's in the order of the calls."""
        items = items_of(port, table)
        for key, told in self._outcomes.items():
            assert not wait(told, 0).not_done, "closing has waited for all"
            assert [each.exception() for each in told] == [None] * len(told)
            assert items[key]["n"] == {"N": str(len(told))}
            assert [int(each["N"]) for each in items[key]["seen"]["L"]] == [*range(len(told))], key
        print(sum(map(len, self._outcomes.values())), "commands")


def test_the_documents_program_works(cluster: RunningCluster) -> None:
    """The producer of docs/ingest.md."""
    kafka = table_for(cluster, "music")
    document = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text()
    program = re.findall(r"```python\n(.*?)```", document, re.DOTALL)[1].replace("127.0.0.1:9092", kafka)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout.splitlines() == ["{'plays': Decimal('3')}", "ConditionalCheckFailedException"], done.stderr
    assert items_of(cluster.port, "music")["Nina Simone"]["plays"] == {"N": "3"}


def test_each_command_counts_once_and_in_order_whoever_is_killed(cluster: RunningCluster) -> None:
    kafka, dice = table_for(cluster, "counted"), random.Random(7)
    with ingest("counted", kafka=kafka, timeout_s=120, under_way_most=500) as table:
        load = Load(table)
        load.run(3)
        for _ in range(2):
            kill(dice.choice([*cluster.pids("request-router").values()]))
            load.run(4)
            cluster.up()
            load.run(2)
        kill(cluster.pids("storage-node")[cluster.leader("counted")[0]])
        load.run(4)
        cluster.up()
        load.run(2)
    load.check(cluster.port, "counted")


def test_a_kafka_that_dies_and_comes_back_has_each_command_once_and_in_order(cluster: RunningCluster) -> None:
    kafka = table_for(cluster, "restarted")
    with ingest("restarted", kafka=kafka, timeout_s=120, under_way_most=500) as table:
        load = Load(table)
        load.run(3)
        for _ in range(2):
            kill(cluster.status()["kafka"]["pid"])
            # Calls soon wait for room: it is started again beside them.
            starting = Thread(target=cluster.up)
            starting.start()
            load.run(4)
            starting.join()
            load.run(3)
    load.check(cluster.port, "restarted")


def test_what_nobody_answered_is_found_out_with_its_token(cluster: RunningCluster) -> None:
    kafka = table_for(cluster, "found-out")
    with ingest("found-out", kafka=kafka, timeout_s=10) as table:
        for pid in cluster.pids("request-router").values():
            kill(pid)
        lost = [add(table, f"k{number}", number) for number in range(20)]
        for each in lost:
            with pytest.raises(UnknownOutcomeError, match="no router has answered"):
                each.result(30)
    cluster.up()
    with ingest("found-out", kafka=kafka, timeout_s=60) as table:
        again = [add(table, f"k{number}", number, token=each.token) for number, each in enumerate(lost)]
        assert [each.exception(60) for each in again] == [None] * 20
    items = items_of(cluster.port, "found-out")
    assert {key: item["n"] for key, item in items.items()} == {f"k{number}": {"N": "1"} for number in range(20)}


def test_event_loops_await_outcomes(cluster: RunningCluster) -> None:
    kafka = table_for(cluster, "awaited")

    async def write() -> None:
        async with ingest("awaited", kafka=kafka) as table:
            await asyncio.gather(*(table.put({"pk": f"k{number}", "n": number}) for number in range(200)))
            old = await table.put({"pk": "k7", "b": b"\x00", "s": {"x"}}, ReturnValues="ALL_OLD")
            assert old.attributes == {"pk": "k7", "n": Decimal(7)}
            with pytest.raises(RefusedError) as caught:
                await table.delete(
                    {"pk": "k7"},
                    ConditionExpression="attribute_exists(n)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            assert caught.value.code == "ConditionalCheckFailedException"
            assert caught.value.item == {"pk": "k7", "b": b"\x00", "s": {"x"}}
            with pytest.raises(RefusedError, match="Missing the key pk in the item") as caught:
                await table.put({"n": 1})
            assert caught.value.code == "ValidationException"

    asyncio.run(write())
    assert len(items_of(cluster.port, "awaited")) == 200


def test_off_and_on_again_and_deleted(cluster: RunningCluster) -> None:
    kafka = table_for(cluster, "switched")
    with ingest("switched", kafka=kafka) as table:
        table.put({"pk": "a"}).result(60)
        cluster.command("admin", "ingest", "switched", "off")
        wait_until("it is refused", lambda: _refusal(table), 60)
        assert "`dynabus admin ingest switched on`" in _refusal(table)
        cluster.command("admin", "ingest", "switched", "on")
        wait_until("it is taken", lambda: not _refusal(table), 60)
        client(cluster.port).delete_table(TableName="switched")
        wait_until("it is deleted", lambda: "was deleted" in _refusal(table), 60)
    with pytest.raises(NoIngestError):
        ingest("switched", kafka=kafka)


def _refusal(table: Ingest) -> str:
    try:
        table.put({"pk": "b"})
    except NoIngestError as error:
        return str(error)
    return ""
