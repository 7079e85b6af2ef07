"""What `dynabus admin split` shows, and what it makes of answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.control_client import Refused, _judged, own_reply
from dynabus.cli.arguments import parser
from dynabus.cli.problem import Problem
from dynabus.cli.split import _key, progress
from dynabus.cli.status import render
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Outcome


def partition(number: int, leader: str | None = "node-1", **more: Any) -> dict[str, Any]:
    replicas = [{"node": "node-1", "zone": "a", "state": more.pop("replica", "active"), "sequence": 1, "lag": 0}]
    at = {"id": number, "generation": 1, "index": None, "range": ["ab" * 20, None], "leader": leader, "term": 1}
    return {**at, "state": "active", "lineage": [], "replicas": replicas, "heirs": [], **more}


def table(*partitions: dict[str, Any], sealed: list[Any] | None = None) -> dict[str, Any]:
    return {"name": "music", "id": "1", "status": "ACTIVE", "partitions": [*partitions], "sealed": sealed or []}


def test_progress_is_told_step_by_step() -> None:
    heirs = [partition(1, None, replica="heir"), partition(2, None, replica="preparing")]
    steps = [
        table(partition(0)),
        table(partition(0, heirs=heirs)),
        table(partition(1), partition(2, None), sealed=[partition(0)]),
        table(partition(1), partition(2), sealed=[partition(0)]),
        table(partition(1), partition(2)),
    ]
    assert [progress(each, 0, [1, 2]) for each in steps] == [
        "preparing",
        "preparing: 1 of 2 heirs follow the log",
        "sealed: 1 of 2 children have leaders",
        "sealed: 2 of 2 children have leaders",
        "done",
    ]


def test_status_shows_heirs_and_what_is_sealed() -> None:
    heirs = [partition(1, None, replica="heir", state="heir")]
    dividing = table(partition(0, heirs=heirs, state="splitting"), sealed=[partition(7)])
    kafka = {"source": "external", "bootstrap": "127.0.0.1:1", "pid": None}
    text = render({"endpoint": "-", "kafka": kafka, "processes": [], "tables": [dividing]})
    lines = [line.split() for line in text.splitlines() if line.startswith("music")]
    assert [line[2:4] for line in lines] == [["0", "splitting"], ["1", "heir"], ["7", "sealed"]]
    assert lines[0][5] == "ab" * 8


def test_answers_of_others_are_not_ours() -> None:
    part = Outcome(0, b"{}").part(0)
    value = encode("reply", {"incarnation": 7, "counter": 1, "node": "admin-1", "parts": [part]})
    reply = own_reply(value, 7)
    assert reply is not None
    assert reply["parts"] == [part]
    assert own_reply(value, 8) is None
    assert own_reply(b"damaged", 7) is None
    assert own_reply(None, 7) is None


def test_a_refusal_has_its_own_words() -> None:
    body = orjson.dumps({"message": "Partition 0 is being split already, into 1, 2: wait"})
    with pytest.raises(Refused, match="into 1, 2: wait"):
        _judged({"status": ReplyStatus.ERROR, "body": body})
    assert _judged({"status": ReplyStatus.OK, "body": b'{"Children":[1,2]}'}) == {"Children": [1, 2]}


def test_a_key_must_be_json() -> None:
    assert _key('{"pk": {"S": "a"}}') == {"pk": {"S": "a"}}
    with pytest.raises(Problem, match="no JSON"):
        _key("pk=a")
    for text in ("null", "5", '["pk"]'):
        with pytest.raises(Problem, match="no key"):
            _key(text)


@pytest.mark.parametrize("arguments", [["admin"], ["admin", "split", "t"], ["admin", "split", "t", "-1"]])
def test_a_command_that_is_not_whole_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
