"""`dynabus admin scrub`: which replicas are asked, what is printed, and the alarms of `dynabus status`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynabus.adapters.codec import decode, encode
from dynabus.cli.scrub import Asked, _answer, _request, _said, _wanted
from dynabus.cli.status import render
from dynabus.core.operations.calls import Code
from dynabus.core.replication.store import Outcome

TARGET = Asked("music", "a" * 32, 3, 7, "node-2")


def replica(node: str, **more: Any) -> dict[str, Any]:
    return {"node": node, "zone": "a", "state": "active", "sequence": 4, "lag": 0, **more}


def table(name: str, *replicas: dict[str, Any], **more: Any) -> dict[str, Any]:
    partition = {"id": 0, "generation": 1, "leader": "node-1", "term": 2, "replicas": list(replicas), **more}
    return {"name": name, "id": name * 3, "status": "ACTIVE", "partitions": [partition, {**partition, "id": 1}]}


TABLES = [table("one", replica("node-1"), replica("node-2", state="unknown")), table("two", replica("node-3"))]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ((None, None), ["one/0 on node-1", "one/1 on node-1", "two/0 on node-3", "two/1 on node-3"]),
        (("one", None), ["one/0 on node-1", "one/1 on node-1"]),
        (("two", 1), ["two/1 on node-3"]),
        (("three", None), []),
        (("two", 7), []),
    ],
)
def test_replicas_of_nodes_that_are_heard_are_asked(wanted: tuple[str | None, int | None], found: list[str]) -> None:
    assert [str(target) for target in _wanted(TABLES, *wanted)] == found


def test_the_question_is_a_request_that_nodes_know() -> None:
    kind, request = decode(encode("request", _request(5, 1, TARGET)))
    (part,) = request["parts"]
    assert kind == "request"
    assert (part["operation"], part["log"], part["partition"]) == (Code.SCRUB, "a" * 32, 3)


def reply(incarnation: int, status: int, body: bytes) -> bytes:
    part = Outcome(status, body).part(0)
    return encode("reply", {"incarnation": incarnation, "counter": 9, "node": "node-2", "parts": [part]})


def test_only_our_own_answers_count() -> None:
    assert _answer(None, 5) is None
    assert _answer(reply(4, 0, b"{}"), 5) is None
    assert _answer(reply(5, 0, orjson.dumps({"found": []})), 5) == (9, {"found": []})
    assert _answer(reply(5, 3, b""), 5) == (9, {"found": ["no replica there, or one that is still being opened"]})


@pytest.mark.parametrize(
    ("found", "whole", "verdict"),
    [([], True, "whole"), (["bits, key 01"], True, "damaged"), ([], False, "not read to its end")],
)
def test_what_is_printed(found: list[str], whole: bool, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"entries": 9, "bytes": 90, "seconds": 0.5, "offset": 12, "items": 4, "checksum": "ff", "whole": whole}
    assert _said(TARGET, {**told, "found": found}) is bool(found)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"music/3 on node-2: {verdict}; 4 items, 90 bytes, checksum ff at offset 12; 0.5 s"
    assert rest == [f"music/3 on node-2: {each}" for each in found]


def test_status_shows_alarms_while_they_last() -> None:
    status = {"endpoint": "e", "kafka": {"source": "local", "bootstrap": "b", "pid": 1}, "processes": []}
    ill = table(
        "one", replica("node-1", alarm="damaged at offset 7"), alarm="replicas differ at offset 5: a against b"
    )
    lines = render({**status, "tables": [ill]}).splitlines()
    assert "ALARM  one/0 on node-1: damaged at offset 7" in lines
    assert "ALARM  one/0: replicas differ at offset 5: a against b" in lines
    assert "ALARM" not in render({**status, "tables": [table("one", replica("node-1"))]})


def test_a_reader_that_holds_up_pruning_is_named() -> None:
    status = {"endpoint": "e", "kafka": {"source": "local", "bootstrap": "b", "pid": 1}, "processes": []}
    held = {"log": "1" * 32, "partition": 3, "by": "archive", "records": 4000}
    shown = {**status, "tables": [{**table("one", replica("node-1")), "id": "1" * 32}], "held": [held]}
    assert render(shown).splitlines()[-1].startswith("LAG    one/3: archive is behind; for it alone 4000 records")


def test_a_stream_that_waits_says_for_whom() -> None:
    status = {
        "endpoint": "e",
        "kafka": {"source": "local", "bootstrap": "b", "pid": 1},
        "processes": [],
        "tables": [],
    }
    wait = {
        "table": "music",
        "label": "2026",
        "status": "ENABLING",
        "partitions": [0, 3],
        "propagators": 1,
        "for_s": 7,
    }

    def last(**changed: Any) -> str:
        return render({**status, "waits": [{**wait, **changed}]}).splitlines()[-1]

    assert last() == "WAIT   stream 2026 of music is ENABLING for 7 s: for log propagators, in partition 0, 3"
    assert last(partitions=[], for_s=None).endswith("is ENABLING: for log propagators")
    assert "no log propagator runs, the table waits for one" in last(propagators=0)
    assert "no log propagator runs, its records come once one runs" in last(propagators=0, status="ENABLED")


def test_status_tells_of_items_that_are_deleted_late() -> None:
    """Not of those that a sweep is just about to delete."""
    status: dict[str, Any] = {
        "endpoint": "e",
        "kafka": {"source": "local", "bootstrap": "b", "pid": 1},
        "processes": [],
        "tables": [],
        "late": [{"log": "abc", "late_s": 1234, "by": "node-1"}, {"log": "def", "late_s": 3, "by": "node-2"}],
    }
    lines = [line for line in render(status).splitlines() if line.startswith("LATE")]
    assert lines == ["LATE   abc, node-1: items are still there whose time to live was over 1,234 s ago"]
