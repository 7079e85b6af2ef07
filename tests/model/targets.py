"""Who is asked: both halves of every operation in this process, or a running cluster over HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.model.schema import Schema
from tests.unit.core.operations.cluster import Cluster

Answer = dict[str, Any]
SERVING_TIMEOUT_S = 60.0


class Target(Protocol):
    consistent_only: bool
    """Whether eventually consistent reads may be behind here."""

    def create(self, schemas: Sequence[Schema]) -> None:
        """Have these tables, empty."""

    def ask(self, operation: str, body: Answer) -> Answer:
        """The answer's members, of refusals too; raises AssertionError for anything else."""

    def close(self) -> None: ...


class InProcess:
    """Stores without a broker; a new one for every history."""

    consistent_only = False

    def __init__(self, cluster: Callable[[], Cluster] = Cluster) -> None:
        self._cluster = cluster()

    def create(self, schemas: Sequence[Schema]) -> None:
        for schema in schemas:
            answer = self.ask("CreateTable", schema.creation())
            assert "TableDescription" in answer, answer

    def ask(self, operation: str, body: Answer) -> Answer:
        answer = self._cluster.answer(operation, body)
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        """Stores in memory need nothing."""


class Endpoint:
    """A cluster that runs. Tables are made once and emptied for every history."""

    consistent_only = True

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)

    def create(self, schemas: Sequence[Schema]) -> None:
        for schema in schemas:
            answer = self.ask("CreateTable", schema.creation())
            if "TableDescription" not in answer:
                assert answer["__type"].endswith("ResourceInUseException"), answer
        for schema in schemas:
            self._await(schema)
            self._empty(schema)

    def ask(self, operation: str, body: Answer) -> Answer:
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/dynamodb/aws4_request, "
            "SignedHeaders=host, Signature=x",
        }
        self._connection.request("POST", "/", json.dumps(body), headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status < 500, f"{operation} {body}: {response.status} {content!r}"
        answer = json.loads(content)
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        self._connection.close()

    def _await(self, schema: Schema) -> None:
        deadline = time.monotonic() + SERVING_TIMEOUT_S
        while "Items" not in self.ask("Scan", {"TableName": schema.name, "ConsistentRead": True}):
            assert time.monotonic() < deadline, f"{schema.name} does not serve"
            time.sleep(0.05)

    def _empty(self, schema: Schema) -> None:
        """Delete whatever a history before has left."""
        while items := self.ask("Scan", {"TableName": schema.name, "ConsistentRead": True})["Items"]:
            for item in items:
                self.ask("DeleteItem", {"TableName": schema.name, "Key": schema.key(item)})
