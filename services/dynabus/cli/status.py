"""`dynabus status`: the processes, by their pids, and the tables, as a process that lives tells them.

`status --json` is a contract: names and nesting stay, members may be added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from dynabus.cli.cluster import ADMIN, NODE, PROPAGATOR, ROUTER, Cluster, Process
from dynabus.cli.probe import get
from dynabus.cli.target import Elsewhere, Target

ASK_FIRST = (ROUTER, NODE, ADMIN)
OF_REPLICAS = "REPLICAS (state, sequence, lag)"
HEADINGS = ("TABLE", "STATUS", "PARTITION", "STATE", "GENERATION", "FROM", "LEADER", "TERM", OF_REPLICAS)

SHOWN_DIGITS = 16
"""Of a bound, in hexadecimal: the hash, which tells nearly all of them apart."""

LATE_S = 10
"""Expired items are deleted within a second or two; it is told once a node is behind with them."""

LOOPBACK = "127.0.0.1"

NOT_ASKED = (
    "NOTE   this is what Kafka tells; routers, lags of indexes, late expiry, alarms of log propagators and who holds "
    "up pruning are in /status and /metrics of each process, in containers on port 8001"
)


def report(target: Target) -> dict[str, Any]:
    """What `status --json` prints. Raises Problem where there is no cluster."""
    cluster = target.require()
    if isinstance(target, Elsewhere):
        from dynabus.cli.observation import observe

        return observe(cluster)
    kafka, admins = cluster.kafka, answers_of(cluster, ADMIN)
    propagators, nodes = answers_of(cluster, PROPAGATOR), answers_of(cluster, NODE)
    return {
        "endpoint": cluster.endpoint,
        "kafka": {
            "source": cluster.kafka_source,
            "bootstrap": cluster.kafka_bootstrap,
            "pid": kafka.pid if kafka.is_alive else None,
        },
        "processes": [_process(process) for process in cluster.processes],
        **_seen(cluster),
        # Of auto-admins the active one alone tells of readers that hold up pruning, and of streams that wait.
        "held": _told(admins, "held"),
        "logs": _told_by(propagators, "logs"),
        "indexes": with_lags(summed(_told(propagators, "indexes")), _told(nodes, "index_lags")),
        "waits": _told(admins, "waits"),
        "late": _told_by(nodes, "late"),
        "asked": True,
    }


def _process(process: Process) -> dict[str, Any]:
    state = process.state
    return {
        "service": process.service,
        "name": process.name,
        "zone": process.zone,
        "pid": process.pid if state == "running" else None,
        "state": state,
        "ops_port": process.ops_port,
    }


def _seen(cluster: Cluster) -> dict[str, Any]:
    """From the first process that answers; routers see every table and stream, and they are seldom busy."""
    for service in ASK_FIRST:
        for process in cluster.of(service):
            seen = _status_of(process)
            if seen:
                return {"tables": seen["tables"], "streams": seen.get("streams", [])}
    return {"tables": [], "streams": []}


Answers = list[tuple[Process, dict[str, Any]]]
"""What each process of a service told."""


def answers_of(cluster: Cluster, service: str) -> Answers:
    return [(process, _status_of(process)) for process in cluster.of(service)]


def _told(answers: Answers, member: str) -> list[dict[str, Any]]:
    return [each for _, told in answers for each in told.get(member, ())]


def _told_by(answers: Answers, member: str) -> list[dict[str, Any]]:
    """The same with the names of those who tell it."""
    return [{**each, "by": process.name} for process, told in answers for each in told.get(member, ())]


COUNTS = ("changes", "records", "unchanged", "repeats")


def summed(indexes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What several propagators wrote to the same index, added up."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for each in indexes:
        names = {"table": each["table"], "index": each["index"]}
        known = found.setdefault((each["table"], each["index"]), {**names, **dict.fromkeys(COUNTS, 0)})
        for name in COUNTS:
            known[name] += each[name]
    return [found[names] for names in sorted(found)]


def with_lags(indexes: Iterable[dict[str, Any]], lags: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with how far each is behind: the furthest that any node tells. Those too that nobody writes."""
    found = {(each["table"], each["index"]): each for each in indexes}
    for lag in lags:
        names = {"table": lag["table"], "index": lag["index"]}
        known = found.setdefault((lag["table"], lag["index"]), {**names, **dict.fromkeys(COUNTS, 0)})
        known["lag_s"] = max(known.get("lag_s", 0), lag["lag_s"])
        known["limit_s"] = lag["limit_s"]
    return [found[names] for names in sorted(found)]


