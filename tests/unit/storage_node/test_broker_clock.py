"""Age of requests by broker append times: this host's clock and the broker's are never compared."""

from __future__ import annotations

from dynabus.storage_node.broker_clock import WINDOW_MS, BrokerClock


def test_the_fastest_way_is_age_zero_and_the_rest_is_waiting() -> None:
    clock = BrokerClock()
    assert clock.age_ms(5000.0, 1_000_000, 1) == 0.0
    assert clock.age_ms(5010.0, 1_000_007, 1) == 3.0
    assert clock.age_ms(9010.0, 1_000_010, 1) == 4000.0


def test_a_faster_way_makes_later_ages_longer() -> None:
    clock = BrokerClock()
    clock.age_ms(5010.0, 1_000_000, 1)
    assert clock.age_ms(5100.0, 1_000_100, 1) == 0.0
    assert clock.age_ms(5210.0, 1_000_200, 1) == 10.0


def test_a_stale_message_after_a_long_silence_is_still_old() -> None:
    clock = BrokerClock()
    clock.age_ms(1000.0, 1_000_000, 1)
    gap_ms = 10 * WINDOW_MS
    assert clock.age_ms(1000.0 + gap_ms, 1_000_100, 1) == gap_ms - 100


def test_after_the_brokers_clock_was_set_back_requests_look_fresh_again_within_two_windows() -> None:
    clock = BrokerClock()
    clock.age_ms(1000.0, 1_000_000, 1)
    back_ms = 60_000
    assert clock.age_ms(1001.0, 1_000_001 - back_ms, 1) == back_ms
    later_ms = WINDOW_MS + 1
    clock.age_ms(1000.0 + later_ms, 1_000_000 + int(later_ms) - back_ms, 1)
    later_ms = 2 * WINDOW_MS + 2
    assert clock.age_ms(1000.0 + later_ms, 1_000_000 + int(later_ms) - back_ms, 1) == 0.0


def test_another_leader_of_the_topic_is_another_clock() -> None:
    clock = BrokerClock()
    clock.age_ms(1000.0, 1_000_000, 1)
    assert clock.age_ms(1001.0, 990_000, 2) == 0.0
    assert clock.time_ms(1001.0) == 990_000


def test_what_the_broker_says_now_is_by_the_fastest_way() -> None:
    clock = BrokerClock()
    assert clock.time_ms(0.0) is None
    for received_ms, appended_ms in ((5010.0, 1_000_000), (5012.0, 1_000_010), (9000.0, 1_000_020)):
        clock.age_ms(received_ms, appended_ms, 1)
    assert clock.time_ms(9002.0) == 1_004_000
