"""`dynabus region status`: other regions, replicas of tables there, and how far they are behind.

`region status --json` is a contract: names and nesting stay, members may be added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dynabus.adapters.clock import unix_ms
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.cli.cluster import REPLICATION
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
        missing = _unmanned(admin, Topics(cluster.namespace), planet) if not cluster.processes else []
    answers = [answer for service in REPLICATION for answer in answers_of(cluster, service)]
    told = [each for _, each in answers if each]
    missing += [
        f"{process.name} does not answer: `dynabus up` starts it again" for process, each in answers if not each
    ]
    active = next((each for each in told if each.get("active")), None)
    return {
        "region": planet.regions.own,
        "regions": _regions(planet, _silent(active)),
        "replicas": _replicas(planet, [line(each) for each in seen]),
        "copies": active["copies"] if active is not None else None,
        "copy_limits": active["copy_limits"] if active is not None else None,
        "problems": [*(_problem("", None, None, why) for why in missing), *problems(told)],
        "asked": bool(cluster.processes),
    }


def _unmanned(admin: TopicAdmin, topics: Topics, planet: Planet) -> list[str]:
    """What nobody does, of a cluster whose processes run elsewhere: by the members of their groups."""
    sent = {link.destination for link in planet.links.all.values() if link.is_read} & {*planet.regions.others}
    groups = {topics.rep_outs(region): f"rep-out reads for {region}" for region in sorted(sent)}
    if planet.regions.others:
        groups |= {topics.rep_ins: "rep-in runs", topics.repl_admins: "repl-admin runs"}
    return [f"no {what}" for group, what in groups.items() if admin.group_members(group) == 0]


def _silent(active: dict[str, Any] | None) -> dict[str, str] | None:
    """Regions that ReplAdmin cannot ask; None: it runs elsewhere, or not."""
    return {each["region"]: each["why"] for each in active["silent"]} if active is not None else None


def problems(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What RepOut, RepIn and ReplAdmin say: the other region and the table that it is about, as far as it is about
    one, and why. `parked`: so many changes since the process began."""
    found: list[dict[str, Any]] = []
    for each in told:
        found += [
            _problem("to", to["region"], None, to["alarm"]) for to in each.get("destinations", ()) if "alarm" in to
        ]
        found += [
            _problem("copy to", copy["region"], copy["table"], copy["alarm"])
            for copy in each.get("copies", ())
            if "alarm" in copy
        ]
        found += [_problem("settings", None, one["table"], one["why"]) for one in each.get("refused", ())]
        parked = {(one["source"], one["table"]): one["parked"] for one in each.get("imports", ())}
        found += [
            _problem("from", one["source"], one["table"], one["alarm"], parked.get((one["source"], one["table"]), 0))
            for one in each.get("alarms", ())
        ]
    return found


def _problem(what: str, region: str | None, table: str | None, why: str, parked: int = 0) -> dict[str, Any]:
    return {"what": what, "region": region, "table": table, "why": why, "parked": parked}


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
    """Replicas with their links, where there is one yet, and links of tables that are being deleted here."""
    links = {(each["table"], each["region"]): each for each in lines}
    replicas = planet.replicas()
    for table, region in sorted(links.keys() - {(each["table"], each["RegionName"]) for each in replicas}):
        replicas.append({"table": table, "RegionName": region, "ReplicaStatus": "DELETING"})
    found = []
    for each in replicas:
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
    if status["copies"]:
        limits = status["copy_limits"]
        rows = [("COPY OF", "TO", "STATE", "ITEMS")]
        rows += [(each["table"], each["region"], each["state"], str(each["items"])) for each in status["copies"]]
        lines += [
            "",
            f"copies    {limits['at_once']} at once to a region, {limits['items_per_s']} items/s together",
            *aligned(rows),
        ]
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
    for each in status["problems"]:
        what = " ".join(str(word) for word in (each["what"], each["region"], each["table"]) if word)
        parked = f"{each['parked']} changes are parked: " if each["parked"] else ""
        lines.append(f"ALARM  {what}{': ' if what else ''}{parked}{each['why']}")
    if not status["asked"] and status["regions"]:
        lines.append(
            "NOTE   rep-out, rep-in and repl-admin run elsewhere: what they say of batches, changes and copies "
            "is in their /status and their metrics"
        )
    return ["", *lines] if lines else []


def print_status(target: Target, as_json: bool) -> None:
    """Print the status in one of its two forms. Raises Problem."""
    status = report(target)
    print(json.dumps(status, indent=2) if as_json else render(status))
