"""What global tables give and cost: latency between two regions, and CPU of the source.

    python -m bench.replication [--changes 300] [--rate 100] [--cpu-rate 200]

Both regions run on this machine, with a Kafka each, and each has `--rate` puts a second by a timetable. Latency:
from the answer to a put in one region until a strongly consistent read in the other one shows it, one put at a
time. CPU: seconds of the source's own processes (without its Kafka) for a put, of a table without replicas and of
one with a replica, whose RepIn is a process that does nothing but acknowledge, in turns. `bench.outage` is a region
that is cut off.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from tests.integration.cluster import RunningCluster, kill
from tests.integration.global_load import EAST, TOPICS, WEST, bootstrap, replicate, two_regions

from bench.figures import percentile_ms
from bench.indexes import create, item, puts
from bench.paced import paced
from bench.processes import cpu_s, of_cluster
from bench.wire import Connection, request
from bench.workload import KEYS, write_requests
from dynabus.adapters.replication_codec import decode_batch, encode_acknowledgement

TABLE, PLAIN = "everywhere", "here"
PAUSE_S, AGAIN_S = (0.005, 0.035), 0.002
WARM, SEEN_S = 20, 60.0
CPU_S, ROUNDS = 15.0, 3


def latencies_s(there: int, here: int, changes: int) -> list[float]:
    """Seconds from a put's answer in one region to its item in the other. Raises TimeoutError."""
    writer, reader, found = Connection(here), Connection(there), []
    for number in range(WARM + changes):
        value = f"probe-{number}-{random.randrange(1 << 30)}"
        one = item(number % 50 + KEYS, value, number)
        asked = request("GetItem", {"TableName": TABLE, "Key": {"pk": one["pk"]}, "ConsistentRead": True})
        writer.ask(request("PutItem", {"TableName": TABLE, "Item": one}))
        answered = time.monotonic()
        while reader.answer(asked).get("Item", {}).get("g") != {"S": value}:
            if time.monotonic() - answered > SEEN_S:
                raise TimeoutError(f"a change did not arrive for {SEEN_S:.0f} s")
            time.sleep(AGAIN_S)
        found.append(time.monotonic() - answered)
        time.sleep(random.uniform(*PAUSE_S))
    return found[WARM:]


@contextmanager
def loads(regions: dict[str, RunningCluster], paths: dict[str, Path], rate: float) -> Iterator[None]:
    """Puts in all regions."""
    with ExitStack() as stack:
        for name, cluster in regions.items():
            stack.enter_context(paced(cluster.port, paths[name], rate))
        yield


def tell_latency(regions: dict[str, RunningCluster], paths: dict[str, Path], rate: float, changes: int) -> None:
    with loads(regions, paths, rate):
        for here, there in ((EAST, WEST), (WEST, EAST)):
            found = latencies_s(regions[there].port, regions[here].port, changes)
            told = "   ".join(
                f"p{100 * share:.0f} {percentile_ms(found, share):6.1f} ms" for share in (0.5, 0.9, 0.99)
            )
            print(f"{here} to {there} at {rate:.0f} puts/s each: {told}", flush=True)


@contextmanager
def acknowledging(source: RunningCluster, destination: RunningCluster) -> Iterator[None]:
    """Instead of RepIn."""
    for pid in destination.pids("rep-in").values():
        kill(pid)
    command = [sys.executable, "-m", "bench.replication", "--acknowledge", bootstrap(source), bootstrap(destination)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()
    destination.up()


def acknowledge(source: str, destination: str) -> None:
    """Whatever comes of the source, until it is ended."""
    consumer = Consumer({"bootstrap.servers": destination, "group.id": "acknowledger", "fetch.wait.max.ms": 20})
    producer = Producer({"bootstrap.servers": source})
    topic = TOPICS.replication(EAST)
    consumer.assign([TopicPartition(topic.name, number, OFFSET_END) for number in range(topic.partitions)])
    while True:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            arrived = decode_batch(message.value())
            value = encode_acknowledgement(WEST, arrived.sender, arrived.batch.number)
            producer.produce(TOPICS.acknowledgements(WEST).name, value)
        producer.poll(0)


def cpu_of_puts(cluster: RunningCluster, path: Path, rate: float) -> Counter[str]:
    """Microseconds for a put, by kind of process, of all but Kafka."""
    pids = {name: pid for name, pid in of_cluster(cluster.status()).items() if name != "kafka"}
    with paced(cluster.port, path, rate) as load:
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        begun = time.monotonic()
        time.sleep(CPU_S)
        spent = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
        took_s = time.monotonic() - begun
    assert load.measured is not None
    found = Counter[str]()
    for name, seconds in spent.items():
        found[name.rpartition("-")[0] or name] += round(1e6 * seconds / (load.measured.ops_per_s * took_s))
    return found


def tell_cpu(regions: dict[str, RunningCluster], paths: dict[str, Path], rate: float) -> None:
    source = regions[EAST]
    create(source.port, PLAIN, ())
    plain = write_requests(puts(PLAIN), source.data / f"{PLAIN}.requests")
    ratios = []
    with acknowledging(source, regions[WEST]):
        for _ in range(ROUNDS):
            without, beside = cpu_of_puts(source, plain, rate), cpu_of_puts(source, paths[EAST], rate)
            ratios.append(beside.total() / without.total())
            parts = ", ".join(f"{kind} {without[kind]} and {us}" for kind, us in sorted(beside.items()))
            print(
                f"CPU of a put: {without.total()} us without, {beside.total()} us with a replica: {parts}", flush=True
            )
    print(f"ratio of CPU {median(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.replication", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--changes", type=int, default=300, metavar="N", help="that are timed (default: 300)")
    parser.add_argument("--rate", type=float, default=100.0, metavar="N", help="puts/s in each region (default: 100)")
    parser.add_argument("--cpu-rate", type=float, default=200.0, metavar="N", help="puts/s of CPU's (default: 200)")
    parser.add_argument("--acknowledge", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.acknowledge:
        acknowledge(*asked.acknowledge)
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        two_regions(Path(name), "--throttling", "report") as regions,
    ):
        create(regions[EAST].port, TABLE, ())
        replicate(regions[EAST], TABLE, WEST, regions.values())
        paths = {
            region: write_requests(puts(TABLE), cluster.data / f"{TABLE}.requests")
            for region, cluster in regions.items()
        }
        tell_latency(regions, paths, asked.rate, asked.changes)
        tell_cpu(regions, paths, asked.cpu_rate)


if __name__ == "__main__":
    main()
