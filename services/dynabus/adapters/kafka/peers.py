"""Other regions, and how their Kafka is reached.

A secret among the properties may be named by a file, `file:PATH`: metadata and the admin log have the path only.
It is read by whichever process reaches the other region's Kafka.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import logger
from dynabus.core.global_tables.regions import Peer

SECRETS = frozenset(
    {
        "sasl.oauthbearer.client.secret",
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
    }
)
"""Properties of librdkafka that nobody else is to know."""

FILE = "file:"


def kafka_of(peer: Peer, client_id: str) -> KafkaSettings:
    """How another region's Kafka is reached. With a secret that cannot be read it is not, as with a wrong one."""
    return KafkaSettings(peer.kafka, peer.namespace, client_id, with_secrets(peer.properties))


def with_secrets(properties: Mapping[str, str]) -> dict[str, str]:
    """With what is in files, without blanks around it."""
    return {name: _read(value) if is_in_file(name, value) else value for name, value in properties.items()}


def is_in_file(name: str, value: str) -> bool:
    """A secret that only its path tells."""
    return name in SECRETS and value.startswith(FILE)


def _read(value: str) -> str:
    path = Path(value.removeprefix(FILE))
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        logger().error("the secret of a region cannot be read", file=str(path), reason=str(error))
        return value
