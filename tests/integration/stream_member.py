"""A member of a consumer group as a process of its own: a line of JSON for each change that it has processed.

python tests/integration/stream_member.py KAFKA TABLE GROUP FILE
"""

from __future__ import annotations

import json
import os
import sys

from dynabus.client import stream


def main(kafka: str, table: str, group: str, path: str) -> None:
    """Until it is killed."""
    # One write each, so that members may share the file and its order is that of processing.
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for change in stream(table, group=group, kafka=kafka, commit_every_s=0.5):
        line = {
            "id": change.event_id,
            "key": change.keys["pk"],
            "old": _version(change.old),
            "new": _version(change.new),
            "sequence": change.sequence,
            "shard": change.shard,
            "pid": os.getpid(),
        }
        os.write(out, json.dumps(line).encode() + b"\n")


def _version(item: dict[str, object] | None) -> str | None:
    """What tells the item's versions apart: those that are written, or the counter."""
    return None if item is None else str(item.get("v", item.get("n")))


if __name__ == "__main__":
    main(*sys.argv[1:])
