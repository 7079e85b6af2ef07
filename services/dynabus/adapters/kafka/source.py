"""What `--kafka` may say, and which broker is taken for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class SourceKind(StrEnum):
    """Where a cluster's Kafka comes from; also the `kafka.source` of `status --json`."""

    AUTO = "auto"
    LOCAL = "local"
    MOCK = "mock"
    DOCKER = "docker"
    EXTERNAL = "external"


DOCKER_BOOTSTRAP = "127.0.0.1:9092"
"""The address that the compose file publishes."""

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


class SourceError(Exception):
    """The value of `--kafka` names no source; one line that says what it may be."""


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """A source as asked for; `bootstrap` is known in advance only for an existing cluster."""

    kind: SourceKind
    bootstrap: str | None = None


def parse_source(text: str) -> KafkaSource:
    """`auto`, `local`, `mock`, `docker` or `host:port[,host:port…]`. Raises SourceError."""
    word = text.strip()
    if word == SourceKind.DOCKER:
        return KafkaSource(SourceKind.DOCKER, DOCKER_BOOTSTRAP)
    if word in (SourceKind.AUTO, SourceKind.LOCAL, SourceKind.MOCK):
        return KafkaSource(SourceKind(word))
    addresses = [part.strip() for part in word.split(",")]
    if not all(_is_address(address) for address in addresses):
        raise SourceError(f"--kafka {text!r}: expected auto, local, mock, docker or HOST:PORT[,HOST:PORT...]")
    return KafkaSource(SourceKind.EXTERNAL, ",".join(addresses))


def _is_address(text: str) -> bool:
    match = _ADDRESS.fullmatch(text)
    return bool(match) and 0 < int(match.group(2)) < 65536 if match else False
