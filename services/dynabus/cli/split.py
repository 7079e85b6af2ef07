"""`dynabus admin split`: asks for a split, then shows how far it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from dynabus.cli.control import ask
from dynabus.cli.problem import Problem
from dynabus.cli.status import report
from dynabus.cli.target import Target

LOOK_S = 0.1
LOOKS = 'a key looks like \'{"pk": {"S": "some value"}}\''

Say = Callable[[str], None]


def split(target: Target, table: str, number: int, at: str | None, wait: bool, say: Say) -> None:
    """Raises Problem: refused, or no cluster."""
    cluster = target.require()
    body = {"TableName": table, "Partition": number, "At": None if at is None else _key(at)}
    answer = ask(cluster, "SplitPartition", body)
    children: list[int] = answer["Children"]
    say(f"partition {number} of {table} is split into {children[0]} and {children[1]} at {answer['At']}")
    if wait:
        _follow(target, table, number, children, say)


def _key(text: str) -> Any:
    try:
        key = json.loads(text)
    except ValueError as error:
        raise Problem(f"--at is no JSON ({error}): {LOOKS}") from error
    if not isinstance(key, dict):
        # `null` above all, which would mean the middle.
        raise Problem(f"--at is no key: {LOOKS}")
    return key


def _follow(target: Target, name: str, number: int, children: list[int], say: Say) -> None:
    said = ""
    while said != "done":
        table = next((each for each in report(target)["tables"] if each["name"] == name), None)
        now = "the table is gone" if table is None else progress(table, number, children)
        if now != said:
            say(now)
        if table is None:
            return
        said = now
        time.sleep(LOOK_S)


def progress(table: dict[str, Any], number: int, children: list[int]) -> str:
    """How far a split is, from the table's status."""
    sealed = [each["id"] for each in table.get("sealed", ())]
    serving = {each["id"]: each for each in table["partitions"]}
    if number in serving:
        heirs = serving[number].get("heirs", ())
        ready = sum(replica["state"] == "heir" for heir in heirs for replica in heir["replicas"])
        wanted = sum(len(heir["replicas"]) for heir in heirs)
        return f"preparing: {ready} of {wanted} heirs follow the log" if wanted else "preparing"
    led = [child for child in children if child in serving and serving[child]["leader"]]
    if len(led) < len(children) or number in sealed:
        return f"sealed: {len(led)} of {len(children)} children have leaders"
    return "done"
