"""Which cluster a command is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynabus.cli.arguments import parser
from dynabus.cli.cluster import DataFolder
from dynabus.cli.main import main
from dynabus.cli.plan import Wish, plan
from dynabus.cli.problem import Problem
from dynabus.cli.target import Elsewhere, Target, target_of


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DYNABUS_KAFKA", "DYNABUS_NAMESPACE", "DYNABUS_KAFKA_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def target(*flags: str) -> Target:
    return target_of(parser().parse_args(["admin", "plan", *flags]))


def make_cluster(path: Path) -> None:
    folder = DataFolder(path)
    folder.open()
    folder.save(plan(None, Wish())[0])


def test_the_folder_here_is_the_default() -> None:
    make_cluster(Path(".dynabus"))
    assert target() == DataFolder(Path(".dynabus"))
    assert target("--data", "other") == DataFolder(Path("other"))


def test_where_there_is_none_it_is_said_how_to_name_one() -> None:
    with pytest.raises(Problem, match=r"no cluster in \.dynabus: .* --data DIR, .* DYNABUS_KAFKA=HOST:PORT"):
        target()


def test_a_kafka_names_a_cluster_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    found = target("--kafka", "a:1,b:2", "--namespace", "ns", "--kafka-config", "tls.conf")
    assert found == Elsewhere("a:1,b:2", "ns", "tls.conf")
    cluster = found.require()
    assert (cluster.kafka_bootstrap, cluster.namespace, cluster.kafka_config) == ("a:1,b:2", "ns", "tls.conf")
    assert cluster.processes == []
    monkeypatch.setenv("DYNABUS_KAFKA", "c:3")
    monkeypatch.setenv("DYNABUS_NAMESPACE", "other")
    assert target() == Elsewhere("c:3", "other", None)
    assert target("--kafka", "a:1") == Elsewhere("a:1", "other", None)


def test_a_folder_that_is_named_or_has_a_cluster_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DYNABUS_KAFKA", "c:3")
    assert target("--data", "other") == DataFolder(Path("other"))
    make_cluster(tmp_path / ".dynabus")
    assert target() == DataFolder(Path(".dynabus"))


@pytest.mark.parametrize("kafka", ["local", "mock", "auto", "docker", "somewhere", "host:0", "a:1,,b:2"])
def test_what_names_no_kafka_is_refused(kafka: str) -> None:
    with pytest.raises(Problem, match="HOST:PORT"):
        target("--kafka", kafka)


def test_what_only_processes_of_this_machine_tell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["admin", "throttled", "--kafka", "127.0.0.1:9"]) == 1
    assert "GET /throttled" in capsys.readouterr().err


def test_no_kafka_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--kafka", "127.0.0.1:9"]) == 1
    assert "Kafka at 127.0.0.1:9 does not answer" in capsys.readouterr().err
