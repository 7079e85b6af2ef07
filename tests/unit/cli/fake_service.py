"""A process that looks like a service from outside: health, readiness, status, an orderly end.

`DYNABUS_FAKE_FAULT=<name>` makes the process of that name end at once, as one with a bad setting does.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(STATUS if self.path == "/status" else {"status": "ok"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    name = os.environ["DYNABUS_NAME"]
    print(f"{name} starts with Kafka at {os.environ['DYNABUS_KAFKA']}", flush=True)
    if os.environ.get("DYNABUS_FAKE_FAULT") == name:
        sys.exit("the setting lease_ms must be 1 or more")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ports = [os.environ["DYNABUS_OPS_PORT"], os.environ.get("DYNABUS_PORT")]
    for port in filter(None, ports):
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if os.environ.get("DYNABUS_FAKE_DEAF") == name:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stop.wait()
    print(f"{name} ends", flush=True)


if __name__ == "__main__":
    main()
