"""DescribeEndpoints."""

from __future__ import annotations

from typing import Any

from tests.conformance.wire import ask, post
from tests.integration.cluster import RunningCluster


def test_the_endpoint_is_the_one_that_was_asked(db: Any, cluster: RunningCluster) -> None:
    """scylladb test/alternator/test_describe_endpoints.py: one endpoint, usable for further requests; a day as in
    AWS CLI's example of describe-endpoints."""
    found = db.describe_endpoints()["Endpoints"]
    assert found == [{"Address": f"127.0.0.1:{cluster.port}", "CachePeriodInMinutes": 1440}]


def test_the_name_that_the_client_uses_is_kept(cluster: RunningCluster) -> None:
    """ours: behind a load balancer the address is the balancer's; what the body says of it does not count."""
    asked = post("DescribeEndpoints", {"Host": "elsewhere.example"})
    answer = ask(cluster.port, asked.replace(b"Host: 127.0.0.1\r\n", b"Host: tables.example:8443\r\n"))
    assert answer.json == {"Endpoints": [{"Address": "tables.example:8443", "CachePeriodInMinutes": 1440}]}


def test_without_a_host(cluster: RunningCluster) -> None:
    """ours: HTTP/1.0 has no Host."""
    asked = post("DescribeEndpoints", {}).replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: 127.0.0.1\r\n", b"")
    answer = ask(cluster.port, asked)
    assert answer.json == {"Endpoints": [{"Address": f"localhost:{cluster.port}", "CachePeriodInMinutes": 1440}]}


def test_a_body_that_is_no_object(cluster: RunningCluster) -> None:
    """observed of every operation: a SerializationException."""
    assert ask(cluster.port, post("DescribeEndpoints", [])).error()[0] == "SerializationException"
