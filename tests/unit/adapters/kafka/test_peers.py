"""How the Kafka of another region is reached, and where its secrets are."""

from __future__ import annotations

from pathlib import Path

import orjson

from dynabus.adapters.kafka.peers import kafka_of
from dynabus.core.global_tables.regions import Peer


def reached(**settings: str) -> dict[str, object]:
    properties = {name.replace("_", "."): value for name, value in settings.items()}
    peer = Peer("us", 1, "there:9092", "ns", "", orjson.dumps(properties).decode(), False)
    return {name: value for name, value in kafka_of(peer, "me").admin().items() if name in properties}


def test_a_secret_is_read_where_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n")
    where = f"file:{file}"
    assert reached(sasl_username=where, sasl_password=where) == {"sasl.username": where, "sasl.password": "hush"}
    file.write_text("other")
    assert reached(sasl_password=where) == {"sasl.password": "other"}
    assert reached(sasl_password="plain") == {"sasl.password": "plain"}


def test_with_one_that_cannot_be_read_nobody_gets_in(tmp_path: Path) -> None:
    where = f"file:{tmp_path / 'missing'}"
    assert reached(sasl_password=where) == {"sasl.password": where}
