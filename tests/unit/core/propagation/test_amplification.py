"""Log records of an index for each change of its table's items, as propagators count them."""

from __future__ import annotations

from dynabus.core.global_indexes.arrivals import NEWS, REPEAT, UNCHANGED
from dynabus.core.ids import LogId
from dynabus.core.propagation.amplification import Tallies

ONE, OTHER = LogId("t.1"), LogId("t.2")


def test_answers_are_counted_by_index() -> None:
    tallies = Tallies()
    for count in (NEWS, NEWS, UNCHANGED, REPEAT):
        tallies.of(ONE).answered(count)
    tallies.of(OTHER).answered(REPEAT)
    assert tallies.of(ONE).shown() == {"changes": 0, "records": 3, "unchanged": 1, "repeats": 1}
    assert tallies.of(OTHER).shown() == {"changes": 0, "records": 0, "unchanged": 0, "repeats": 1}
    tallies.keep_only({OTHER})
    assert [*tallies.by_log] == [OTHER]
