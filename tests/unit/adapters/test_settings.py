"""A service's settings: which source wins, and one line for each mistake."""

from pathlib import Path

import pytest
from pydantic import Field

from dynabus.adapters.settings import ServiceSettings, load_settings


class NodeSettings(ServiceSettings):
    """Settings of a service in these tests."""

    lease_ms: int = Field(default=3000, ge=1, description="How long.")
    fsync: bool = Field(default=False, description="Whether.")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DYNABUS_CONFIG", raising=False)
    monkeypatch.setenv("DYNABUS_NAME", "node-1")


def load(*argv: str) -> NodeSettings:
    return load_settings(NodeSettings, argv, "dynabus storage-node")


def test_flag_over_variable_over_file_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().lease_ms == 3000
    file = tmp_path / "dynabus.toml"
    file.write_text("lease_ms = 10\nfsync = true\n")
    monkeypatch.setenv("DYNABUS_CONFIG", str(file))
    assert (load().lease_ms, load().fsync) == (10, True)
    monkeypatch.setenv("DYNABUS_LEASE_MS", "20")
    assert load().lease_ms == 20
    assert load("--lease-ms", "30", "--no-fsync").lease_ms == 30
    other = tmp_path / "other.toml"
    other.write_text("fsync = false\n")
    assert load("--config", str(other)).fsync is False


def test_a_later_call_forgets_the_file(tmp_path: Path) -> None:
    file = tmp_path / "dynabus.toml"
    file.write_text("lease_ms = 10\n")
    assert load(f"--config={file}").lease_ms == 10
    assert load().lease_ms == 3000


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--lease-ms", "x"], "--lease-ms (DYNABUS_LEASE_MS): Input should be a valid integer, unable to parse"),
        (["--lease-ms", "0"], "--lease-ms (DYNABUS_LEASE_MS): Input should be greater than or equal to 1; found '0'"),
        (["--name", "Node_1"], "--name (DYNABUS_NAME): String should match"),
        (["--leese-ms", "1"], "unrecognized arguments: --leese-ms 1"),
        (["--config", "absent.toml"], "--config absent.toml: no such file"),
        (["--ops-port", "70000"], "--ops-port (DYNABUS_OPS_PORT): Input should be less than or equal to 65535"),
        (["--log-level", "loud"], "--log-level (DYNABUS_LOG_LEVEL): String should match"),
    ],
)
def test_a_mistake_is_one_line(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        load(*argv)
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dynabus storage-node: ")
    assert says in line


def test_what_is_required_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("DYNABUS_NAME")
    with pytest.raises(SystemExit):
        load()
    assert capsys.readouterr().err == "dynabus storage-node: --name (DYNABUS_NAME) is required\n"


def test_kafka_with_the_operators_properties(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("security.protocol=SSL\n")
    kafka = load("--kafka", "a:1", "--kafka-config", str(file), "--namespace", "ns").kafka_settings()
    assert (kafka.bootstrap, kafka.namespace, kafka.client_id) == ("a:1", "ns", "node-1")
    assert kafka.extra == {"security.protocol": "SSL"}
