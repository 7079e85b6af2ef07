"""The registry's API for readers: what stock deserializers ask before they decode."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import orjson
import pytest
from tests.unit.adapters.test_stream_codec import ITEM, output

from dynabus.adapters.ingest_codec import OUTCOME_ID
from dynabus.adapters.ingest_codec import PUBLISHED as COMMANDS
from dynabus.adapters.stream_codec import PUBLISHED, SCHEMA_ID, encode_output
from dynabus.core.streams.registry import Registry

TOPICS = ["dynabus.stream.a.1", "dynabus.stream.b.2"]
OUTCOMES = "dynabus.outcomes.a"
REGISTRY = Registry({**PUBLISHED, **COMMANDS}, {**dict.fromkeys(TOPICS, SCHEMA_ID), OUTCOMES: OUTCOME_ID})


def get(path: str) -> tuple[int, Any]:
    found = REGISTRY.answer(path)
    assert found is not None
    return found[0], orjson.loads(found[1])


def test_a_value_is_decoded_by_what_its_prefix_leads_to() -> None:
    """As a deserializer does it: byte 0, an id, the schema of that id, Avro."""
    value = encode_output(output(), 0).value or b""
    number = int.from_bytes(value[1:5], "big")
    status, answer = get(f"/schemas/ids/{number}")
    assert status == 200
    schema = fastavro.parse_schema(orjson.loads(answer["schema"]))
    record: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
    assert record["old_image"]["n"]["N"] == ITEM["n"]["N"]


def test_each_topic_has_its_own_schema() -> None:
    latest = {topic: get(f"/subjects/{topic}-value/versions/latest")[1] for topic in (*TOPICS, OUTCOMES)}
    assert {topic: each["id"] for topic, each in latest.items()} == {
        **dict.fromkeys(TOPICS, SCHEMA_ID),
        OUTCOMES: OUTCOME_ID,
    }
    for each in latest.values():
        assert get(f"/schemas/ids/{each['id']}") == (200, {"schema": each["schema"]})


def test_subjects_are_topics() -> None:
    assert get("/subjects") == (200, [f"{topic}-value" for topic in (*TOPICS, OUTCOMES)])
    assert get("/subjects/dynabus.stream.a.1-value/versions") == (200, [1])
    for version in ("1", "latest"):
        status, answer = get(f"/subjects/dynabus.stream.a.1-value/versions/{version}")
        assert (status, answer["id"], answer["version"]) == (200, SCHEMA_ID, 1)
        assert answer["schema"] == PUBLISHED[SCHEMA_ID]
        assert get(f"/subjects/dynabus.stream.a.1-value/versions/{version}/schema")[1]["name"] == "StreamRecord"
    assert get(f"/schemas/ids/{SCHEMA_ID}/schema")[1]["name"] == "StreamRecord"
    assert get("/schemas/types") == (200, ["AVRO"])
    assert get("/mode") == (200, {"mode": "READONLY"})


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/schemas/ids/5", 40403),
        ("/schemas/ids/x", 40403),
        ("/schemas/ids/" + "9" * 5000, 40403),
        ("/schemas/ids/٣", 40403),
        ("/subjects/dynabus.stream.a.1/versions", 40401),
        ("/subjects/none-value/versions", 40401),
        ("/subjects/dynabus.stream.a.1-value/versions/2", 40402),
        ("/subjects/dynabus.stream.a.1-value", 404),
        ("/schemas", 404),
    ],
)
def test_what_is_not_there_is_told_in_the_registry_s_codes(path: str, code: int) -> None:
    status, answer = get(path)
    assert (status, answer["error_code"]) == (404, code)


def test_other_paths_are_not_the_registry_s() -> None:
    assert REGISTRY.answer("/") is None
    assert REGISTRY.answer("/elsewhere/subjects") is None
