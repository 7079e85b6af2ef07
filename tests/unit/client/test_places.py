"""boto3's hooks: what was seen travels with each request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from tests.integration.cluster import client
from tests.unit.request_router.served import Served, serving

from dynabus.client import read_your_writes
from dynabus.core.errors import validation_error


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


def header_of(served: Served) -> str:
    """As it came with the last request."""
    return served.router.asked[-1]


def test_what_was_seen_travels_on(served: Served) -> None:
    db = client(served.port)
    seen = read_your_writes(db)
    served.router.saw = "t1/0.1.33"
    db.list_tables()
    db.list_tables()
    assert served.router.asked == ["", "t1/0.1.33"]
    assert str(seen) == "t1/0.1.33"


def test_it_can_be_handed_on(served: Served) -> None:
    db = client(served.port)
    seen = read_your_writes(db, "t1/0.1.33")
    seen.add("t2/4.1.5")
    db.list_tables()
    assert header_of(served) == "t1/0.1.33,t2/4.1.5"


def test_a_refused_request_has_seen_something_too(served: Served) -> None:
    db = client(served.port)
    seen = read_your_writes(db)
    served.router.saw, served.router.outcome = "t1/0.1.33", validation_error("no")
    with pytest.raises(ClientError, match="no"):
        db.list_tables()
    assert str(seen) == "t1/0.1.33"


def test_what_is_no_place_is_refused_at_once(served: Served) -> None:
    with pytest.raises(ValueError, match="is not <table id>"):
        read_your_writes(client(served.port), "what")
