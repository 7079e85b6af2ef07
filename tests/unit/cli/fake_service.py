"""A process that looks like a service from outside: health, readiness, status, an orderly end.

`DYNABUS_FAKE_FAULT=<name>` makes the process of that name end at once, as one with a bad setting does. Tests start
hundreds of these: it imports little, and answers HTTP by hand.
"""

import json
import os
import signal
import socket
import sys
import threading

STATUS = {
    "tables": [
        {
            "name": "music",
            "status": "ACTIVE",
            "partitions": [
                {
                    "id": 0,
                    "generation": 1,
                    "index": None,
                    "range": ["", ""],
                    "leader": "node-1",
                    "term": 3,
                    "replicas": [
                        {"node": "node-1", "zone": "a", "state": "leader", "sequence": 7, "lag": 0},
                        {"node": "node-2", "zone": "b", "state": "follower", "sequence": 6, "lag": 1},
                    ],
                }
            ],
        }
    ]
}

THROTTLED = {
    "counts": [{"table": "music", "reason": "TableWriteProvisionedThroughputExceeded", "count": 2}],
    "events": [
        {
            "time_ms": 1_000 * int(os.environ.get("DYNABUS_OPS_PORT", "0")),
            "table": "music",
            "partition": 0,
            "key": "Miles",
            "reason": "TableWriteProvisionedThroughputExceeded",
            "units": 1.5,
        }
    ],
}


def serve(port: int) -> None:
    """Answer every GET, one connection after the other."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            connection, _ = listening.accept()
            with connection:
                answer(connection)


def answer(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(4096)
        if not received:
            return
        head += received
    pages = {"/status": STATUS, "/throttled": THROTTLED}
    body = json.dumps(pages.get(head.split()[1].decode(), {"status": "ok"})).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def main() -> None:
    name = os.environ["DYNABUS_NAME"]
    print(f"{name} starts with Kafka at {os.environ['DYNABUS_KAFKA']}", flush=True)
    if os.environ.get("DYNABUS_FAKE_FAULT") == name:
        sys.exit("the setting lease_ms must be 1 or more")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ports = [os.environ["DYNABUS_OPS_PORT"], os.environ.get("DYNABUS_PORT")]
    for port in filter(None, ports):
        threading.Thread(target=serve, args=(int(port),), daemon=True).start()
    if os.environ.get("DYNABUS_FAKE_DEAF") == name:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stop.wait()
    print(f"{name} ends", flush=True)


if __name__ == "__main__":
    main()
