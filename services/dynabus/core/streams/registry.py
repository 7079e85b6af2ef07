"""The part of a schema registry's API that readers need, so that stock Kafka tools decode stream topics. Pure.

    GET /subjects                                   topics of streams, commands and outcomes, with -value behind
    GET /subjects/<subject>/versions                [1]
    GET /subjects/<subject>/versions/<1 or latest>  with id and schema; /schema behind it: the schema alone
    GET /schemas/ids/<id>                           the schema of a value's prefix; /schema behind it: it alone
    GET /schemas/types, /config, /mode              AVRO, BACKWARD, READONLY

Each topic has one schema. A changed one gets another id (a number of `core.messages`), and the old one stays
readable. Keys have none. Paths, members and error codes: Confluent's Schema Registry, API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

KIND = b"application/vnd.schemaregistry.v1+json"
ROOTS = frozenset({"subjects", "schemas", "config", "mode"})
VERSION = 1
NO_SUBJECT, NO_VERSION, NO_SCHEMA = 40401, 40402, 40403
SUFFIX = "-value"
"""Of subjects: the topic's name and this, which is the usual strategy of serializers."""


def subject_of(topic: str) -> str:
    """Of the values of a stream's topic."""
    return topic + SUFFIX


class Registry(NamedTuple):
    """`schemas`: their JSON by id; `topics`: the id of each one's schema."""

    schemas: Mapping[int, str]
    topics: Mapping[str, int]

    def answer(self, path: str) -> tuple[int, bytes] | None:
        """(HTTP status, body); None for a path that is none of the registry's."""
        parts = path.strip("/").split("/")
        if parts[0] not in ROOTS:
            return None
        match parts:
            case ["subjects"]:
                return _found([subject_of(topic) for topic in self.topics])
            case ["subjects", subject, *rest]:
                return self._of_subject(subject, rest)
            case ["schemas", "ids", number, *rest]:
                return self._of_id(number, rest)
            case ["schemas", "types"]:
                return _found(["AVRO"])
            case ["config"]:
                return _found({"compatibilityLevel": "BACKWARD"})
            case ["mode"]:
                return _found({"mode": "READONLY"})
            case _:
                return _missing(404, "HTTP 404 Not Found")

    def _of_subject(self, subject: str, rest: list[str]) -> tuple[int, bytes]:
        topic = subject.removesuffix(SUFFIX)
        if topic not in self.topics or not subject.endswith(SUFFIX):
            return _missing(NO_SUBJECT, f"Subject '{subject}' not found.")
        match rest:
            case ["versions"]:
                return _found([VERSION])
            case ["versions", version, *more] if version in (str(VERSION), "latest", "-1"):
                number = self.topics[topic]
                schema = self.schemas[number]
                if more == ["schema"]:
                    return 200, schema.encode()
                return _found({"subject": subject, "version": VERSION, "id": number, "schema": schema})
            case ["versions", version, *_]:
                return _missing(NO_VERSION, f"Version {version} not found.")
            case _:
                return _missing(404, "HTTP 404 Not Found")

    def _of_id(self, number: str, rest: list[str]) -> tuple[int, bytes]:
        known = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else -1
        schema = self.schemas.get(known)
        if schema is None:
            return _missing(NO_SCHEMA, f"Schema {number} not found")
        if rest == ["schema"]:
            return 200, schema.encode()
        return _found({"schema": schema})


def _found(body: Any) -> tuple[int, bytes]:
    return 200, orjson.dumps(body)


def _missing(code: int, message: str) -> tuple[int, bytes]:
    return 404, orjson.dumps({"error_code": code, "message": message})
