"""Registering with a registry that answers, refuses, talks nonsense, or is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.adapters.stub_registry import FIRST_ID, Registry, registry

from dynabus.adapters.ports import choose_ports
from dynabus.adapters.schema_registry import AGAIN_S, RegistryProblem, SchemaRegistry

SCHEMA = '{"type": "record", "name": "R", "fields": []}'


@pytest.fixture
def server() -> Iterator[Registry]:
    with registry() as made:
        yield made


def test_a_schema_is_registered_once_per_subject(server: Registry) -> None:
    asking = SchemaRegistry(server.url)
    assert [asking.register(subject, SCHEMA) for subject in ("a-value", "b-value", "a-value")] == [FIRST_ID] * 3
    assert [path for path, _ in server.asked] == ["/subjects/a-value/versions", "/subjects/b-value/versions"]
    assert SchemaRegistry(server.url).register("a-value", SCHEMA) == FIRST_ID


def test_path_and_password_of_the_address_are_used(server: Registry) -> None:
    asking = SchemaRegistry(server.url.replace("//", "//us%40er:pass@") + "/api/ccompat/")
    assert asking.register("a-value", SCHEMA) == FIRST_ID
    ((path, headers),) = server.asked
    assert path == "/api/ccompat/subjects/a-value/versions"
    assert headers["Authorization"] == "Basic dXNAZXI6cGFzcw=="


def test_a_refusal_says_why_and_is_tried_again(server: Registry) -> None:
    server.refused.add("a-value")
    asking = SchemaRegistry(server.url)
    with pytest.raises(RegistryProblem, match=r"refuses a-value: HTTP 409 .*incompatible"):
        asking.register("a-value", SCHEMA)
    assert asking.register("b-value", SCHEMA) == FIRST_ID
    server.refused.clear()
    assert asking.register("a-value", SCHEMA) == FIRST_ID


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, b"[7]"), (200, b'{"id": "7"}'), (200, b'{"id": -1}')])
def test_nonsense_is_no_id(server: Registry, answer: tuple[int, bytes]) -> None:
    server.answer = answer
    with pytest.raises(RegistryProblem, match="refuses a-value: HTTP 200"):
        SchemaRegistry(server.url).register("a-value", SCHEMA)


def test_one_that_is_away_is_not_asked_all_the_time() -> None:
    """And its password is not told."""
    now_s = 0.0
    (port,) = choose_ports(1)
    asking = SchemaRegistry(f"http://127.0.0.1:{port}".replace("//", "//user:secret@"), lambda: now_s)
    with pytest.raises(RegistryProblem, match=rf"127.0.0.1:{port} does not answer") as told:
        asking.register("a-value", SCHEMA)
    assert "secret" not in str(told.value)
    with registry() as server:
        asking._port = server.port
        with pytest.raises(RegistryProblem, match="does not answer"):
            asking.register("b-value", SCHEMA)
        now_s += AGAIN_S
        assert asking.register("b-value", SCHEMA) == FIRST_ID
