"""A region that is cut off, and what it is to the clients of both when it catches up.

    python -m bench.outage [--minutes 10] [--rate 100] [--output docs]

Both regions run on this machine, with a Kafka each, and each has `--rate` puts a second by a timetable. The RepOuts
of both stand still (SIGSTOP) for so many minutes, as if nobody were there; then how long until what their groups have
committed is behind the streams by no more than before, with the local puts' p99 and what each kind of process takes
before, while they stand and meanwhile. A probe a second is put in one region and looked for in the other: from its
put's answer until it is seen is the replication latency. Draws `outage-backlog.svg` and `outage-latency.svg`, and
prints what they show.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.integration.cluster import RunningCluster, paused
from tests.integration.global_load import EAST, TOPICS, WEST, bootstrap, replicate, two_regions

from bench.curve import Line, draw_lines
from bench.figures import percentile_ms
from bench.groups import Group
from bench.indexes import create, puts
from bench.paced import Paced, paced
from bench.processes import cpu_s, of_cluster
from bench.wire import call
from bench.workload import write_requests

TABLE = "everywhere"
WARM_S, BEFORE_S, AFTER_S, LOOK_S, CAUGHT_UP_S = 60.0, 30.0, 30.0, 2.0, 900.0
PROBE_S, ASKED_MOST = 1.0, 25
BIN_S = 5.0

Points = list[tuple[float, float]]


class Probes:
    """Items put in one region, a second apart, until each is seen in the other one."""

    def __init__(self, here: int, there: int) -> None:
        self._here, self._there = here, there
        self.seen: Points = []
        """(seconds since 1970 of the put, latency in seconds)."""
        self._waiting: deque[tuple[str, float]] = deque()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._put, self._look)]

    def _put(self) -> None:
        number = 0
        while not self._over.wait(PROBE_S):
            key = f"probe-{number}"
            call(self._here, "PutItem", {"TableName": TABLE, "Item": {"pk": {"S": key}}})
            self._waiting.append((key, time.time()))
            number += 1

    def _look(self) -> None:
        while not self._over.wait(PROBE_S / 10):
            asked = dict([*self._waiting][:ASKED_MOST])
            if not asked:
                continue
            keys = [{"pk": {"S": key}} for key in asked]
            found = call(self._there, "BatchGetItem", {"RequestItems": {TABLE: {"Keys": keys}}})
            now = time.time()
            for item in found["Responses"][TABLE]:
                key = item["pk"]["S"]
                self.seen.append((asked[key], now - asked[key]))
                self._waiting.remove((key, asked[key]))

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()


@dataclass(slots=True)
class Course:
    """Seconds since 1970, and what was seen of them."""

    begun_s: float = 0.0
    cut_s: float = 0.0
    back_s: float = 0.0
    caught_up_s: float = 0.0
    backlogs: dict[str, Points] = field(default_factory=lambda: {EAST: [], WEST: []})
    took: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    """At the beginning and at the three places above: CPU seconds so far of both regions' processes by their kind."""

    def look(self, groups: dict[str, Group]) -> int:
        """The largest backlog, noted down with the others."""
        now = time.time()
        found = {region: group.backlog().missing for region, group in groups.items()}
        for region, missing in found.items():
            self.backlogs[region].append((now, missing))
        return max(found.values())


