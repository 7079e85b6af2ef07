"""ReplAdmin's loop: metadata in, then each duty in turn, as long as this process is the active one.

No duty waits: what takes time is a future that is looked at in a later turn. What one of them has begun when another
process becomes active is done twice, which every step bears.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.core.ids import Writer
from dynabus.core.topics import Topics
from dynabus.repl_admin.asking import SLOT, Address, Asking, address_of
from dynabus.repl_admin.config import ReplAdminSettings
from dynabus.repl_admin.copying import Copies
from dynabus.repl_admin.definitions import Definitions
from dynabus.repl_admin.news import News
from dynabus.repl_admin.pulses import Pulses
from dynabus.repl_admin.retention import Retention

POLL_S = 0.1
"""Answers of other regions come in tens of milliseconds, and nobody waits for them by the millisecond."""


class Duty(Protocol):
    """Done by the active process alone."""

    def turn(self, now_ms: float) -> None:
        """Do what there is to do, without waiting."""


class ReplAdmin:
    """One ReplAdmin, active or standby."""

    def __init__(self, settings: ReplAdminSettings, me: Writer, admin: TopicAdmin) -> None:
        kafka, topics = settings.kafka_settings(), Topics(settings.namespace)
        self.me, self.stopping, self.turns = me, False, 0
        self.news = News(kafka, topics, settings.session_timeout_ms)
        self.asking = Asking(Address(kafka, SLOT), self._address, settings.answer_ms)
        self.definitions = Definitions(self.asking.ask, lambda: self.news.regions.peers)
        self.retention = Retention(self.asking.ask, admin, topics, self.news.links)
        self.copies = Copies(kafka, SLOT, settings.copy_items_per_s, settings.copies_at_once)
        self.pulses = Pulses(self.asking.ask, lambda: self.news.regions.others)
        self.duties: Sequence[Duty] = (self.definitions, self.copies, self.retention, self.pulses)

    @property
    def messages(self) -> int:
        return self.news.messages

    def run(self) -> None:
        """Until `stopping`."""
        while not self.stopping:
            self.news.take(POLL_S)
            self.turns += 1
            if self.news.is_active:
                now_ms = exact_ms()
                for duty in self.duties:
                    duty.turn(now_ms)
            elif self.copies.jobs:
                self.copies.close()
        self.copies.close()
        self.news.close()

    def readiness(self) -> str | None:
        """Why it does not do its work, or None: a standby is ready, too."""
        return None

    def status(self) -> dict[str, Any]:
        """What `dynabus region status` and a health check show of it."""
        return {
            "active": self.news.is_active,
            "region": self.news.regions.own,
            "silent": self.pulses.told if self.news.is_active else [],
            "links": self.retention.lines if self.news.is_active else [],
            "copies": self.copies.status(),
            "copy_limits": self.copies.limits,
            "refused": self.definitions.refused if self.news.is_active else [],
        }

    def _address(self, region: str) -> Address | None:
        peer = self.news.regions.peers.get(region)
        return None if peer is None else address_of(peer, self.news.regions.own)
