"""Which cluster a command is about: one of this machine, by its folder, or one that runs elsewhere, by its Kafka."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from dynabus.adapters.kafka.source import SourceError, SourceKind, parse_source
from dynabus.cli.cluster import Cluster, DataFolder
from dynabus.cli.problem import Problem

DATA = Path(".dynabus")
NAMESPACE = "dynabus"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A cluster in containers or on other machines. All that is known of it is on its topics."""

    bootstrap: str
    namespace: str = NAMESPACE
    kafka_config: str | None = None

    def require(self) -> Cluster:
        """The cluster, without processes that this machine could look after."""
        return Cluster(
            namespace=self.namespace,
            host="",
            port=0,
            kafka_source=SourceKind.EXTERNAL,
            kafka_bootstrap=self.bootstrap,
            kafka_config=self.kafka_config,
        )


Target = DataFolder | Elsewhere


def target_of(options: argparse.Namespace) -> Target:
    """What the flags say; else the folder here, if there is a cluster in it; else what the environment says, as it
    does in a service's container. Raises Problem."""
    if options.kafka:
        return _elsewhere(options.kafka, options)
    if options.data is not None:
        return DataFolder(options.data)
    here, kafka = DataFolder(DATA), os.environ.get("DYNABUS_KAFKA")
    if here.load() is not None:
        return here
    if not kafka:
        raise Problem(
            f"no cluster in {here.path}: start one with `dynabus up`, or name it with --data DIR, or one that runs "
            "elsewhere with DYNABUS_KAFKA=HOST:PORT"
        )
    return _elsewhere(kafka, options)


def _elsewhere(kafka: str, options: argparse.Namespace) -> Elsewhere:
    try:
        source = parse_source(kafka)
    except SourceError as error:
        raise Problem(str(error)) from error
    if source.kind is not SourceKind.EXTERNAL or source.bootstrap is None:
        raise Problem(f"--kafka {kafka}: a cluster that runs elsewhere is named by HOST:PORT[,HOST:PORT...]")
    config = options.kafka_config or os.environ.get("DYNABUS_KAFKA_CONFIG")
    namespace = options.namespace or os.environ.get("DYNABUS_NAMESPACE") or NAMESPACE
    return Elsewhere(source.bootstrap, namespace, None if config is None else str(config))
