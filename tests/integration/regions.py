"""Clusters of several regions on one machine, each with a Kafka of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from dynabus.cli.cluster import DataFolder
from dynabus.cli.control import ask, kafka_of
from dynabus.cli.region_view import Planet, read_planet
from tests.integration.cluster import RunningCluster, running

ONE_NODE = ("--nodes", "1")
"""Two clusters of three nodes are too much for a small machine, and nothing here depends on it."""


class Region:
    """A cluster that is one."""

    def __init__(self, name: str, cluster: RunningCluster) -> None:
        self.name, self.cluster = name, cluster
        self.db: Any = boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{cluster.port}",
            region_name=name,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
        )

    @property
    def kafka(self) -> str:
        return str(self.cluster.status()["kafka"]["bootstrap"])

    def know(self, other: Region) -> str:
        address = ["--kafka", other.kafka, "--endpoint", f"http://127.0.0.1:{other.cluster.port}"]
        return self.cluster.command("region", "add", other.name, *address)

    def status(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.cluster.command("region", "status", "--json"))
        return parsed

    def planet(self) -> Planet:
        """What its metadata say."""
        return read_planet(kafka_of(DataFolder(self.cluster.data).require()))

    def described(self, table: str) -> dict[str, Any]:
        found: dict[str, Any] = self.db.describe_table(TableName=table)["Table"]
        return found

    def replicas(self, table: str) -> dict[str, str]:
        shown = self.described(table).get("Replicas", ())
        return {each["RegionName"]: each["ReplicaStatus"] for each in shown}

    def ask(self, operation: str, **body: Any) -> dict[str, Any]:
        """Of its auto-admin, as a service does."""
        return ask(DataFolder(self.cluster.data).require(), operation, body)


@contextmanager
def planet(folder: Path, *names: str) -> Iterator[list[Region]]:
    """Regions that know each other; taken down whatever happens."""
    with ExitStack() as stack:
        found = [
            Region(name, stack.enter_context(running(folder / name, "--region", name, *ONE_NODE))) for name in names
        ]
        for one in found:
            for other in found:
                if other is not one:
                    one.know(other)
        yield found
