"""What one client without retries sees of a fault: the latency and outcome of every request, in three phases."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import quantiles
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.cluster import client, wait_until
from tests.integration.load import Clients

PAUSE_S = 0.01
"""Between a client's requests: it measures the load, it is not the load."""

SAMPLES_LEAST = 40
"""In the phases before and after, so that their percentiles say something."""

KEY = {"pk": {"S": "probe"}}


@dataclass
class Outcome:
    """One request: when it began and ended (monotonic seconds), and its error, if it had one."""

    began_s: float
    ended_s: float
    error: str = ""

    @property
    def latency_ms(self) -> float:
        return (self.ended_s - self.began_s) * 1000


@dataclass
class Phase:
    """Latencies of the requests that succeeded, in milliseconds, and how many did not."""

    p50_ms: float
    p99_ms: float
    errors: int


@dataclass
class Seen:
    """One kind of request over a whole test."""

    outcomes: list[Outcome] = field(default_factory=list)

    def phase(self, since: float, until: float) -> Phase:
        """Requests that were under way in this time: one that hangs through the fault belongs to the fault."""
        chosen = [each for each in self.outcomes if each.ended_s >= since and each.began_s < until]
        good = sorted(each.latency_ms for each in chosen if not each.error)
        cuts = quantiles(good, n=100, method="inclusive") if len(good) > 1 else [float("nan")] * 99
        return Phase(cuts[49], cuts[98], sum(bool(each.error) for each in chosen))

    def longest_gap_s(self, since: float) -> float:
        """The longest time without a success since then."""
        ends = [since, *(each.ended_s for each in self.outcomes if not each.error and each.ended_s >= since)]
        return max((later - earlier for earlier, later in pairwise(ends)), default=float("inf"))


class Probe(Clients):
    """Two clients, one that puts and one that reads strongly, while the `with` block runs."""

    END_S = 60.0

    def __init__(self, port: int, table: str) -> None:
        super().__init__(port, table)
        self.puts, self.gets = Seen(), Seen()
        self._threads = [threading.Thread(target=self._run, args=(kind,), daemon=True) for kind in ("put", "get")]

    def wait_for_samples(self) -> None:
        """Until both have seen enough from now on."""
        wanted = [(seen, self._good(seen) + SAMPLES_LEAST) for seen in (self.puts, self.gets)]
        wait_until("samples", lambda: all(self._good(seen) >= count for seen, count in wanted), 60)

    @staticmethod
    def _good(seen: Seen) -> int:
        return sum(not outcome.error for outcome in seen.outcomes)

    def _run(self, kind: str) -> None:
        db = client(self._port, total_max_attempts=1, mode="standard")
        seen = self.puts if kind == "put" else self.gets
        while not self._stop.wait(PAUSE_S):
            began_s, error = time.monotonic(), ""
            try:
                self._ask(db, kind)
            except (ClientError, BotoCoreError) as refused:
                error = str(refused)[:160]
            seen.outcomes.append(Outcome(began_s, time.monotonic(), error))

    def _ask(self, db: Any, kind: str) -> None:
        if kind == "put":
            db.put_item(TableName=self._table, Item={**KEY, "pad": {"S": "x" * 200}})
        else:
            db.get_item(TableName=self._table, Key=KEY, ConsistentRead=True)
