"""The command line, the folder of a cluster, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynabus.adapters import memory_limit
from dynabus.adapters.kafka.source import SourceKind
from dynabus.cli import processes
from dynabus.cli.arguments import SERVICES
from dynabus.cli.cluster import NODE, ROUTER, Cluster, DataFolder, Process
from dynabus.cli.logs import Tail
from dynabus.cli.main import main
from dynabus.cli.plan import Wish, plan
from dynabus.cli.problem import Problem
from dynabus.cli.processes import begin_log
from dynabus.cli.up import up


def known(source: str = "local") -> Cluster:
    cluster, _ = plan(None, Wish())
    cluster.kafka_source, cluster.kafka_bootstrap = source, "127.0.0.1:9"
    return cluster


def test_defaults() -> None:
    cluster, source = plan(None, Wish())
    assert (cluster.port, cluster.namespace, source.kind) == (8000, "dynabus", SourceKind.AUTO)
    assert [p.zone for p in cluster.of(NODE)] == ["a", "b", "c"]
    assert len({p.ops_port for p in cluster.processes}) == len(cluster.processes)


def test_routers_serve_on_neighbouring_ports() -> None:
    cluster, _ = plan(None, Wish(port=9000, routers=2))
    assert [(p.name, p.port) for p in cluster.of(ROUTER)] == [("router-1", 9000), ("router-2", 9001)]
    moved, _ = plan(cluster_with_source(cluster), Wish(port=9100))
    assert [p.port for p in moved.of(ROUTER)] == [9100, 9101]


def cluster_with_source(cluster: Cluster) -> Cluster:
    cluster.kafka_source = "local"
    return cluster


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Wish(kafka="mock"), "cannot move to mock"),
        (Wish(kafka="other:9092"), "cannot move to other:9092"),
        (Wish(kafka="lokal"), "expected auto, local"),
        (Wish(namespace="x"), "this cluster's namespace is dynabus"),
        (Wish(nodes=1), "started with --nodes 3"),
    ],
)
def test_what_an_existing_cluster_cannot_do(wish: Wish, says: str) -> None:
    with pytest.raises(Problem, match=says):
        plan(known(), wish)


def test_an_existing_cluster_keeps_its_kafka() -> None:
    assert plan(known(), Wish(kafka="auto"))[1].kind is SourceKind.LOCAL
    assert plan(known("external"), Wish())[1].bootstrap == "127.0.0.1:9"
    assert plan(known("external"), Wish(kafka="new:1,newer:2"))[1].bootstrap == "new:1,newer:2"
    assert plan(known("mock"), Wish(kafka="local"))[1].kind is SourceKind.LOCAL
    assert plan(known("docker"), Wish())[1].kind is SourceKind.DOCKER


def test_state_survives_writing_and_reading(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "d")
    folder.open()
    cluster = known()
    folder.save(cluster)
    assert folder.load() == cluster


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "d")
    folder.open()
    folder.save(known())
    (folder.path / "LAYOUT").write_text("2\n")
    for use in (folder.open, folder.load, folder.require):
        with pytest.raises(Problem, match=r"another version of dynabus \(layout 2, this one reads 1\)"):
            use()


def test_a_folder_with_somebodys_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(Problem, match="holds other files"):
        DataFolder(tmp_path).open()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("command", ["down", "status", "logs"])
def test_a_folder_without_cluster(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"dynabus: no cluster in {tmp_path}: start one with `dynabus up`, or name it with --data DIR\n"
    )


@pytest.mark.parametrize("bad", [["--port", "0"], ["--port", "x"], ["--nodes", "0"], ["--namespace", "a.b"]])
def test_bad_flags_are_refused_at_once(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["up", *bad])
    assert exit_.value.code == 2
    assert f"argument {bad[0]}: '{bad[1]}'" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert "Apache Kafka 4.1.1" in capsys.readouterr().out


def test_status_json_has_the_members_of_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = DataFolder(tmp_path / "d")
    folder.open()
    folder.save(known())
    assert main(["status", "--json", "--data", str(folder.path)]) == 0
    status = json.loads(capsys.readouterr().out)
    members = [
        "endpoint",
        "kafka",
        "processes",
        "tables",
        "streams",
        "held",
        "logs",
        "indexes",
        "waits",
        "late",
        "asked",
    ]
    assert list(status) == members
    assert list(status["kafka"]) == ["source", "bootstrap", "pid"]
    assert list(status["processes"][0]) == ["service", "name", "zone", "pid", "state", "ops_port"]


@pytest.mark.parametrize("arguments", [["status", "--data"], ["down", "--data"], ["logs", "--help"]])
def test_the_command_does_not_wait_for_imports(tmp_path: Path, arguments: list[str]) -> None:
    """No Kafka client, no pydantic: it answers in a blink."""
    loaded = (
        "import atexit, sys; from dynabus.cli.main import main\n"
        "atexit.register(lambda: print(*sys.modules)); main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", loaded, *arguments, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "dynabus.cli.main" in done.stdout
    assert not {"confluent_kafka", "pydantic", "orjson", "dynabus.cli.up"} & set(done.stdout.split())


def test_a_service_gets_its_own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[list[str]] = []

    class Module:
        @staticmethod
        def main(argv: list[str]) -> int:
            got.append(argv)
            return 3

    monkeypatch.setattr("importlib.import_module", lambda _name: Module)
    assert main(["storage-node", "--name", "node-1", "--help"]) == 3
    assert got == [["--name", "node-1", "--help"]]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    program = f"{sys.executable} -m dynabus.cli.main status --data {tmp_path} 2>&1 | true"
    assert subprocess.run(program, shell=True, capture_output=True, text=True, check=True).stderr == ""


def test_a_dead_process_is_not_running() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    process = Process(NODE, "node-1", "a")
    process.started(child.pid)
    child.wait()
    assert process.state == "dead"


def test_a_followed_log_gives_whole_lines(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "log", "> ")
    assert tail.new_lines() == []
    with (tmp_path / "log").open("w") as log:
        log.write("one\ntw")
        log.flush()
        assert tail.new_lines() == ["> one"]
        log.write("o\n")
        log.flush()
        assert tail.new_lines() == ["> two"]


@pytest.mark.parametrize("command", ["status", "region status", "admin plan", "admin drain node-1"])
def test_a_kafka_config_that_cannot_be_used_is_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--kafka", "127.0.0.1:1", "--kafka-config", "/no/such/file"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("dynabus: ")
    assert "/no/such/file" in said
    assert len(said.splitlines()) == 1


def test_a_property_that_librdkafka_has_not_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "kafka.properties"
    config.write_text("no.such.property=1\n")
    assert main(["status", "--kafka", "127.0.0.1:1", "--kafka-config", str(config)]) == 1
    assert "librdkafka refuses the Kafka properties" in capsys.readouterr().err


def test_up_with_a_kafka_config_that_cannot_be_used_leaves_no_cluster(tmp_path: Path) -> None:
    wish = Wish(kafka="127.0.0.1:1", kafka_config=tmp_path / "none")
    with pytest.raises(Problem, match="none"):
        up(DataFolder(tmp_path / "data"), wish, lambda _line: None)
    assert DataFolder(tmp_path / "data").load() is None


def test_a_log_that_has_grown_too_large_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES_MOST", 10)
    log = tmp_path / "node-1.log"
    begin_log(log)
    assert not log.exists()
    for text in ("0123456789", "01234567890"):
        log.write_text(text)
        begin_log(log)
    assert not log.exists()
    assert (tmp_path / "node-1.log.1").read_text() == "01234567890"


def test_a_log_that_is_followed_may_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "node-1.log"
    path.write_text("a long line of before\n")
    tail = Tail(path, "")
    assert tail.new_lines() == ["a long line of before"]
    path.write_text("new\n")
    assert tail.new_lines() == ["new"]


def test_a_full_volume_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", ".dynabus/x")

    monkeypatch.setattr("dynabus.cli.main._run", full)
    assert main(["version"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dynabus: [Errno 28] No space left on device: '.dynabus/x': the volume is full; ")


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match=f"{tmp_path}/file is a file: give a folder with --data"):
        DataFolder(tmp_path / "file").open()


def test_what_a_failed_write_left_does_not_make_a_folder_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "LAYOUT.new").touch()
    DataFolder(tmp_path).open()
    assert (tmp_path / "LAYOUT").read_text() == "1\n"


@pytest.mark.parametrize("content", ["", "{}", '{"kafka": 1}'])
def test_a_damaged_state_is_named(tmp_path: Path, content: str) -> None:
    folder = DataFolder(tmp_path)
    folder.open()
    (tmp_path / "cluster.json").write_text(content)
    with pytest.raises(Problem, match=r"cluster\.json is damaged: .* run `dynabus up`"):
        folder.require()


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    wish = Wish(kafka="mock", host="192.0.2.1")
    with pytest.raises(Problem, match=r"cannot serve on 192\.0\.2\.1: .*give an address of this machine with --host"):
        up(DataFolder(tmp_path / "d"), wish, lambda _line: None)


def test_ps_tells_a_birth_alike_in_all_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    told = set()
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        told.add(processes._birth_by_ps(os.getpid()))
    assert len(told) == 1
    assert None not in told


@pytest.mark.parametrize("service", SERVICES)
def test_too_little_memory_is_said_before_a_service_is_imported(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{40 << 20}\n")
    monkeypatch.setattr(memory_limit, "LIMIT_FILES", (limit,))
    monkeypatch.setitem(SERVICES, service, ("no.module.of.this.name", ""))
    assert main([service]) == 1
    assert capsys.readouterr().err.startswith(f"dynabus {service}: only 40 MB of memory are allowed, 64 MB are the ")