def _status_of(process: Process) -> dict[str, Any]:
    """As it tells it; empty where it does not."""
    answer = get(LOOPBACK, process.ops_port, "/status") if process.is_alive else None
    if answer is None or answer[0] != 200:
        return {}
    told: dict[str, Any] = json.loads(answer[1])
    return told


def render(status: dict[str, Any]) -> str:
    """The same for people."""
    kafka = status["kafka"]
    pid = f"pid {kafka['pid']}" if kafka["pid"] else "not a process of this cluster"
    if kafka["source"] in ("local", "mock") and not kafka["pid"]:
        pid = "not running"
    endpoint = status["endpoint"] or "where your routers are; they are not among the processes, which Kafka told"
    lines = [f"endpoint  {endpoint}", f"kafka     {kafka['source']}  {kafka['bootstrap']}  {pid}", ""]
    rows = [("SERVICE", "NAME", "ZONE", "PID", "STATE", "METRICS")]
    rows += [
        (p["service"], p["name"], p["zone"], str(p["pid"] or "-"), p["state"], str(p.get("ops_port") or "-"))
        for p in status["processes"]
    ]
    lines += aligned(rows)
    lines += ["", *_render_tables(status["tables"]), *_render_streams(status.get("streams", ()))]
    lines += _render_indexes(status.get("indexes", ()))
    lines += [*_alarms(status["tables"]), *_lags(status), *_stopped(status), *_waits(status), *_late(status)]
    if not status.get("asked", True):
        lines += ["", NOT_ASKED]
    return "\n".join(lines)


def _render_streams(streams: Iterable[dict[str, Any]]) -> list[str]:
    """Streams by their plain names, beside their topics."""
    rows: list[Sequence[str]] = [("STREAM OF", "LABEL", "STATUS", "VIEW", "TOPIC")]
    rows += [(each["table"], each["label"], each["status"], each["view"], each["topic"]) for each in streams]
    return ["", *aligned(rows)] if len(rows) > 1 else []


def _render_indexes(indexes: Iterable[dict[str, Any]]) -> list[str]:
    """What writes of a table cost its indexes, since the log propagators began, and how far they are behind."""
    headings = ("INDEX", "CHANGES OF ITEMS", "LOG RECORDS", "EACH", "UNCHANGED", "REPEATS", "LAG", "LIMIT")
    rows: list[Sequence[str]] = [headings]
    for each in indexes:
        share = f"{each['records'] / each['changes']:.2f}" if each["changes"] else "-"
        counts = (str(each["changes"]), str(each["records"]), share, str(each["unchanged"]), str(each["repeats"]))
        lag = f"{each['lag_s']:.1f} s" if "lag_s" in each else "-"
        limit = f"{each['limit_s']} s" if each.get("limit_s") else "-"
        rows.append((f"{each['table']}/{each['index']}", *counts, lag, limit))
    return ["", *aligned(rows)] if len(rows) > 1 else []


def _stopped(status: dict[str, Any]) -> list[str]:
    """A line for each log that a propagator cannot read on."""
    names = {table.get("id"): table["name"] for table in status["tables"]}
    return [
        f"ALARM  streams of {names.get(each['log'], each['log'])}/{each['partition']}, {each['by']}: {each['alarm']}"
        for each in status.get("logs", ())
        if each.get("alarm")
    ]


