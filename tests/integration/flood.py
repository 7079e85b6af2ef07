"""More writes than a table admits, from clients that never wait: what was admitted when, and what was refused."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from botocore.exceptions import ClientError

from tests.integration.cluster import RunningCluster, client

WRITERS = 2
"""For each router: more is offered than admitted at every moment."""

BURST_S = 300
"""Of unused throughput a table keeps, and a new one has."""


def admits(units: int, seconds: float) -> float:
    """What a new table with so many units a second admits of a flood."""
    return units * (BURST_S + seconds)


def provisioned_table(cluster: RunningCluster, name: str, units: int) -> None:
    """Create it, for items of 1 KB at most, and wait until it is ACTIVE."""
    db = client(cluster.port)
    throughput = {"ReadCapacityUnits": units, "WriteCapacityUnits": units}
    db.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        ProvisionedThroughput=throughput,
    )
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


class Flood:
    """Writers at all routers; `run` blocks. `ends` are the seconds at which writes were acknowledged."""

    def __init__(self, cluster: RunningCluster, table: str, routers: int) -> None:
        self.ends: list[float] = []
        self.errors: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._began_s = 0.0
        ports = [cluster.port + number for number in range(routers) for _ in range(WRITERS)]
        self._threads = [
            threading.Thread(target=self._write, args=(port, table, number)) for number, port in enumerate(ports)
        ]

    @property
    def admitted(self) -> int:
        return len(self.ends)

    def run(self, seconds: float) -> float:
        """Seconds that it took, from the first write to the last answer."""
        self._began_s = time.monotonic()
        for thread in self._threads:
            thread.start()
        self._stop.wait(seconds)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return time.monotonic() - self._began_s

    def _write(self, port: int, table: str, writer: int) -> None:
        db: Any = client(port, total_max_attempts=1)
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                db.put_item(TableName=table, Item={"pk": {"S": f"writer-{writer}-{number}"}})
            except ClientError as error:
                with self._lock:
                    self.errors[error.response["Error"]["Code"]] += 1
            else:
                with self._lock:
                    self.ends.append(time.monotonic() - self._began_s)
