"""Offered twice its rate, a table admits refill and burst: with several routers, and through fail-overs."""

from __future__ import annotations

import pytest
from tests.unit.core.admission.tables import on_demand, provisioned
from tests.unit.core.admission.world import World

RATE = 10
TEN_MINUTES_MS = 600_000.0


@pytest.mark.parametrize("routers", [1, 2, 5])
def test_ten_minutes_at_twice_the_rate_admit_refill_and_burst(routers: int) -> None:
    world = World(provisioned(write=RATE), routers)
    for router in range(routers):
        world.offer(router, 2 * RATE / routers)
    world.run(TEN_MINUTES_MS)
    assert sum(world.admitted) == pytest.approx(world.formula(RATE), rel=0.02)
    assert sum(world.refused) > 0


def test_a_burst_at_ten_times_the_rate_is_admitted_to_its_last_unit() -> None:
    world = World(provisioned(write=RATE), 2)
    world.offer(0, 5 * RATE)
    world.offer(1, 5 * RATE)
    world.run(20_000)
    assert sum(world.refused) == 0, "300 s of the rate are there, and a third of that at most was used"
    world.run(60_000)
    assert sum(world.admitted) == pytest.approx(world.formula(RATE), rel=0.02)


def test_messages_that_are_lost_cost_nobody_tokens() -> None:
    world = World(provisioned(write=RATE), 3, seed=2, loses=0.2)
    for router in range(3):
        world.offer(router, RATE)
    world.run(TEN_MINUTES_MS)
    assert sum(world.admitted) == pytest.approx(world.formula(RATE), rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_fail_overs_do_not_fill_the_bucket_again(seed: int) -> None:
    """Bound: each router's share while nobody leads, and one second of the rate each; the debt is collected."""
    world = World(provisioned(write=RATE), 3, seed)
    for router in range(3):
        world.offer(router, 4 * RATE / 3)
    for at_ms in (200_000.0, 210_000.0, 320_000.0, 450_000.0):
        world.after(at_ms, lambda: world.fail_over(6000))
    world.run(TEN_MINUTES_MS)
    assert sum(world.admitted) == pytest.approx(world.formula(RATE), rel=0.02)


def test_that_would_notice_a_bucket_that_begins_full_after_a_fail_over() -> None:
    world = World(provisioned(write=RATE), 3)
    world.forgets = True
    for router in range(3):
        world.offer(router, 4 * RATE / 3)
    world.after(320_000.0, lambda: world.fail_over(6000))
    world.run(TEN_MINUTES_MS)
    assert sum(world.admitted) > world.formula(RATE) * 1.2


def test_while_nobody_leads_no_more_passes_than_the_rate_and_a_second_of_it_each() -> None:
    world = World(provisioned(write=RATE), 3)
    for router in range(3):
        world.offer(router, 4 * RATE / 3)
    world.run(300_000)
    before = sum(world.admitted)
    world.fail_over(8000)
    world.run(308_000)
    assert sum(world.admitted) - before <= 8 * RATE + 3 * RATE


def test_a_router_alone_for_too_long_refuses() -> None:
    world = World(provisioned(write=RATE), 1)
    world.offer(0, 4 * RATE)
    world.run(200_000)
    world.fail_over(1e9)
    world.run(300_000)
    before = sum(world.admitted)
    world.run(330_000)
    assert sum(world.admitted) == before


def test_a_table_that_was_not_in_use_is_full_after_a_fail_over() -> None:
    world = World(provisioned(write=RATE), 2)
    world.fail_over(0)
    world.run(5000)
    world.offer(0, 40 * RATE)
    world.run(60_000)
    assert sum(world.admitted) == pytest.approx(300 * RATE + 55 * RATE, rel=0.02)


def test_routers_share_what_is_scarce() -> None:
    world = World(provisioned(write=RATE), 4)
    for router in range(4):
        world.offer(router, 2 * RATE)
    world.run(150_000)
    before = list(world.admitted)
    world.run(270_000)
    shares = [after - earlier for after, earlier in zip(world.admitted, before, strict=True)]
    assert min(shares) > 0.8 * 120 * RATE / 4
    assert sum(shares) == pytest.approx(120 * RATE, rel=0.02)


def test_what_one_router_does_not_want_stays_for_the_others() -> None:
    world = World(provisioned(write=RATE), 2)
    world.offer(0, RATE / 10)
    world.offer(1, 4 * RATE)
    world.run(200_000)
    before, refused = list(world.admitted), world.refused[0]
    world.run(300_000)
    assert world.admitted[1] - before[1] == pytest.approx(100 * RATE * 0.9, rel=0.05)
    assert world.refused[0] - refused < 30


def test_unused_tokens_return_when_a_router_falls_silent() -> None:
    world = World(provisioned(write=RATE), 2)
    for router in range(2):
        world.offer(router, RATE, until_ms=5_000)
    world.run(30_000)
    assert world.authority is not None
    pool = world.authority.pools[1]
    pool.bucket.refill(world.now_ms)
    assert pool.bucket.level == 2 * 300 * RATE
    quiet = world.messages
    world.run(200_000)
    assert world.messages == quiet, "a table that nobody uses asks nothing"


def test_a_lease_is_asked_for_ahead_so_that_steady_traffic_is_never_refused() -> None:
    world = World(provisioned(write=RATE), 3)
    for router in range(3):
        world.offer(router, 0.95 * RATE / 3)
    world.run(TEN_MINUTES_MS)
    assert sum(world.refused) == 0
    assert world.messages < 3 * 2 * 600, "less than one request a second of each router"


def test_a_rare_writer_beside_many_readers_does_not_escape() -> None:
    world = World(provisioned(read=1, write=1), 1)
    world.offer(0, 10, until_ms=60_000)
    world.run(60_000)
    for _ in range(200):
        world.put(0, size=3000)
        for _ in range(20):
            world.run(world.now_ms + 50)
            world.get(0)
    assert world.admitted[0] <= world.formula(1) * 1.02


def test_large_items_cost_what_they_cost() -> None:
    world = World(provisioned(write=RATE), 2)
    for router in range(2):
        world.offer(router, RATE / 100, size=100 * 1024)
    world.run(TEN_MINUTES_MS)
    assert sum(world.admitted) <= world.formula(RATE) * 1.02 + 200


def test_an_on_demand_table_takes_its_first_capacity_without_a_refusal() -> None:
    world = World(on_demand(), 2)
    for router in range(2):
        world.offer(router, 1800)
    world.run(4_000)
    assert sum(world.refused) == 0


def test_maximums_of_on_demand_throughput_hold() -> None:
    world = World(on_demand(OnDemandThroughput={"MaxWriteRequestUnits": 20}), 1)
    world.offer(0, 80)
    world.run(100_000)
    assert world.admitted[0] == pytest.approx(10 * 20 + 100 * 20, rel=0.02)
