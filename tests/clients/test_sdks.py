"""AWS's SDKs: the same program in each language, told where the cluster is by AWS's environment variables only.

The cluster is one as for production: HTTPS, and it verifies what each of them signs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.clients.printed import printed
from tests.clients.runtimes import PROGRAMS, boto3_python, go_binary, java, javascript, python_environment
from tests.clients.story import what_an_sdk_prints, what_the_cli_prints


def boto3_client() -> Sequence[str]:
    return [boto3_python(), str(PROGRAMS / "python" / "boto3_client.py")]


def boto3_resource() -> Sequence[str]:
    return [boto3_python(), str(PROGRAMS / "python" / "boto3_resource.py")]


def javascript_v3() -> Sequence[str]:
    return ["node", str(javascript("document_client.mjs"))]


def go_v2() -> Sequence[str]:
    return [str(go_binary())]


def java_v2() -> Sequence[str]:
    return java("java", "Orders")


def aws_cli() -> Sequence[str]:
    folder = Path(python_environment("aws_cli")).parent
    return ["env", f"PATH={folder}:{os.environ['PATH']}", "bash", str(PROGRAMS / "aws_cli" / "orders.sh")]


@pytest.mark.parametrize("command", [boto3_client, boto3_resource, javascript_v3, go_v2, java_v2])
def test_an_sdk_sees_what_dynamodb_would_show_it(
    command: Callable[[], Sequence[str]], closed_cluster: Mapping[str, str]
) -> None:
    table = f"orders-{command.__name__}"
    assert printed(command, table, closed_cluster) == what_an_sdk_prints(table)


def test_the_aws_cli_sees_what_dynamodb_would_show_it(closed_cluster: Mapping[str, str]) -> None:
    assert printed(aws_cli, "orders-cli", closed_cluster) == what_the_cli_prints("orders-cli")
