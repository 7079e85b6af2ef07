"""Ready means that somebody leads the admin log now, not that somebody once did."""

from __future__ import annotations

from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.__main__ import Life as Process
from dynabus.auto_admin.service import AutoAdmin


def ready(admin: AutoAdmin) -> bool:
    process = Process()
    process.admin = admin
    return process.readiness() is None


def test_before_anybody_leads() -> None:
    assert Process().readiness() == "waiting for Kafka"
    life = Life()
    (admin,) = life.admins.values()
    assert not ready(admin)
    life.until("active", life.active)
    assert ready(admin)


def test_a_standby_is_ready_while_it_hears_a_leader() -> None:
    life = Life("admin-1", "admin-2")
    life.until("both ready", lambda: all(map(ready, life.admins.values())))
    (active,) = life.active()
    del life.admins[active.me.node]
    (standby,) = life.admins.values()
    life.until("the silence is noticed", lambda: not ready(standby))
    assert standby.active_term is None
    life.until("it leads", lambda: ready(standby))
    assert life.active() == [standby]


def test_a_frozen_one_says_why() -> None:
    life = Life()
    life.until("active", life.active)
    life.kafka.out_of_range = True
    life.turn()
    process = Process()
    (process.admin,) = life.admins.values()
    assert "lost acknowledged records" in str(process.readiness())
