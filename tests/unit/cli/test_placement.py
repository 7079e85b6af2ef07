"""What the commands about replicas say, and what removing a node does to the folder of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynabus.cli import placement
from dynabus.cli.cluster import NODE, Cluster, DataFolder
from dynabus.cli.main import main
from dynabus.cli.plan import Wish, plan
from dynabus.cli.problem import Problem

NODES = [
    {"name": "node-1", "zone": "a", "state": "draining", "alive": True, "replicas": 2, "leaders": 1},
    {"name": "node-4", "zone": "a", "state": "active", "alive": False, "replicas": 0, "leaders": 0},
]
MOVE = {"table": "t", "number": 0, "plan": 3, "get": "node-4", "lose": "node-1", "why": "node-1 is being drained"}
STILL: dict[str, Any] = {
    "Nodes": NODES,
    "UnderWay": [],
    "Moves": [],
    "Transfers": [],
    "Splits": [],
    "Scaling": [],
    "Problems": [],
    "Groups": 2,
}


def test_a_plan_names_what_and_why() -> None:
    told = {**STILL, "UnderWay": [MOVE], "Problems": ["node-4 is silent for 7 s; replaced in 53 s"]}
    text = placement.render_plan(told)
    assert "node-1  a     draining  yes    2         1" in text
    assert "t/0: node-1 -> node-4 (plan 3): node-1 is being drained" in text
    assert "problems:\n  node-4 is silent" in text
    assert "nothing to do" not in text
    assert "nothing to do" in placement.render_plan(STILL)


def test_progress_tells_what_is_left_and_what_stands_in_the_way() -> None:
    assert "2 replicas left, 1 of them on their way" in placement.progress(NODES[0], {**STILL, "UnderWay": [MOVE]})
    stuck = {**STILL, "Problems": ["t/0: node-1 is being drained, and zone a has no other node"]}
    assert "zone a has no other node" in placement.progress(NODES[0], stuck)
    assert "admin remove node-1" in placement.progress({**NODES[0], "replicas": 0}, STILL)


class Answers:
    """Auto-admin, as the commands hear it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.plans: Iterator[dict[str, Any]] = iter(())

    def ask(self, _: Cluster, operation: str, body: Any) -> Any:
        self.asked.append((operation, body))
        if operation == "ListEvents":
            return {"Events": [{"changed_ms": 1_700_000_000_000, "event": "t/0: node-4 joins"}]}
        return next(self.plans) if operation == "DescribePlan" else {}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()
    monkeypatch.setattr(placement, "ask", made.ask)
    monkeypatch.setattr(placement, "LOOK_S", 0.0)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.open()
    cluster, _ = plan(None, Wish(nodes=4))
    cluster.kafka_source, cluster.kafka_bootstrap = "local", "127.0.0.1:9"
    made.save(cluster)
    return made


def test_a_drain_is_followed_to_its_end(folder: DataFolder, answers: Answers) -> None:
    said: list[str] = []
    answers.plans = iter([{**STILL, "Nodes": [{**NODES[0], "replicas": left}]} for left in (2, 2, 1, 0)])
    placement.drain(folder, "node-1", True, said.append)
    assert [line.split(",")[0] for line in said[:-1]] == ["node-1: 2 replicas left", "node-1: 1 replicas left"]
    assert "no replicas" in said[-1]


def test_a_drain_that_somebody_takes_back_ends(folder: DataFolder, answers: Answers) -> None:
    answers.plans = iter([{**STILL, "Nodes": [{**NODES[0], "state": "active"}]}])
    with pytest.raises(Problem, match="somebody else"):
        placement.drain(folder, "node-1", True, lambda _: None)


def test_a_removed_node_is_taken_out_and_its_name_never_given_again(folder: DataFolder, answers: Answers) -> None:
    placement.remove(folder, "node-4", lambda _: None)
    assert answers.asked == [("RemoveNode", {"NodeName": "node-4"})]
    assert [process.name for process in folder.require().of(NODE)] == ["node-1", "node-2", "node-3"]
    placement.remove(folder, "node-2", lambda _: None)
    cluster, _ = plan(folder.require(), Wish(nodes=4))
    names = {process.name: process.zone for process in cluster.of(NODE)}
    assert names == {"node-1": "a", "node-3": "c", "node-5": "b", "node-6": "a"}


def test_events_are_printed_with_their_time(
    folder: DataFolder, answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["admin", "events", "-n", "5", "--data", str(folder.path)]) == 0
    assert capsys.readouterr().out == "2023-11-14T22:13:20Z  t/0: node-4 joins\n"
    assert answers.asked == [("ListEvents", {"Count": 5})]


@pytest.mark.parametrize("order", ["drain", "undrain", "remove"])
def test_orders_need_a_cluster_and_a_node(order: str, tmp_path: Path) -> None:
    assert main(["admin", order, "node-1", "--data", str(tmp_path / "none")]) == 1
    with pytest.raises(SystemExit):
        main(["admin", order])
