"""Latency at concurrency 1 beside the bare Kafka floor, in one run on one broker, in alternating rounds.

    python -m bench.latency [rounds]

Prints p50 and p99 of the floors (2 hops, 3 hops), a consistent get and a put of 1 KB, and the ratios that count:
get to 2 hops and put to 3 hops.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from pathlib import Path

from tests.integration.cluster import RunningCluster, running

from bench.floor import Floor, percentile_ms, timed
from dynabus.adapters.kafka.settings import KafkaSettings

PER_ROUND = 200
ITEM = {"pk": {"S": "user00000001"}, "n": {"N": "12345"}, "pad": {"S": "x" * 900}}
PUT = {"TableName": "bench", "Item": ITEM}
GET = {"TableName": "bench", "Key": {"pk": ITEM["pk"]}, "ConsistentRead": True}


class Connection:
    """One keep-alive connection that sends prepared requests; a client library would measure itself."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> float:
        started = time.perf_counter()
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._socket.recv(65536)
        took = time.perf_counter() - started
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode())
        return took


def request(operation: str, body: object) -> bytes:
    """A whole HTTP request."""
    raw = json.dumps(body).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"X-Amz-Target: DynamoDB_20120810.{operation}\r\nContent-Length: {len(raw)}\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, "
        "SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20260101T000000Z\r\n\r\n"
    )
    return head.encode() + raw


def measure(cluster: RunningCluster, rounds: int) -> dict[str, list[float]]:
    """Seconds per operation by name, the four taking turns so that the machine's moods hit all alike."""
    cluster.create_table("bench")
    connection, put, get = Connection(cluster.port), request("PutItem", PUT), request("GetItem", GET)
    floor = Floor(KafkaSettings(cluster.status()["kafka"]["bootstrap"]))
    actions = {
        "2 hops": lambda: floor.hop(2),
        "get": lambda: connection.ask(get),
        "3 hops": lambda: floor.hop(3),
        "put": lambda: connection.ask(put),
    }
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for name in ("put", "get"):
        timed(actions[name], PER_ROUND)
    for _ in range(rounds):
        for name, action in actions.items():
            seconds[name] += timed(action, PER_ROUND)
    floor.close()
    return seconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder, running(Path(folder)) as cluster:
        seconds = measure(cluster, rounds)
    for name, each in seconds.items():
        print(f"{name:7} p50 {percentile_ms(each, 0.5):6.2f} ms   p99 {percentile_ms(each, 0.99):6.2f} ms")
    for ours, floor in (("get", "2 hops"), ("put", "3 hops")):
        ratio = percentile_ms(seconds[ours], 0.5) / percentile_ms(seconds[floor], 0.5)
        print(f"{ours} / {floor}: {ratio:.2f}")


if __name__ == "__main__":
    main()
