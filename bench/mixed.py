"""Mixed load for ten minutes while a storage node is killed with -9 every minute and started again.

    python -m bench.mixed [--minutes 10] [--clients 32] [--every 60] [--down 20]

Half puts, 40 % strongly consistent gets, 10 % strongly consistent queries of 10 items of 1 KB. The node that leads
most partitions is killed, stays away for `--down` seconds, and is started by `dynabus up`. Says whether anything
acknowledged was lost and whether any read was stale, how fast throughput came back after each kill and each
restart, and what memory each process held. Fails (exit 1) when anything was lost, stale or invented.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import orjson
import uvloop
from tests.integration.cluster import RunningCluster, kill, running

from bench.__main__ import RESULTS
from bench.machine import commit, machine
from bench.mixed_load import TABLE, MixedLoad
from bench.mixed_report import Kill, MixedResults, markdown
from bench.processes import memory_mb, of_cluster
from bench.run import throttling_arguments
from bench.timeline import BEFORE_S, back_after_s, per_second, rate
from bench.workload import create_table

ONWARD_S = 1.0
"""The first sample of memory is taken so long after the load begins."""


class MixedRun:
    """The load and the killer beside it, on one cluster."""

    def __init__(self, cluster: RunningCluster, load: MixedLoad, asked: argparse.Namespace) -> None:
        self._cluster, self._load = cluster, load
        self._seconds, self._every_s, self._down_s = asked.minutes * 60, asked.every, asked.down
        self.results = MixedResults(
            datetime.now(UTC).isoformat(timespec="seconds"), commit(), machine(), asked.minutes, asked.clients
        )

    async def run(self) -> None:
        create_table(self._cluster.port, TABLE, "pk", "sk")
        await self._load.fill()
        load = asyncio.create_task(self._load.run(self._seconds))
        await asyncio.sleep(ONWARD_S)
        await self._sample_memory()
        for count in range(1, int(self._seconds / self._every_s)):
            await self._until(count * self._every_s)
            await self._kill_and_restart()
        await self._until(self._seconds - ONWARD_S)
        await self._sample_memory()
        await load
        await self._load.read_back()
        self._load.close()
        self._judge()

    def _now_s(self) -> float:
        return round(time.monotonic() - self._load.timeline.started, 2)

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self._now_s()))

    async def _sample_memory(self) -> None:
        status = await asyncio.to_thread(self._cluster.status)
        self.results.memory_mb.append((self._now_s(), memory_mb(of_cluster(status))))

    async def _kill_and_restart(self) -> None:
        await self._sample_memory()
        node, pid = await asyncio.to_thread(self._leader)
        killed = Kill(node, self._now_s())
        await asyncio.to_thread(kill, pid)
        self.results.kills.append(killed)
        await self._until(killed.at_s + self._down_s)
        await asyncio.to_thread(self._cluster.up)
        killed.restarted_at_s = self._now_s()
        print(f"{killed.at_s:6.0f} s  {node} killed, serves again at {killed.restarted_at_s:.0f} s", flush=True)

    def _leader(self) -> tuple[str, int]:
        """The node that leads most partitions of the table."""
        status = self._cluster.status()
        partitions = next(each["partitions"] for each in status["tables"] if each["name"] == TABLE)
        leaders = Counter(each["leader"] for each in partitions if each["leader"])
        pids = of_cluster(status)
        node = next(name for name, _ in leaders.most_common() if name in pids)
        return node, pids[node]

    def _judge(self) -> None:
        results, load = self.results, self._load
        bins = load.timeline.bins
        for place, each in enumerate(results.kills):
            following = results.kills[place + 1].at_s if place + 1 < len(results.kills) else self._seconds
            each.before_per_s = rate(bins, each.at_s - BEFORE_S, BEFORE_S)
            each.back_after_s = back_after_s(bins, each.at_s, each.at_s, following)
            each.back_after_restart_s = back_after_s(bins, each.at_s, each.restarted_at_s, following)
        results.per_second, results.errors_per_second = per_second(bins), per_second(load.failures.bins)
        results.errors = dict(load.errors.most_common())
        results.durations_ms = {
            name: {
                "count": each.count,
                "p50": each.percentile_ms(0.5),
                "p99": each.percentile_ms(0.99),
                "longest": 1000 * each.longest_s,
            }
            for name, each in load.durations.items()
        }
        checked = load.versions
        results.violations = {
            "lost": asdict(checked.lost),
            "stale": asdict(checked.stale),
            "invented": asdict(checked.invented),
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.mixed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="(default: 10)")
    parser.add_argument("--clients", type=int, default=32, metavar="N", help="requests under way (default: 32)")
    parser.add_argument("--every", type=float, default=60.0, metavar="S", help="seconds between kills (default: 60)")
    parser.add_argument("--down", type=float, default=20.0, metavar="S", help="seconds without it (default: 20)")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="(default: bench/results)")
    return parser


def main() -> None:
    asked = _parser().parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder,
        running(Path(folder), *throttling_arguments()) as cluster,
    ):
        mixed = MixedRun(cluster, MixedLoad(cluster.port, asked.clients), asked)
        uvloop.run(mixed.run())
    results = mixed.results
    asked.output.mkdir(parents=True, exist_ok=True)
    path = asked.output / f"{results.started[:10]}-{results.commit}-mixed.json"
    path.write_bytes(orjson.dumps(asdict(results)) + b"\n")
    path.with_suffix(".md").write_text(markdown(results) + "\n")
    print(markdown(results) + f"\n\nwritten to {path}")
    sys.exit(not results.is_sound)


if __name__ == "__main__":
    main()
