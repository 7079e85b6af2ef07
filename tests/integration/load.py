"""Writers and readers that record what they were told, and the checker of what they recorded.

Each key has one writer, which puts ascending versions. A strong read may not show a version below one that was
acknowledged before the read began; after all is over each key must hold a version between the last acknowledged and
the last tried. One more thread counts with `ADD`, unretried: the counter must lie between acknowledged and tried.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.cluster import client, wait_until

WRITERS, READERS, KEYS = 3, 2, 48


@dataclass
class Recorded:
    """What clients were told. Times are monotonic seconds."""

    acked: dict[str, int] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    ends: list[float] = field(default_factory=list)
    """When each write was acknowledged."""
    errors: list[tuple[float, str]] = field(default_factory=list)
    stale: list[tuple[str, int, int]] = field(default_factory=list)
    reads: int = 0
    added: int = 0
    adds_tried: int = 0

    def longest_gap_s(self, since: float) -> float:
        """The longest time without an acknowledged write since then."""
        ends = [since, *sorted(end for end in self.ends if end >= since)]
        return max((later - earlier for earlier, later in pairwise(ends)), default=float("inf"))

    def first_after_s(self, since: float) -> float:
        return min((end - since for end in self.ends if end > since), default=float("inf"))

    def acked_since(self, since: float) -> int:
        return sum(end >= since for end in self.ends)


def lost(recorded: Recorded, found: dict[str, int]) -> list[str]:
    """Keys whose final version cannot be explained: below the last acknowledged or above the last tried."""
    return [
        f"{key}: acknowledged {version}, found {found.get(key, 0)}, tried {recorded.tried[key]}"
        for key, version in recorded.acked.items()
        if not version <= found.get(key, 0) <= recorded.tried[key]
    ]


class Clients:
    """Threads that ask until the `with` block ends: `_threads`, which look at `_stop`."""

    END_S = 90.0
    """A thread that has not ended so long after the block hangs."""

    _threads: list[threading.Thread]

    def __init__(self, port: int, table: str) -> None:
        self._port, self._table, self._stop = port, table, threading.Event()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(self.END_S)
            assert not thread.is_alive(), "a client hangs"


class Load(Clients):
    """Writers, readers and one that counts, and what they were told."""

    def __init__(self, port: int, table: str) -> None:
        super().__init__(port, table)
        self.recorded = Recorded()
        self._lock = threading.Lock()
        self._keys = [f"key-{number:03d}" for number in range(KEYS)]
        self._threads = [
            *(threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(WRITERS)),
            *(threading.Thread(target=self._read, args=(number,), daemon=True) for number in range(READERS)),
            threading.Thread(target=self._add, daemon=True),
        ]

    def wait_for_acks(self, count: int, timeout_s: float = 60.0) -> None:
        """Until so many more writes were acknowledged."""
        wanted = len(self.recorded.ends) + count
        wait_until(f"{count} acknowledged writes", lambda: len(self.recorded.ends) >= wanted, timeout_s)

    def check(self) -> dict[str, Any]:
        """After the block: nothing lost, nothing stale, each ADD counted once. The figures."""
        db, recorded = client(self._port), self.recorded
        found = {key: self._version(db, key) for key in recorded.acked}
        assert not lost(recorded, found)
        assert not recorded.stale
        counter = db.get_item(TableName=self._table, Key={"pk": {"S": "counter"}}, ConsistentRead=True)
        count = int(counter["Item"]["n"]["N"])
        assert recorded.added <= count <= recorded.adds_tried, (recorded.added, count, recorded.adds_tried)
        return {
            "acknowledged": len(recorded.ends),
            "reads": recorded.reads,
            "errors": len(recorded.errors),
            "added": f"{recorded.added} acknowledged, {count} counted, {recorded.adds_tried} tried",
        }

    def _version(self, db: Any, key: str) -> int:
        item = db.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True).get("Item")
        return int(item["v"]["N"]) if item else 0

    def _write(self, number: int) -> None:
        db, dice, version, recorded = client(self._port), random.Random(number), 0, self.recorded
        while not self._stop.is_set():
            key, version = dice.choice(self._keys[number::WRITERS]), version + 1
            with self._lock:
                recorded.tried[key] = version
            item = {"pk": {"S": key}, "v": {"N": str(version)}, "pad": {"S": "x" * 200}}
            try:
                db.put_item(TableName=self._table, Item=item)
            except (ClientError, BotoCoreError) as error:
                self._failed(error)
                continue
            with self._lock:
                recorded.acked[key] = version
                recorded.ends.append(time.monotonic())

    def _read(self, number: int) -> None:
        db, dice, recorded = client(self._port), random.Random(100 + number), self.recorded
        while not self._stop.is_set():
            key = dice.choice(self._keys)
            with self._lock:
                floor = recorded.acked.get(key, 0)
            try:
                seen = self._version(db, key)
            except (ClientError, BotoCoreError):
                continue
            with self._lock:
                recorded.reads += 1
                if seen < floor:
                    recorded.stale.append((key, floor, seen))

    def _add(self) -> None:
        db, recorded = client(self._port, total_max_attempts=1, mode="standard"), self.recorded
        while not self._stop.is_set():
            recorded.adds_tried += 1
            try:
                db.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": "counter"}},
                    UpdateExpression="ADD n :one",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
                recorded.added += 1
            except (ClientError, BotoCoreError) as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self.recorded.errors.append((time.monotonic(), str(error)[:160]))
        # A client that is refused at once, as by a dead router, tries again after a moment.
        self._stop.wait(0.05)
