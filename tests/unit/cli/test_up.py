"""`up` and `down` with real processes: tiny services, on librdkafka's mock broker."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dynabus.adapters import interrupts, ports
from dynabus.adapters.ports import choose_ports
from dynabus.cli import foreground
from dynabus.cli.cluster import ADMIN, NODE, PROPAGATOR, ROUTER, Cluster, DataFolder
from dynabus.cli.down import down
from dynabus.cli.logs import print_logs
from dynabus.cli.main import INTERRUPTED
from dynabus.cli.plan import Wish
from dynabus.cli.problem import Problem
from dynabus.cli.processes import birth
from dynabus.cli.status import render, report
from dynabus.cli.up import up

FAKE = Path(__file__).with_name("fake_service.py")


def fake_command(_service: str) -> list[str]:
    return [sys.executable, "-S", "-E", str(FAKE)]


class Bench:
    """One cluster folder; what the command says is collected."""

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path / "data")
        self.port = choose_ports(1)[0]
        self.said: list[str] = []

    def up(self, **wish: object) -> Cluster:
        wanted = {"kafka": "mock", "port": self.port, **wish}
        return up(self.folder, Wish(**wanted), self.said.append, fake_command)  # type: ignore[arg-type]

    def down(self) -> None:
        down(self.folder, self.said.append)

    def cluster(self) -> Cluster:
        return self.folder.require()


@pytest.fixture(autouse=True)
def _own_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test runs side by side (pytest-xdist) choose from ranges of their own: a port is free until it is used."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    width = (ports.LAST_PORT - ports.FIRST_PORT) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = ports.FIRST_PORT + worker * width
    monkeypatch.setattr(ports, "FIRST_PORT", first)
    monkeypatch.setattr(ports, "LAST_PORT", first + width - 1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    if bench.folder.load():
        bench.down()


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: birth(pid) is None)


def test_a_cluster_starts_shows_itself_and_stops(bench: Bench) -> None:
    bench.up(nodes=4)
    status = report(bench.folder)
    assert status["endpoint"] == f"http://127.0.0.1:{bench.port}"
    assert status["kafka"]["source"] == "mock"
    shown = [(p["service"], p["name"], p["zone"], p["state"]) for p in status["processes"]]
    assert shown == [
        (ADMIN, "admin-1", "a", "running"),
        (NODE, "node-1", "a", "running"),
        (NODE, "node-2", "b", "running"),
        (NODE, "node-3", "c", "running"),
        (NODE, "node-4", "a", "running"),
        (PROPAGATOR, "propagator-1", "a", "running"),
        (ROUTER, "router-1", "a", "running"),
    ]
    assert status["tables"][0]["partitions"][0]["leader"] == "node-1"
    assert "music  ACTIVE  0" in render(status)
    pids = [p["pid"] for p in status["processes"]] + [status["kafka"]["pid"]]
    bench.down()
    assert [birth(pid) for pid in pids] == [None] * 8
    after = report(bench.folder)
    assert {(p["pid"], p["state"]) for p in after["processes"]} == {(None, "stopped")}
    assert after["kafka"]["pid"] is None
    assert after["tables"] == []


def test_services_end_in_order_and_by_themselves(bench: Bench) -> None:
    bench.up()
    bench.said.clear()
    bench.down()
    assert bench.said == [
        f"{name} stopped" for name in ("router-1", "propagator-1", "node-1", "node-2", "node-3", "admin-1", "kafka")
    ]
    assert bench.folder.log("node-2").read_text().endswith("node-2 ends\n")


def test_a_process_that_was_killed_is_dead_and_only_it_is_started_again(bench: Bench) -> None:
    before = {p.name: p.pid for p in bench.up().everything}
    kill(before["node-2"])
    assert {p["name"]: (p["state"], p["pid"]) for p in report(bench.folder)["processes"]}["node-2"] == ("dead", None)
    after = {p.name: p.pid for p in bench.up().everything}
    assert {name for name in before if before[name] != after[name]} == {"node-2"}
    assert "starting node-2" in bench.said


def test_up_without_flags_keeps_what_the_cluster_has(bench: Bench) -> None:
    bench.up(nodes=2, namespace="other")
    again = up(bench.folder, Wish(), bench.said.append, fake_command)
    assert (again.port, again.namespace, again.kafka_source, len(again.of(NODE))) == (bench.port, "other", "mock", 2)


def test_nodes_can_be_added(bench: Bench) -> None:
    first = {p.name: p.pid for p in bench.up(nodes=1).everything}
    more = {p.name: p.pid for p in bench.up(nodes=3).everything}
    assert set(more) - set(first) == {"node-2", "node-3"}
    assert {name: more[name] for name in first} == first


def test_a_mock_that_ended_takes_the_nodes_data_with_it(bench: Bench) -> None:
    before = bench.up()
    (bench.folder.home("node-1") / "derived").write_text("from logs that are gone")
    kill(before.kafka.pid)
    after = bench.up()
    assert not (bench.folder.home("node-1") / "derived").exists()
    assert {p.pid for p in before.processes} & {p.pid for p in after.processes} == set()


def test_a_pid_that_another_process_has_now_is_not_ours(bench: Bench) -> None:
    cluster = bench.up()
    node = cluster.of(NODE)[0]
    kill(node.pid)
    node.pid = os.getpid()
    bench.folder.save(cluster)
    assert bench.cluster().of(NODE)[0].state == "dead"
    bench.down()  # would end this test run


def test_a_service_that_ends_at_start_is_quoted_and_nothing_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNABUS_FAKE_FAULT", "node-2")
    with pytest.raises(Problem, match=r"(?s)node-2 ended with exit code 1.*the setting lease_ms.*`dynabus up` again"):
        bench.up()
    assert all(process.state == "stopped" for process in bench.cluster().everything)


def test_a_failed_start_leaves_running_processes_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench.up()
    kill(before.of(NODE)[1].pid)
    monkeypatch.setenv("DYNABUS_FAKE_FAULT", "node-2")
    with pytest.raises(Problem, match="node-2 ended"):
        bench.up()
    assert {p.name for p in bench.cluster().everything if p.is_alive} == {
        "admin-1", "node-1", "node-3", "propagator-1", "router-1", "kafka",
    }  # fmt: skip


def test_a_service_that_does_not_stop_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.cli.down.SERVICE_TIMEOUT_S", 0.3)
    monkeypatch.setenv("DYNABUS_FAKE_DEAF", "node-3")
    bench.up()
    bench.down()
    assert "node-3 killed, it did not stop within 0 s" in bench.said


def test_a_port_that_is_taken_is_named_before_anything_starts(bench: Bench) -> None:
    taken = pytest.raises(Problem, match=f"port {bench.port} is taken .* --port")
    with socket.create_server(("127.0.0.1", bench.port)), taken:
        bench.up()
    assert not any(p.pid for p in bench.cluster().everything)
    assert bench.up(namespace="another").namespace == "another"  # nothing of the failed start is kept


def test_a_kafka_that_does_not_answer_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.cli.kafka_start.EXTERNAL_TIMEOUT_S", 0.1)
    with pytest.raises(Problem, match=r"no Kafka answers at 127\.0\.0\.1:1 within"):
        bench.up(kafka="127.0.0.1:1")


def test_a_kafka_that_runs_and_stands_still_is_left_and_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.cli.kafka_start.EXTERNAL_TIMEOUT_S", 0.1)
    kafka = bench.up().kafka
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Problem, match=r"Kafka runs, does not answer at 127\.0\.0\.1:\d+, and has logged nothing"):
            bench.up()
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    assert bench.up().kafka.pid == kafka.pid


def test_properties_that_librdkafka_does_not_know_are_named(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("securety.protocol=SSL\n")
    with pytest.raises(Problem, match="securety"):
        bench.up(kafka="127.0.0.1:1", kafka_config=file)


def test_what_the_callers_environment_says_of_clusters_is_not_handed_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNABUS_REGION", "eu-west-1")
    monkeypatch.setenv("DYNABUS_KAFKA_CONFIG", "/no/such.properties")
    monkeypatch.setenv("DYNABUS_LOG_LEVEL", "debug")
    (admin,) = bench.up().of(ADMIN)
    environment = Path(f"/proc/{admin.pid}/environ").read_bytes().split(b"\0")
    assert b"DYNABUS_LOG_LEVEL=debug" in environment
    assert not [each for each in environment if each.startswith((b"DYNABUS_REGION", b"DYNABUS_KAFKA_CONFIG"))]


def test_what_cannot_be_written_down_does_not_run_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    save, pids = DataFolder.save, set[int]()

    def until_full(folder: DataFolder, cluster: Cluster) -> None:
        pids.update(process.pid for process in cluster.everything if process.pid)
        if len(pids) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(folder, cluster)

    monkeypatch.setattr(DataFolder, "save", until_full)
    with pytest.raises(OSError, match="No space left"):
        bench.up()
    assert len(pids) == 3
    assert [birth(pid) for pid in pids] == [None] * 3


def test_down_knows_what_was_started_while_it_waited(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(bench.up().of(NODE)[1].pid)
    locked, waited = DataFolder.locked, False

    @contextmanager
    def late(folder: DataFolder) -> Iterator[None]:
        nonlocal waited
        if not waited:
            waited = True
            bench.up()
        with locked(folder):
            yield

    monkeypatch.setattr(DataFolder, "locked", late)
    bench.down()
    assert "node-2 stopped" in bench.said


def test_auto_takes_the_mock_where_the_real_broker_cannot_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_java(*_: object) -> None:
        from dynabus.adapters.kafka.local import LocalBrokerError

        raise LocalBrokerError("the machine has no Java")

    monkeypatch.setattr("dynabus.cli.kafka_start.start_local_broker", no_java)
    assert bench.up(kafka="auto").kafka_source == "mock"
    assert "Kafka: local cannot start: the machine has no Java" in bench.said
    assert any("NOTHING IS KEPT" in line for line in bench.said)
    bench.down()
    bench.said.clear()
    assert up(bench.folder, Wish(), bench.said.append, fake_command).kafka_source == "mock"
    assert "Kafka: local cannot start: the machine has no Java" in bench.said  # it was tried again
    bench.down()
    with pytest.raises(Problem, match="the machine has no Java"):
        bench.up(kafka="local")


def test_logs(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.up()
    print_logs(bench.folder, "node-1", follow=False)
    assert capsys.readouterr().out.startswith("node-1 starts with Kafka at 127.0.0.1:")
    print_logs(bench.folder, NODE, follow=False, count=1)
    assert [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()] == ["node-1", "node-2", "node-3"]
    with pytest.raises(Problem, match=r"no process 'node-9'.* there are admin-1, node-1"):
        print_logs(bench.folder, "node-9", follow=False)


def test_two_commands_do_not_work_on_one_cluster_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.cli.cluster.LOCK_WAIT_S", 0.1)
    bench.up()
    with bench.folder.locked(), pytest.raises(Problem, match="another dynabus command is at work"):
        bench.down()


def test_in_the_foreground_it_tells_who_dies_and_ends_when_all_is_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this is not the main thread
    monkeypatch.setattr(foreground, "LOOK_S", 0.02)
    cluster = bench.up()
    said: list[str] = []
    stay = threading.Thread(target=foreground.stay, args=(bench.folder, said.append))
    stay.start()
    kill(cluster.of(NODE)[0].pid)
    wait_until(lambda: bool(said))
    assert said[0].startswith("node-1 ended")
    bench.down()
    stay.join(60)
    assert said[1:] == ["the cluster was stopped by another command"]


def _removed(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)  # what runs in it may write meanwhile
    return not path.exists()


def test_in_the_foreground_it_stops_what_runs_in_a_folder_that_is_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this is not the main thread
    monkeypatch.setattr(foreground, "LOOK_S", 0.02)
    pids = [process.pid for process in bench.up().everything]
    said: list[str] = []
    stay = threading.Thread(target=foreground.stay, args=(bench.folder, said.append))
    stay.start()
    wait_until(lambda: _removed(bench.folder.path))
    stay.join(60)
    assert said[0] == f"{bench.folder.path} is gone: stopping what ran in it"
    assert [birth(pid) for pid in pids] == [None] * len(pids)


def _in_folder(data: Path) -> list[int]:
    """Processes whose environment or command names it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(data).encode() in (process / "environ").read_bytes() + (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return [pid for pid in found if birth(pid) is not None]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", ["admin-1", "node-1"])
def test_a_start_that_is_ended_leaves_nothing(tmp_path: Path, number: signal.Signals, name: str) -> None:
    data = tmp_path / "d"
    command = [sys.executable, "-P", "-m", "dynabus.cli.main", "up", "--kafka", "mock", "--data", str(data)]
    with subprocess.Popen([*command, "--port", str(choose_ports(1)[0])], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert next(line for line in child.stderr if line.startswith(f"dynabus: starting {name}"))
        child.send_signal(number)
        child.communicate(timeout=60)
    assert child.returncode == INTERRUPTED
    assert {process.pid for process in DataFolder(data).require().everything} == {0}
    assert _in_folder(data) == []


@pytest.fixture
def taken() -> Iterator[None]:
    """Interrupts, for the time of a test."""
    before = {number: signal.getsignal(number) for number in interrupts.ENDS}
    interrupts.take_interrupts()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("taken")
def test_an_interrupt_waits_until_it_may_come() -> None:
    steps: list[str] = []

    def start() -> None:
        with interrupts.no_interrupt():
            with interrupts.no_interrupt():
                signal.raise_signal(signal.SIGTERM)
                steps.append("started")
            steps.append("noted")
        steps.append("went on")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert steps == ["started", "noted"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
