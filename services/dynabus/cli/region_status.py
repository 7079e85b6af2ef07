"""`dynabus region status`: other regions, replicas of tables there, and how far they are behind.

`region status --json` is a contract: names and nesting stay, members may be added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dynabus.adapters.clock import unix_ms
from dynabus.cli.cluster import REPLICATION, Cluster
from dynabus.cli.control import explained, kafka_of, reached
from dynabus.cli.problem import Problem
from dynabus.cli.region_view import Planet, read_planet
from dynabus.cli.status import aligned, answers_of
from dynabus.cli.target import Target
from dynabus.core.topics import Topics
from dynabus.repl_admin.retention import line, look


def report(target: Target) -> dict[str, Any]:
    """What `region status --json` prints. Raises Problem: no Kafka, or a cluster without a region."""
    cluster = target.require()
    kafka = kafka_of(cluster)
    with explained(cluster):
        admin, planet = reached(kafka), read_planet(kafka)
        if not planet.regions.own:
            raise Problem("this cluster has no region: start one with `dynabus up --region NAME`")
        seen = look(admin, Topics(cluster.namespace), list(planet.links.all.values()), unix_ms())
    return {
        "region": planet.regions.own,
        "regions": _regions(planet, _silent(cluster)),
        "replicas": _replicas(planet, [line(each) for each in seen]),
    }


def _silent(cluster: Cluster) -> dict[str, str] | None:
    """Regions that ReplAdmin cannot ask; None: it runs elsewhere, or not."""
    told = [each for service in REPLICATION for _, each in answers_of(cluster, service) if each.get("active")]
    return {each["region"]: each["why"] for each in told[0]["silent"]} if told else None


def _regions(planet: Planet, silent: dict[str, str] | None) -> list[dict[str, Any]]:
    return [
        {
            "name": peer.name,
            "kafka": peer.kafka,
            "namespace": peer.namespace,
            "endpoint": peer.endpoint,
            "silent": None if silent is None else silent.get(peer.name, ""),
        }
        for peer in sorted(planet.regions.peers.values())
    ]


def _replicas(planet: Planet, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replicas with their links, where there is one yet."""
    links = {(each["table"], each["region"]): each for each in lines}
    found = []
    for each in planet.replicas():
        link = links.get((each["table"], each["RegionName"]), {})
        found.append(
            {
                "table": each["table"],
                "region": each["RegionName"],
                "status": each["ReplicaStatus"],
                "why": each.get("ReplicaStatusDescription", ""),
                "link": link.get("status"),
                "backlog": link.get("backlog"),
                "latency_ms": link.get("latency_ms"),
                "alarm": link.get("alarm", ""),
            }
        )
    return found


def render(status: dict[str, Any]) -> str:
    """The same for people."""
    lines = [f"region    {status['region']}", ""]
    rows: list[Sequence[str]] = [("OTHER REGION", "KAFKA", "NAMESPACE", "ENDPOINT")]
    rows += [(each["name"], each["kafka"], each["namespace"], each["endpoint"]) for each in status["regions"]]
    lines += aligned(rows) if len(rows) > 1 else ["no other regions: `dynabus region add`"]
    rows = [("TABLE", "REPLICA IN", "STATUS", "LINK", "BACKLOG", "LATENCY")]
    rows += [_cells(each) for each in status["replicas"]]
    lines += ["", *aligned(rows)] if len(rows) > 1 else []
    return "\n".join([*lines, *_alarms(status)])


def _cells(replica: dict[str, Any]) -> tuple[str, ...]:
    backlog, latency = replica["backlog"], replica["latency_ms"]
    return (
        replica["table"],
        replica["region"],
        replica["status"],
        replica["link"] or "-",
        "-" if backlog is None else str(backlog),
        "-" if latency is None else f"{latency:.0f} ms",
    )


def _alarms(status: dict[str, Any]) -> list[str]:
    """What people should know, one line each, while it lasts."""
    words = {
        "at risk": "its stream is about to drop what the region has not acknowledged",
        "lost": "its stream has dropped what the region had not acknowledged: it is copied again",
    }
    lines = [
        f"ALARM  region {each['name']} does not answer: {each['silent']}"
        for each in status["regions"]
        if each["silent"]
    ]
    for each in status["replicas"]:
        where = f"ALARM  {each['table']} in {each['region']}"
        lines += [f"{where}: {each['why']}"] if each["why"] else []
        lines += [f"{where}: {words[each['alarm']]}"] if each["alarm"] else []
    return ["", *lines] if lines else []


def print_status(target: Target, as_json: bool) -> None:
    """Print the status in one of its two forms. Raises Problem."""
    status = report(target)
    print(json.dumps(status, indent=2) if as_json else render(status))