def _waits(status: dict[str, Any]) -> list[str]:
    """A line for each stream that waits for log propagators."""
    return [
        f"WAIT   stream {each['label']} of {each['table']} is {each['status']}{_since(each)}: {_whom(each)}"
        for each in status.get("waits", ())
    ]


def _since(wait: dict[str, Any]) -> str:
    return "" if wait["for_s"] is None else f" for {wait['for_s']} s"


def _whom(wait: dict[str, Any]) -> str:
    if wait["propagators"] == 0:
        late = "its records come once one runs" if wait["status"] == "ENABLED" else "the table waits for one"
        return f"no log propagator runs, {late} (`dynabus up`, or `dynabus log-propagator`)"
    numbers = ", ".join(str(number) for number in wait["partitions"])
    return f"for log propagators{f', in partition {numbers}' if numbers else ''}"


def _names(status: dict[str, Any]) -> dict[str | None, str]:
    """Of tables, by their ids."""
    return {table.get("id"): table["name"] for table in status["tables"]}


def _lags(status: dict[str, Any]) -> list[str]:
    """A line for each reader that a log is kept for."""
    names = _names(status)
    return [
        f"LAG    {names.get(each['log'], each['log'])}/{each['partition']}: {each['by']} is behind; for it alone "
        f"{each['records']} records are kept"
        for each in status.get("held", ())
    ]


def _late(status: dict[str, Any]) -> list[str]:
    """A line for each table and node that deletes expired items late."""
    names = _names(status)
    return [
        f"LATE   {names.get(each['log'], each['log'])}, {each['by']}: items are still there whose time to live was "
        f"over {each['late_s']:,} s ago"
        for each in status.get("late", ())
        if each["late_s"] >= LATE_S
    ]


def _alarms(tables: Iterable[dict[str, Any]]) -> list[str]:
    """What people should know, one line each, while it lasts."""
    lines = []
    for table in tables:
        for partition in table["partitions"]:
            where = f"ALARM  {table['name']}/{partition['id']}"
            lines += [f"{where}: {partition['alarm']}"] if partition.get("alarm") else []
            told = [each for each in partition["replicas"] if each.get("alarm")]
            lines += [f"{where} on {each['node']}: {each['alarm']}" for each in told]
    return ["", *lines] if lines else []


def _render_tables(tables: Iterable[dict[str, Any]]) -> list[str]:
    rows: list[Sequence[str]] = [HEADINGS]
    for table in tables:
        rows += [(table["name"], table["status"], *_partition(partition)) for partition in _all(table) or [{}]]
    return aligned(rows) if len(rows) > 1 else ["no tables"]


def _all(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Its partitions, each that is being split with its heirs behind it, then those that are sealed."""
    found: list[dict[str, Any]] = []
    for partition in table["partitions"]:
        found += [partition, *partition.get("heirs", ())]
    return found + [{**partition, "state": "sealed"} for partition in table.get("sealed", ())]


def _partition(partition: dict[str, Any]) -> tuple[str, ...]:
    replicas = "  ".join(
        f"{r['node']} ({r['state']}, {r['sequence']}, {r['lag']})" for r in partition.get("replicas", ())
    )
    number, state, generation, leader, term = (
        str(partition.get(key) if partition.get(key) is not None else "-")
        for key in ("id", "state", "generation", "leader", "term")
    )
    index = partition.get("index")
    lower = (partition.get("range") or [""])[0][:SHOWN_DIGITS] or "-"
    return (f"{index}/{number}" if index else number), state, generation, lower, leader, term, replicas


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as lines."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def print_status(target: Target, as_json: bool) -> None:
    """Print the status in one of its two forms. Raises Problem where there is no cluster."""
    status = report(target)
    print(json.dumps(status, indent=2) if as_json else render(status))
