"""The checker of the mixed run catches what it is for, and nothing else."""

from __future__ import annotations

from bench.versions import EXAMPLES_MOST, UNKNOWN_S, Versions


def _written(versions: Versions, key: int, times: int) -> None:
    for _ in range(times):
        versions.acknowledged(key, versions.next(key))


def _counts(versions: Versions) -> tuple[int, int, int]:
    return versions.lost.count, versions.stale.count, versions.invented.count


def test_an_honest_history_has_no_violations() -> None:
    versions = Versions(2)
    _written(versions, 0, 3)
    versions.seen(0, 3, versions.known(0))
    versions.seen(1, 0, versions.known(1))
    versions.final(0, 3)
    versions.final(1, 0)
    assert _counts(versions) == (0, 0, 0)


def test_a_planted_loss_is_found() -> None:
    versions = Versions(1)
    _written(versions, 0, 2)
    versions.final(0, 1)
    assert _counts(versions) == (1, 0, 0)
    assert versions.lost.examples == ["key 0: holds 1, 2 was known"]


def test_a_planted_stale_read_is_found() -> None:
    versions = Versions(1)
    _written(versions, 0, 5)
    versions.seen(0, 4, versions.known(0))
    assert _counts(versions) == (0, 1, 0)


def test_a_read_that_began_before_the_acknowledgement_may_show_either() -> None:
    versions = Versions(1)
    _written(versions, 0, 1)
    known, version = versions.known(0), versions.next(0)
    versions.acknowledged(0, version)
    versions.seen(0, 1, known)
    versions.seen(0, 2, known)
    assert _counts(versions) == (0, 0, 0)


def test_what_a_read_has_shown_may_not_disappear() -> None:
    versions = Versions(1)
    versions.next(0)
    versions.seen(0, 1, versions.known(0))
    versions.seen(0, 0, versions.known(0))
    versions.final(0, 0)
    assert _counts(versions) == (1, 1, 0)


def test_a_write_without_an_answer_may_have_happened_or_not() -> None:
    for found in (1, 2):
        versions = Versions(1)
        _written(versions, 0, 1)
        versions.next(0)
        versions.unanswered(0, now=10.0)
        versions.final(0, found)
        assert _counts(versions) == (0, 0, 0)


def test_a_key_rests_while_a_write_of_it_has_an_unknown_fate() -> None:
    versions = Versions(2)
    versions.next(0)
    versions.unanswered(0, now=10.0)
    assert not versions.may_write(0, now=10.0 + UNKNOWN_S - 1)
    assert versions.may_write(1, now=11.0)
    assert versions.may_write(0, now=10.0 + UNKNOWN_S)


def test_a_version_that_nobody_wrote_is_invented() -> None:
    versions = Versions(1)
    _written(versions, 0, 1)
    versions.seen(0, 7, versions.known(0))
    assert _counts(versions) == (0, 0, 1)


def test_all_violations_are_counted_and_few_are_kept() -> None:
    versions = Versions(1)
    _written(versions, 0, 1)
    for _ in range(EXAMPLES_MOST + 5):
        versions.final(0, 0)
    assert versions.lost.count == EXAMPLES_MOST + 5
    assert len(versions.lost.examples) == EXAMPLES_MOST
