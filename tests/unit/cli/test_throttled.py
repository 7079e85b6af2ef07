"""`up --throttling` and `admin throttled`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.unit.cli.test_up import Bench, _own_ports

from dynabus.cli.arguments import parser
from dynabus.cli.cluster import NODE, ROUTER, Cluster, Process
from dynabus.cli.main import main
from dynabus.cli.plan import Wish, plan
from dynabus.cli.problem import Problem
from dynabus.cli.throttled import render, report

own_ports = _own_ports


def planned(known: Cluster | None = None, **wish: str) -> Cluster:
    cluster, _ = plan(known, Wish(**wish))  # type: ignore[arg-type]
    cluster.kafka_source, cluster.kafka_bootstrap = "local", "127.0.0.1:9"
    return cluster


def test_it_is_on_and_what_was_chosen_is_kept() -> None:
    assert planned().throttling == "on"
    assert planned(planned(throttling="report")).throttling == "report"


def test_processes_that_run_are_not_changed() -> None:
    cluster = planned(throttling="report")
    cluster.of(NODE)[0].started(os.getpid())
    assert planned(cluster, throttling="report").throttling == "report"
    with pytest.raises(Problem, match="--throttling report: `dynabus down` first"):
        planned(cluster, throttling="on")


def test_the_variable_stands_for_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNABUS_THROTTLING", "report")
    assert parser().parse_args(["up"]).throttling == "report"
    assert parser().parse_args(["up", "--throttling", "off"]).throttling == "off"


def test_the_list_comes_from_routers_and_nodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    cluster = bench.up(nodes=2, throttling="report")
    try:
        told = report(cluster)
        names = [process.name for process in (*cluster.of(ROUTER), *cluster.of(NODE))]
        assert [each["process"] for each in told["counts"]] == names
        times = [event["time_ms"] for event in told["events"]]
        assert times == sorted(times)
        assert len(times) == 3
        assert main(["admin", "throttled", "--json", "--data", str(bench.folder.path)]) == 0
        assert json.loads(capsys.readouterr().out) == told
        assert main(["admin", "throttled", "--data", str(bench.folder.path)]) == 0
        assert "Miles  1.5    TableWriteProvisionedThroughputExceeded" in capsys.readouterr().out
    finally:
        bench.down()


def test_people_are_told_whether_the_requests_passed() -> None:
    counts = [{"process": "router-1", "table": "t", "reason": "TableReadKeyRangeThroughputExceeded", "count": 3}]
    told = {"throttling": "report", "counts": counts, "events": []}
    assert "these requests passed" in render(told)
    assert "these requests passed" not in render({**told, "throttling": "on"})
    assert "nothing was throttled" in render({"throttling": "on", "counts": [], "events": []})


def test_a_process_that_does_not_answer_is_left_out() -> None:
    cluster = Cluster("dynabus", "127.0.0.1", 8000, processes=[Process(ROUTER, "router-1", "a", 1)])
    assert report(cluster)["counts"] == []
