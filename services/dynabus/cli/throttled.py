"""`dynabus admin throttled`: what routers and partitions refused for throughput, or would have refused (report).

`--json` has the members `counts` and `events` of the processes' pages `/throttled`, each with the process's name.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from dynabus.cli.cluster import NODE, ROUTER, Cluster
from dynabus.cli.probe import get
from dynabus.cli.problem import Problem
from dynabus.cli.status import LOOPBACK, aligned
from dynabus.cli.target import Elsewhere, Target

SHOWN_MOST = 50
"""Lines for people; programs get all that are kept."""


def report(cluster: Cluster) -> dict[str, Any]:
    """Counts and events of all processes that answer, events oldest first."""
    counts: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for process in [*cluster.of(ROUTER), *cluster.of(NODE)]:
        answer = get(LOOPBACK, process.ops_port, "/throttled") if process.is_alive else None
        if answer is not None and answer[0] == 200:
            said = json.loads(answer[1])
            counts += [{"process": process.name, **each} for each in said["counts"]]
            events += [{"process": process.name, **each} for each in said["events"]]
    events.sort(key=lambda event: event["time_ms"])
    return {"throttling": cluster.throttling, "counts": counts, "events": events}


def render(told: dict[str, Any]) -> str:
    """The same for people: the counts, and the newest events."""
    mode = told["throttling"]
    lines = [f"throttling  {mode}"]
    if not told["counts"]:
        return "\n".join([*lines, "nothing was throttled"])
    lines.append("these requests passed; with --throttling on they are refused" if mode == "report" else "")
    rows = [("PROCESS", "TABLE", "REASON", "REQUESTS")]
    rows += [(each["process"], each["table"], each["reason"], str(each["count"])) for each in told["counts"]]
    lines += [*aligned(rows), "", *aligned([_HEAD, *(_row(event) for event in told["events"][-SHOWN_MOST:])])]
    return "\n".join(lines)


_HEAD = ("TIME", "TABLE", "PARTITION", "KEY", "UNITS", "REASON")


def _row(event: dict[str, Any]) -> tuple[str, str, str, str, str, str]:
    time = datetime.fromtimestamp(event["time_ms"] / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    units = f"{event['units']:g}"
    return time, event["table"], str(event["partition"]), event["key"], units, event["reason"]


def print_throttled(target: Target, as_json: bool) -> None:
    """Print it in one of its two forms. Raises Problem where there is no cluster."""
    if isinstance(target, Elsewhere):
        raise Problem("of a cluster that runs elsewhere each process tells its own: GET /throttled at its ops port")
    told = report(target.require())
    print(json.dumps(told, indent=2) if as_json else render(told))
