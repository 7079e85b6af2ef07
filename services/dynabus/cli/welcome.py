"""What `dynabus up` prints once it serves."""

from __future__ import annotations

from pathlib import Path

from dynabus.cli.arguments import DATA
from dynabus.cli.cluster import NODE, Cluster


def welcome(cluster: Cluster, data: Path) -> str:
    """The endpoint, and the two lines of boto3 that use it."""
    option = "" if data == DATA else f" --data {data}"
    nodes = len(cluster.of(NODE))
    return f"""
Dynabus serves at {cluster.endpoint}
  {nodes} storage nodes, Kafka {cluster.kafka_source} at {cluster.kafka_bootstrap}, data in {data}

  import boto3
  db = boto3.client("dynamodb", endpoint_url="{cluster.endpoint}", region_name="us-east-1", \
aws_access_key_id="any", aws_secret_access_key="any")

`dynabus status{option}` shows it, `dynabus down{option}` stops it."""
