"""What `dynabus up` prints once it serves."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dynabus.cli.cluster import DEFAULT_REGION, NODE, Cluster
from dynabus.cli.door import who_may
from dynabus.cli.target import DATA


def welcome(cluster: Cluster, data: Path) -> str:
    """The endpoint, who may use it, and the two lines of boto3 that do."""
    option = "" if data == DATA else f" --data {data}"
    nodes, region = len(cluster.of(NODE)), cluster.region or DEFAULT_REGION
    # Where keys count boto3 finds its own, in its environment or its files.
    credentials = "" if cluster.auth else ', aws_access_key_id="any", aws_secret_access_key="any"'
    return f"""
Dynabus serves at {cluster.endpoint}
  {nodes} storage nodes, Kafka {cluster.kafka_source} at {cluster.kafka_bootstrap}, data in {data}
  {who_may(cluster)}

  import boto3
  db = boto3.client("dynamodb", endpoint_url="{cluster.endpoint}", region_name="{region}"{credentials})

`{own_name()} status{option}` shows it, `{own_name()} down{option}` stops it."""


def own_name() -> str:
    """How this command is to be called again: by its name where a shell finds it, else by its path."""
    called = Path(sys.argv[0])
    if called.name != "dynabus" or shutil.which("dynabus") == str(called):
        return "dynabus"
    return os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)
