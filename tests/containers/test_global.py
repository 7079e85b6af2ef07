"""The profile `global`: two regions, each told of the other when the stack comes up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.containers.stack import Stack, running
from tests.integration.cluster import client, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(600)]

TABLE = "music"
HERE, FAR = "us-east-1", "eu-west-1"


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    with running(folder, "deploy/global.env") as started:
        yield started


def regions(stack: Stack, service: str) -> Any:
    code, output = stack.dynabus("region", "status", "--json", service=service)
    assert code == 0, output
    return orjson.loads(output)


def value(db: Any, number: int) -> str | None:
    """Of an item, as a strongly consistent read has it."""
    item = db.get_item(TableName=TABLE, Key={"pk": {"S": f"{number}"}}, ConsistentRead=True).get("Item")
    return str(item["v"]["S"]) if item else None


def are_all(db: Any, text: str) -> bool:
    return {value(db, number) for number in range(20)} == {text}


def put(db: Any, number: int, text: str) -> None:
    db.put_item(TableName=TABLE, Item={"pk": {"S": f"{number}"}, "v": {"S": text}})


def test_a_table_in_two_regions_that_are_cut_off_from_each_other(
    stack: Stack, last_words: Callable[[Stack], None]
) -> None:
    last_words(stack)
    assert [each["name"] for each in regions(stack, "auto-admin")["regions"]] == [FAR]
    assert [each["name"] for each in regions(stack, "auto-admin-far")["regions"]] == [HERE]
    stack.create_table(TABLE)
    here, far = client(stack.port), client(stack.far_port)
    put(here, 0, "before")
    here.update_table(TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": FAR}}])

    def active() -> bool:
        shown = here.describe_table(TableName=TABLE)["Table"].get("Replicas", ())
        return [each["ReplicaStatus"] for each in shown] == ["ACTIVE"]

    wait_until("the replica is ACTIVE", active, 120)
    assert value(far, 0) == "before"
    arn = far.describe_table(TableName=TABLE)["Table"]["TableArn"]
    assert arn == f"arn:aws:dynamodb:{FAR}:000000000000:table/{TABLE}"
    put(far, 1, "from afar")
    wait_until("it comes here", lambda: value(here, 1) == "from afar", 60)

    cut = [stack.container(service) for service in ("rep-out", "rep-out-far")]
    for each in cut:
        stack.network.disconnect(each)
    for number in range(20):
        put(here, number, "here")
    for number in range(20):
        put(far, number, "far, and later")
    assert value(here, 5) == "here"
    for each in cut:
        stack.network.connect(each)
    for db in (here, far):
        wait_until("the later writes win in both", partial(are_all, db, "far, and later"), 180)
