"""Tables with a global secondary index on a real cluster: clients that change items; whether the index is right."""

from __future__ import annotations

import random
import threading
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.cluster import RunningCluster, client, wait_until
from tests.integration.load import Clients

INDEX = {
    "IndexName": "by-v",
    "KeySchema": [{"AttributeName": "v", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["pad"]},
}
"""The load gives an item another `v` with each write, so each is a deletion in the index and a put. The counter has
no `v`: it is in the table alone."""

V = {"AttributeName": "v", "AttributeType": "N"}


def create(cluster: RunningCluster, table: str) -> None:
    db = client(cluster.port)
    db.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, V],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[INDEX],
        BillingMode="PAY_PER_REQUEST",
    )
    db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def rows(cluster: RunningCluster, table: str, index: str | None, key: str = "v") -> list[dict[str, Any]]:
    """All items of a table, or all rows of its index, in one order; of a table what an index of `key` is to have."""
    of = {"IndexName": index} if index else {"ConsistentRead": True}
    pages = client(cluster.port).get_paginator("scan").paginate(TableName=table, **of)
    found = [item for page in pages for item in page["Items"] if key in item]
    return sorted(found, key=lambda item: item["pk"]["S"])


def is_projection(cluster: RunningCluster, table: str) -> bool:
    return rows(cluster, table, "by-v") == rows(cluster, table, None)


def settles(cluster: RunningCluster, table: str) -> None:
    """Several times, since any replica answers."""
    for _ in range(4):
        wait_until("the index is the projection of its table", partial(is_projection, cluster, table), 240)


CHURNERS, CHURN_KEYS = 3, 120


class Churn(Clients):
    """Clients that put items into the index, move them there, take them out of it, and delete them."""

    def __init__(self, port: int, table: str) -> None:
        super().__init__(port, table)
        self.changes = 0
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._change, args=(number,), daemon=True) for number in range(CHURNERS)
        ]

    def wait_for(self, count: int, timeout_s: float = 120.0) -> None:
        """Until so many more changes were acknowledged."""
        wanted = self.changes + count
        wait_until(f"{count} changes", lambda: self.changes >= wanted, timeout_s)

    def _change(self, number: int) -> None:
        db, dice = client(self._port), random.Random(number)
        while not self._stop.is_set():
            key = {"pk": {"S": f"churn-{dice.randrange(CHURN_KEYS):03}"}}
            # A few values, so that items come back to rows that they had.
            v, pad = {"N": str(dice.randrange(30))}, {"S": str(dice.randrange(3))}
            try:
                match dice.randrange(5):
                    case 0:
                        db.delete_item(TableName=self._table, Key=key)
                    case 1:
                        db.put_item(TableName=self._table, Item={**key, "pad": pad})
                    case 2:
                        names, values = {"#v": "v"}, {":v": v}
                        db.update_item(
                            TableName=self._table,
                            Key=key,
                            UpdateExpression="SET #v = :v",
                            ExpressionAttributeNames=names,
                            ExpressionAttributeValues=values,
                        )
                    case _:
                        db.put_item(TableName=self._table, Item={**key, "v": v, "pad": pad})
            except (ClientError, BotoCoreError):
                continue  # Its fate is unknown: whatever the table says in the end is right.
            with self._lock:
                self.changes += 1
