"""Where a group begins that has no members yet: what a copy of its table ends with."""

from __future__ import annotations

import logging

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.client.errors import BusyGroupError, NoKafkaError

SESSION_MS = 10_000

AWAY = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._WAIT_COORD})

_log = logging.getLogger("dynabus.client")


class GroupPositions:
    """Used by one thread at a time."""

    def __init__(self, kafka: KafkaSettings, group: str, admin: TopicAdmin) -> None:
        self._name, self._admin = group, admin
        self._group = Consumer(kafka.group_member(group, SESSION_MS), logger=_log)

    def refuse_members(self) -> None:
        """Raises BusyGroupError where there are some, and NoKafkaError."""
        try:
            members = self._admin.group_members(self._name)
        except TopicError as error:
            raise NoKafkaError(f"the members of group {self._name} are not told: {error}") from error
        if members:
            raise BusyGroupError(f"group {self._name} has members, who read on; let them end, then begin anew")

    def set(self, offsets: list[TopicPartition]) -> None:
        """Commit them. Raises BusyGroupError, NoKafkaError, KafkaException."""
        self.refuse_members()
        try:
            committed = self._group.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self.refuse_members()
            raise NoKafkaError(f"the group's positions were not taken: {error.args[0].str()}") from error
        for each in committed or ():
            if each.error is not None:
                raise KafkaException(each.error)

    def close(self) -> None:
        self._group.close()


def may_pass(error: NoKafkaError | KafkaException) -> bool:
    """Whether it is worth to ask again."""
    if isinstance(error, NoKafkaError):
        return True
    why = error.args[0]
    return why.retriable() or why.code() in AWAY