def pids_by_kind(regions: Mapping[str, RunningCluster]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for cluster in regions.values():
        for name, pid in of_cluster(cluster.status()).items():
            found.setdefault(name.rstrip("-0123456789"), []).append(pid)
    return found


def cpu_by_kind(pids: Mapping[str, list[int]]) -> tuple[float, dict[str, float]]:
    """With the time (seconds since 1970) of the look."""
    return time.time(), {kind: sum(map(cpu_s, those)) for kind, those in pids.items()}


def course_of(regions: dict[str, RunningCluster], rate: float, minutes: float) -> Course:
    """Before, while and after nobody carries anything over. Raises TimeoutError."""
    course = Course()
    groups = {
        region: Group(bootstrap(regions[region]), TOPICS.rep_outs(other))
        for region, other in ((EAST, WEST), (WEST, EAST))
    }
    pids = pids_by_kind(regions)
    time.sleep(WARM_S)  # Kafka compiles what it runs most
    course.begun_s, usual = time.time(), rate
    course.took.append(cpu_by_kind(pids))
    while time.time() < course.begun_s + BEFORE_S:
        usual = max(usual, course.look(groups))
        time.sleep(LOOK_S)
    course.took.append(cpu_by_kind(pids))
    course.cut_s = time.time()
    with ExitStack() as standing:
        for cluster in regions.values():
            for pid in cluster.pids("rep-out").values():
                standing.enter_context(paused(pid))
        while time.time() < course.cut_s + 60 * minutes:
            course.look(groups)
            time.sleep(LOOK_S)
    course.took.append(cpu_by_kind(pids))
    course.back_s = time.time()
    while course.look(groups) > usual:
        if time.time() > course.back_s + CAUGHT_UP_S:
            raise TimeoutError("it did not catch up")
        time.sleep(LOOK_S)
    course.caught_up_s = time.time()
    course.took.append(cpu_by_kind(pids))
    while time.time() < course.caught_up_s + AFTER_S:
        course.look(groups)
        time.sleep(LOOK_S)
    for group in groups.values():
        group.close()
    return course


def p99_ms(answers: list[tuple[float, float]], since_s: float, until_s: float) -> float:
    return percentile_ms([took for due, took in answers if since_s <= due < until_s] or [0.0], 0.99)


def binned(answers: list[tuple[float, float]]) -> Points:
    """(seconds, the p99 of those that were due since `BIN_S` before, in milliseconds)."""
    bins: dict[int, list[float]] = {}
    for due, took in answers:
        bins.setdefault(int(due / BIN_S), []).append(took)
    return [((number + 1) * BIN_S, percentile_ms(took, 0.99)) for number, took in sorted(bins.items())]


def tell(course: Course, loads: dict[str, Paced], probes: Probes, minutes: float) -> None:
    took_s = course.caught_up_s - course.back_s
    most = {region: max(missing for _, missing in points) for region, points in course.backlogs.items()}
    print(f"cut off for {minutes:g} minutes: {most[EAST]:,.0f} and {most[WEST]:,.0f} records waited")
    print(f"caught up in {took_s:.1f} s")
    for region, load in loads.items():
        before = p99_ms(load.answers, course.begun_s, course.cut_s)
        away = p99_ms(load.answers, course.cut_s, course.back_s)
        meanwhile = p99_ms(load.answers, course.back_s, course.caught_up_s)
        print(
            f"{region}: local puts' p99 {before:.1f} ms before, {away:.1f} while it is cut off, "
            f"{meanwhile:.1f} while it catches up ({meanwhile / before:.2f} x)"
        )
    tell_cpu(course)
    after = [took for at, took in probes.seen if at > course.caught_up_s]
    if after:
        print(f"replication latency after it: p50 {percentile_ms(after, 0.5):.0f} ms")


def tell_cpu(course: Course) -> None:
    """Cores that are busy with each kind of process, of both regions together, in the three spans."""
    spans = [
        {kind: (took - before[kind]) / (at - since) for kind, took in now.items()}
        for (since, before), (at, now) in pairwise(course.took)
    ]
    print("cores busy:      before  cut off  catching up")
    for kind in sorted(spans[0], key=spans[-1].__getitem__, reverse=True):
        print(f"{kind:<15}", *(f"{span[kind]:8.2f}" for span in spans))
    print(f"{'all':<15}", *(f"{sum(span.values()):8.2f}" for span in spans))


def draw(course: Course, loads: dict[str, Paced], probes: Probes, folder: Path) -> None:
    since = course.begun_s
    waiting = [
        Line(
            f"{region}: records that wait",
            colour,
            2.0,
            [(at - since, value) for at, value in course.backlogs[region]],
        )
        for region, colour in ((EAST, "#1b6ca8"), (WEST, "#e0a458"))
    ]
    seen = [(at - since, took) for at, took in sorted(probes.seen)]
    latency = Line("replication latency in seconds", "#b56576", 1.5, seen)
    puts_of = [
        Line(f"{region}: puts' p99 in ms", colour, 1.0, [(at - since, value) for at, value in binned(load.answers)])
        for (region, load), colour in zip(loads.items(), ("#1b6ca8", "#e0a458"), strict=True)
    ]
    draw_lines("Records that wait for the other region", waiting, folder / "outage-backlog.svg")
    draw_lines(
        "Replication latency, and puts of the region's own clients",
        [latency, *puts_of],
        folder / "outage-latency.svg",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="of the outage (default: 10)")
    parser.add_argument("--rate", type=float, default=100.0, metavar="N", help="puts/s in each region (default: 100)")
    parser.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="of the pictures (default: here)")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        two_regions(Path(name), "--throttling", "report") as regions,
    ):
        create(regions[EAST].port, TABLE, ())
        replicate(regions[EAST], TABLE, WEST, regions.values())
        probes, loads = Probes(regions[EAST].port, regions[WEST].port), {}
        with ExitStack() as stack:
            for region, cluster in regions.items():
                path = write_requests(puts(TABLE), cluster.data / f"{TABLE}.requests")
                loads[region] = stack.enter_context(paced(cluster.port, path, asked.rate))
            stack.enter_context(probes.running())
            course = course_of(regions, asked.rate, asked.minutes)
        tell(course, loads, probes, asked.minutes)
        draw(course, loads, probes, asked.output)


if __name__ == "__main__":
    main()
