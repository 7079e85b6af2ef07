"""`dynabus admin drain|undrain|remove|plan|events`: where replicas are, and where they should be."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dynabus.cli.cluster import NODE
from dynabus.cli.control import ask
from dynabus.cli.down import stop_process
from dynabus.cli.problem import Problem
from dynabus.cli.status import aligned
from dynabus.cli.target import Elsewhere, Target

LOOK_S = 1.0

Say = Callable[[str], None]


def drain(target: Target, node: str, wait: bool, say: Say) -> None:
    """Have a node emptied; with `wait`, show how far it is until it has no replica. Raises Problem: refused."""
    ask(target.require(), "DrainNode", {"NodeName": node})
    said = ""
    while wait:
        told = ask(target.require(), "DescribePlan", {})
        found = next(each for each in told["Nodes"] if each["name"] == node)
        if found["state"] != "draining":
            raise Problem(f"{node} is {found['state']} again: somebody else has changed it")
        line = progress(found, told)
        if line != said:
            say(line)
        said = line
        if not found["replicas"]:
            return
        time.sleep(LOOK_S)
    if not wait:
        say(f"{node} is being drained: `dynabus admin plan` shows how far it is")


def progress(node: dict[str, Any], told: dict[str, Any]) -> str:
    """How far a drain is."""
    name, left = node["name"], node["replicas"]
    if not left:
        return f"{name} has no replicas: it can be stopped, or removed with `dynabus admin remove {name}`"
    moving = sum(each["lose"] == name for each in told["UnderWay"])
    line = f"{name}: {left} replicas left, {moving} of them on their way"
    stuck = [problem for problem in told["Problems"] if f"{name} is being drained" in problem]
    return f"{line}; {stuck[0]}" if stuck and not moving else line


def undrain(target: Target, node: str, say: Say) -> None:
    """Let a node have replicas again."""
    ask(target.require(), "UndrainNode", {"NodeName": node})
    say(f"{node} takes replicas again, and gets its share")


def remove(target: Target, node: str, say: Say) -> None:
    """Forget a drained node, and stop it where it is a process of this folder. Its data folder stays."""
    ask(target.require(), "RemoveNode", {"NodeName": node})
    if isinstance(target, Elsewhere):
        say(f"{node} is removed: stop it where it runs")
        return
    with target.locked():
        cluster = target.require()
        for process in [each for each in cluster.of(NODE) if each.name == node]:
            stop_process(target, cluster, process, say)
            cluster.processes.remove(process)
            cluster.retired.append(node)
            target.save(cluster)
    say(f"{node} is removed")


def print_plan(target: Target) -> None:
    """What auto-admin would do now, and why."""
    print(render_plan(ask(target.require(), "DescribePlan", {})))


def print_events(target: Target, count: int) -> None:
    """What it did, the newest last."""
    for each in ask(target.require(), "ListEvents", {"Count": count})["Events"]:
        at = datetime.fromtimestamp(each["changed_ms"] / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        print(f"{at}  {each['event']}")


def render_plan(told: dict[str, Any]) -> str:
    """A plan for people."""
    lines = aligned([("NODE", "ZONE", "STATE", "HEARD", "REPLICAS", "LEADERS"), *map(_node, told["Nodes"])])
    for title, rows in (
        ("under way", [_move(each) for each in told["UnderWay"]]),
        ("next", [_move(each) for each in told["Moves"]]),
        ("leaders", [f"{e['table']}/{e['number']}: {e['from']} -> {e['to']}" for e in told["Transfers"]]),
        ("splits", [f"{e['table']}/{e['number']} {e['what']}: {e['why']}" for e in told["Splits"]]),
        ("scaling", [_target(each) for each in told["Scaling"]]),
        ("problems", told["Problems"]),
    ):
        if rows:
            lines += ["", f"{title}:", *(f"  {row}" for row in rows)]
    if len(lines) == 1 + len(told["Nodes"]):
        lines += ["", "nothing to do"]
    return "\n".join(lines)


def _node(node: dict[str, Any]) -> tuple[str, ...]:
    heard = "yes" if node["alive"] else "no"
    return node["name"], node["zone"], node["state"], heard, str(node["replicas"]), str(node["leaders"])


def _target(target: dict[str, Any]) -> str:
    return (
        f"{target['table']}: {target['units']} {target['kind']} units ({target['least']} to {target['most']}), "
        f"{target['consumed']:.1f} consumed in the last minute, target {target['percent']:g} %"
    )


def _move(move: dict[str, Any]) -> str:
    words = f"{move['lose'] or '-'} -> {move['get'] or '-'}"
    return f"{move['table']}/{move['number']}: {words} (plan {move['plan']}): {move['why']}"
