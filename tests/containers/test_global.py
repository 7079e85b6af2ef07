"""The profile `global`: two regions, each told of the other when the stack comes up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def test_a_replica_is_made_in_the_other_region(stack: Stack, last_words: Callable[[Stack], None]) -> None:
    last_words(stack)
    assert [each["name"] for each in regions(stack, "auto-admin")["regions"]] == [FAR]
    assert [each["name"] for each in regions(stack, "auto-admin-far")["regions"]] == [HERE]
    stack.create_table(TABLE)
    here, far = client(stack.port), client(stack.far_port)
    here.update_table(TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": FAR}}])
    wait_until("made", lambda: far.list_tables()["TableNames"] == [TABLE], 60)

    def linked() -> Any:
        shown = regions(stack, "auto-admin")["replicas"]
        return shown and shown[0]["region"] == FAR and shown[0]["link"] in ("COPYING", "ACTIVE")

    wait_until("a link", linked, 60)
    arn = far.describe_table(TableName=TABLE)["Table"]["TableArn"]
    assert arn == f"arn:aws:dynamodb:{FAR}:000000000000:table/{TABLE}"
