"""librdkafka takes every property that we set, and an operator's file cannot take safety away."""

from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from dynabus.adapters.kafka import settings
from dynabus.adapters.kafka.settings import (
    PROTECTED,
    KafkaConfigError,
    KafkaSettings,
    Properties,
    check_properties,
    read_kafka_config,
)

KAFKA = KafkaSettings("127.0.0.1:1", "ns", "node-1", {"security.protocol": "plaintext"})
QUIET: Properties = {"log_level": 0}

USES: list[tuple[str, Callable[[Properties], object], Properties]] = [
    ("admin", AdminClient, KAFKA.admin()),
    ("request producer", Producer, KAFKA.request_producer()),
    ("log producer", Producer, KAFKA.log_producer()),
    ("loop consumer", Consumer, KAFKA.loop_consumer()),
    ("log reader", Consumer, KAFKA.log_reader()),
]


@pytest.mark.parametrize(("use", "client", "properties"), USES, ids=[use for use, _, _ in USES])
def test_librdkafka_takes_every_property(
    use: str, client: Callable[[Properties], object], properties: Properties
) -> None:
    client({**properties, **QUIET})
    assert properties["bootstrap.servers"] == "127.0.0.1:1"
    assert properties["client.id"] == "node-1"
    assert properties["security.protocol"] == "plaintext"


def test_an_append_with_unknown_fate_is_known_within_two_seconds() -> None:
    log = KAFKA.log_producer()
    assert int(log["message.timeout.ms"]) <= 2000
    assert (log["acks"], log["enable.idempotence"], log["linger.ms"]) == ("all", True, 0)


def test_a_lost_position_is_an_error_never_a_jump() -> None:
    for consumer in (KAFKA.loop_consumer(), KAFKA.log_reader()):
        assert consumer["auto.offset.reset"] == "error"
        assert consumer["enable.auto.commit"] is False
        assert consumer["check.crcs"] is True


def test_an_operators_file_adds_properties(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# TLS\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n")
    assert read_kafka_config(file) == {"security.protocol": "SASL_SSL", "sasl.password": "a=b"}


@pytest.mark.parametrize("key", sorted(PROTECTED))
def test_an_operators_file_cannot_change_what_safety_rests_on(key: str, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text(f"client.rack=a\n{key}=0\n")
    with pytest.raises(KafkaConfigError, match=f"line 2: {key.replace('.', '[.]')} is set by Dynabus"):
        read_kafka_config(file)


@pytest.mark.parametrize(
    ("text", "says"), [("nonsense", "line 1: expected key=value"), ("=x", "line 1: expected key=value")]
)
def test_a_line_that_is_no_property_is_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text(text)
    with pytest.raises(KafkaConfigError, match=says):
        read_kafka_config(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KafkaConfigError, match=r"cannot read --kafka-config .*absent"):
        read_kafka_config(tmp_path / "absent")


def test_a_property_that_librdkafka_does_not_know_is_named() -> None:
    with pytest.raises(KafkaConfigError, match=r"no\.such\.property"):
        check_properties(KafkaSettings("127.0.0.1:1", extra={"no.such.property": "1"}))


def test_protected_properties_are_real_ones() -> None:
    """A misspelt name would protect nothing."""
    ours = settings.COMMON | settings.LOG_PRODUCER | settings.CONSUMER | settings.GROUP_MEMBER
    ours |= settings.STREAM_PRODUCER | settings.TABLE_PRODUCER
    aliases = {"bootstrap.servers", "metadata.broker.list", "request.required.acks", "auto.commit.enable"}
    assert PROTECTED - set(ours) - aliases == {"transactional.id", "delivery.timeout.ms", "group.id"}
