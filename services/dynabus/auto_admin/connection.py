"""An auto-admin in the real world: Kafka, clocks, dice."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

from dynabus.adapters.clock import exact_ms, unix_ms
from dynabus.adapters.kafka.topics import MOCK_PARTITIONS, TopicAdmin
from dynabus.adapters.log_codec import AvroBodies
from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.executor import Executor
from dynabus.auto_admin.links import Links
from dynabus.auto_admin.outside import World
from dynabus.auto_admin.pruning.log_pruner import LogPruner
from dynabus.auto_admin.service import ADMIN_LOG, AutoAdmin
from dynabus.core.ids import PartitionId, Writer
from dynabus.core.replication.effects import Surroundings, Timing
from dynabus.core.replication.election import ElectionTiming
from dynabus.core.replication.place import Origin
from dynabus.core.topics import Topics

PARTITIONS_MOST = 1000
"""Of a new table: a thousand topic partitions are made in seconds; 3,000,000 read units are far from here."""


NUMBERS_MOST = 10_000
"""Of a table in its whole life: every split leaves one topic partition behind, and Kafka bears many thousands."""


def connect(settings: AutoAdminSettings, me: Writer, admin: TopicAdmin) -> AutoAdmin:
    """Raises TopicError while Kafka does not answer."""
    kafka, topics = settings.kafka_settings(), Topics(settings.namespace)
    identity = admin.identity(topics.admin_log().name)
    pruner = LogPruner(kafka, topics, admin, settings.log_retention_s, settings.readers)
    dice = random.SystemRandom()
    timing = replace(Timing.without_leases(), election=ElectionTiming(heartbeat_ms=settings.heartbeat_ms))
    world = World(
        me=me,
        settings=settings,
        around=Surroundings(me, dice.random, partial(dice.getrandbits, 62), AvroBodies(), timing),
        origin=Origin(identity.cluster_id, identity.topic_id, PartitionId(ADMIN_LOG, 0)),
        bus=Links(kafka, topics),
        steps=Executor(kafka, topics, me, admin, pruner, settings.stream_retention_ms),
        now_ms=exact_ms,
        wall_ms=unix_ms,
        numbers_most=MOCK_PARTITIONS if admin.cluster().is_mock else NUMBERS_MOST,
        partitions_most=MOCK_PARTITIONS if admin.cluster().is_mock else PARTITIONS_MOST,
    )
    return AutoAdmin(world)
