"""Questions to auto-admins: the own one, and those of other regions in their Kafka. Each region has a thread of its
own, so that one that is away delays only itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaException

from dynabus.adapters.kafka.control_client import ControlClient, Refused, Unanswered
from dynabus.adapters.kafka.peers import kafka_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicError, reach_kafka
from dynabus.adapters.worker import Worker
from dynabus.core.global_tables.regions import Peer
from dynabus.core.topics import Topics
from dynabus.repl_admin.definitions import OWN, Answer, NotAnswered

SLOT = "repl-admin"
"""Of the reply slots: `<slot>` in the own Kafka, `<slot>.<own region>` in another one."""


class Address(NamedTuple):
    """Where a region's auto-admin is asked, and in whose name."""

    kafka: KafkaSettings
    asker: str


def address_of(peer: Peer, own: str) -> Address:
    """Of another region."""
    asker = f"{SLOT}.{own}"
    return Address(kafka_of(peer, asker), asker)


class _Region:
    """One region: a thread, and a client for as long as it works."""

    def __init__(self, address: Address, answer_s: float) -> None:
        self.address, self._answer_s = address, answer_s
        self._client: ControlClient | None = None
        self._worker = Worker(f"ask {address.kafka.bootstrap}")

    def ask(self, operation: str, body: Answer) -> Future[Answer]:
        return self._worker.submit(partial(self._ask, operation, body))

    def close(self) -> None:
        self._worker.submit(self._drop)

    def _ask(self, operation: str, body: Answer) -> Answer:
        kafka, asker = self.address
        try:
            if self._client is None:
                self._client = ControlClient(kafka, Topics(kafka.namespace), asker, reach_kafka(kafka))
            return self._client.ask(operation, body, self._answer_s)
        except Refused as refusal:
            raise NotAnswered(str(refusal)) from refusal
        except (Unanswered, KafkaException, TopicError, UnsafeKafka) as error:
            # Another client: one that began while no broker answered may never find any.
            self._drop()
            raise NotAnswered(f"{kafka.bootstrap}: {_words(error)}") from error
        except (KeyError, TypeError, ValueError) as fault:
            raise NotAnswered(f"{kafka.bootstrap} answers what is none: {fault!r}") from fault

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


class Asking:
    """`ask` is a `definitions.Ask`."""

    def __init__(self, own: Address, peer: Callable[[str], Address | None], answer_ms: int) -> None:
        """`peer`: where a region is, as metadata say now."""
        self._own, self._peer, self._answer_s = own, peer, answer_ms / 1000
        self._regions: dict[str, _Region] = {}

    def ask(self, region: str, operation: str, body: Answer) -> Future[Answer]:
        """The answer to come; raises NotAnswered."""
        address = self._own if region == OWN else self._peer(region)
        if address is None:
            unknown: Future[Answer] = Future()
            unknown.set_exception(NotAnswered(f"region {region} is not known here"))
            return unknown
        known = self._regions.get(region)
        if known is None or known.address != address:
            if known is not None:
                known.close()
            known = self._regions[region] = _Region(address, self._answer_s)
        return known.ask(operation, body)


def _words(error: Exception) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else str(error)
