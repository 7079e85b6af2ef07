"""At a leader: when its log is told of floors, and a walk for tombstones that may go."""

from __future__ import annotations

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_tables.floors import Floors, Word
from dynabus.core.global_tables.forgetting import FAR_MS, Forgetting, Pace, removal
from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version
from dynabus.core.rows import encode_global_row, encode_row

PACE, US, WALL_MS = Pace(30_000.0, 0), frozenset({"us"}), 1_000_000
BOTH = frozenset({"eu", "us"})


def note(
    forgetting: Forgetting, known: Floors | None, now_ms: float = 0.0, pace: Pace = PACE, others: frozenset[str] = US
) -> Floors | None:
    return forgetting.note(known, "eu", others, pace, now_ms, WALL_MS + int(now_ms))


def ticks(ms: int) -> int:
    return (WALL_MS + ms) * TICKS_PER_MS


def test_a_leader_tells_its_log_at_once_then_every_so_often_and_when_regions_change() -> None:
    forgetting = Forgetting(1)
    first = note(forgetting, None)
    assert first == Floors("eu", US, promised=ticks(0) - 1)
    assert note(forgetting, first, 29_999) is None
    later = note(forgetting, first, 30_000)
    assert later is not None
    assert later.promised == ticks(30_000) - 1
    assert note(forgetting, later, 30_001, others=US | {"za"}) is not None
    assert note(Forgetting(2), later, 30_002) is not None, "another leader"


def test_nothing_is_forgotten_that_is_younger_than_the_least() -> None:
    forgetting = Forgetting(1)
    forgetting.hear("us", Word(ticks(0), ticks(0), BOTH))
    found = note(forgetting, None, pace=Pace(30_000.0, 4_000))
    assert found is not None
    assert found.forgotten == ticks(-4_000)


def test_by_a_clock_that_is_not_sure_nothing_is_promised_or_forgotten() -> None:
    forgetting = Forgetting(1)
    forgetting.hear("us", Word(5, ticks(900), BOTH))
    assert forgetting.note(Floors("eu", US, promised=7), "eu", US, PACE, 0.0, None) == Floors(
        "eu", US, {"us": 5}, {"us": ticks(900)}, promised=7
    )


def test_what_others_have_seen_of_a_table_that_was_here_before_is_promised() -> None:
    for seen, promised in ((ticks(900), ticks(900)), (ticks(FAR_MS) + 1, ticks(0) - 1)):
        forgetting = Forgetting(1)
        forgetting.hear("us", Word(-1, seen, BOTH))
        found = note(forgetting, None)
        assert found is not None
        assert found.promised == promised


# -- the walk -----------------------------------------------------------------------------------------------------


def row(time: int, item: bytes = b"", region: str = "us") -> bytes:
    return encode_global_row(item, len(item), 0, Version(Stamp(time, region), {region: time}))


def table(*times: int) -> MemoryStore:
    """Tombstones of these times, with an item between any two, and one of before the table was global."""
    store = MemoryStore()
    store.put(b"000", encode_row(b"{}", 2, 0))
    for number, time in enumerate(times, 1):
        store.put(b"%03d" % (2 * number), row(time))
        store.put(b"%03d" % (2 * number + 1), row(0, b"{}"))
    return store


def forgotten(time: int) -> Floors:
    return Floors("eu", US, forgotten=time)


def walk(forgetting: Forgetting, store: MemoryStore, floors: Floors, buried: int = 0) -> list[bytes]:
    """One walk to its end, in small slices."""
    gone: list[bytes] = []
    for _ in range(100):
        found = forgetting.look(store, floors, buried, 3, 2)
        assert found.rows <= 3
        assert len(found.over) <= 2
        for key in found.over:
            assert removal(floors)(store.get(key), 0).write
            store.delete(key)
        gone += found.over
        if not found.rows:
            return gone
    raise AssertionError("it never rests")


def test_what_may_be_forgotten_goes_and_nothing_else() -> None:
    store, forgetting = table(1, 9, 2, 5, 3, 4), Forgetting(1)
    assert walk(forgetting, store, forgotten(4)) == [b"002", b"006", b"010", b"012"]
    assert forgetting.kept == 2
    assert walk(forgetting, store, forgotten(4)) == []
    assert walk(forgetting, store, forgotten(9)) == [b"004", b"008"]
    assert walk(forgetting, store, forgotten(10)) == [], "to see that all went"
    assert forgetting.kept == 0
    assert forgetting.look(store, forgotten(11), 0, 3, 2).rows == 0, "there is nothing to look for"


def test_deletions_since_the_last_walk_are_looked_for() -> None:
    store, forgetting = table(), Forgetting(1)
    walk(forgetting, store, forgotten(4))
    store.put(b"000", row(3))
    assert walk(forgetting, store, forgotten(5)) == []
    assert walk(forgetting, store, forgotten(4), buried=1) == [], "not before more may be forgotten"
    assert walk(forgetting, store, forgotten(5), buried=1) == [b"000"]


def test_a_removal_that_was_refused_is_tried_again() -> None:
    store, forgetting = table(1), Forgetting(1)
    assert forgetting.look(store, forgotten(4), 0, 9, 9).over == (b"002",)
    assert walk(forgetting, store, forgotten(5)) == [b"002"]


def test_what_was_written_meanwhile_stays() -> None:
    evaluate = removal(forgotten(4))
    assert evaluate(row(4), 0).write
    assert evaluate(row(4), 0).row is None
    for old in (None, row(4, b"{}"), row(5), encode_row(b"{}", 2, 0)):
        assert not evaluate(old, 0).write
